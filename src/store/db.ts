import { SQL, and, getTableColumns, is, sql } from 'drizzle-orm'
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { unavailable } from '../errors.ts'

export type Db = DrizzleD1Database

/** The database behind a binding, with every failure of D1 turned into a `service_unavailable` (as the cause of drizzle's). */
export function connect(binding: D1Database): Db {
  return drizzle(failingPlainly(binding))
}

/** A condition or a value that the database computes at the moment of writing. */
export type Expression = SQL

export const always: Expression = sql`true`

/** A condition that never holds: the act has nothing to do. */
export const never: Expression = sql`false`

/** All of several conditions, for the guard of a write. */
export function allOf(first: SQL, ...others: (SQL | undefined)[]): SQL {
  return and(first, ...others) ?? first
}

/** A whole row, of values or of expressions that are computed at the moment of writing. */
export type Row<T extends SQLiteTable> = { [K in keyof T['$inferSelect']]: T['$inferSelect'][K] | SQL }

/** Runs statements as one transaction: all or nothing, in one round trip. */
export function batch<const T extends readonly [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]]>(
  db: Db,
  statements: T,
): Promise<BatchResponse<T>> {
  return db.batch(statements)
}

/**
 * Inserts one row if `guard` holds at the moment of writing. D1 has no interactive transactions, so a decision belongs
 * into the statement that acts on it.
 */
export function insertWhere<T extends SQLiteTable>(db: Db, table: T, row: Row<T>, guard: SQL) {
  const values = Object.entries(getTableColumns(table)).map(([name, column]) => {
    const value: unknown = (row as Record<string, unknown>)[name] ?? null
    return is(value, SQL) ? value : sql`${sql.param(value, column)}`
  })
  return db.insert(table).select(sql`select ${sql.join(values, sql`, `)} where ${guard}`)
}

/** Statements run unwrapped inside a batch, so a wrapped one remembers what it wraps. */
const inner = new WeakMap<D1PreparedStatement, D1PreparedStatement>()

function failingPlainly(binding: D1Database): D1Database {
  const database: Pick<D1Database, 'prepare' | 'batch'> = {
    prepare: (query) => failingStatement(binding.prepare(query)),
    batch: (statements) => plainly(binding.batch(statements.map((statement) => inner.get(statement) ?? statement))),
  }
  return database as D1Database
}

function failingStatement(statement: D1PreparedStatement): D1PreparedStatement {
  const wrapped: Pick<D1PreparedStatement, 'bind' | 'run' | 'all' | 'raw'> = {
    bind: (...values) => failingStatement(statement.bind(...values)),
    run: () => plainly(statement.run()),
    all: () => plainly(statement.all()),
    raw: ((options?: { columnNames?: false }) => plainly(statement.raw(options))) as D1PreparedStatement['raw'],
  }
  inner.set(wrapped as D1PreparedStatement, statement)
  return wrapped as D1PreparedStatement
}

async function plainly<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw unavailable('d1', error)
  }
}
