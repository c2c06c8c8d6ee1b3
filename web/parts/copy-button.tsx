import { useState } from 'preact/hooks'
import { texts } from '../texts/language.ts'

/** Copies a text. Says so beside the button, because a message outside of a dialog is not announced. */
export function CopyButton({ text, children }: { text: string; children: string }) {
  const [answer, setAnswer] = useState('')
  const copy = () => {
    setAnswer('')
    navigator.clipboard.writeText(text).then(
      () => setAnswer(texts.codes.copied),
      () => setAnswer(texts.codes.notCopied),
    )
  }
  return (
    <>
      <span role="status" class="soft">
        {answer}
      </span>
      <button type="button" class="quiet" onClick={copy}>
        {children}
      </button>
    </>
  )
}
