import { base64url } from 'jose'

/** SHA-256 of a text, in base64url. For recognising a thing again, never for a password. */
export async function sha256(text: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}

/**
 * SHA-1 of a text, in upper-case hex: the index of Pwned Passwords, and good for nothing else. That SHA-1 is broken does
 * no harm there: nobody gains by another password with the same digest, nothing is stored, and what leaves the house is
 * five digits of it, which say as little of a password whatever the hash.
 */
export async function sha1Hex(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}
