/**
 * WebAuthn in the browser. Options and credentials travel as JSON (WebAuthn Level 3, §5.1.8 to §5.1.10). A browser that
 * cannot convert it yet (Chrome before 129, Firefox before 119, Safari before 18.4) gets what Postern needs of it.
 */
import type { Credential, CredentialJson, Descriptor, Kind, PublicKeyOptions } from './credential.ts'
import { decode, encode } from './devices.ts'
import { platform, tryTo } from './platform.ts'
import { PosternError, untilAborted } from './problem.ts'

export interface Ceremony {
  /** `conditional`: the browser opens no dialog, and suggests passkeys where the person types a user name. */
  mediation?: 'conditional' | undefined
  signal?: AbortSignal | undefined
  /** Gives up after this time, in milliseconds. */
  limitMs?: number
}

/** What this browser can do with passkeys. */
export interface PasskeySupport {
  /** It has WebAuthn at all. */
  passkeys: boolean
  /** It offers passkeys where a person types a user name: `signInWithPasskey({ mediation: 'conditional' })`. */
  autofill: boolean
  /** This device can keep a passkey and verify its user, by a fingerprint for instance. */
  builtIn: boolean
}

export async function passkeySupport(): Promise<PasskeySupport> {
  const { PublicKeyCredential: api } = platform
  const can = (await tried(() => api?.getClientCapabilities?.())) ?? {}
  const autofill = can['conditionalGet'] ?? (await tried(() => api?.isConditionalMediationAvailable?.()))
  const isBuiltIn = () => api?.isUserVerifyingPlatformAuthenticatorAvailable?.()
  return {
    passkeys: hasPasskeys(),
    autofill: autofill === true,
    builtIn: (can['userVerifyingPlatformAuthenticator'] ?? (await tried(isBuiltIn))) === true,
  }
}

const hasPasskeys = () => platform.PublicKeyCredential !== undefined && platform.navigator?.credentials !== undefined

async function tried<T>(call: () => Promise<T> | undefined): Promise<T | undefined> {
  return (await tryTo(call)?.catch(() => undefined)) ?? undefined
}

/** An extension that replaces the browser's dialog may never end its ceremony. */
const patienceMs = 1_000

/** The ceremony that this page began last. */
let last: { controller: AbortController; isOver: Promise<unknown> } | undefined

/**
 * Runs one ceremony. A browser refuses a second one while another is open, so that one ends first: a button replaces the
 * autofill that waits.
 *
 * @returns `undefined` when the time is over
 * @throws {PosternError} `passkey_cancelled`, `passkey_exists`, `passkey_unavailable`; the reason of the signal when that aborts
 */
export async function runCeremony(
  kind: Kind,
  options: PublicKeyOptions,
  { mediation, signal, limitMs }: Ceremony = {},
): Promise<CredentialJson | undefined> {
  signal?.throwIfAborted()
  if (!hasPasskeys()) throw passkeyError('passkey_unavailable')
  const controller = new AbortController()
  const before = last
  const over = before ? Promise.race([before.isOver, wait(patienceMs)]) : Promise.resolve()
  before?.controller.abort()
  const work = over.then(() => {
    controller.signal.throwIfAborted()
    const more = { signal: controller.signal, ...(mediation && { mediation }) }
    return platform.navigator!.credentials![kind]({ publicKey: converted(kind, options), ...more })
  })
  const current = { controller, isOver: work.catch(() => undefined) }
  last = current
  let isLate = false
  const timer =
    limitMs === undefined
      ? undefined
      : setTimeout(() => {
          isLate = true
          controller.abort()
        }, limitMs)
  try {
    const credential = await untilAborted(signal, work)
    if (!credential) throw passkeyError('passkey_cancelled')
    return tryTo(() => credential.toJSON?.()) ?? written(credential)
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    if (isLate) return undefined
    throw explained(error)
  } finally {
    clearTimeout(timer)
    // An abort of the caller has to end the dialog, too. It changes nothing when the ceremony is over.
    controller.abort()
    if (last === current) last = undefined
  }
}

function explained(error: unknown): PosternError {
  if (error instanceof PosternError) return error
  const { name } = Object(error) as { name?: unknown }
  // Browsers say the same whether the person declined, ran out of time or has no passkey here (WebAuthn §14.5.2).
  if (name === 'NotAllowedError' || name === 'AbortError') return passkeyError('passkey_cancelled', error)
  return passkeyError(name === 'InvalidStateError' ? 'passkey_exists' : 'passkey_unavailable', error)
}

const details = {
  passkey_cancelled: 'No passkey was used.',
  passkey_exists: 'This device has a passkey for the account already.',
  passkey_unavailable: 'Passkeys do not work here.',
} as const

export function passkeyError(code: keyof typeof details, cause?: unknown): PosternError {
  return new PosternError({ code, status: 0, detail: details[code], cause })
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function converted(kind: Kind, options: PublicKeyOptions): object {
  const { PublicKeyCredential: api } = platform
  const name = kind === 'get' ? 'parseRequestOptionsFromJSON' : 'parseCreationOptionsFromJSON'
  return tryTo(() => api?.[name]?.(options)) ?? read(options)
}

function read({ challenge, user, allowCredentials, excludeCredentials, ...more }: PublicKeyOptions): object {
  const listed = (list: Descriptor[]) => list.map(({ id, ...rest }) => ({ ...rest, id: bytesOf(id) }))
  return {
    ...more,
    challenge: bytesOf(challenge),
    ...(user && { user: { ...user, id: bytesOf(user.id) } }),
    ...(allowCredentials && { allowCredentials: listed(allowCredentials) }),
    ...(excludeCredentials && { excludeCredentials: listed(excludeCredentials) }),
  }
}

function written({ id, rawId, type, authenticatorAttachment, response, ...more }: Credential): CredentialJson {
  const names = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'] as const
  const given = names.filter((name) => response[name] instanceof ArrayBuffer)
  const buffers = given.map((name) => [name, textOf(response[name] as ArrayBuffer)])
  const transports = tryTo(() => response.getTransports?.())
  return {
    id,
    rawId: textOf(rawId),
    type,
    response: { ...Object.fromEntries(buffers), ...(transports && { transports }) },
    clientExtensionResults: tryTo(() => more.getClientExtensionResults?.()) ?? {},
    ...(authenticatorAttachment && { authenticatorAttachment }),
  }
}

function bytesOf(base64url: string): Uint8Array {
  return Uint8Array.from(decode(base64url), (character) => character.charCodeAt(0))
}

function textOf(buffer: ArrayBuffer): string {
  return encode(String.fromCharCode(...new Uint8Array(buffer)))
}

/** Tells the password manager that the service does not know a passkey, so that it is not offered again. */
export async function disown(rpId: string | undefined, credentialId: string): Promise<void> {
  const { PublicKeyCredential: api } = platform
  if (rpId !== undefined) await tried(() => api?.signalUnknownCredential?.({ rpId, credentialId }))
}

export const canListAccepted = () => platform.PublicKeyCredential?.signalAllAcceptedCredentials !== undefined

/** Tells the password manager which passkeys of the user still work, so that it stops offering the others. */
export async function listAccepted({ rp, user, excludeCredentials = [] }: PublicKeyOptions): Promise<void> {
  if (!rp?.id || !user) return
  const accepted = { rpId: rp.id, userId: user.id, allAcceptedCredentialIds: excludeCredentials.map(({ id }) => id) }
  await tried(() => platform.PublicKeyCredential?.signalAllAcceptedCredentials?.(accepted))
}
