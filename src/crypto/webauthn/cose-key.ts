import { base64url } from 'jose'
import { type CborMap, decodeCborMap } from './cbor.ts'
import { rawSignatureOf } from './der-signature.ts'
import { type Bytes, demand } from './malformed.ts'

/** The COSE algorithms that we offer, the preferred one first: ES256, EdDSA, RS256 (RFC 9053 §2, RFC 8812 §2). */
export const coseAlgorithms: readonly number[] = [-7, -8, -257]

/**
 * The longest key that we accept, RSA with 4096 bits, takes half of it. Authenticators add no further members (WebAuthn
 * Level 3 §6.5.1), but one that lies could: up to ten kilobytes, which every sign-in of its account would read.
 */
const maxKeyBytes = 1024

/** 2048 bits at least. At most 4096, because the key comes from outside, and a longer one is more work. */
const rsaBytes = { min: 256, max: 512 }

/** 65537, the only exponent in use. A large one would be work for us. */
const rsaExponent = 'AQAB'

export interface PublicKey {
  /** One of `coseAlgorithms`. */
  algorithm: number
  verify: (signature: Bytes, signed: Bytes) => Promise<boolean>
}

/**
 * Imports the COSE_Key of a credential (RFC 9052 §7). The algorithm has to be one of ours and to fit the type of the
 * key.
 *
 * @throws {Malformed} for any other key; a `DOMException` of WebCrypto for a point that is not on its curve
 */
export async function importCoseKey(bytes: Bytes): Promise<PublicKey> {
  demand(bytes.length <= maxKeyBytes)
  const key = decodeCborMap(bytes)
  const algorithm = key.get(3)
  if (algorithm === -7) return importP256(key)
  if (algorithm === -8) return importEd25519(key)
  demand(algorithm === -257)
  return importRsa(key)
}

async function importP256(key: CborMap): Promise<PublicKey> {
  demand(key.get(1) === 2 && key.get(-1) === 1)
  const point = new Uint8Array([4, ...bytesIn(key, -2, 32), ...bytesIn(key, -3, 32)])
  const name = 'ECDSA'
  const publicKey = await crypto.subtle.importKey('raw', point, { name, namedCurve: 'P-256' }, false, ['verify'])
  return {
    algorithm: -7,
    verify: (signature, signed) =>
      crypto.subtle.verify({ name, hash: 'SHA-256' }, publicKey, rawSignatureOf(signature), signed),
  }
}

async function importEd25519(key: CborMap): Promise<PublicKey> {
  demand(key.get(1) === 1 && key.get(-1) === 6)
  const name = 'Ed25519'
  const publicKey = await crypto.subtle.importKey('raw', bytesIn(key, -2, 32), name, false, ['verify'])
  return { algorithm: -8, verify: (signature, signed) => crypto.subtle.verify(name, publicKey, signature, signed) }
}

async function importRsa(key: CborMap): Promise<PublicKey> {
  const n = bytesIn(key, -1)
  const e = base64url.encode(bytesIn(key, -2, 3))
  demand(key.get(1) === 3 && e === rsaExponent && n.length <= rsaBytes.max)
  // Zeros in front would make a short key look long enough.
  demand(n.length > rsaBytes.min ? n[0]! > 0 : n.length === rsaBytes.min && n[0]! >= 0x80)
  const name = 'RSASSA-PKCS1-v1_5'
  const jwk = { kty: 'RSA', n: base64url.encode(n), e }
  const publicKey = await crypto.subtle.importKey('jwk', jwk, { name, hash: 'SHA-256' }, false, ['verify'])
  return { algorithm: -257, verify: (signature, signed) => crypto.subtle.verify(name, publicKey, signature, signed) }
}

function bytesIn(key: CborMap, label: number, length?: number): Bytes {
  const value = key.get(label)
  demand(value instanceof Uint8Array && value.length === (length ?? value.length))
  return value
}
