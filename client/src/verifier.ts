/** Verifies access tokens locally, without a call to Postern for each. */
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose'
import type { Permission, Role } from './types.ts'

export interface VerifierOptions {
  /** `PUBLIC_URL` of the service, such as `https://accounts.example.com`. */
  issuer: string
  /** `AUDIENCE` of the service; `postern` unless it was changed. */
  audience?: string
  /** Another way to get the keys, such as a service binding. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** The time, for tests. */
  now?: () => Date
}

/** The claims of an access token, as they were when it was issued. */
export interface AccessToken {
  userId: string
  sessionId: string
  role: Role
  permissions: Permission[]
  expiresAt: Date
  /**
   * When the user has last shown who they are, at a sign-in or a step-up. A refresh does not change it. Undefined if the token
   * does not say.
   */
  authenticatedAt: Date | undefined
  /** How, by the values of RFC 8176, such as `pwd`, `otp` or `pop`. */
  amr: string[]
  /** How well, see `requireAcr`. */
  acr: Acr
}

/** How well somebody has shown who they are: with one factor, with two, with a passkey. Each includes those before it. */
export const acrValues = ['urn:postern:1', 'urn:postern:2', 'phr'] as const
export type Acr = (typeof acrValues)[number]

export type Verify = (token: string) => Promise<AccessToken>

/** The token is invalid. Answer 401. */
export class InvalidTokenError extends Error {
  override readonly name = 'InvalidTokenError'
}

/** The keys could not be fetched, so the token was not judged. Answer 503. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError'
}

/** What Postern signs with. Without this list an attacker could choose the algorithm (RFC 8725 §3.1). */
const algorithms = ['EdDSA', 'ES256']
/** As long as the key set allows caches to keep it. An unknown key id triggers a new fetch, at most twice a minute. */
const keysMaxAgeMs = 300_000
/** The clocks of two machines differ a little. */
const clockToleranceSeconds = 5

/** Failures of the key set, which say nothing about the token. */
const keyFailures = ['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC']

/**
 * Makes a function that verifies access tokens (RFC 9068 §4): signature, `typ`, algorithm, issuer, audience and times.
 * The keys are cached. It cannot know that a session has ended: its token stays valid for the rest of its ten minutes.
 * Where that is too long, ask `GET /auth/verify`.
 *
 * @throws {TypeError} when the issuer is not a URL
 */
export function verifier({ issuer, audience = 'postern', fetch, now }: VerifierOptions): Verify {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer), {
    cacheMaxAge: keysMaxAgeMs,
    ...(fetch && { [customFetch]: fetch }),
  })
  const rules = {
    algorithms,
    issuer: new URL(issuer).origin,
    audience,
    typ: 'at+jwt',
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ['exp', 'iat', 'sub', 'sid', 'client_id', 'jti', 'role', 'scope'],
  }

  /** @throws {InvalidTokenError | KeysUnavailableError} */
  return async function verify(token) {
    try {
      const { payload } = await jwtVerify(token, keys, now ? { ...rules, currentDate: now() } : rules)
      const { sub, sid, role, scope, exp } = payload as Record<string, string> & { exp: number }
      const { amr, acr, auth_time: authTime } = payload
      return {
        userId: sub!,
        sessionId: sid!,
        role: role as Role,
        permissions: scope!.split(' ').filter(Boolean) as Permission[],
        expiresAt: new Date(exp * 1000),
        authenticatedAt: typeof authTime === 'number' ? new Date(authTime * 1000) : undefined,
        // A token that does not say was given for a password.
        amr: Array.isArray(amr) ? (amr as string[]) : ['pwd'],
        acr: acrValues.find((known) => known === acr) ?? 'urn:postern:1',
      }
    } catch (cause) {
      if (cause instanceof errors.JOSEError && !keyFailures.includes(cause.code)) {
        throw new InvalidTokenError('The access token is invalid.', { cause })
      }
      throw new KeysUnavailableError('The keys of the service cannot be fetched.', { cause })
    }
  }
}
