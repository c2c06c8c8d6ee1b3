/** The walk of the cleanup through a table, a bounded number of rows at a time. */
import { type SQL, eq, getTableName, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { batch } from './batch.ts'
import type { Db } from './db.ts'
import { sweeps } from './schema/sweeps.ts'

/** What is deleted from one table, and where. */
export interface Walk {
  /** The primary key. */
  key: SQLiteColumn
  /** Nothing from this key on has expired. Without it the whole table is walked. */
  before?: string | undefined
  /** The condition under which a row is deleted. */
  isExpired: SQL
}

/** The name of the table that is walked. */
export function walkedTable({ key }: Walk): string {
  return getTableName(key.table)
}

/** How many statements a step sends. */
export const stepStatements = 2

/**
 * Looks at the next `limit` rows of a table and deletes those that have expired. Where it stopped is in the table `sweeps`,
 * so expired rows behind many live ones are reached in the end, by later runs. A step costs the same in a small and
 * in a large table, and simultaneous runs take different steps.
 */
export async function sweepNext(db: Db, walk: Walk, limit: number): Promise<{ deleted: number; isAtEnd: boolean }> {
  const { key, before, isExpired } = walk
  const { table } = key
  const name = walkedTable(walk)
  // SQLite orders every BLOB after every text, so this is above each key.
  const end = before === undefined ? sql`x'ff'` : sql`${sql.param(before, key)}`
  const place = (column: SQLiteColumn) => sql`(select ${column} from ${sweeps} where ${eq(sweeps.name, name)})`
  const next = sql`select ${key} from ${table} where ${key} >= step.start and ${key} < ${end} order by ${key} limit 1 offset ${limit}`
  const { moved, swept } = await batch(db, {
    moved: db
      .insert(sweeps)
      .select(
        sql`select ${name}, step.start, (${next}) from (select coalesce(${place(sweeps.stop)}, '') as start) as step where true`,
      )
      .onConflictDoUpdate({ target: sweeps.name, set: { start: sql`excluded.start`, stop: sql`excluded.stop` } })
      .returning({ isAtEnd: sql<number>`${sweeps.stop} is null` }),
    swept: db
      .delete(table)
      .where(
        sql`${key} >= ${place(sweeps.start)} and ${key} < coalesce(${place(sweeps.stop)}, ${end}) and ${isExpired}`,
      ),
  })
  return { deleted: swept.meta.changes, isAtEnd: moved[0]?.isAtEnd === 1 }
}
