/** The second factors of the signed-in user, and the proofs that sensitive calls ask for. */
import type { Call } from './call.ts'
import { type FactorKind, type FactorProof, type PasskeyChallenge, shown } from './entrance.ts'
import { type PosternError, untilAborted } from './problem.ts'
import type { StepUpHook } from './step-up.ts'
import type { Acceptance, CallOptions, Enrolled, FactorList, Passkey, RecoveryCodes, TotpSetup } from './types.ts'
import { canListAccepted, disown, listAccepted, passkeyError, runCeremony } from './webauthn.ts'

export interface StepUpOptions extends PasskeyChallenge {
  /** What the account has. `password` only when it has no factor. */
  methods: (FactorKind | 'password')[]
}

export type StepUpProof = FactorProof | { password: string }

export interface StepUp {
  /** When the proof was given, in seconds since 1970. */
  auth_time: number
  /** How strong it is: `urn:postern:1`, `urn:postern:2` or `phr`. */
  acr: string
}

export interface NewPasskey extends CallOptions {
  name?: string
  /** From `sendFactorCode`: for the first factor of an account that must have one. */
  mailCode?: string
}

export interface Factors {
  factors: (options?: CallOptions) => Promise<FactorList>
  /** Mails the code that `mailCode` takes. */
  sendFactorCode: (options?: CallOptions) => Promise<Acceptance>
  /** Lets the browser make a passkey, and adds it. Recovery codes come with the first factor. */
  registerPasskey: (options?: NewPasskey) => Promise<Passkey & Enrolled>
  renamePasskey: (id: string, name: string, options?: CallOptions) => Promise<Passkey>
  removePasskey: (id: string, options?: CallOptions) => Promise<void>
  /** Begins to add an authenticator app, or to replace it. Nothing changes until `confirmTotp`. */
  startTotp: (options?: CallOptions) => Promise<TotpSetup>
  /** @param code what the app shows. Recovery codes come with the first factor. */
  confirmTotp: (setupToken: string, code: string, mailCode?: string, options?: CallOptions) => Promise<Enrolled>
  removeTotp: (options?: CallOptions) => Promise<void>
  /** The old ones stop working. */
  renewRecoveryCodes: (options?: CallOptions) => Promise<RecoveryCodes>

  stepUpOptions: (options?: CallOptions) => Promise<StepUpOptions>
  /** Shows again who is there, for calls that ask for a recent or stronger proof. The session stays the same. */
  stepUp: (proof: StepUpProof, options?: CallOptions) => Promise<StepUp>
  /**
   * What to do when a call needs a step-up, here or in a service that asks for one (RFC 9470): ask the person, and call
   * `stepUp`. Afterwards all calls that wait are repeated. Without a step-up they fail with
   * `insufficient_user_authentication`. There is one hook. Returns a function that removes it.
   */
  onStepUpRequired: (hook: StepUpHook) => () => void
}

interface Means {
  call: Call
  /** Sends a proof, and keeps the token that comes with the answer. */
  prove: (proof: object, signal: AbortSignal | undefined) => Promise<StepUp>
  /** Gets a token that says what the session may do with its new factor. */
  renew: () => Promise<void>
  onStepUpRequired: Factors['onStepUpRequired']
}

export function openFactors({ call, prove, renew, onStepUpRequired }: Means): Factors {
  const path = '/users/me/passkeys/{id}'
  const options = (signal: AbortSignal | undefined) =>
    call<PasskeyChallenge>('post', '/users/me/passkeys/options', { signal })

  async function registerPasskey({ name, mailCode, signal }: NewPasskey = {}) {
    const { challenge_token, public_key } = await options(signal)
    const credential = await runCeremony('create', public_key, { signal })
    if (!credential) throw passkeyError('passkey_cancelled')
    const body = { challenge_token, credential, name, mail_code: mailCode }
    try {
      const added = await call<Passkey & Enrolled>('post', '/users/me/passkeys', { body, signal })
      await renew()
      return added
    } catch (error) {
      // Refused, not lost: nobody will ever sign in with it.
      const { status } = error as PosternError
      if (status >= 400 && status < 500) await disown(public_key.rp?.id, credential.id)
      throw error
    }
  }

  /** Says which are left, because a password manager goes on offering the others. */
  async function tidyUp(): Promise<void> {
    if (canListAccepted()) await options(undefined).then(({ public_key: left }) => listAccepted(left))
  }

  return {
    factors: ({ signal } = {}) => call('get', '/users/me/factors', { signal }),
    sendFactorCode: ({ signal } = {}) => call('post', '/users/me/factors/code', { signal }),
    registerPasskey,
    renamePasskey: (id, name, { signal } = {}) => call('patch', path, { path: { id }, body: { name }, signal }),
    async removePasskey(id, { signal } = {}) {
      await call('delete', path, { path: { id }, signal })
      tidyUp().catch(() => undefined)
    },
    startTotp: ({ signal } = {}) => call('post', '/users/me/totp', { signal }),
    async confirmTotp(setupToken, code, mailCode, { signal } = {}) {
      const body = { setup_token: setupToken, code, mail_code: mailCode }
      const answer = await call<Enrolled>('post', '/users/me/totp/confirm', { body, signal })
      await renew()
      return answer
    },
    removeTotp: ({ signal } = {}) => call('delete', '/users/me/totp', { signal }),
    renewRecoveryCodes: ({ signal } = {}) => call('post', '/users/me/recovery-codes', { signal }),

    stepUpOptions: ({ signal } = {}) => call('post', '/auth/step-up/options', { signal }),
    stepUp: (proof, { signal } = {}) =>
      untilAborted(
        signal,
        shown(proof, signal).then((body) => prove(body, signal)),
      ),
    onStepUpRequired,
  }
}
