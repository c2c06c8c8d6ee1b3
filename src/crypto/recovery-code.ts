/**
 * Recovery codes: look-up secrets of 120 bits (NIST SP 800-63B-4 §3.1.2), written down by people. Nobody can guess one,
 * so it needs no slow hash. What is stored is an HMAC over user and code: a copy of the database gives no code, and a
 * row moved to another account opens nothing there.
 */
import { base32 } from './base32.ts'
import { macData } from './data-keys.ts'
import type { KeyRing, SecretKey } from './keys.ts'

/** Crockford's: without I, L, O and U, which people misread. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const readable = /^[0-9A-HJKMNP-TV-Z]{24}$/

/** A new code in six groups of four characters. */
export function newRecoveryCode(): string {
  const text = base32(crypto.getRandomValues(new Uint8Array(15)), alphabet)
  return text.match(/.{4}/g)!.join('-')
}

/**
 * The digests of a typed code: for each key its id and the HMAC under it. A new code is stored as the first of them.
 *
 * @returns an empty list for a text that does not have the form of a code
 */
export async function digestsOfCode(keys: KeyRing<SecretKey>, userId: string, typed: string): Promise<string[]> {
  const code = readCode(typed)
  return code === undefined ? [] : Promise.all(keys.map((key) => macData([key], 'recovery-code', [userId, code])))
}

/** Reads a code in any case, with or without spaces and hyphens, and with the letters that look like digits. */
function readCode(typed: string): string | undefined {
  const code = typed
    .toUpperCase()
    .replace(/[\s\p{Pd}]/gu, '')
    .replace(/[IL]/g, '1')
    .replaceAll('O', '0')
  return readable.test(code) ? code : undefined
}
