/** The form that requests an email. Like the service, it says the same whether or not the address has an account. */
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useState } from 'preact/hooks'
import { texts } from '../texts/language.ts'
import { type Proof, useChallenge } from './challenge.tsx'
import { EmailField } from './fields.tsx'
import { Submit, focusField, useForm } from './form.tsx'
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
  const [asked, setAsked] = useState({ email: typed, isSent: false })
  const { mail, fields } = texts
  const challenge = useChallenge('password_reset', isGuarded)
  const form = useForm(['email'], async ({ email }) => {
    if (email.trim() === '') return { email: fields.emailMissing }
    await challenge.send((proof) => ask(email, proof))
    setAsked({ email, isSent: true })
    return undefined
  })
  // Not by `autofocus`, which browsers respect once: the form may come back.
  useLayoutEffect(() => {
    if (!isOutcome || asked.email !== '') focusField(form, 'email')
  }, [asked.isSent])
  if (asked.isSent) {
    return <CheckInbox email={asked.email} onWrongAddress={() => setAsked({ ...asked, isSent: false })} />
  }
  return (
    <>
      {isOutcome ? <Outcome title={title}>{null}</Outcome> : <h1>{title}</h1>}
      <p>{why}</p>
      <form {...form.props}>
        <EmailField error={form.errorOf('email')} autoComplete="email" defaultValue={asked.email} />
        {challenge.widget}
        <Submit form={form} busy={mail.busy}>
          {mail.submit}
        </Submit>
      </form>
    </>
  )
}

interface CheckInboxProps {
  /** As it was typed. Whether there is such an account is not known. */
  email: string
  /** Shows the form again, with what was typed. */
  onWrongAddress: () => void
  /** More that can be done, above the way back. */
  children?: ComponentChildren
}

export function CheckInbox({ email, onWrongAddress, children }: CheckInboxProps) {
  const { mail } = texts
  return (
    <Outcome title={mail.sentTitle}>
      <p class="long">{mail.sent(email)}</p>
      <p class="soft">{mail.nothingThere}</p>
      <div class="ways">
        {children}
        <button type="button" class="quiet" onClick={onWrongAddress}>
          {mail.wrongAddress}
        </button>
      </div>
    </Outcome>
  )
}
