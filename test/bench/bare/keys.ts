import { type CryptoKey, type JWK, importJWK } from 'jose'

export interface BareEnv {
  DB: D1Database
  REVOCATIONS: KVNamespace
  SIGNING_KEYS: string
  TOKEN_KEYS: string
  PUBLIC_URL: string
  AUDIENCE: string
}

export interface Keys {
  kid: string
  alg: string
  privateKey: CryptoKey
  publicKey: CryptoKey
  /** Of tokens that only the issuer reads. */
  secret: { kid: string; key: Uint8Array }
}

let keys: Keys | undefined

/** Imports the keys at the first request. */
export async function keysOf(env: BareEnv): Promise<Keys> {
  keys ??= await importKeys(env)
  return keys
}

async function importKeys(env: BareEnv): Promise<Keys> {
  const pair = firstOf(env.SIGNING_KEYS)
  const secret = firstOf(env.TOKEN_KEYS)
  const { d: _, ...publicHalf } = pair
  const alg = pair.kty === 'OKP' ? 'EdDSA' : 'ES256'
  return {
    kid: pair.kid,
    alg,
    privateKey: (await importJWK(pair, alg)) as CryptoKey,
    publicKey: (await importJWK(publicHalf, alg)) as CryptoKey,
    secret: { kid: secret.kid, key: (await importJWK(secret, 'HS256')) as Uint8Array },
  }
}

function firstOf(secret: string): JWK & { kid: string } {
  return (JSON.parse(secret) as { keys: [JWK & { kid: string }] }).keys[0]
}
