/**
 * Time-based one-time passwords (RFC 6238): SHA-1, six digits, steps of 30 seconds. Authenticator apps ignore a request
 * for anything else. The collisions of SHA-1 do not concern HMAC.
 */
import { base32 } from './base32.ts'

const algorithm = { name: 'HMAC', hash: 'SHA-1' }
const stepMs = 30_000
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** 160 bits: the length that RFC 4226 §4 (R6) recommends. */
export function newSeed(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(20))
}

/** A seed as authenticator apps take it from people (RFC 4648 §6). */
export function seedText(seed: Uint8Array): string {
  return base32(seed, alphabet)
}

/**
 * The URI that an authenticator app reads from a QR code. The label is the address of the account and never a name,
 * because the app shows it to everybody who looks at the screen.
 *
 * @param issuer loses its colons: the first one of the label ends the issuer
 */
export function totpUri(issuer: string, address: string, seed: Uint8Array): string {
  const encoded = encodeURIComponent(issuer.replaceAll(':', ''))
  const parameters = `secret=${seedText(seed)}&issuer=${encoded}&algorithm=SHA1&digits=6&period=30`
  return `otpauth://totp/${encoded}:${encodeURIComponent(address)}?${parameters}`
}

/**
 * The step whose code this is: the current one, or one step earlier or later, because clocks differ and people type
 * slowly (RFC 6238 §5.2). The caller has to accept each step once. Of two steps with the same code it is the later one,
 * so that accepting it uses up both.
 *
 * @returns `undefined` for a wrong code. All three are computed in any case
 */
export async function findStep(seed: Uint8Array, code: string, now: Date): Promise<number | undefined> {
  const key = await crypto.subtle.importKey('raw', seed, algorithm, false, ['sign'])
  const current = Math.floor(now.getTime() / stepMs)
  const given = /^\d{6}$/.test(code) ? Number(code) : NaN
  let found: number | undefined
  for (const step of [current - 1, current, current + 1]) if ((await codeAt(key, step)) === given) found = step
  return found
}

/** HOTP (RFC 4226 §5.3), as a number. */
async function codeAt(key: CryptoKey, step: number): Promise<number> {
  const counter = new DataView(new ArrayBuffer(8))
  counter.setBigInt64(0, BigInt(step))
  const mac = new DataView(await crypto.subtle.sign('HMAC', key, counter))
  return (mac.getUint32(mac.getUint8(19) & 15) & 0x7fff_ffff) % 1_000_000
}
