/**
 * Everything Postern hands out is a JWT of one of the kinds below. Each kind has its own `typ`, and no kind is accepted
 * in place of another (RFC 8725 §3.11).
 *
 * One JWT has several spellings. So never use its text as the key of a lock, a table, or anything that refuses: use
 * `sid` or `jti`. The memory of accepted tokens has the text as its key, because it verifies each spelling before it
 * keeps it.
 */
import { CompactSign, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose'
import type { Reason } from '../reasons.ts'
import { isUuid } from './random.ts'
import type { KeyRing, SecretKey, SigningKey } from './keys.ts'

/** Clocks of two machines differ: a token may be this far ahead of ours. */
const maxSkewSeconds = 60

/** Our longest token is under 1 kB. */
const maxTokenLength = 4096

/** The header members that we set. A token with any other (`jku`, `jwk`, `crit`, `b64`, …) is not ours. */
const headerMembers: readonly string[] = ['alg', 'typ', 'kid']

const algorithms = {
  /** Key pairs: anybody can verify with the JWKS. */
  signingKeys: ['EdDSA', 'ES256'],
  /** Secrets: for tokens that only Postern reads. */
  secretKeys: ['HS256'],
}

/** The id of a row: always a UUID. */
const id = (value: unknown): value is string => typeof value === 'string' && isUuid(value)
const text = (value: unknown): value is string => typeof value === 'string' && value !== ''
/** Words separated by spaces; there may be none. */
const words = (value: unknown): value is string => typeof value === 'string'
const count = (value: unknown): value is number => Number.isSafeInteger(value)
const list = (value: unknown): value is string[] => Array.isArray(value) && value.length > 0 && value.every(text)

type Check<Value> = (value: unknown) => value is Value
const optional =
  <Value>(check: Check<Value>): Check<Value | undefined> =>
  (value): value is Value | undefined =>
    value === undefined || check(value)

type ClaimValue = string | number | string[] | undefined

interface TokenKind {
  keys: keyof typeof algorithms
  /**
   * The setting that is its `aud`. With the issuer as audience no other service can take the token for an access token.
   */
  audience: 'audience' | 'issuer'
  /**
   * The setting that limits its lifetime: no token that we issue lives longer. `null` where a session or link in the
   * database ends it.
   */
  lifetime: 'accessTokenSeconds' | 'deviceTokenSeconds' | 'factorTokenSeconds' | 'trustTokenSeconds' | null
  /** The claims besides `iss`, `aud`, `iat` and `exp`. */
  claims: Record<string, Check<ClaimValue>>
}

/** The kinds of token by their `typ`. A new kind is a new entry. */
const tokenKinds = {
  // RFC 9068 §2. The `bookmark` is that of the database, where it has replicas. Tokens of earlier releases do not say
  // how and when the user signed in.
  'at+jwt': {
    keys: 'signingKeys',
    audience: 'audience',
    lifetime: 'accessTokenSeconds',
    claims: {
      client_id: text,
      sub: id,
      sid: id,
      jti: text,
      role: text,
      scope: words,
      auth_time: optional(count),
      amr: optional(list),
      acr: optional(text),
      bookmark: optional(text),
    },
  },
  'rt+jwt': { keys: 'secretKeys', audience: 'issuer', lifetime: null, claims: { sid: id, gen: count } },
  'activation+jwt': { keys: 'secretKeys', audience: 'issuer', lifetime: null, claims: { jti: id } },
  'reset+jwt': { keys: 'secretKeys', audience: 'issuer', lifetime: null, claims: { jti: id } },
  'email-change+jwt': { keys: 'secretKeys', audience: 'issuer', lifetime: null, claims: { jti: id } },
  // Names the first of the requests that it undoes.
  'email-revert+jwt': { keys: 'secretKeys', audience: 'issuer', lifetime: null, claims: { jti: id, sub: id } },
  'device+jwt': {
    keys: 'secretKeys',
    audience: 'issuer',
    lifetime: 'deviceTokenSeconds',
    claims: { jti: id, email_sha256: text, password_id: id },
  },
  // A right password, while the other factor is missing. With a `link_id` it activates the account.
  'factor+jwt': {
    keys: 'secretKeys',
    audience: 'issuer',
    lifetime: 'factorTokenSeconds',
    claims: { jti: id, sub: id, password_id: id, factors_id: id, link_id: optional(id), device_id: optional(id) },
  },
  // A device on which a user has shown a factor. `trust` is the user's trust number.
  'trust+jwt': {
    keys: 'secretKeys',
    audience: 'issuer',
    lifetime: 'trustTokenSeconds',
    claims: { sub: id, password_id: id, factors_id: id, trust: count },
  },
} as const satisfies Record<string, TokenKind>

type TokenKinds = typeof tokenKinds
export type TokenType = keyof TokenKinds
type ClaimName = { [T in TokenType]: keyof TokenKinds[T]['claims'] }[TokenType]
type ValueOf<C> = C extends Check<infer Value> ? Value : never

type OptionalIn<C> = { [Name in keyof C]: undefined extends ValueOf<C[Name]> ? Name : never }[keyof C]
type ClaimsIn<C> = { -readonly [Name in Exclude<keyof C, OptionalIn<C>>]: ValueOf<C[Name]> } & {
  -readonly [Name in OptionalIn<C>]?: ValueOf<C[Name]>
}

/** The claims of a kind. */
export type Claims<T extends TokenType> = ClaimsIn<TokenKinds[T]['claims']>

export interface TokenSettings {
  issuer: string
  /** The `aud` of access tokens. */
  audience: string
  signingKeys: KeyRing<SigningKey>
  secretKeys: KeyRing<SecretKey>
  accessTokenSeconds: number
  deviceTokenSeconds: number
  factorTokenSeconds: number
  trustTokenSeconds: number
}

/**
 * Signs a token. With a secret key or Ed25519 the same input makes the same text, so a repeated email or answer is byte
 * for byte the same.
 */
export async function signToken<T extends TokenType>(
  settings: TokenSettings,
  typ: T,
  claims: Claims<T>,
  issuedAt: Date,
  expiresAt: Date,
): Promise<string> {
  const { keys, audience }: TokenKind = tokenKinds[typ]
  const [key] = settings[keys]
  const [iat, exp] = [epochSeconds(issuedAt), epochSeconds(expiresAt)]
  const payload = JSON.stringify({ ...claims, iss: settings.issuer, aud: settings[audience], iat, exp })
  // `SignJWT` would copy the claims with `structuredClone` first.
  return new CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg: algorithmOf(key), typ, kid: key.kid })
    .sign('alg' in key ? key.privateKey : await hmacKeyOf(key))
}

