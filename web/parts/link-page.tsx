/** A page that the link in an email leads to: one password, and a way to another link when this one is void. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { complaintAbout, hasCode } from '../failures.ts'
import { hrefTo } from '../navigation.ts'
import { withReturn } from '../return-to.ts'
import { texts } from '../texts/language.ts'
import { takeToken } from '../token.ts'
import { takeTypedAddress } from '../typed-address.ts'
import type { Proof } from './challenge.tsx'
import { AskForMail } from './ask-for-mail.tsx'
import { type Refusals, Submit, useForm } from './form.tsx'
import { Outcome } from './outcome.tsx'
import { Card, Shell } from './shell.tsx'

/** Taken when the script starts: nothing may be drawn while they are in the address bar. */
const typed = takeTypedAddress()
const token = takeToken()

interface LinkPageProps<Name extends string> {
  words: Record<
    'title' | 'intro' | 'submit' | 'busy' | 'askWhy' | 'voidTitle' | 'voidWhy' | 'doneTitle' | 'done',
    string
  >
  /** The heading when the page is opened without a link. */
  askTitle: string
  /** Sends another link. */
  ask: (email: string, proof: Proof) => Promise<unknown>
  /** Whether the service guards that with a challenge. */
  isGuarded?: boolean
  /** The field for the password, as the API calls it. */
  name: Name
  /** What stands beside the field when it is empty. */
  missing: string
  field: (error: string | undefined) => ComponentChildren
  /** Uses the link. A refusal that it returns leaves the link usable. */
  redeem: (body: { token: string } & Record<Name, string>) => Promise<Refusals | undefined>
  next: { href: string; label: string }
}

export function LinkPage<Name extends string>(props: LinkPageProps<Name>) {
  const { words, askTitle, ask, isGuarded = false, name, missing, field, redeem, next } = props
  const [view, setView] = useState<'form' | 'ask' | 'void' | 'done'>(token === null ? 'ask' : 'form')
  const form = useForm([name], async (values) => {
    if (token === null || values[name] === '') return { [name]: missing }
    try {
      const refusals = await redeem({ token, ...values })
      if (refusals) return refusals
      setView('done')
    } catch (error) {
      // A token that a mail program cut short is refused as a malformed field.
      if (!hasCode(error, 'invalid_link') && complaintAbout(error, 'token') === undefined) throw error
      setView('void')
    }
    return undefined
  })
  return (
    <Shell title={words.title}>
      <Card>
        {view === 'ask' && (
          <AskForMail title={askTitle} why={words.askWhy} ask={ask} isGuarded={isGuarded} typed={typed} />
        )}
        {view === 'void' && (
          <AskForMail title={words.voidTitle} why={words.voidWhy} ask={ask} isGuarded={isGuarded} isOutcome />
        )}
        {view === 'form' && (
          <>
            <h1>{words.title}</h1>
            <p>{words.intro}</p>
            <form {...form.props}>
              {field(form.errorOf(name))}
              <Submit form={form} busy={words.busy}>
                {words.submit}
              </Submit>
            </form>
          </>
        )}
        {view === 'done' && (
          <Outcome title={words.doneTitle}>
            <p>{words.done}</p>
            <p>
              <a class="button primary" href={hrefTo(next.href)}>
                {next.label}
              </a>
            </p>
          </Outcome>
        )}
      </Card>
      {(view === 'ask' || view === 'void') && (
        <p class="aside">
          <a href={hrefTo(withReturn('/sign-in'))}>{texts.signIn.title}</a>
        </p>
      )}
    </Shell>
  )
}
