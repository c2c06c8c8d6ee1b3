import type { SecretKey } from './keys.ts'

const slotBits = 17

/**
 * The slot of an address, one of 131,072, in which attempts at it are counted while it has no account. An HMAC:
 * somebody who could find two addresses in one slot would learn from the counter of one of them whether the other has
 * an account.
 */
export async function addressSlot(email: string, { key }: SecretKey): Promise<number> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const hmac = await crypto.subtle.importKey('raw', new Uint8Array(key), algorithm, false, ['sign'])
  // The key also signs tokens, and no signing input of a JWT has a colon.
  const mac = await crypto.subtle.sign('HMAC', hmac, new TextEncoder().encode(`slot:${email}`))
  return new DataView(mac).getUint32(0) >>> (32 - slotBits)
}
