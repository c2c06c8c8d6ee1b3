/** The dialog in which a person shows again who they are: by any of their factors, or by the password without one. */
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import type { StepUpOptions } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { Dialog } from './dialog.tsx'
import { PasswordField } from './fields.tsx'
import { CodeField, RecoveryCodeField, digitsOf } from './code-fields.tsx'
import { Submit, useForm } from './form.tsx'
import { Show, useLoaded } from './load.tsx'
import { refreshViews } from './views.ts'

/** Mounted once per page. When it closes, the client repeats the calls that waited for it. */
export function StepUp() {
  const [resume, setResume] = useState<() => void>()
  useEffect(() => client.onStepUpRequired(() => new Promise<void>((resolve) => setResume(() => resolve))), [])
  if (!resume) return null
  const close = () => {
    setResume(undefined)
    resume()
  }
  return <StepUpDialog onEnd={close} />
}

function StepUpDialog({ onEnd }: { onEnd: () => void }) {
  const { stepUp: words, common } = texts
  const loaded = useLoaded('step-up', () => client.stepUpOptions())
  return (
    <Dialog title={words.title} onClose={onEnd}>
      <p>{words.why}</p>
      <Show loaded={loaded}>{(options) => <Proof options={options} renew={loaded.reload} onEnd={onEnd} />}</Show>
      {loaded.value === undefined && (
        <button type="button" class="quiet" onClick={onEnd}>
          {common.cancel}
        </button>
      )}
    </Dialog>
  )
}

interface ProofProps {
  options: StepUpOptions
  /** A challenge is good for one try. */
  renew: () => void
  onEnd: () => void
}

const order = ['passkey', 'totp', 'recovery_code', 'password'] as const
type Method = (typeof order)[number]

function Proof({ options, renew, onEnd }: ProofProps) {
  const { stepUp: words, factor, common, fields } = texts
  const offered = order.filter((one) => options.methods.includes(one))
  const [method, setMethod] = useState(offered[0] ?? 'password')
  const missing = {
    totp: factor.codeMissing,
    recovery_code: factor.recoveryCodeMissing,
    password: fields.passwordMissing,
  }
  const form = useForm(['totp', 'recovery_code', 'password'], async (values) => {
    if (method !== 'passkey' && values[method].trim() === '') return { [method]: missing[method] }
    try {
      await client.stepUp(proofOf(values))
    } catch (error) {
      if (method === 'passkey') renew()
      else if (hasCode(error, 'wrong_second_factor')) return { [method]: factor.wrongCode }
      if (hasCode(error, 'wrong_password')) return { password: texts.account.wrongPassword }
      throw error
    }
    // The activity has a new event, and a recovery code may be used up.
    refreshViews()
    onEnd()
    return undefined
  })
  const proofOf = (values: Record<Exclude<Method, 'passkey'>, string>) => {
    if (method === 'passkey') return { passkey: options }
    if (method === 'totp') return { totp: digitsOf(values.totp) }
    return method === 'password' ? { password: values.password } : { recovery_code: values.recovery_code }
  }
  const { ref } = form.props
  useLayoutEffect(() => ref.current?.querySelector<HTMLElement>('input, [type=submit]')?.focus(), [method])
  const change = {
    passkey: factor.usePasskey,
    totp: factor.useTotp,
    recovery_code: factor.useRecoveryCode,
    password: '',
  }
  return (
    <>
      <form key={method} {...form.props}>
        {method === 'totp' && <CodeField name="totp" error={form.errorOf('totp')} />}
        {method === 'recovery_code' && <RecoveryCodeField error={form.errorOf('recovery_code')} />}
        {method === 'password' && (
          <PasswordField
            label={common.password}
            name="password"
            autoComplete="current-password"
            error={form.errorOf('password')}
          />
        )}
        <Submit form={form} busy={words.busy} onCancel={onEnd}>
          {method === 'passkey' ? factor.usePasskey : words.submit}
        </Submit>
      </form>
      {offered.length > 1 && (
        <div class="ways">
          {offered
            .filter((one) => one !== method)
            .map((one) => (
              <button key={one} type="button" class="quiet" onClick={() => setMethod(one)}>
                {change[one]}
              </button>
            ))}
        </div>
      )}
    </>
  )
}
