import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { SigningAlgorithm } from '../../src/crypto/keys.ts'
import { type SetName, type StoredKey, setNames, writeSet } from './key-set.ts'

/** The key sets, which need no other company, as the text that `src/crypto/keys.ts` reads. */
export type GeneratedSecrets = Record<SetName, string>

export const signingAlgorithms: readonly SigningAlgorithm[] = ['EdDSA', 'ES256']

/** New secrets for one deployment or one developer's machine, with one key in each set. */
export function generateSecrets(algorithm?: SigningAlgorithm): GeneratedSecrets {
  return Object.fromEntries(
    setNames.map((name) => [name, writeSet([generateKey(name, algorithm)])]),
  ) as GeneratedSecrets
}

/** A new key: an Ed25519 or P-256 pair for `SIGNING_KEYS`, 256 random bits for the other sets. */
export function generateKey(name: SetName, algorithm: SigningAlgorithm = 'EdDSA', now = new Date()): StoredKey {
  const kid = generateKid(now)
  if (name !== 'SIGNING_KEYS') return { kty: 'oct', kid, k: randomBytes(32).toString('base64url') }
  const { privateKey } =
    algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, ...members } = privateKey.export({ format: 'jwk' })
  return { kty: String(kty), kid, ...members }
}

/** The day shows an operator which of two keys is older. The rest distinguishes two keys of one day. */
function generateKid(now: Date): string {
  return `${now.toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
}
