/** The key sets that the secrets hold, and what an operator does to them: the first key makes, all of them verify. */
import { Stop } from '../stop.ts'

export const setNames = ['SIGNING_KEYS', 'TOKEN_KEYS', 'PASSWORD_PEPPER'] as const
export type SetName = (typeof setNames)[number]

/** A private or symmetric JWK. The service ignores members that it does not know, so two of ours tell what happened to it. */
export interface StoredKey {
  kid: string
  kty: string
  crv?: string
  /** When it was put beside the key that makes, so that every verifier learns of it first. Gone once it makes. */
  announced?: string
  /** When another key took over from it. */
  replaced?: string
  [member: string]: unknown
}

export type KeySet = readonly [StoredKey, ...StoredKey[]]

/**
 * How long an announced key has to wait: five minutes for who has cached the JWKS (`max-age=300`), and as much again for
 * the new secret to reach every location of Cloudflare's.
 */
export const announcementMs = 10 * 60_000

/** A set as its secret has it; whoever reads it from a file has checked the text with the service's own parser. */
export function readSet(text: string): KeySet {
  return (JSON.parse(text) as { keys: KeySet }).keys
}

export function writeSet(keys: KeySet): string {
  return JSON.stringify({ keys })
}

/** The new key verifies from now on, and does not make yet. */
export function announce([first, ...others]: KeySet, key: StoredKey, now: Date): KeySet {
  return [first, { ...key, announced: now.toISOString() }, ...others]
}

/**
 * Lets a key of the set make from now on.
 *
 * @throws {Stop} when there is no such key, it makes already, or was announced so lately that some do not know it yet
 */
export function promote(keys: KeySet, kid: string, now: Date): KeySet {
  const [first, ...others] = keys
  const promoted = find(keys, kid)
  if (promoted === first) throw new Stop(`The key ${kid} makes already.`)
  const due = Date.parse(promoted.announced ?? '') + announcementMs
  if (due > now.getTime()) {
    throw new Stop(
      `The key ${kid} was announced at ${minuteOf(promoted.announced)}: before ${minuteOf(due)} somebody may not know it yet.`,
    )
  }
  const { announced: _announced, replaced: _replaced, ...making } = promoted
  return [making, replacedBy(first, now), ...others.filter((key) => key !== promoted)]
}

/** The new key makes at once. */
export function rotate([first, ...others]: KeySet, key: StoredKey, now: Date): KeySet {
  return [key, replacedBy(first, now), ...others]
}

/**
 * Drops a key: nothing that it made is good any more.
 *
 * @throws {Stop} when there is no such key, or it is the one that makes
 */
export function retire(keys: KeySet, kid: string): KeySet {
  const [first, ...others] = keys
  const retired = find(keys, kid)
  if (retired === first) {
    throw new Stop(`The key ${kid} makes: rotate, or promote another one, before it can be retired.`)
  }
  return [first, ...others.filter((key) => key !== retired)]
}

/** @throws {Stop} when there is no such key */
export function find(keys: KeySet, kid: string): StoredKey {
  const found = keys.find((key) => key.kid === kid)
  if (!found) throw new Stop(`There is no key ${kid}; there are ${keys.map((key) => key.kid).join(', ')}.`)
  return found
}

/** A moment as an operator reads it. */
export function minuteOf(moment: string | number | undefined): string {
  return moment === undefined
    ? 'an unknown time'
    : `${new Date(moment).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function replacedBy(key: StoredKey, now: Date): StoredKey {
  return { ...key, replaced: now.toISOString() }
}
