import { useEffect, useState } from 'preact/hooks'

/** White around the code, in modules (ISO/IEC 18004). */
const border = 4

/** Drawn here, because a service for pictures would learn the key. Without it the key can still be typed. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const [rows, setRows] = useState<boolean[][]>()
  useEffect(() => {
    import('uqr').then(
      ({ encode }) => setRows(encode(text, { border }).data),
      () => undefined,
    )
  }, [text])
  const size = rows?.length ?? 1
  const dark = (rows ?? []).flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')))
  return (
    <svg class="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={dark.join('')} fill="#000" />
    </svg>
  )
}
