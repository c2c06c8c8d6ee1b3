/** How a database says that it has no room, and the statement that finds out. Pure, so that plain SQLite can try it. */

/** The most that D1 stores. */
export const maxDatabaseBytes = 10_000_000_000

/** D1 says the first; the others are SQLite's own. */
const full = /Exceeded maximum DB size|SQLITE_FULL|database or disk is full/

export function isFull(error: unknown): boolean {
  return error instanceof Error && (full.test(error.message) || isFull(error.cause))
}

/**
 * Writes a row as long as some pages, and in the same statement one that breaks a rule: SQLite takes back the statement, so
 * nothing stays. A database without free pages fails at the first row. The size of the file does not tell: it never
 * shrinks, and pages that a deletion freed are used again. The table is wrangler's own, which no migration changes.
 */
export const roomProbe = `insert into d1_migrations (name, applied_at)
  select hex(zeroblob(32768)), 'probe' union all select null, null`

/** What a database with room says to the probe. */
export const takenBack = /NOT NULL constraint failed/
