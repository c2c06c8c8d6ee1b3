/** How a database says that it has no room, and the statement that finds out. Pure, so that plain SQLite can try it. */

/** The most that D1 stores. */
export const maxDatabaseBytes = 10_000_000_000

export type Fullness = 'ok' | 'filling' | 'nearly_full'

/**
 * How full a database of this size is. When it is `filling`, an operator should make room soon. When it is
 * `nearly_full`, only known users may add rows.
 *
 * @param bytes `meta.size_after` of an answer: the pages in use. Free ones, which are used again, do not count, so it
 *   falls when rows are deleted, while the file keeps its length
 */
export function fullnessOf(bytes: number): Fullness {
  const share = bytes / maxDatabaseBytes
  if (share >= 0.9) return 'nearly_full'
  return share >= 0.8 ? 'filling' : 'ok'
}

/** D1 says the first; the others are SQLite's own. */
const full = /Exceeded maximum DB size|SQLITE_FULL|database or disk is full/

/** Whether an error, or one of its causes, says that the database has no room. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && (full.test(error.message) || isFull(error.cause))
}

/**
 * Writes a row as long as some pages, and in the same statement one that breaks a rule: SQLite takes back the
 * statement, so nothing stays. A database without free pages fails at the first row. The table is wrangler's own, which
 * no migration changes.
 */
export const roomProbe = `insert into d1_migrations (name, applied_at)
  select hex(zeroblob(32768)), 'probe' union all select null, null`

/** What a database with room says to the probe. */
export const takenBack = /NOT NULL constraint failed/
