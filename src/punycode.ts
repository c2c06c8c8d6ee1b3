/** RFC 3492 §5: the parameters of Punycode. */
const base = 36
const tMin = 1
const tMax = 26
const skew = 38
const damp = 700
const initialBias = 72
const initialN = 128

/** Decodes a label without its `xn--` (RFC 3492 §6.2). `undefined` for what no label encodes to. */
export function decodePunycode(encoded: string): string | undefined {
  const delimiter = encoded.lastIndexOf('-')
  const points = Array.from(encoded.slice(0, Math.max(delimiter, 0)), (character) => character.codePointAt(0)!)
  let [n, bias, index, place] = [initialN, initialBias, 0, delimiter > 0 ? delimiter + 1 : 0]
  while (place < encoded.length) {
    const before = index
    for (let weight = 1, k = base; ; k += base) {
      const digit = digitOf(encoded[place++])
      if (digit === undefined) return undefined
      index += digit * weight
      const threshold = Math.min(Math.max(k - bias, tMin), tMax)
      if (digit < threshold) break
      weight *= base - threshold
      // Larger than any label needs, long before numbers lose digits.
      if (weight > 2 ** 31) return undefined
    }
    const length = points.length + 1
    bias = adapt(index - before, length, before === 0)
    n += Math.floor(index / length)
    if (n > 0x10ffff) return undefined
    index %= length
    points.splice(index++, 0, n)
  }
  return String.fromCodePoint(...points)
}

function digitOf(character: string | undefined): number | undefined {
  const place = 'abcdefghijklmnopqrstuvwxyz0123456789'.indexOf(character ?? ' ')
  return place < 0 ? undefined : place
}

function adapt(delta: number, length: number, isFirst: boolean): number {
  let rest = isFirst ? Math.floor(delta / damp) : delta >> 1
  rest += Math.floor(rest / length)
  let k = 0
  for (; rest > ((base - tMin) * tMax) / 2; k += base) rest = Math.floor(rest / (base - tMin))
  return k + Math.floor(((base - tMin + 1) * rest) / (rest + skew))
}
