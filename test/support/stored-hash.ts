/** A stored password hash in parts, read as docs/decisions/0001-chained-pbkdf2.md says and not by the code under test. */
export interface HashParts {
  version: number
  rounds: number
  iterations: number
  kidLength: number
  pepper: string
  /** Both in hex. */
  salt: string
  hash: string
}

/** @param hex as a row is read: see `rowOf` */
export function readHash(hex: string): HashParts {
  const number = (from: number, to: number) => parseInt(hex.slice(2 * from, 2 * to), 16)
  const kidLength = number(5, 6)
  const saltAt = 6 + kidLength
  const kid = hex.slice(2 * 6, 2 * saltAt)
  return {
    version: number(0, 1),
    rounds: number(1, 2),
    iterations: number(2, 5),
    kidLength,
    pepper: kid.replace(/../g, (pair) => String.fromCharCode(parseInt(pair, 16))),
    salt: hex.slice(2 * saltAt, 2 * (saltAt + 16)),
    hash: hex.slice(2 * (saltAt + 16)),
  }
}

/** The bytes of these parts. `kidLength` may lie. */
export function writeHash({ version, rounds, iterations, kidLength, pepper, salt, hash }: HashParts) {
  const number = (value: number, length: number) => value.toString(16).padStart(2 * length, '0')
  const kid = Array.from(pepper, (letter) => number(letter.charCodeAt(0), 1)).join('')
  const head = number(version, 1) + number(rounds, 1) + number(iterations, 3) + number(kidLength, 1)
  return bytesOfHex(head + kid + salt + hash)
}

export function bytesOfHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16))
}
