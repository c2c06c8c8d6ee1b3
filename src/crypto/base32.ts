/** Writes bytes five bits at a time, in the characters of an alphabet. Without padding, so for whole groups of five bytes. */
export function base32(bytes: Uint8Array, alphabet: string): string {
  let text = ''
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const place = bit >> 3
    const window = (bytes[place]! << 8) | (bytes[place + 1] ?? 0)
    text += alphabet[(window >> (11 - (bit & 7))) & 31]!
  }
  return text
}
