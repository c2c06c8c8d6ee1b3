/**
 * Everything Postern hands out is a JWT. Access tokens are signed with a key pair, for anybody to verify; what only
 * Postern reads (refresh tokens, mail links) is HS256 with the issuer as its audience, so that no other service can
 * take it for an access token. Each kind has a `typ` of its own and none is accepted for another (RFC 8725 §3.11).
 *
 * Nothing may ever be keyed on a token's text: one JWT has several spellings. Key on `sid` or `jti`.
 */
import { SignJWT, jwtVerify, type JWTHeaderParameters, type JWTPayload } from 'jose'
import type { KeyRing, SecretKey, SigningKey } from './keys.ts'

export const accessTokenSeconds = 10 * 60
export const refreshTokenSeconds = 30 * 24 * 60 * 60
/** However often a session is refreshed, it ends this long after its sign-in. */
export const sessionMaxSeconds = 90 * 24 * 60 * 60

/** Clocks of two machines differ; a token from further ahead than this is refused. */
const futureSeconds = 60

/** Our longest token is under 1 kB. */
const maxTokenLength = 4096

/** What the header of a token of ours says. A member beyond that (`jku`, `jwk`, `crit`, `b64`, …) was not put there by us. */
const headerMembers: readonly string[] = ['alg', 'typ', 'kid']

/** RFC 9068 §2.1. */
const accessType = 'at+jwt'

export interface AccessClaims {
  sub: string
  sid: string
  jti: string
  role: string
  scope: string
}

export interface AccessTokenSettings {
  keys: KeyRing<SigningKey>
  issuer: string
  audience: string
}

/** Signs an access token (RFC 9068) that is good for ten minutes. */
export async function signAccessToken(
  { keys: [key], issuer, audience }: AccessTokenSettings,
  claims: AccessClaims,
  now: Date,
): Promise<string> {
  const iat = epochSeconds(now)
  return new SignJWT({
    client_id: 'postern',
    ...claims,
    iss: issuer,
    aud: audience,
    iat,
    exp: iat + accessTokenSeconds,
  })
    .setProtectedHeader({ alg: key.alg, typ: accessType, kid: key.kid })
    .sign(key.privateKey)
}

/** The claims of a good access token; `undefined` for anything else, without saying what was wrong. */
export async function verifyAccessToken(
  { keys, issuer, audience }: AccessTokenSettings,
  token: string,
  now: Date,
): Promise<AccessClaims | undefined> {
  const payload = await verify(token, accessType, issuer, audience, now, ({ kid, alg }) => {
    const key = keys.find((candidate) => candidate.kid === kid && candidate.alg === alg)
    return key?.publicKey
  })
  // One that would live longer than those we make is not one of them.
  if (!payload || payload.exp! - payload.iat! > accessTokenSeconds) return undefined
  const { sub, sid, jti, role, scope } = payload
  return isText(sub) && isText(sid) && isText(jti) && isText(role) && typeof scope === 'string'
    ? { sub, sid, jti, role, scope }
    : undefined
}

/** What each kind of internal token says besides its times. */
export interface InternalClaims {
  'rt+jwt': { sid: string; gen: number }
  'activation+jwt': { jti: string }
  'reset+jwt': { jti: string }
  'device+jwt': { jti: string; email_sha256: string; password_id: string }
}

export type InternalType = keyof InternalClaims

export interface InternalTokenSettings {
  keys: KeyRing<SecretKey>
  issuer: string
}

/** Signs an internal token. The same input gives the same text, so a retried mail or answer is byte for byte the same. */
export async function signInternalToken<T extends InternalType>(
  { keys: [key], issuer }: InternalTokenSettings,
  typ: T,
  claims: InternalClaims[T],
  issuedAt: Date,
  expiresAt: Date,
): Promise<string> {
  const times = { iat: epochSeconds(issuedAt), exp: epochSeconds(expiresAt) }
  return new SignJWT({ ...claims, iss: issuer, aud: issuer, ...times })
    .setProtectedHeader({ alg: 'HS256', typ, kid: key.kid })
    .sign(key.key)
}

/** The claims of a good internal token of this very kind; `undefined` for anything else. */
export async function verifyInternalToken<T extends InternalType>(
  { keys, issuer }: InternalTokenSettings,
  typ: T,
  token: string,
  now: Date,
): Promise<InternalClaims[T] | undefined> {
  const payload = await verify(token, typ, issuer, issuer, now, ({ kid, alg }) =>
    alg === 'HS256' ? keys.find((candidate) => candidate.kid === kid)?.key : undefined,
  )
  if (!payload) return undefined
  const { sid, gen, jti, password_id: passwordId } = payload
  const isWhole = typ === 'rt+jwt' ? isText(sid) && Number.isSafeInteger(gen) : isText(jti)
  return isWhole && (typ !== 'device+jwt' || isText(passwordId)) ? (payload as unknown as InternalClaims[T]) : undefined
}

export function epochSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000)
}

async function verify(
  token: string,
  typ: string,
  issuer: string,
  audience: string,
  now: Date,
  keyFor: (header: JWTHeaderParameters) => CryptoKey | Uint8Array | undefined,
): Promise<JWTPayload | undefined> {
  if (token.length > maxTokenLength) return undefined
  try {
    const { payload } = await jwtVerify(
      token,
      (header) => {
        const key = Object.keys(header).every((name) => headerMembers.includes(name)) && keyFor(header)
        if (!key) throw new Error('no such key')
        return key
      },
      {
        algorithms: ['EdDSA', 'ES256', 'HS256'],
        typ,
        issuer,
        audience,
        currentDate: now,
        requiredClaims: ['exp', 'iat'],
      },
    )
    // jose takes any number for a time, `1e400` (Infinity) too, and looks at `iat` only for a maximum age.
    const hasTimes = Number.isSafeInteger(payload.exp) && Number.isSafeInteger(payload.iat)
    return hasTimes && payload.iat! <= epochSeconds(now) + futureSeconds ? payload : undefined
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
