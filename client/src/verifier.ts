/** Verification of access tokens where they are used, without a call to Postern for each. */
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

/** Who an access token speaks for, as things were when it was issued. */
export interface AccessToken {
  userId: string
  sessionId: string
  role: Role
  permissions: Permission[]
  expiresAt: Date
}

export type Verify = (token: string) => Promise<AccessToken>

/** The token is not good. Answer 401. */
export class InvalidTokenError extends Error {
  override readonly name = 'InvalidTokenError'
}

/** The keys could not be had, so nothing is known about the token. Answer 503. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError'
}

/** What Postern signs with. Without a list an attacker could choose (RFC 8725 §3.1). */
const algorithms = ['EdDSA', 'ES256']
/** As long as the key set says it may be kept; a key that is new to it is looked for at once, twice a minute at most. */
const keysMaxAgeMs = 300_000
/** Clocks of two machines differ. */
const clockToleranceSeconds = 5

/** Beside a failing fetch, what says nothing about the token. */
const keyFailures = ['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC']

/**
 * Makes a function that verifies access tokens (RFC 9068 §4): signature, `typ`, algorithm, issuer, audience and times. The
 * keys are fetched once and kept. It does not know of sessions that have ended: such a token is good for the rest of its
 * ten minutes. Where that is too long, ask `GET /auth/verify`.
 *
 * @throws {TypeError} when the issuer is no URL
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
      return {
        userId: sub!,
        sessionId: sid!,
        role: role as Role,
        permissions: scope!.split(' ').filter(Boolean) as Permission[],
        expiresAt: new Date(exp * 1000),
      }
    } catch (cause) {
      if (cause instanceof errors.JOSEError && !keyFailures.includes(cause.code)) {
        throw new InvalidTokenError('The access token is not good.', { cause })
      }
      throw new KeysUnavailableError('The keys of the service cannot be had.', { cause })
    }
  }
}
