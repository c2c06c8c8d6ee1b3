/** The walk of the cleanup through a table, a bounded number of rows at a time. */
import { type SQL, eq, getTableName, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { batch } from './batch.ts'
import { type Db, always } from './db.ts'
import { sweeps } from './schema/sweeps.ts'

/** What is deleted from one table, and where. */
export interface Walk {
  /** The primary key. */
  key: SQLiteColumn
  /** The walk takes these rows only, for which the key has to be in an index. Without it, it takes all. */
  among?: SQL | undefined
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
 * Looks at the next `limit` rows of a table and deletes those that have expired. Where it stopped is in the table
 * `sweeps`, so expired rows behind many live ones are reached in the end, by later runs. A step costs the same in a
 * small and in a large table, and simultaneous runs take different steps.
 */
export async function sweepNext(db: Db, walk: Walk, limit: number): Promise<{ deleted: number; isAtEnd: boolean }> {
  const { moved, swept } = await batch(db, {
    moved: moveOn(db, walk, limit),
    swept: db.delete(walk.key.table).where(isExpiredInStep(walk)),
  })
  return { deleted: swept.meta.changes, isAtEnd: isAtEnd(moved) }
}

/** Moves the step to the next `limit` rows. Comes first in a batch, whose other statements use `isExpiredInStep`. */
export function moveOn(db: Db, walk: Walk, limit: number) {
  const { key, among = always } = walk
  const next = sql`select ${key} from ${key.table}
    where ${among} and ${key} >= step.start and ${key} < ${endOf(walk)} order by ${key} limit 1 offset ${limit}`
  return db
    .insert(sweeps)
    .select(
      sql`select ${walkedTable(walk)}, step.start, (${next})
        from (select coalesce(${placeIn(walk, sweeps.stop)}, '') as start) as step where true`,
    )
    .onConflictDoUpdate({ target: sweeps.name, set: { start: sql`excluded.start`, stop: sql`excluded.stop` } })
    .returning({ isAtEnd: sql<number>`${sweeps.stop} is null` })
}

/** Whether the step that `moveOn` returned is the last one of the table. */
export function isAtEnd([step]: readonly { isAtEnd: number }[]): boolean {
  return step?.isAtEnd === 1
}

/** The row is in the step, and has expired. */
export function isExpiredInStep(walk: Walk): SQL {
  const { key, among = always, isExpired } = walk
  return sql`${among} and ${key} >= ${placeIn(walk, sweeps.start)}
    and ${key} < coalesce(${placeIn(walk, sweeps.stop)}, ${endOf(walk)}) and ${isExpired}`
}

function placeIn(walk: Walk, column: SQLiteColumn): SQL {
  return sql`(select ${column} from ${sweeps} where ${eq(sweeps.name, walkedTable(walk))})`
}

/** SQLite orders every BLOB after every text, so this is above each key. */
function endOf({ key, before }: Walk): SQL {
  return before === undefined ? sql`x'ff'` : sql`${sql.param(before, key)}`
}
