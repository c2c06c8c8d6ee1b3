/**
 * Encodes bytes in base 32 (RFC 4648 §6) with the characters of an alphabet, and without padding.
 *
 * @param bytes a multiple of five, which needs no padding
 */
export function base32(bytes: Uint8Array, alphabet: string): string {
  let text = ''
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const place = bit >> 3
    const window = (bytes[place]! << 8) | (bytes[place + 1] ?? 0)
    text += alphabet[(window >> (11 - (bit & 7))) & 31]!
  }
  return text
}
