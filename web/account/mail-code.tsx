import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { CodeField } from '../parts/code-fields.tsx'
import { useOneAtATime } from '../parts/one-at-a-time.ts'
import { words } from './texts/words.ts'

/** For the first factor of an account that must have one: a password alone must not be enough to add it. */
export function MailCode({ error }: { error: string | undefined }) {
  const { mailCode } = words
  const [message, setMessage] = useState('')
  const { isBusy, run } = useOneAtATime()
  const send = () =>
    run(async () => {
      setMessage('')
      setMessage(await client.sendFactorCode().then(() => mailCode.sent, explain))
    })
  return (
    <>
      <p>
        <button type="button" class="quiet" aria-disabled={isBusy} onClick={() => void send()}>
          {isBusy ? mailCode.sending : mailCode.send}
        </button>
      </p>
      <p role="status">{message}</p>
      <CodeField label={mailCode.label} name="mail_code" error={error} />
    </>
  )
}
