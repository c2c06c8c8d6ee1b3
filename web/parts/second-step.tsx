/** The step after the right password, for an account that has a second factor. */
import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { FactorKind, FactorProof, SecondFactorRequired, User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain, hasCode } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { TextField } from './fields.tsx'
import { Submit, focusField, useForm } from './form.tsx'
import { useOneAtATime } from './one-at-a-time.ts'
import { Outcome } from './outcome.tsx'

interface SecondStepProps {
  step: SecondFactorRequired
  onDone: (user: User) => Promise<undefined>
  /** The sign-in has to begin anew. `isLate`: because it has expired, not because the person wants to. */
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

  async function send(proof: FactorProof): Promise<undefined> {
    let user: User
    try {
      user = await client.secondFactor(step, proof, { trustDevice: isTrusted })
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
      <input type="checkbox" checked={isTrusted} onInput={({ currentTarget }) => setIsTrusted(currentTarget.checked)} />
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
          label={factor.code}
          missing={factor.codeMissing}
          prove={(totp) => send({ totp })}
          attributes={{ inputMode: 'numeric', autoComplete: 'one-time-code', maxLength: 12 }}
        >
          {trust}
        </CodeStep>
      )}
      {kind === 'recovery_code' && (
        <CodeStep
          key={kind}
          label={factor.recoveryCode}
          missing={factor.recoveryCodeMissing}
          prove={(code) => send({ recovery_code: code })}
          attributes={{ autoComplete: 'off', autoCapitalize: 'characters', maxLength: 60 }}
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
  const { isBusy, run } = useOneAtATime()
  const [problem, setProblem] = useState<string>()
  const start = () =>
    run(async () => {
      setProblem(undefined)
      await prove().catch((error: unknown) =>
        setProblem(hasCode(error, 'wrong_second_factor') ? words.passkeyRefused : explain(error)),
      )
    })
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (startsByItself) void start()
    else button.current?.focus()
  }, [])
  return (
    <div class="stack">
      <p>{words.passkey}</p>
      {children}
      <button type="button" class="primary" ref={button} aria-disabled={isBusy} onClick={() => void start()}>
        {isBusy ? words.waiting : factor.usePasskey}
      </button>
      <p class="unseen" role="status">
        {isBusy ? words.waiting : ''}
      </p>
      <div class="notice" role="alert">
        {problem}
      </div>
    </div>
  )
}

interface CodeStepProps {
  label: string
  missing: string
  prove: (code: string) => Promise<undefined>
  attributes: Partial<Parameters<typeof TextField>[0]>
  children: ComponentChildren
}

function CodeStep({ label, missing, prove, attributes, children }: CodeStepProps) {
  const { secondStep: words, factor } = texts
  const form = useForm(['code'], async ({ code }) => {
    // Apps show codes in groups.
    const typed = code.replaceAll(/\s/g, '')
    if (typed === '') return { code: missing }
    try {
      return await prove(typed)
    } catch (error) {
      if (hasCode(error, 'wrong_second_factor') || hasCode(error, 'validation_failed'))
        return { code: factor.wrongCode }
      throw error
    }
  })
  useLayoutEffect(() => focusField(form, 'code'), [])
  return (
    <form {...form.props}>
      <TextField
        label={label}
        name="code"
        error={form.errorOf('code')}
        autoCapitalize="none"
        spellcheck={false}
        required
        {...attributes}
      />
      {children}
      <Submit form={form} busy={words.busy}>
        {words.submit}
      </Submit>
    </form>
  )
}
