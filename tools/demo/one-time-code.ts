import { createHmac } from 'node:crypto'

const stepMs = 30_000

/**
 * The code of an authenticator app (RFC 6238: SHA-1, six digits, 30 seconds).
 *
 * @param secret as the app gets it, in base32
 * @param stepsAhead 1 for the code of the next half minute: the service takes each code once, and one step early
 */
export function oneTimeCode(secret: string, stepsAhead = 0): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / stepMs) + stepsAhead))
  const mac = createHmac('sha1', base32(secret)).update(counter).digest()
  // Dynamic truncation (RFC 4226 §5.3).
  const number = mac.readUInt32BE(mac.at(-1)! & 0xf) & 0x7fff_ffff
  return String(number % 1_000_000).padStart(6, '0')
}

function base32(text: string): Buffer {
  const bits = Array.from(text, (letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  )
  const bytes = bits.join('').match(/.{8}/g) ?? []
  return Buffer.from(bytes.map((byte) => parseInt(byte, 2)))
}
