/**
 * What the tables have in common. Ids are UUIDv7, so a primary key is in the order of time and the cleanup walks it. Every
 * further index costs one written row per insert and has to earn its place.
 *
 * Foreign keys never cascade: on D1, rebuilding a parent table would silently delete every child row.
 */
import { integer } from 'drizzle-orm/sqlite-core'

/** Milliseconds since the epoch in D1, a `Date` in code. */
export function instant(name: string) {
  return integer(name, { mode: 'timestamp_ms' })
}
