/** What a link in an email does after a click: programs that open every link of a mailbox click nothing. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { complaintAbout, hasCode } from '../failures.ts'
import { hrefTo } from '../navigation.ts'
import { Submit, useForm } from '../parts/form.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { texts } from '../texts/language.ts'
import { takeToken } from '../token.ts'
import { words } from './texts/words.ts'

/** Taken when the script starts: nothing may be drawn while the token is in the address bar. */
const token = takeToken()

interface OneClickProps {
  words: Record<'title' | 'submit' | 'missing' | 'void' | 'doneTitle', string>
  intro: ComponentChildren
  /** Uses the link. Returns what to say afterwards. */
  redeem: (token: string) => Promise<string>
  /** Where to go from a link that is used, if not to the sign-in page. */
  next: ComponentChildren
}

export function OneClick({ words: its, intro, redeem, next }: OneClickProps) {
  const [done, setDone] = useState<string>()
  const [isVoid, setIsVoid] = useState(false)
  const form = useForm([], async () => {
    try {
      setDone(await redeem(token ?? ''))
    } catch (error) {
      // A token that a mail program cut short is refused as a malformed field.
      if (!hasCode(error, 'invalid_link') && complaintAbout(error, 'token') === undefined) throw error
      setIsVoid(true)
    }
    return undefined
  })
  if (done !== undefined) {
    return (
      <Outcome title={its.doneTitle}>
        <p class="long">{done}</p>
        {next}
      </Outcome>
    )
  }
  if (isVoid) {
    return (
      <Outcome title={words.voidTitle}>
        <p>{its.void}</p>
        {next ?? (
          <p>
            <a href={hrefTo('/sign-in')}>{texts.signIn.title}</a>
          </p>
        )}
      </Outcome>
    )
  }
  return (
    <>
      <h1>{its.title}</h1>
      <p class="long">{token === null ? its.missing : intro}</p>
      {token !== null && (
        <form {...form.props}>
          <Submit form={form} busy={words.busy}>
            {its.submit}
          </Submit>
        </form>
      )}
    </>
  )
}
