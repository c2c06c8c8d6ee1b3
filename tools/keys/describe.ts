import { neededUntil } from './dependents.ts'
import { type KeySet, type SetName, type StoredKey, announcementMs, minuteOf } from './key-set.ts'

/** One line for each key of a set, without the key itself. */
export function describeSet(name: SetName, keys: KeySet, now: Date): string[] {
  const width = Math.max(...keys.map(({ kid }) => kid.length))
  return [
    name,
    ...keys.map((key, place) => {
      const state = place === 0 ? 'active' : `verifies${describeHistory(name, key, now)}`
      return `  ${key.kid.padEnd(width)}  ${describeType(name, key).padEnd(14)}  created ${createdOn(key)}  ${state}`
    }),
  ]
}

function describeHistory(name: SetName, key: StoredKey, now: Date): string {
  const { announced, replaced } = key
  if (announced !== undefined) {
    return `; announced at ${minuteOf(announced)}, can be promoted after ${minuteOf(Date.parse(announced) + announcementMs)}`
  }
  if (replaced === undefined) return ''
  const needed = neededUntil(name, key)
  if (needed === undefined) {
    return `; replaced at ${minuteOf(replaced)}, needed while ${name === 'DATA_KEYS' ? 'second factors are' : 'passwords are hashed'} under it`
  }
  return `; replaced at ${minuteOf(replaced)}, ${needed > now.getTime() ? 'needed until' : 'not needed since'} ${minuteOf(needed)}`
}

function describeType(name: SetName, { kty, crv, k }: StoredKey): string {
  if (kty !== 'oct') return crv === 'P-256' ? 'ES256 pair' : 'EdDSA pair'
  return `${name === 'DATA_KEYS' ? 'HKDF' : 'HMAC'}, ${typeof k === 'string' ? Math.floor((k.length * 6) / 8) * 8 : '?'} bits`
}

/** Generated ids start with their day. */
function createdOn({ kid }: StoredKey): string {
  return /^\d{4}-\d\d-\d\d(?=-)/.exec(kid)?.[0] ?? 'at an unknown time'
}
