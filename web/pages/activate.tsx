import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { complaintAbout, hasCode } from '../failures.ts'
import { AskForMail } from '../parts/ask-for-mail.tsx'
import { PasswordField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { returnTarget } from '../return-to.ts'
import { texts } from '../texts/language.ts'
import { takeToken } from '../token.ts'

const token = takeToken()
const askAgain = (email: string) => client.resendActivation(email)

export function Activate() {
  const { activation, common, fields } = texts
  const [view, setView] = useState<'prove' | 'ask' | 'void' | 'done'>(token === null ? 'ask' : 'prove')
  const form = useForm(['password'], async ({ password }) => {
    if (token === null || password === '') return { password: fields.passwordMissing }
    try {
      // Activation is the first sign-in.
      await client.activate({ token, password })
    } catch (error) {
      if (hasCode(error, 'invalid_credentials')) return { password: activation.wrongPassword }
      // A token cut short by a mail client may also be taken for a badly formed field.
      if (!hasCode(error, 'invalid_link') && complaintAbout(error, 'token') === undefined) throw error
      setView('void')
      return undefined
    }
    setView('done')
    return undefined
  })
  return (
    <Shell title={activation.title}>
      <Card>
        {view === 'ask' && <AskForMail title={activation.title} why={activation.askWhy} ask={askAgain} />}
        {view === 'void' && (
          <AskForMail title={activation.voidTitle} why={activation.voidWhy} ask={askAgain} isOutcome />
        )}
        {view === 'prove' && (
          <>
            <h1>{activation.title}</h1>
            <p>{activation.intro}</p>
            <form {...form.props}>
              <PasswordField
                label={common.password}
                name="password"
                autoComplete="current-password"
                error={form.errorOf('password')}
              />
              <p class="beside">
                <a href="/forgot-password">{activation.forgot}</a>
              </p>
              <Submit form={form} busy={activation.busy}>
                {activation.submit}
              </Submit>
            </form>
          </>
        )}
        {view === 'done' && (
          <Outcome title={activation.doneTitle}>
            <p>{activation.done}</p>
            <p>
              <a class="button primary" href={returnTarget()}>
                {activation.goOn}
              </a>
            </p>
          </Outcome>
        )}
      </Card>
    </Shell>
  )
}
