/**
 * Password hashing: a chain of PBKDF2-HMAC-SHA-256, then an HMAC under a pepper that is not in the database.
 *
 * A deployed Worker refuses more than 100,000 iterations per call, though `wrangler dev` accepts them, and a call
 * blocks the other requests of its isolate. So OWASP's 600,000 iterations are 24 chained calls, with a pause between
 * them: the password is the key of each, and the output of one is the salt of the next. An attacker has to compute them
 * one after the other, as with one long call. The result differs from RFC 8018's PBKDF2 with c = 600,000, so it has its
 * own number among stored hashes.
 *
 * A stored hash is one row of bytes, which says by itself how it was made:
 *
 * | from byte | bytes | what |
 * |---|---|---|
 * | 0 | 1 | version: 1 for this chain |
 * | 1 | 1 | rounds |
 * | 2 | 3 | iterations of each round, big-endian |
 * | 5 | 1 | length of the pepper's `kid` |
 * | 6 | 1 to 64 | the `kid`, ASCII. At a fixed place: SQL finds the hashes of a pepper by `substr(password_hash, 6, 1 + length)` |
 * | then | 16 | salt |
 * | then | 32 | hash |
 */
import type { KeyRing, SecretKey } from './keys.ts'

export interface WorkFactor {
  rounds: number
  iterations: number
}

/** OWASP Password Storage Cheat Sheet: 600,000 iterations of PBKDF2-HMAC-SHA-256. A round takes about 6 ms. */
export const productionWork: WorkFactor = { rounds: 24, iterations: 25_000 }

/** The limit of the deployed runtime for one call. */
export const maxIterationsPerCall = 100_000
const maxRounds = 64
const saltBytes = 16
const hashBytes = 32

const version = 1
/** Where the `kid` begins. */
const headBytes = 6

export type StoredHash = Uint8Array<ArrayBuffer>

/** Called before each round, which blocks the isolate. */
export type Pause = () => Promise<void>

const noPause: Pause = async () => undefined

/** Hashes a new password under the first pepper. */
export async function hashPassword(
  password: string,
  work: WorkFactor,
  peppers: KeyRing<SecretKey>,
  pause = noPause,
): Promise<StoredHash> {
  const salt = crypto.getRandomValues(new Uint8Array(saltBytes))
  const [pepper] = peppers
  const hash = await derive(password, salt, work, pepper.key, pause)
  const kid = new TextEncoder().encode(pepper.kid)
  const { rounds, iterations } = work
  const head = [version, rounds, iterations >> 16, (iterations >> 8) & 0xff, iterations & 0xff, kid.length]
  return new Uint8Array([...head, ...kid, ...salt, ...hash])
}

export interface PasswordVerdict {
  matches: boolean
  /** The password is right, and its hash has other parameters or another pepper than new hashes get. */
  needsRehash: boolean
}

/**
 * Compares a password with a stored hash in constant time. It does the work of a new hash in any case, with as many
 * pauses: without a hash, with an unreadable one, and with one that needed less. So the time does not reveal whether
 * there is a password, or an old one. Only a hash of more work than new hashes takes longer. There is none unless the
 * work factor was lowered.
 */
export async function verifyPassword(
  password: string,
  stored: StoredHash | null,
  work: WorkFactor,
  peppers: KeyRing<SecretKey>,
  pause = noPause,
): Promise<PasswordVerdict> {
  const parsed = stored === null ? undefined : parseStored(stored)
  const pepper = peppers.find(({ kid }) => kid === parsed?.pepperId)
  if (!parsed || !pepper) {
    await derive(password, new Uint8Array(saltBytes), work, peppers[0].key, pause)
    return { matches: false, needsRehash: false }
  }
  const hash = await derive(password, parsed.salt, parsed.work, pepper.key, pause)
  await spendTheRest(password, work, parsed.work, pause)
  const matches = crypto.subtle.timingSafeEqual(hash, parsed.hash)
  const isCurrent =
    parsed.work.rounds === work.rounds && parsed.work.iterations === work.iterations && pepper === peppers[0]
  return { matches, needsRehash: matches && !isCurrent }
}

async function derive(
  password: string,
  salt: Uint8Array,
  work: WorkFactor,
  pepper: Uint8Array,
  pause: Pause,
): Promise<Uint8Array> {
  const stretched = await stretch(new TextEncoder().encode(password.normalize('NFC')), salt, work, pause)
  const key = await crypto.subtle.importKey('raw', pepper, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, stretched))
}

/**
 * The chain without the pepper, 32 bytes. One round is RFC 8018's PBKDF2-HMAC-SHA-256, for which there are test
 * vectors.
 */
export async function stretch(
  password: Uint8Array,
  salt: Uint8Array,
  work: WorkFactor,
  pause = noPause,
): Promise<Uint8Array> {
  if (work.iterations > maxIterationsPerCall) {
    throw new RangeError(`a deployed Worker refuses more than ${maxIterationsPerCall} iterations a call`)
  }
  const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits'])
  let output = salt
  for (let round = 0; round < work.rounds; round++) {
    await pause()
    const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt: output, iterations: work.iterations }
    output = new Uint8Array(await crypto.subtle.deriveBits(parameters, key, hashBytes * 8))
  }
  return output
}

/** Does what is missing to today's work and pauses, for nothing. */
async function spendTheRest(password: string, today: WorkFactor, done: WorkFactor, pause: Pause): Promise<void> {
  let left = today.rounds * today.iterations - done.rounds * done.iterations
  for (let round = done.rounds; left > 0 || round < today.rounds; round++, left -= today.iterations) {
    const work = { rounds: 1, iterations: Math.min(left, today.iterations) }
    if (left > 0) await stretch(new TextEncoder().encode(password), new Uint8Array(saltBytes), work, pause)
    else await pause()
  }
}

function parseStored(stored: StoredHash) {
  const [found, rounds = 0, high = 0, middle = 0, low = 0, kidLength = 0] = stored
  const saltAt = headBytes + kidLength
  if (found !== version || stored.length !== saltAt + saltBytes + hashBytes) return undefined
  const work = { rounds, iterations: (high << 16) | (middle << 8) | low }
  // A row in the database must not cause an unbounded amount of work, or none at all.
  if (work.rounds < 1 || work.rounds > maxRounds || work.iterations < 1 || work.iterations > maxIterationsPerCall) {
    return undefined
  }
  const pepperId = new TextDecoder().decode(stored.subarray(headBytes, saltAt))
  return { work, pepperId, salt: stored.slice(saltAt, saltAt + saltBytes), hash: stored.slice(saltAt + saltBytes) }
}
