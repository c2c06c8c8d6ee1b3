/** Key sets and the changes that an operator makes to them. The first key of a set is active; all keys verify. */
import { Stop } from '../command.ts'

export const setNames = ['SIGNING_KEYS', 'TOKEN_KEYS', 'PASSWORD_PEPPER', 'DATA_KEYS'] as const
export type SetName = (typeof setNames)[number]

/**
 * A private or symmetric JWK. The service ignores unknown members, so two of our own record what happened to the key.
 */
export interface StoredKey {
  kid: string
  kty: string
  crv?: string
  /** When it was added for verifiers to learn of it. Removed when it becomes active. */
  announced?: string
  /** When another key became active in its place. */
  replaced?: string
  [member: string]: unknown
}

export type KeySet = readonly [StoredKey, ...StoredKey[]]

/** When all of Cloudflare's locations have stopped using a replaced key; undefined when the file does not say. */
export function unusedSince({ replaced }: StoredKey): number | undefined {
  return replaced === undefined ? undefined : Date.parse(replaced) + announcementMs
}

/**
 * How long an announced key has to wait: five minutes for cached copies of the JWKS (`max-age=300`), and another five
 * for the new secret to reach every location of Cloudflare.
 */
export const announcementMs = 10 * 60_000

/** Does not validate: callers have checked the text with the service's own parser. */
export function readSet(text: string): KeySet {
  return (JSON.parse(text) as { keys: KeySet }).keys
}

export function writeSet(keys: KeySet): string {
  return JSON.stringify({ keys })
}

/** Adds a key that only verifies for now. */
export function announce([first, ...others]: KeySet, key: StoredKey, now: Date): KeySet {
  return [first, { ...key, announced: now.toISOString() }, ...others]
}

/**
 * Makes a key of the set the active one.
 *
 * @throws {Stop} when there is no such key, when it is already active, or when some verifiers may not know it yet
 */
export function promote(keys: KeySet, kid: string, now: Date): KeySet {
  const [first, ...others] = keys
  const promoted = find(keys, kid)
  if (promoted === first) throw new Stop(`The key ${kid} is already active.`)
  const due = Date.parse(promoted.announced ?? '') + announcementMs
  if (due > now.getTime()) {
    throw new Stop(
      `The key ${kid} was announced at ${minuteOf(promoted.announced)}: some verifiers may not know it before ${minuteOf(due)}.`,
    )
  }
  const { announced: _announced, replaced: _replaced, ...active } = promoted
  return [active, replacedBy(first, now), ...others.filter((key) => key !== promoted)]
}

/** Adds a key and makes it the active one at once. */
export function rotate([first, ...others]: KeySet, key: StoredKey, now: Date): KeySet {
  return [key, replacedBy(first, now), ...others]
}

/**
 * Removes a key: everything that it signed or hashed becomes invalid.
 *
 * @throws {Stop} when there is no such key, or it is the active one
 */
export function retire(keys: KeySet, kid: string): KeySet {
  const [first, ...others] = keys
  const retired = find(keys, kid)
  if (retired === first) {
    throw new Stop(`The key ${kid} is active: rotate, or promote another key, before you retire it.`)
  }
  return [first, ...others.filter((key) => key !== retired)]
}

/** @throws {Stop} when there is no such key. */
export function find(keys: KeySet, kid: string): StoredKey {
  const found = keys.find((key) => key.kid === kid)
  if (!found) throw new Stop(`There is no key ${kid}; the set has ${keys.map((key) => key.kid).join(', ')}.`)
  return found
}

/** A time for people to read. */
export function minuteOf(moment: string | number | undefined): string {
  return moment === undefined
    ? 'an unknown time'
    : `${new Date(moment).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function replacedBy(key: StoredKey, now: Date): StoredKey {
  return { ...key, replaced: now.toISOString() }
}
