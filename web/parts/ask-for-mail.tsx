/** The form that requests an email. It shows the same whether the address has an account or not, as the service does. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { texts } from '../texts/language.ts'
import { type Proof, useChallenge } from './challenge.tsx'
import { EmailField } from './fields.tsx'
import { Submit, useForm } from './form.tsx'
import { Outcome } from './outcome.tsx'

interface AskForMailProps {
  title: string
  why: ComponentChildren
  /** Whether it replaces another form. Then its heading takes the focus. */
  isOutcome?: boolean
  ask: (email: string, proof: Proof) => Promise<unknown>
  /** Whether the service guards it with a challenge. */
  isGuarded?: boolean
  /** The address that was typed on the page before. */
  typed?: string
}

export function AskForMail({ title, why, isOutcome, ask, isGuarded = false, typed = '' }: AskForMailProps) {
  const [isSent, setIsSent] = useState(false)
  const { mail, fields } = texts
  const challenge = useChallenge('password_reset', isGuarded)
  const form = useForm(['email'], async ({ email }) => {
    if (email.trim() === '') return { email: fields.emailMissing }
    await challenge.send((proof) => ask(email, proof))
    setIsSent(true)
    return undefined
  })
  if (isSent) return <CheckInbox />
  return (
    <>
      {isOutcome ? <Outcome title={title}>{null}</Outcome> : <h1>{title}</h1>}
      <p>{why}</p>
      <form {...form.props}>
        <EmailField error={form.errorOf('email')} autoComplete="email" defaultValue={typed} />
        {challenge.widget}
        <Submit form={form} busy={mail.busy}>
          {mail.submit}
        </Submit>
      </form>
    </>
  )
}

export function CheckInbox({ children }: { children?: ComponentChildren }) {
  const { mail } = texts
  return (
    <Outcome title={mail.sentTitle}>
      <p>{mail.sent}</p>
      <p class="soft">{mail.nothingThere}</p>
      {children}
    </Outcome>
  )
}
