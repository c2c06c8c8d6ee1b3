/** What in the database was made with a key, and is lost with it. */
import type { Query } from '../query.ts'
import type { SetName } from './key-set.ts'

/** The sets whose keys are named in rows. The others are named in tokens, which expire. */
const storedSets = ['PASSWORD_PEPPER', 'DATA_KEYS'] as const satisfies SetName[]
export type StoredSet = (typeof storedSets)[number]

export function isStoredSet(name: SetName): name is StoredSet {
  return storedSets.some((each) => each === name)
}

const counts: Record<StoredSet, (kid: string) => string> = {
  PASSWORD_PEPPER: countHashesUnder,
  DATA_KEYS: countDataUnder,
}

const nouns: Record<string, [one: string, many: string]> = {
  users: ['password', 'passwords'],
  registrations: ['registration', 'registrations'],
  totps: ['authenticator app', 'authenticator apps'],
  passkeys: ['passkey', 'passkeys'],
  recovery_codes: ['recovery code', 'recovery codes'],
}

/** In words, such as `2 passkeys`; empty when nothing uses the key. Reads every row of some tables. */
export async function usesOf(query: Query, set: StoredSet, kid: string): Promise<string[]> {
  const [found = {}] = await query(counts[set](kid))
  return Object.entries(found).flatMap(([name, count]) => {
    const [one, many] = nouns[name] ?? [name, name]
    return count === 0 ? [] : [`${Number(count)} ${count === 1 ? one : many}`]
  })
}

/**
 * SQL that counts the passwords hashed with a pepper. At a fixed place a hash has the length of the pepper's id and the
 * id, see src/crypto/password.ts. An operator can put in another id by hand, and a shell expands nothing of it.
 */
export function countHashesUnder(pepperId: string): string {
  const length = `length('${pepperId}')`
  const isUnder = `substr(password_hash, 6, 1 + ${length}) = CAST(char(${length}) || '${pepperId}' AS BLOB)`
  return `SELECT (SELECT count(*) FROM users WHERE ${isUnder}) AS users, (SELECT count(*) FROM registrations WHERE ${isUnder}) AS registrations`
}

/** SQL that counts what is sealed or bound under one of `DATA_KEYS`. Such a text begins with the id and a dot. */
function countDataUnder(kid: string): string {
  const count = (table: string, column: string) =>
    `(SELECT count(*) FROM ${table} WHERE ${isUnder(column, kid)}) AS ${table}`
  return `SELECT ${count('totps', 'secret')}, ${count('passkeys', 'binding')}, ${count('recovery_codes', 'digest')}`
}

/** An SQL condition. An id has no character that SQL would read otherwise. */
export function isUnder(column: string, kid: string): string {
  return `substr(${column}, 1, ${kid.length + 1}) = '${kid}.'`
}
