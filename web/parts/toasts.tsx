/** Short messages about what was done, which screen readers announce. */
import { useEffect, useState } from 'preact/hooks'

const shownMs = 6_000

let show: ((text: string) => void) | undefined

export function toast(text: string): void {
  show?.(text)
}

/** Where the messages appear. Mounted once per page. */
export function Toasts() {
  const [text, setText] = useState('')
  useEffect(() => {
    show = setText
    return () => {
      show = undefined
    }
  }, [])
  useEffect(() => {
    if (text === '') return undefined
    const timer = setTimeout(() => setText(''), shownMs)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <div class="toasts" role="status">
      {text && <p class="toast">{text}</p>}
    </div>
  )
}
