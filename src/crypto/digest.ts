import { base64url } from 'jose'

/** SHA-256 of a text in base64url, to recognize the text later. Never for a password. */
export async function sha256(text: string): Promise<string> {
  return base64url.encode(await digestOf(text))
}

/**
 * The first 8 bytes of SHA-256, to compare two user agents. An attacker can send the same text: a collision is no gain.
 */
export async function userAgentDigest(text: string | null): Promise<Uint8Array<ArrayBuffer> | null> {
  return text === null ? null : (await digestOf(text)).slice(0, 8)
}

async function digestOf(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}

/**
 * SHA-1 of a text in upper-case hex: for the index of Pwned Passwords, and for nothing else. The weakness of SHA-1 does
 * no harm there: a second password with the same digest helps nobody, nothing is stored, and only five hex digits leave
 * the service.
 */
export async function sha1Hex(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}
