import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import type { SecondFactorRequired, User } from '../../client/src/index.ts'
import { findNext } from '../after-sign-in.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { enrolment, home, hrefTo, leaveFor } from '../navigation.ts'
import { useChallenge } from '../parts/challenge.tsx'
import { EmailField, PasswordField } from '../parts/fields.tsx'
import { type Refusals, Submit, focusField, useForm } from '../parts/form.tsx'
import { Outcome } from '../parts/outcome.tsx'
import type { PasskeyOffer } from '../parts/passkey-offer.tsx'
import { PasskeyEntrance } from '../parts/passkey-entrance.tsx'
import { SecondStep } from '../parts/second-step.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { returnTarget, withReturn } from '../return-to.ts'
import { texts } from '../texts/language.ts'
import { withTypedAddress } from '../typed-address.ts'

const parameters = new URLSearchParams(location.search)
const hasEnded = parameters.has('ended')
const isDeleted = parameters.has('deleted')

const goOn = () => leaveFor(returnTarget())

type OfferPage = typeof PasskeyOffer
type View =
  | { name: 'form'; isLate?: boolean }
  | { name: 'step'; step: SecondFactorRequired }
  | { name: 'offer'; Offer: OfferPage }
  /** For a visitor who is signed in here already: the host that sent them, which cannot see that. */
  | { name: 'elsewhere'; host: string }
  | { name: 'deleted' }

export function SignIn() {
  const { signIn: words } = texts
  const [view, setView] = useState<View>(isDeleted ? { name: 'deleted' } : { name: 'form' })
  // Skips the form for a visitor who is signed in. A failure needs no message here: signing in would show it.
  useEffect(() => {
    if (isDeleted) return
    void (async () => {
      const user = await client.restore().catch(() => null)
      const { origin, host } = new URL(returnTarget(), location.origin)
      if (!user) return
      if (origin === location.origin) await goOn()
      // The other page does not see this session. Led back, it would only send the visitor here again.
      setView({ name: 'elsewhere', host })
    })()
  }, [])

  async function goOnAfterPassword(user: User, isProven: boolean): Promise<undefined> {
    const next = await findNext(user, isProven)
    if (next.kind === 'enrolment') return leaveFor(enrolment)
    if (next.kind === 'nothing') return goOn()
    const offer = await import('../parts/passkey-offer.tsx').catch(goOn)
    setView({ name: 'offer', Offer: offer.PasskeyOffer })
    return undefined
  }

  if (view.name === 'deleted') return <Deleted />
  if (view.name === 'elsewhere') return <Elsewhere host={view.host} />
  if (view.name !== 'form') {
    return (
      <Shell title={words.title}>
        <Card>
          {view.name === 'offer' && <view.Offer onDone={() => void goOn()} />}
          {view.name === 'step' && (
            <SecondStep
              step={view.step}
              onDone={(user) => goOnAfterPassword(user, true)}
              onVoid={(isLate) => setView({ name: 'form', isLate })}
            />
          )}
        </Card>
      </Shell>
    )
  }
  return (
    <Shell title={words.title}>
      <Card>
        <h1>{words.title}</h1>
        {view.isLate && (
          <p class="note" role="alert">
            {words.tooLate}
          </p>
        )}
        {view.isLate === undefined && hasEnded && <p class="note">{words.ended}</p>}
        <PasswordForm
          onStep={(step) => setView({ name: 'step', step })}
          onDone={(user) => goOnAfterPassword(user, false)}
        />
        <PasskeyEntrance onDone={goOn} />
      </Card>
      <p class="aside">
        {words.noAccount} <a href={hrefTo(withReturn('/sign-up'))}>{words.signUp}</a>
      </p>
    </Shell>
  )
}

interface PasswordFormProps {
  onStep: (step: SecondFactorRequired) => void
  onDone: (user: User) => Promise<undefined>
}

/** The address that was typed last, for when the form is shown again. */
let typedBefore = ''

function PasswordForm({ onStep, onDone }: PasswordFormProps) {
  const { signIn: words, common, fields } = texts
  const [typed, setTyped] = useState(typedBefore)
  const challenge = useChallenge('login', false)
  const form = useForm(['email', 'password'], async ({ email, password }) => {
    if (email.trim() === '') return { email: fields.emailMissing }
    if (password === '') return { password: fields.passwordMissing }
    try {
      const outcome = await challenge.send((proof) => client.signIn({ email, password, ...proof }))
      typedBefore = email
      if (outcome.kind === 'signed_in') return await onDone(outcome.user)
      onStep(outcome)
      return undefined
    } catch (error) {
      const refusals = refusalsOf(error, email)
      if (refusals) return refusals
      throw error
    }
  })
  useLayoutEffect(() => {
    if (typedBefore) focusField(form, 'password')
  }, [])
  return (
    <form {...form.props}>
      <EmailField
        error={form.errorOf('email')}
        // The browser suggests passkeys here, too.
        autoComplete="username webauthn"
        autoFocus
        defaultValue={typedBefore}
        onInput={({ currentTarget }) => setTyped(currentTarget.value)}
      />
      <PasswordField
        label={common.password}
        name="password"
        autoComplete="current-password"
        error={form.errorOf('password')}
      />
      <p class="beside">
        <a href={hrefTo(withTypedAddress(withReturn('/forgot-password'), typed))}>{words.forgot}</a>
      </p>
      {challenge.widget}
      <Submit form={form} busy={words.busy}>
        {words.submit}
      </Submit>
    </form>
  )
}

function Elsewhere({ host }: { host: string }) {
  const { signIn: words } = texts
  return (
    <Shell title={words.elsewhereTitle}>
      <Card>
        <Outcome title={words.elsewhereTitle}>
          <p>{words.elsewhere(host)}</p>
          <p>
            <a href={hrefTo(returnTarget())}>{words.backTo(host)}</a>
          </p>
          <p>
            <a href={hrefTo(home)}>{texts.account.title}</a>
          </p>
        </Outcome>
      </Card>
    </Shell>
  )
}

function Deleted() {
  const { signIn: words } = texts
  return (
    <Shell title={words.deletedTitle}>
      <Card>
        <Outcome title={words.deletedTitle}>
          <p>{words.deleted}</p>
          <p>
            <a href={hrefTo('/sign-up')}>{words.signUp}</a>
          </p>
        </Outcome>
      </Card>
      <p class="aside">
        <a href={hrefTo('/sign-in')}>{words.title}</a>
      </p>
    </Shell>
  )
}

function refusalsOf(error: unknown, email: string): Refusals | undefined {
  const { signIn: words } = texts
  if (hasCode(error, 'invalid_credentials')) return { password: words.refused }
  if (hasCode(error, 'account_suspended')) return { form: words.suspended }
  if (hasCode(error, 'account_pending')) {
    return {
      form: (
        <>
          {words.pending} <a href={hrefTo(withTypedAddress(withReturn('/activate'), email))}>{words.resend}</a>
        </>
      ),
    }
  }
  return undefined
}
