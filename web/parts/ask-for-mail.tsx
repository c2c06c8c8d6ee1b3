/** The form that asks for a mail. What is answered is the same whether the address is known or not, and so is what is shown. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { texts } from '../texts/language.ts'
import { EmailField } from './fields.tsx'
import { Submit, useForm } from './form.tsx'
import { Outcome } from './outcome.tsx'

interface AskForMailProps {
  title: string
  why: ComponentChildren
  /** Whether something else stood here before. */
  isOutcome?: boolean
  ask: (email: string) => Promise<unknown>
}

export function AskForMail({ title, why, isOutcome, ask }: AskForMailProps) {
  const [isSent, setIsSent] = useState(false)
  const { mail, fields } = texts
  const form = useForm(['email'], async ({ email }) => {
    if (email.trim() === '') return { email: fields.emailMissing }
    await ask(email)
    setIsSent(true)
    return undefined
  })
  if (isSent) return <LookIntoMailbox />
  return (
    <>
      {isOutcome ? <Outcome title={title}>{null}</Outcome> : <h1>{title}</h1>}
      <p>{why}</p>
      <form {...form.props}>
        <EmailField error={form.errorOf('email')} autoComplete="email" />
        <Submit form={form} busy={mail.busy}>
          {mail.submit}
        </Submit>
      </form>
    </>
  )
}

export function LookIntoMailbox({ children }: { children?: ComponentChildren }) {
  const { mail } = texts
  return (
    <Outcome title={mail.sentTitle}>
      <p>{mail.sent}</p>
      <p class="soft">{mail.nothingThere}</p>
      {children}
    </Outcome>
  )
}