/** The reason of a refusal is for the log: the client gets one answer for all of them. */
export type Verification<T extends TokenType> =
  | { kind: 'valid'; claims: Claims<T>; expiresAt: Date }
  | { kind: 'refused'; reason: Reason }

/** Verifies a token of one kind. Does not throw: whatever is wrong with the text is a refusal. */
export async function verifyToken<T extends TokenType>(
  settings: TokenSettings,
  typ: T,
  token: string,
  now: Date,
): Promise<Verification<T>> {
  const kind: TokenKind = tokenKinds[typ]
  try {
    if (token.length > maxTokenLength) throw new RefusedToken('malformed')
    const { payload } = await jwtVerify(token, (header) => findVerifyKey(settings[kind.keys], header), {
      algorithms: algorithms[kind.keys],
      typ,
      issuer: settings.issuer,
      audience: settings[kind.audience],
      currentDate: now,
      requiredClaims: ['exp', 'iat'],
    })
    const expiresAt = readTimes(payload, kind.lifetime && settings[kind.lifetime], now)
    return { kind: 'valid', claims: readClaims(payload, kind) as Claims<T>, expiresAt }
  } catch (error) {
    return { kind: 'refused', reason: reasonOf(error) }
  }
}

/** A time as JWTs have it: whole seconds since 1970 (`NumericDate`, RFC 7519 §2). */
export function epochSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000)
}

type Key = SigningKey | SecretKey

function algorithmOf(key: Key): string {
  return 'alg' in key ? key.alg : 'HS256'
}

const hmacKeys = new WeakMap<SecretKey, CryptoKey>()

/** Imports a secret at its first use. jose would import the bytes at every use. */
export async function hmacKeyOf(secret: SecretKey): Promise<CryptoKey> {
  const known = hmacKeys.get(secret)
  if (known) return known
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', new Uint8Array(secret.key), algorithm, false, ['sign', 'verify'])
  hmacKeys.set(secret, key)
  return key
}

async function findVerifyKey(ring: KeyRing<Key>, header: JWTHeaderParameters): Promise<CryptoKey> {
  if (Object.keys(header).some((name) => !headerMembers.includes(name))) throw new RefusedToken('malformed')
  const key = ring.find((candidate) => candidate.kid === header.kid && algorithmOf(candidate) === header.alg)
  if (!key) throw new RefusedToken('unknown_key')
  return 'alg' in key ? key.publicKey : hmacKeyOf(key)
}

/** jose takes any number as a time, even `1e400` (Infinity), and checks `iat` only against a maximum age. */
function readTimes({ iat, exp }: JWTPayload, maxSeconds: number | null, now: Date): Date {
  if (!count(iat) || !count(exp)) throw new RefusedToken('bad_claims')
  if (iat > epochSeconds(now) + maxSkewSeconds) throw new RefusedToken('not_yet_valid')
  if (maxSeconds !== null && exp - iat > maxSeconds) throw new RefusedToken('lives_too_long')
  return new Date(exp * 1000)
}

function readClaims(payload: JWTPayload, { claims }: TokenKind) {
  const read: { [Name in ClaimName]?: ClaimValue } = {}
  for (const [name, isValid] of Object.entries(claims) as [ClaimName, TokenKind['claims'][string]][]) {
    const value = payload[name]
    if (!isValid(value)) throw new RefusedToken('bad_claims')
    read[name] = value
  }
  return read
}

class RefusedToken extends Error {
  readonly reason: Reason
  constructor(reason: Reason) {
    super(reason)
    this.reason = reason
  }
}

/** The claim that jose names in its error, or else the code of the error. */
const reasons = new Map<string, Reason>([
  ['typ', 'wrong_typ'],
  ['iss', 'wrong_issuer'],
  ['aud', 'wrong_audience'],
  ['nbf', 'not_yet_valid'],
  ['ERR_JWT_EXPIRED', 'expired'],
  ['ERR_JWT_CLAIM_VALIDATION_FAILED', 'bad_claims'],
  ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'bad_signature'],
  ['ERR_JOSE_ALG_NOT_ALLOWED', 'wrong_algorithm'],
])

function reasonOf(error: unknown): Reason {
  if (error instanceof RefusedToken) return error.reason
  const { claim = '', code = '' } = error as { claim?: string; code?: string }
  return reasons.get(claim) ?? reasons.get(code) ?? 'malformed'
}
