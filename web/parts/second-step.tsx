/** The step after the right password, for an account that has a second factor. */
import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { FactorKind, FactorProof, SecondFactorRequired, User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain, hasCode } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { CodeField, RecoveryCodeField, digitsOf } from './code-fields.tsx'
import { Submit, focusField, useForm } from './form.tsx'
import { Outcome } from './outcome.tsx'
import { PasskeyButton, useCeremony } from './passkey-button.tsx'

interface SecondStepProps {
  step: SecondFactorRequired
  onDone: (user: User) => Promise<undefined>
  /** The sign-in has to begin anew. `isLate`: because it expired, and not at the person's wish. */
  onVoid: (isLate: boolean) => void
}

/** In the order in which they are offered. */
const kinds = ['passkey', 'totp', 'recovery_code'] as const

export function SecondStep({ step, onDone, onVoid }: SecondStepProps) {
  const { secondStep: words, factor } = texts
  const offered = kinds.filter((kind) => step.factors.includes(kind) && (kind !== 'passkey' || step.passkey))
  const [kind, setKind] = useState<FactorKind>(offered[0] ?? 'recovery_code')
  /** Whether the person has chosen the way, and so is at its field already. */
  const [isChosen, setIsChosen] = useState(false)
  const [isTrusted, setIsTrusted] = useState(false)
  /** A ref: the passkey dialog of the browser may be open when the person decides. */
  const latestTrust = useRef(false)

  async function send(proof: FactorProof): Promise<undefined> {
    let user: User
    try {
      user = await client.secondFactor(step, proof, { trustDevice: () => latestTrust.current })
    } catch (error) {
      if (!hasCode(error, 'invalid_factor_token')) throw error
      onVoid(true)
      return undefined
    }
    return onDone(user)
  }

  const names = { passkey: factor.usePasskey, totp: factor.useTotp, recovery_code: factor.useRecoveryCode }
  const trust = (
    <label class="check">
      {/* Not on change: between the two events the form is drawn again, with the old value. */}
      <input
        type="checkbox"
        checked={isTrusted}
        onInput={({ currentTarget }) => {
          latestTrust.current = currentTarget.checked
          setIsTrusted(currentTarget.checked)
        }}
      />
      <span>{words.trust}</span>
    </label>
  )
  return (
    <>
      <Outcome title={words.title}>{null}</Outcome>
      {kind === 'passkey' && step.passkey && (
        <PasskeyStep prove={() => send({ passkey: step.passkey! })} startsByItself={!isChosen}>
          {trust}
        </PasskeyStep>
      )}
      {kind === 'totp' && (
        <CodeStep
          key={kind}
          name="totp"
          missing={factor.codeMissing}
          prove={(typed) => send({ totp: digitsOf(typed) })}
          field={(error) => <CodeField name="totp" error={error} />}
        >
          {trust}
        </CodeStep>
      )}
      {kind === 'recovery_code' && (
        <CodeStep
          key={kind}
          name="recovery_code"
          missing={factor.recoveryCodeMissing}
          prove={(typed) => send({ recovery_code: typed.trim() })}
          field={(error) => <RecoveryCodeField error={error} />}
        >
          {trust}
        </CodeStep>
      )}
      <div class="ways">
        {offered
          .filter((other) => other !== kind)
          .map((other) => (
            <button
              key={other}
              type="button"
              class="quiet"
              onClick={() => {
                setIsChosen(true)
                setKind(other)
              }}
            >
              {names[other]}
            </button>
          ))}
        <button type="button" class="quiet" onClick={() => onVoid(false)}>
          {words.startOver}
        </button>
      </div>
    </>
  )
}

interface PasskeyStepProps {
  prove: () => Promise<undefined>
  /** The browser's dialog opens at once: most people have their passkey at hand. */
  startsByItself: boolean
  children: ComponentChildren
}

function PasskeyStep({ prove, startsByItself, children }: PasskeyStepProps) {
  const { secondStep: words, factor } = texts
  const ceremony = useCeremony(prove, (error) =>
    hasCode(error, 'wrong_second_factor') ? words.passkeyRefused : explain(error),
  )
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (startsByItself) void ceremony.start()
    else button.current?.focus()
  }, [])
  return (
    <div class="stack">
      <p>{words.passkey}</p>
      {children}
      <PasskeyButton ceremony={ceremony} class="primary" buttonRef={button}>
        {factor.usePasskey}
      </PasskeyButton>
    </div>
  )
}

interface CodeStepProps {
  /** Of the field, as the API calls it. */
  name: 'totp' | 'recovery_code'
  missing: string
  prove: (typed: string) => Promise<undefined>
  field: (error: string | undefined) => ComponentChildren
  children: ComponentChildren
}

function CodeStep({ name, missing, prove, field, children }: CodeStepProps) {
  const { secondStep: words, factor } = texts
  const form = useForm([name], async ({ [name]: typed = '' }) => {
    if (typed.trim() === '') return { [name]: missing }
    try {
      return await prove(typed)
    } catch (error) {
      if (hasCode(error, 'wrong_second_factor') || hasCode(error, 'validation_failed'))
        return { [name]: factor.wrongCode }
      throw error
    }
  })
  useLayoutEffect(() => focusField(form, name), [])
  return (
    <form {...form.props}>
      {field(form.errorOf(name))}
      {children}
      <Submit form={form} busy={words.busy}>
        {words.submit}
      </Submit>
    </form>
  )
}
