/**
 * Webhooks as Svix signs them for Resend (standardwebhooks.com): HMAC-SHA-256 over id, time and raw body. The SDK can do
 * this too, but by the clock of the machine, in JavaScript, and on text.
 */
const algorithm = { name: 'HMAC', hash: 'SHA-256' }
const prefix = 'whsec_'
/** What the specification asks for at the least is 24; Svix has made 16 and more. */
const minSecretBytes = 16
/** Further from now than this, a message may be a recording. */
const toleranceMs = 5 * 60_000
/** While a secret is being replaced there are two. */
const maxSignatures = 10

/** Reads the secret as Resend shows it; `undefined` when it is none. */
export async function importWebhookKey(secret: string): Promise<CryptoKey | undefined> {
  const bytes = secret.startsWith(prefix) ? fromBase64(secret.slice(prefix.length)) : undefined
  if (!bytes || bytes.length < minSecretBytes) return undefined
  return crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify'])
}

export interface SignedMessage {
  id: string | undefined
  /** Seconds since the epoch. */
  timestamp: string | undefined
  /** `v1,` and base64; several, separated by spaces. */
  signatures: string | undefined
  body: Uint8Array
}

/** Whether a message is from who holds the secret, and from now. */
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
    // Takes the same time wherever the first wrong byte is.
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
