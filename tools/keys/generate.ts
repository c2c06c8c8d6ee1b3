import { generateKeyPairSync, randomBytes } from 'node:crypto'

/** The three secrets that Postern makes for itself, as the text that `src/crypto/keys.ts` reads. */
export interface GeneratedSecrets {
  SIGNING_KEYS: string
  TOKEN_KEYS: string
  PASSWORD_PEPPER: string
}

/** Fresh secrets for one deployment, or one developer's machine. */
export function generateSecrets(): GeneratedSecrets {
  return {
    SIGNING_KEYS: generateSigningKeys(),
    TOKEN_KEYS: generateSecretKeys(),
    PASSWORD_PEPPER: generateSecretKeys(),
  }
}

/** A private JWK Set with one Ed25519 key. */
export function generateSigningKeys(): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { kty, crv, x, d } = privateKey.export({ format: 'jwk' })
  return JSON.stringify({ keys: [{ kty, crv, kid: generateKid(), x, d }] })
}

/** A JWK Set with one 256-bit symmetric key. */
export function generateSecretKeys(): string {
  return JSON.stringify({ keys: [{ kty: 'oct', kid: generateKid(), k: randomBytes(32).toString('base64url') }] })
}

/** The day makes an operator see at a glance which of two keys is older; the rest keeps two of one day apart. */
function generateKid(): string {
  return `${new Date().toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
}
