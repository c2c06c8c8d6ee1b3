/** The ways in. Each begins a session, or says which second factor is missing. */
import type { PublicKeyOptions } from './credential.ts'
import { readAnswer, unexpectedAnswer, untilAborted } from './problem.ts'
import type { SessionKeeper } from './session.ts'
import type { Held } from './tokens.ts'
import type { Body, CallOptions, User } from './types.ts'
import { passkeyError, passkeySupport, runCeremony } from './webauthn.ts'
import type { Wire } from './wire.ts'

/** Properties that the client fills in by itself. */
export type Own = 'transport' | 'device_token' | 'trust_token' | 'refresh_token'

export type FactorKind = 'passkey' | 'totp' | 'recovery_code'

/** What the browser's dialog needs. Good for five minutes, once. */
export interface PasskeyChallenge {
  challenge_token: string
  public_key: PublicKeyOptions
}

export interface SignedIn {
  kind: 'signed_in'
  user: User
}

/** The password is right, and nobody is signed in yet. */
export interface SecondFactorRequired {
  kind: 'second_factor_required'
  /** Says to `secondFactor` which sign-in goes on. */
  factor_token: string
  /** Those that the account has. */
  factors: FactorKind[]
  /** For `{ passkey }` of `secondFactor`, if the account has one. */
  passkey: PasskeyChallenge | null
  /** Seconds until the sign-in has to begin anew. */
  expires_in: number
}

export type SignInOutcome = SignedIn | SecondFactorRequired

/** The code of the authenticator app, one of the recovery codes, or a passkey, for which the browser asks the person. */
export type FactorProof = { totp: string } | { recovery_code: string } | { passkey: PasskeyChallenge }

export interface Entrance {
  /** Takes the token of the emailed link and the password of that registration, and signs in. */
  activate: (proofs: Omit<Body<'activate'>, Own>, options?: CallOptions) => Promise<SignInOutcome>
  signIn: (credentials: Omit<Body<'login'>, Own>, options?: CallOptions) => Promise<SignInOutcome>
  /**
   * Completes a sign-in or an activation. A wrong code (`wrong_second_factor`) may be followed by another; after
   * `invalid_factor_token` the sign-in begins anew.
   *
   * @param step the outcome of `signIn` or `activate`
   * @param trustDevice whether this device needs no second factor for 30 days; staff needs it all the same. A function is asked
   *   after the browser has answered: the person may decide while its dialog waits.
   */
  secondFactor: (
    step: Pick<SecondFactorRequired, 'factor_token'>,
    proof: FactorProof,
    options?: CallOptions & { trustDevice?: boolean | (() => boolean) },
  ) => Promise<User>
  /**
   * Signs in with a passkey alone: no address, no password, no second factor. With `mediation: 'conditional'` it waits until
   * the person chooses a passkey among the suggestions of a field with `autocomplete="username webauthn"`, or until it is
   * aborted: by its signal, or by the next call that uses a passkey.
   */
  signInWithPasskey: (options?: CallOptions & { mediation?: 'conditional' }) => Promise<User>
}

/** Before the service refuses the challenge, which it does after five minutes. */
const challengeMs = 240_000

/** @param logOut ends a session that must not begin */
export function openEntrance(
  { exchange, ask }: Wire,
  keeper: SessionKeeper,
  logOut: (body: object) => Promise<unknown>,
): Entrance {
  const { isCookie } = keeper
  const transport = isCookie ? { transport: 'cookie' } : {}
  const refuse = ({ refreshToken }: Held) => logOut(isCookie ? transport : { refresh_token: refreshToken })

  async function enter(path: string, proofs: object, signal: AbortSignal | undefined): Promise<SignInOutcome> {
    const since = keeper.now()
    const response = await exchange({ method: 'post', path, body: { ...proofs, ...transport }, signal })
    const answer = await readAnswer(response, signal, 'second_factor_required')
    if (!response.ok) return secondStepFrom(answer as Partial<SecondFactorRequired>)
    return { kind: 'signed_in', user: await keeper.begin(answer, since, refuse) }
  }

  /** For calls after which nothing more is asked for. */
  async function enterAtOnce(path: string, proofs: object, signal: AbortSignal | undefined): Promise<User> {
    const outcome = await enter(path, proofs, signal)
    if (outcome.kind === 'signed_in') return outcome.user
    throw unexpectedAnswer('The answer asks for a second factor again.')
  }

  /** What this device knows of the owner of an address. The cookie of a trusted device needs no help. */
  async function knownOf(email: string) {
    const [device, trust] = [await keeper.deviceToken(email), isCookie ? undefined : await keeper.trustToken(email)]
    return { device_token: device, trust_token: trust }
  }

  async function choosePasskey(mediation: 'conditional' | undefined, signal: AbortSignal | undefined): Promise<object> {
    if (mediation && !(await passkeySupport()).autofill) throw passkeyError('passkey_unavailable')
    const limit = mediation ? { limitMs: challengeMs } : {}
    for (;;) {
      const challenge = await ask({ method: 'post', path: '/auth/passkey/options', signal })
      const { challenge_token: token, public_key: options } = challenge as PasskeyChallenge
      const credential = await runCeremony('get', options, { mediation, signal, ...limit })
      if (credential) return { challenge_token: token, credential }
    }
  }

  return {
    async activate(proofs, { signal } = {}) {
      return untilAborted(signal, enter('/auth/activate', proofs, signal))
    },
    async signIn(credentials, { signal } = {}) {
      const known = await knownOf(credentials.email)
      return untilAborted(signal, enter('/auth/login', { ...known, ...credentials }, signal))
    },
    secondFactor: ({ factor_token }, proof, { trustDevice, signal } = {}) => {
      const enterWith = async () => {
        const answer = await shown(proof, signal)
        const isTrusted = typeof trustDevice === 'function' ? trustDevice() : trustDevice
        const trust = isTrusted ? { trust_device: true } : {}
        return enterAtOnce('/auth/second-factor', { factor_token, ...trust, ...answer }, signal)
      }
      return untilAborted(signal, enterWith())
    },
    signInWithPasskey: ({ mediation, signal } = {}) => {
      const enterWith = async () => enterAtOnce('/auth/passkey', await choosePasskey(mediation, signal), signal)
      return untilAborted(signal, enterWith())
    },
  }
}

/** @throws {PosternError} */
function secondStepFrom(problem: Partial<SecondFactorRequired>): SecondFactorRequired {
  const { factor_token, factors, passkey = null, expires_in = 0 } = problem
  if (typeof factor_token !== 'string' || !Array.isArray(factors)) {
    throw unexpectedAnswer('The answer has no factor token.')
  }
  return { kind: 'second_factor_required', factor_token, factors, passkey, expires_in }
}

/** A proof as the service takes it. For a passkey the browser asks the person. */
export async function shown(
  proof: FactorProof | { password: string },
  signal: AbortSignal | undefined,
): Promise<object> {
  if (!('passkey' in proof)) return proof
  const { challenge_token, public_key } = proof.passkey
  return { passkey: { challenge_token, credential: await runCeremony('get', public_key, { signal }) } }
}
