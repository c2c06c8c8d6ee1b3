import { decodeBase64url } from './base64url.ts'

/** A symmetric key. Tokens and hashes carry its id, so a key can be replaced while the old one still verifies. */
export interface SecretKey {
  kid: string
  key: Uint8Array
}

/** A non-empty set: the first key signs or hashes, all verify. */
export type KeyRing<Key> = readonly [Key, ...Key[]]

/** 256 bits: the strength of SHA-256, and the minimum for HS256 (RFC 7518 §3.2). */
const minKeyBytes = 32

/** Ids appear in stored hashes and in token headers. */
const kidPattern = /^[A-Za-z0-9_-]{1,64}$/

/**
 * Reads a JWK Set (RFC 7517 §5) of `oct` keys from the text of a secret.
 *
 * @throws {KeyError} when it is not such a set, a key is shorter than 32 bytes, or an id is missing or used twice
 */
export function parseSecretKeys(text: string): KeyRing<SecretKey> {
  return parseJwks(text, (jwk) => {
    if (jwk.kty !== 'oct' || typeof jwk.k !== 'string') throw new KeyError('holds a key that is not of type "oct"')
    const key = decode(jwk.k)
    if (key.byteLength < minKeyBytes) throw new KeyError(`key "${jwk.kid}" is shorter than ${minKeyBytes} bytes`)
    return { kid: jwk.kid, key }
  })
}

export type SigningAlgorithm = 'EdDSA' | 'ES256'

/** A key pair for access tokens, with the public half as the JWKS shows it. */
export interface SigningKey {
  kid: string
  alg: SigningAlgorithm
  privateKey: CryptoKey
  publicKey: CryptoKey
  publicJwk: { kty: string; crv: string; x: string; y?: string; kid: string; alg: SigningAlgorithm; use: 'sig' }
}

/**
 * Reads the private JWK Set that signs access tokens: Ed25519 (`EdDSA`) or P-256 (`ES256`) keys.
 *
 * @throws {KeyError} when it is not such a set, or a key is of another kind or does not import
 */
export async function parseSigningKeys(text: string): Promise<KeyRing<SigningKey>> {
  const [first, ...rest] = parseJwks(text, importSigningKey)
  return [await first, ...(await Promise.all(rest))]
}

async function importSigningKey(jwk: Jwk): Promise<SigningKey> {
  const { kid, kty, crv, x, y, d } = jwk
  const alg = kty === 'OKP' && crv === 'Ed25519' ? 'EdDSA' : kty === 'EC' && crv === 'P-256' ? 'ES256' : undefined
  if (!alg || typeof x !== 'string' || typeof d !== 'string' || (alg === 'ES256' && typeof y !== 'string')) {
    throw new KeyError(`key "${kid}" is neither a private Ed25519 nor a private P-256 key`)
  }
  const publicPart = { kty: kty as string, crv: crv as string, x, ...(typeof y === 'string' && { y }) }
  const algorithm = alg === 'EdDSA' ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  try {
    const privateKey = await crypto.subtle.importKey('jwk', { ...publicPart, d }, algorithm, false, ['sign'])
    const publicKey = await crypto.subtle.importKey('jwk', publicPart, algorithm, true, ['verify'])
    // An Ed25519 key imports even with the public half of another key, and its signatures would not verify.
    const probe = new Uint8Array(1)
    const signature = await crypto.subtle.sign(algorithm, privateKey, probe)
    const isPair = await crypto.subtle.verify(algorithm, publicKey, signature, probe)
    if (!isPair) throw new TypeError('two halves of two keys')
    return { kid, alg, privateKey, publicKey, publicJwk: { ...publicPart, kid, alg, use: 'sig' } }
  } catch {
    throw new KeyError(`key "${kid}" does not import`)
  }
}

/** Says what is wrong with a key set, without any of its contents. */
export class KeyError extends Error {
  override name = 'KeyError'
}

type Jwk = Record<string, unknown> & { kid: string }

function parseJwks<Key>(text: string, read: (jwk: Jwk) => Key): KeyRing<Key> {
  const keys = jwksMembers(text)
  const kids = new Set<string>()
  const ring = keys.map((jwk) => {
    if (typeof jwk !== 'object' || jwk === null || !('kid' in jwk) || typeof jwk.kid !== 'string') {
      throw new KeyError('holds a key without a "kid"')
    }
    if (!kidPattern.test(jwk.kid)) throw new KeyError('holds a "kid" that is not 1 to 64 of [A-Za-z0-9_-]')
    if (kids.has(jwk.kid)) throw new KeyError(`holds the "kid" "${jwk.kid}" twice`)
    kids.add(jwk.kid)
    return read(jwk as Jwk)
  })
  const [first, ...rest] = ring
  if (first === undefined) throw new KeyError('holds no key')
  return [first, ...rest]
}

function jwksMembers(text: string): unknown[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new KeyError('is not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null || !('keys' in parsed) || !Array.isArray(parsed.keys)) {
    throw new KeyError('is not a JWK Set ({"keys":[…]})')
  }
  return parsed.keys
}

function decode(text: string): Uint8Array {
  const bytes = decodeBase64url(text)
  if (!bytes) throw new KeyError('holds a key that is not base64url')
  return bytes
}
