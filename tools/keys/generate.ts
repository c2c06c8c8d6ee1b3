import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { SigningAlgorithm } from '../../src/crypto/keys.ts'
import { type SetName, type StoredKey, setNames, writeSet } from './key-set.ts'

/** The three secrets that Postern makes for itself, as the text that `src/crypto/keys.ts` reads. */
export type GeneratedSecrets = Record<SetName, string>

/** Fresh secrets for one deployment, or one developer's machine: one key in each set. */
export function generateSecrets(): GeneratedSecrets {
  return Object.fromEntries(setNames.map((name) => [name, writeSet([generateKey(name)])])) as GeneratedSecrets
}

/** A fresh key for a set: an Ed25519 or a P-256 pair for signing, 256 random bits for the others. */
export function generateKey(name: SetName, algorithm: SigningAlgorithm = 'EdDSA', now = new Date()): StoredKey {
  const kid = generateKid(now)
  if (name !== 'SIGNING_KEYS') return { kty: 'oct', kid, k: randomBytes(32).toString('base64url') }
  const { privateKey } =
    algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, ...members } = privateKey.export({ format: 'jwk' })
  return { kty: String(kty), kid, ...members }
}

/** The day makes an operator see at a glance which of two keys is older; the rest keeps two of one day apart. */
function generateKid(now: Date): string {
  return `${now.toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
}
