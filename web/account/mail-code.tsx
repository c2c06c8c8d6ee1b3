import { useState } from 'preact/hooks'
import type { User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain, hasCode } from '../failures.ts'
import { CodeField } from '../parts/code-fields.tsx'
import type { Refusals } from '../parts/form.tsx'
import { useOneAtATime } from '../parts/one-at-a-time.ts'
import { words } from './texts/words.ts'

/** How long an activation proves the mailbox to the service, for the session that began with it. */
const provenMs = 600_000

/**
 * Whether the first factor of a user surely needs a code from an email. Soon after an activation only the service knows
 * whether this session began with it.
 */
export function surelyNeedsCode({ activated_at: activatedAt }: User): boolean {
  return activatedAt === null || Date.now() - Date.parse(activatedAt) > provenMs
}

interface MailCodeNeed {
  isNeeded: boolean
  /** What is wrong with a code that was typed. */
  missing: (typed: string) => Refusals | undefined
  /** The errors to show if the service refused the code. After its first such refusal the form asks for one. */
  refusal: (error: unknown) => Refusals | undefined
}

/** @param isNeededAtOnce before the service has said so */
export function useMailCode(isNeededAtOnce: boolean): MailCodeNeed {
  const [isNeeded, setIsNeeded] = useState(isNeededAtOnce)
  const missing = { mail_code: words.mailCode.missing }
  return {
    isNeeded,
    missing: (typed) => (isNeeded && typed.trim() === '' ? missing : undefined),
    refusal(error) {
      if (!hasCode(error, 'wrong_mail_code')) return undefined
      setIsNeeded(true)
      return isNeeded ? { mail_code: explain(error) } : missing
    },
  }
}

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
