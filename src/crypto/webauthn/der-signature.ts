import { type Bytes, demand } from './malformed.ts'

/** Of a number of P-256, in bytes. */
const size = 32

/**
 * An ECDSA signature of P-256 as authenticators write it (DER, RFC 3279 §2.2.3), in the form that WebCrypto takes: r,
 * then s. Only the one DER spelling of a signature is accepted: shortest lengths, shortest numbers, nothing behind
 * them.
 *
 * @throws {Malformed} for anything else
 */
export function rawSignatureOf(der: Bytes): Bytes {
  const raw = new Uint8Array(2 * size)
  // Two numbers of at most 33 bytes: no length needs a second byte.
  demand(der[0] === 0x30 && der[1] === der.length - 2)
  const end = readNumber(2, 0)
  demand(readNumber(end, size) === der.length)
  return raw

  function readNumber(start: number, target: number): number {
    const length = der[start + 1] ?? 0
    let number = der.subarray(start + 2, start + 2 + length)
    demand(der[start] === 0x02 && length > 0 && number.length === length)
    demand(number[0]! < 0x80)
    if (number[0] === 0) {
      // A zero is allowed only before a byte that would make the number negative. No number in a signature is 0.
      demand(length > 1 && number[1]! >= 0x80)
      number = number.subarray(1)
    }
    demand(number.length <= size)
    raw.set(number, target + size - number.length)
    return start + 2 + length
  }
}
