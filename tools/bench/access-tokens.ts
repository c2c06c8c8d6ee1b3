import { type KeyObject, createPrivateKey, randomUUID, sign } from 'node:crypto'
import { accessTokenSeconds } from '../../src/config/policy.ts'

interface Jwk {
  kty: string
  [member: string]: unknown
}

/**
 * Makes many access tokens out of a real one, with other ids in each: signed by Node, which needs a third of the time
 * of WebCrypto.
 */
export class TokenMint {
  readonly #key: KeyObject
  readonly #header: string
  readonly #claims: Record<string, unknown>

  /** @param signingKeys the secret `SIGNING_KEYS`, whose first key signs */
  constructor(signingKeys: string, example: string) {
    const [key] = (JSON.parse(signingKeys) as { keys: [Jwk, ...Jwk[]] }).keys
    this.#key = createPrivateKey({ key, format: 'jwk' })
    const [header = '', claims = ''] = example.split('.')
    this.#header = header
    this.#claims = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>
  }

  /** Tokens of the same session. */
  make(count: number): string[] {
    return Array.from({ length: count }, () => this.#sign({}))
  }

  /** Tokens of sessions that differ, and that the database does not have. */
  makeForStrangers(count: number): string[] {
    return Array.from({ length: count }, () => this.#sign({ sid: randomUUID() }))
  }

  #sign(claims: Record<string, unknown>): string {
    const iat = Math.floor(Date.now() / 1000)
    const all = { ...this.#claims, jti: randomUUID(), iat, exp: iat + accessTokenSeconds, ...claims }
    const text = `${this.#header}.${Buffer.from(JSON.stringify(all)).toString('base64url')}`
    // ECDSA signatures of a JWS are the two numbers one after the other (RFC 7518 §3.4). Ed25519 takes no digest.
    const hash = this.#key.asymmetricKeyType === 'ec' ? 'sha256' : null
    const signature = sign(hash, Buffer.from(text), { key: this.#key, dsaEncoding: 'ieee-p1363' })
    return `${text}.${signature.toString('base64url')}`
  }
}
