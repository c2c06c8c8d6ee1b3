import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { complaintAbout, hasCode } from '../failures.ts'
import { AskForMail } from '../parts/ask-for-mail.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { NewPasswordField } from '../parts/new-password.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { texts } from '../texts/language.ts'
import { takeToken } from '../token.ts'
import { askForReset } from './forgot-password.tsx'

const token = takeToken()
/** The link knows whose password it is; this page does not. */
const nobody = () => ({ email: '' })

export function ResetPassword() {
  const { reset } = texts
  const [view, setView] = useState<'choose' | 'ask' | 'void' | 'done'>(token === null ? 'ask' : 'choose')
  const form = useForm(['new_password'], async ({ new_password }) => {
    if (token === null || new_password === '') return { new_password: texts.fields.newPasswordMissing }
    try {
      await client.resetPassword({ token, new_password })
    } catch (error) {
      // A token cut short by a mail client may also be taken for a badly formed field.
      if (!hasCode(error, 'invalid_link') && complaintAbout(error, 'token') === undefined) throw error
      setView('void')
      return undefined
    }
    setView('done')
    return undefined
  })
  return (
    <Shell title={reset.title}>
      <Card>
        {view === 'ask' && <AskForMail title={reset.askTitle} why={reset.askWhy} ask={askForReset} />}
        {view === 'void' && <AskForMail title={reset.voidTitle} why={reset.voidWhy} ask={askForReset} isOutcome />}
        {view === 'choose' && (
          <>
            <h1>{reset.title}</h1>
            <p>{reset.intro}</p>
            <form {...form.props}>
              <NewPasswordField name="new_password" error={form.errorOf('new_password')} knownAs={nobody} />
              <Submit form={form} busy={reset.busy}>
                {reset.submit}
              </Submit>
            </form>
          </>
        )}
        {view === 'done' && (
          <Outcome title={reset.doneTitle}>
            <p>{reset.done}</p>
            <p>
              <a class="button primary" href="/sign-in">
                {texts.signIn.title}
              </a>
            </p>
          </Outcome>
        )}
      </Card>
    </Shell>
  )
}
