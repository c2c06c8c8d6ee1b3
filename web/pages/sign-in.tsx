import { useEffect, useState } from 'preact/hooks'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { home, hrefTo, leaveFor } from '../navigation.ts'
import { useChallenge } from '../parts/challenge.tsx'
import { EmailField, PasswordField } from '../parts/fields.tsx'
import { type Refusals, Submit, useForm } from '../parts/form.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { returnTarget, withReturn } from '../return-to.ts'
import { texts } from '../texts/language.ts'

const goOn = () => leaveFor(returnTarget())

export function SignIn() {
  const { signIn: words, common, fields } = texts
  /** The host that a visitor came from who is signed in here already. */
  const [elsewhere, setElsewhere] = useState<string>()
  // Skips the form for a visitor who is signed in. A failure needs no message here: signing in would show it.
  useEffect(() => {
    void (async () => {
      const user = await client.restore().catch(() => null)
      const { origin, host } = new URL(returnTarget(), location.origin)
      if (!user) return
      if (origin === location.origin) await goOn()
      // The other page does not see this session. Led back, it would only send the visitor here again.
      setElsewhere(host)
    })()
  }, [])

  const challenge = useChallenge('login', false)
  const form = useForm(['email', 'password'], async ({ email, password }) => {
    if (email.trim() === '') return { email: fields.emailMissing }
    if (password === '') return { password: fields.passwordMissing }
    try {
      await challenge.send((proof) => client.signIn({ email, password, ...proof }))
    } catch (error) {
      const refusals = refusalsOf(error)
      if (refusals) return refusals
      throw error
    }
    return goOn()
  })

  if (elsewhere !== undefined) {
    return (
      <Shell title={words.elsewhereTitle}>
        <Card>
          <Outcome title={words.elsewhereTitle}>
            <p>{words.elsewhere(elsewhere)}</p>
            <p>
              <a href={hrefTo(returnTarget())}>{words.backTo(elsewhere)}</a>
            </p>
            <p>
              <a href={hrefTo(home)}>{texts.account.title}</a>
            </p>
          </Outcome>
        </Card>
      </Shell>
    )
  }

  return (
    <Shell title={words.title}>
      <Card>
        <h1>{words.title}</h1>
        {new URLSearchParams(location.search).has('ended') && <p class="note">{words.ended}</p>}
        <form {...form.props}>
          <EmailField error={form.errorOf('email')} autoFocus />
          <PasswordField
            label={common.password}
            name="password"
            autoComplete="current-password"
            error={form.errorOf('password')}
          />
          <p class="beside">
            <a href={hrefTo(withReturn('/forgot-password'))}>{words.forgot}</a>
          </p>
          {challenge.widget}
          <Submit form={form} busy={words.busy}>
            {words.submit}
          </Submit>
        </form>
      </Card>
      <p class="aside">
        {words.noAccount} <a href={hrefTo(withReturn('/sign-up'))}>{words.signUp}</a>
      </p>
    </Shell>
  )
}

function refusalsOf(error: unknown): Refusals | undefined {
  const { signIn: words } = texts
  if (hasCode(error, 'invalid_credentials')) return { password: words.refused }
  if (hasCode(error, 'account_suspended')) return { form: words.suspended }
  if (hasCode(error, 'account_pending')) {
    return {
      form: (
        <>
          {words.pending} <a href={hrefTo(withReturn('/activate'))}>{words.resend}</a>
        </>
      ),
    }
  }
  return undefined
}
