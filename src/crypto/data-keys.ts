/**
 * Encryption of values that Postern has to read again, and MACs that bind a row to its account, under `DATA_KEYS`.
 * These keys are not in the database, so access to D1 alone neither reads a sealed value nor moves it to another row or
 * account.
 *
 * Each purpose has its own subkey (HKDF-SHA-256, RFC 5869), so a value of one purpose is refused for every other.
 */
import { base64url } from 'jose'
import { decodeBase64url } from './base64url.ts'
import type { KeyRing, SecretKey } from './keys.ts'

/** AES-256-GCM, for what has to be read back. */
export type SealPurpose = 'totp-seed' | 'totp-setup'

/** HMAC-SHA-256, for what only has to be recognized. */
export type MacPurpose = 'passkey-binding' | 'recovery-code' | 'mail-code'

/** A text counts as its UTF-8. */
export type Part = string | Uint8Array

/** 96 random bits: good for 2^32 values under one key (NIST SP 800-38D §8.3). */
const ivBytes = 12

const sealing: ('encrypt' | 'decrypt')[] = ['encrypt', 'decrypt']
const binding: ('sign' | 'verify')[] = ['sign', 'verify']

const subkeyAlgorithms = {
  'AES-GCM': { algorithm: { name: 'AES-GCM', length: 256 }, uses: sealing },
  HMAC: { algorithm: { name: 'HMAC', hash: 'SHA-256', length: 256 }, uses: binding },
}

/** Holds keys, not promises: a Worker must not wait for a promise that another request made. */
const subkeys = new WeakMap<SecretKey, Map<string, CryptoKey>>()

async function subkeyOf(key: SecretKey, name: keyof typeof subkeyAlgorithms, purpose: string): Promise<CryptoKey> {
  const known = subkeys.get(key) ?? new Map<string, CryptoKey>()
  subkeys.set(key, known)
  const subkey = known.get(purpose) ?? (await derive(key, name, purpose))
  known.set(purpose, subkey)
  return subkey
}

async function derive({ key }: SecretKey, name: keyof typeof subkeyAlgorithms, purpose: string): Promise<CryptoKey> {
  const { algorithm, uses } = subkeyAlgorithms[name]
  const master = await crypto.subtle.importKey('raw', new Uint8Array(key), 'HKDF', false, ['deriveKey'])
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: new TextEncoder().encode(purpose) }
  return crypto.subtle.deriveKey(hkdf, master, algorithm, false, uses)
}

/**
 * Encrypts a value under the first key.
 *
 * @param context where the value belongs, such as the user. It is not stored, and only the same list opens the value
 * @returns `kid.iv.ciphertext`
 */
export async function sealData(
  [key]: KeyRing<SecretKey>,
  purpose: SealPurpose,
  context: readonly Part[],
  plaintext: Uint8Array,
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes))
  const subkey = await subkeyOf(key, 'AES-GCM', purpose)
  const algorithm = { name: 'AES-GCM', iv, additionalData: joined(context) }
  const sealed = await crypto.subtle.encrypt(algorithm, subkey, new Uint8Array(plaintext))
  return [key.kid, base64url.encode(iv), base64url.encode(new Uint8Array(sealed))].join('.')
}

/** @returns `undefined` for a text that no key of the ring sealed for this purpose and context */
export async function openData(
  keys: KeyRing<SecretKey>,
  purpose: SealPurpose,
  context: readonly Part[],
  text: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { key, values } = parsed(keys, text)
  const [iv, sealed, more] = values
  if (!key || iv?.length !== ivBytes || !sealed || more) return undefined
  const subkey = await subkeyOf(key, 'AES-GCM', purpose)
  try {
    const algorithm = { name: 'AES-GCM', iv, additionalData: joined(context) }
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, subkey, sealed))
  } catch {
    return undefined
  }
}

/**
 * An HMAC over a list under the first key. Under an older key: `macData([key], …)`.
 *
 * @returns `kid.mac`
 */
export async function macData(
  [key]: readonly [SecretKey, ...unknown[]],
  purpose: MacPurpose,
  parts: readonly Part[],
): Promise<string> {
  const mac = await crypto.subtle.sign('HMAC', await subkeyOf(key, 'HMAC', purpose), joined(parts))
  return `${key.kid}.${base64url.encode(new Uint8Array(mac))}`
}

/** Whether `macData` made this text from the list under any key of the ring. Compares in constant time. */
export async function isMacOf(
  keys: KeyRing<SecretKey>,
  purpose: MacPurpose,
  parts: readonly Part[],
  text: string,
): Promise<boolean> {
  const { key, values } = parsed(keys, text)
  const [mac, more] = values
  if (!key || !mac || more) return false
  return crypto.subtle.verify('HMAC', await subkeyOf(key, 'HMAC', purpose), mac, joined(parts))
}

/**
 * Each part after its length, 32 bits: no two lists give the same bytes, wherever the borders between their parts are.
 */
function joined(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const bytes = parts.map((part) => (typeof part === 'string' ? new TextEncoder().encode(part) : part))
  const all = new Uint8Array(bytes.reduce((sum, { length }) => sum + 4 + length, 0))
  let at = 0
  for (const part of bytes) {
    new DataView(all.buffer).setUint32(at, part.length)
    all.set(part, at + 4)
    at += 4 + part.length
  }
  return all
}

function parsed(keys: KeyRing<SecretKey>, text: string) {
  const [kid, ...encoded] = text.split('.')
  return { key: keys.find((key) => key.kid === kid), values: encoded.map(decode) }
}

/** `undefined` for any spelling but the one that we write: base64 has several for most values. */
function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = decodeBase64url(text)
  return bytes && base64url.encode(bytes) === text ? bytes : undefined
}
