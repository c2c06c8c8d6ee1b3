import { base64url } from 'jose'

/** SHA-256 of a text, in base64url. For recognising a thing again, never for a password. */
export async function sha256(text: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}
