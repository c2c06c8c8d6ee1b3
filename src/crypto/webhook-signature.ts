/**
 * Webhooks as Svix signs them for Resend (standardwebhooks.com): HMAC-SHA-256 over id, time and raw body. Not done with
 * the SDK, because that uses the system clock, a JavaScript implementation of HMAC, and the body as text.
 */
const algorithm = { name: 'HMAC', hash: 'SHA-256' }
const prefix = 'whsec_'
/** The specification asks for at least 24 bytes, but Svix has issued secrets of 16. */
const minSecretBytes = 16
/** A message that is older, or from further in the future, may be a replay. */
const toleranceMs = 5 * 60_000
/** A message has two while a secret is being replaced. */
const maxSignatures = 10

/** Imports a secret as Resend shows it; `undefined` when the text is not one. */
export async function importWebhookKey(secret: string): Promise<CryptoKey | undefined> {
  const bytes = secret.startsWith(prefix) ? fromBase64(secret.slice(prefix.length)) : undefined
  if (!bytes || bytes.length < minSecretBytes) return undefined
  return crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify'])
}

export interface SignedMessage {
  id: string | undefined
  /** Seconds since the epoch. */
  timestamp: string | undefined
  /** Each is `v1,` and base64; separated by spaces. */
  signatures: string | undefined
  body: Uint8Array
}

/** Whether a message was signed with the secret, and recently. */
export async function isSigned(key: CryptoKey, message: SignedMessage, now: Date): Promise<boolean> {
  const { id, timestamp, signatures, body } = message
  if (!id || !signatures || !/^\d{1,12}$/.test(timestamp ?? '')) return false
  if (Math.abs(Number(timestamp) * 1000 - now.getTime()) > toleranceMs) return false
  const head = new TextEncoder().encode(`${id}.${timestamp}.`)
  const signed = new Uint8Array(head.length + body.length)
  signed.set(head)
  signed.set(body, head.length)
  for (const signature of signatures.split(' ', maxSignatures)) {
    const bytes = signature.startsWith('v1,') ? fromBase64(signature.slice(3)) : undefined
    // `verify` compares in constant time.
    if (bytes && (await crypto.subtle.verify(algorithm.name, key, bytes, signed))) return true
  }
  return false
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
