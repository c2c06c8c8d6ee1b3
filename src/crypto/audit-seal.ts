import { CompactSign, decodeProtectedHeader, jwtVerify } from 'jose'
import type { KeyRing, SigningKey } from './keys.ts'

/**
 * The seal of an object in the audit archive: a JWS by the key that signs access tokens. It is no access token: the
 * `typ` is another one, and it names no issuer, audience or expiry (RFC 8725 §3.11).
 */
export const sealType = 'audit-seal+jwt'

export interface SealClaims {
  /** The place of the object in the archive, from 1. */
  number: number
  /** Hours since 1970. */
  hour: number
  /** SHA-256 of the lines with the events, in base64url. */
  sha256: string
  /** SHA-256 of the seal before, `null` for the first one: whoever trusts a seal can check all before it. */
  previous: string | null
  /** The lowest number that has not expired. */
  first: number
  /** The public half of the key of the seal before, if another one signs now. So a retired key need not be kept. */
  previous_key?: SigningKey['publicJwk']
}

/** Seals under the first key of the ring. */
export function signSeal([key]: KeyRing<SigningKey>, claims: SealClaims): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: key.alg, typ: sealType, kid: key.kid })
    .sign(key.privateKey)
}

/**
 * @returns `null` when the ring has no such key
 * @throws {Error} when the text is no seal, or the key that it names did not sign it
 */
export async function verifySeal(
  keys: KeyRing<SigningKey>,
  seal: string,
): Promise<{ kid: string; claims: SealClaims } | null> {
  const { kid, alg } = decodeProtectedHeader(seal)
  const key = keys.find((each) => each.kid === kid && each.alg === alg)
  if (!key) return null
  const { payload } = await jwtVerify<SealClaims>(seal, key.publicKey, { typ: sealType, algorithms: [key.alg] })
  return { kid: key.kid, claims: payload }
}
