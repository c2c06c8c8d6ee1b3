/**
 * What the tables have in common. Ids are UUIDv7, so a primary key is in the order of time and the cleanup walks it,
 * and the id says when its row was made (`timeOf`). Every further index costs one written row per insert and has to
 * earn its place.
 *
 * The tables are STRICT, so a text cannot be stored where bytes belong. A condition that compares the two is still
 * false without an error.
 *
 * Foreign keys never cascade: on D1, rebuilding a parent table would silently delete every child row.
 */
import { customType, integer } from 'drizzle-orm/sqlite-core'
import { bytesOfUuid, uuidOfBytes } from '../../crypto/random.ts'

/** D1 takes a BLOB as an `ArrayBuffer` and gives it back as an array of numbers. */
type DriverBytes = ArrayBuffer | readonly number[]

/** Milliseconds since the epoch in D1, a `Date` in code. */
export function instant(name: string) {
  return integer(name, { mode: 'timestamp_ms' })
}

/** A UUID: 16 bytes in D1, the usual text in code. */
export const uuid = customType<{ data: string; driverData: DriverBytes }>({
  dataType: () => 'blob',
  toDriver: (text) => bytesOfUuid(text).buffer,
  fromDriver: (bytes) => uuidOfBytes(new Uint8Array(bytes)),
})

export const bytes = customType<{ data: Uint8Array<ArrayBuffer>; driverData: DriverBytes }>({
  dataType: () => 'blob',
  toDriver: (value) => value.slice().buffer,
  fromDriver: (value) => new Uint8Array(value),
})

/** One of a few words: a number in D1. Numbers are never used again for another word. */
export function coded<const Codes extends Readonly<Record<string, number>>>(name: string, codes: Codes) {
  type Word = keyof Codes & string
  const words = new Map(Object.entries(codes).map(([word, code]) => [code, word as Word]))
  return customType<{ data: Word; driverData: number }>({
    dataType: () => 'integer',
    toDriver: (word) => codes[word]!,
    fromDriver: (code) => words.get(code)!,
  })(name)
}
