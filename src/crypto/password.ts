/**
 * Password hashing: a chain of PBKDF2-HMAC-SHA-256, then an HMAC under a pepper that is not in the database.
 *
 * A deployed Worker refuses more than 100,000 iterations per call, though `wrangler dev` accepts them. So OWASP's 600,000
 * iterations are six chained calls: the password is the key of each, and the output of one is the salt of the next. An
 * attacker has to compute them one after the other, as with one long call. The result differs from RFC 8018's PBKDF2 with
 * c = 600,000, so the stored format has its own name.
 */
import { base64url } from 'jose'
import type { KeyRing, SecretKey } from './keys.ts'

export interface WorkFactor {
  rounds: number
  iterations: number
}

/** OWASP Password Storage Cheat Sheet: 600,000 iterations of PBKDF2-HMAC-SHA-256. */
export const productionWork: WorkFactor = { rounds: 6, iterations: 100_000 }

/** The limit of the deployed runtime for one call. */
export const maxIterationsPerCall = 100_000
const maxRounds = 64
const saltBytes = 16
const hashBytes = 32

const scheme = 'pbkdf2-sha256-chain'
const storedPattern =
  /^\$pbkdf2-sha256-chain\$v=1\$r=(\d{1,2}),i=(\d{1,6}),p=([A-Za-z0-9_-]{1,64})\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/

/** Hashes a new password under the first pepper. */
export async function hashPassword(password: string, work: WorkFactor, peppers: KeyRing<SecretKey>): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(saltBytes))
  const [pepper] = peppers
  const hash = await derive(password, salt, work, pepper.key)
  return `$${scheme}$v=1$r=${work.rounds},i=${work.iterations},p=${pepper.kid}$${base64url.encode(salt)}$${base64url.encode(hash)}`
}

export interface PasswordVerdict {
  matches: boolean
  /** The password is right, and its hash has other parameters or another pepper than new hashes get. */
  needsRehash: boolean
}

/**
 * Compares a password with a stored hash in constant time. It does the work of a new hash in any case: without a hash, with
 * an unreadable one, and with one that needed less work. So the time does not reveal whether there is a password, or an old
 * one. Only a hash of more work than new hashes takes longer, which there is none unless the work factor was lowered.
 */
export async function verifyPassword(
  password: string,
  stored: string | null,
  work: WorkFactor,
  peppers: KeyRing<SecretKey>,
): Promise<PasswordVerdict> {
  const parsed = stored === null ? undefined : parseStored(stored)
  const pepper = peppers.find(({ kid }) => kid === parsed?.pepperId)
  if (!parsed || !pepper) {
    await derive(password, new Uint8Array(saltBytes), work, peppers[0].key)
    return { matches: false, needsRehash: false }
  }
  const hash = await derive(password, parsed.salt, parsed.work, pepper.key)
  await spendTheRest(password, work, parsed.work)
  const matches = crypto.subtle.timingSafeEqual(hash, parsed.hash)
  const isCurrent =
    parsed.work.rounds === work.rounds && parsed.work.iterations === work.iterations && pepper === peppers[0]
  return { matches, needsRehash: matches && !isCurrent }
}

async function derive(password: string, salt: Uint8Array, work: WorkFactor, pepper: Uint8Array): Promise<Uint8Array> {
  const stretched = await stretch(new TextEncoder().encode(password.normalize('NFC')), salt, work)
  const key = await crypto.subtle.importKey('raw', pepper, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, stretched))
}

/** The chain without the pepper, 32 bytes. One round is RFC 8018's PBKDF2-HMAC-SHA-256, for which there are test vectors. */
export async function stretch(password: Uint8Array, salt: Uint8Array, work: WorkFactor): Promise<Uint8Array> {
  if (work.iterations > maxIterationsPerCall) {
    throw new RangeError(`a deployed Worker refuses more than ${maxIterationsPerCall} iterations a call`)
  }
  const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits'])
  let output = salt
  for (let round = 0; round < work.rounds; round++) {
    const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt: output, iterations: work.iterations }
    output = new Uint8Array(await crypto.subtle.deriveBits(parameters, key, hashBytes * 8))
  }
  return output
}

/** Does what is missing to today's work, for nothing. */
async function spendTheRest(password: string, today: WorkFactor, done: WorkFactor): Promise<void> {
  let iterations = today.rounds * today.iterations - done.rounds * done.iterations
  for (; iterations > 0; iterations -= today.iterations) {
    const work = { rounds: 1, iterations: Math.min(iterations, today.iterations) }
    await stretch(new TextEncoder().encode(password), new Uint8Array(saltBytes), work)
  }
}

function parseStored(stored: string) {
  const match = storedPattern.exec(stored)
  if (!match) return undefined
  const [, rounds, iterations, pepperId, salt, hash] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  const work = { rounds: Number(rounds), iterations: Number(iterations) }
  // A row in the database must not cause an unbounded amount of work, or none at all.
  if (work.rounds < 1 || work.rounds > maxRounds || work.iterations < 1 || work.iterations > maxIterationsPerCall) {
    return undefined
  }
  return { work, pepperId, salt: base64url.decode(salt), hash: base64url.decode(hash) }
}
