import { SQL, and, getTableColumns, is, not, or, sql } from 'drizzle-orm'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { bytesOfUuid } from '../crypto/random.ts'
import { unavailable } from '../errors.ts'
import { log } from '../log.ts'
import { noteSize } from './capacity.ts'
import { type Connection, connectionTo } from './connection.ts'
import { isFull } from './room.ts'
import { findSchemaGap } from './migrations.ts'
import { type Pacing, isOverload, pacingOf, retrying } from './retry.ts'

export type Db = Connection

/** Who answers queries: a database, or a session of it (see replicas.ts). */
export type Asked = Pick<D1Database, 'prepare' | 'batch'>

/**
 * Connects to the database behind a binding. A read with a transient error is repeated. Every other failure becomes
 * a `service_unavailable`. Without a pacing nothing is repeated.
 *
 * @param asked who answers for the database, the primary by default
 */
export function connect(binding: D1Database, pacing?: Pacing, tally?: Tally, asked: Asked = binding): Db {
  const db = connectionTo(translateFailures(binding, asked, pacing, tally))
  if (pacing) pacingOf.set(db, pacing)
  return db
}

/** Calls of the database, and the time that was spent waiting for their answers. */
export interface Tally {
  calls: number
  ms: number
}

/** The `Retry-After` while the database is overloaded. */
const overloadSeconds = 15
/** While it lacks a migration, which somebody has to apply. */
const behindSeconds = 30
/** While it has no room, until somebody makes some. */
export const fullSeconds = 300

/** A condition or a value that the database evaluates at the moment of writing. */
export type Expression = SQL

export const always: Expression = sql`true`

/** A condition that never holds, for an act that has nothing to do. */
export const never: Expression = sql`false`

/** All of several conditions, for the guard of a write. */
export function allOf(first: SQL, ...others: (SQL | undefined)[]): SQL {
  return and(first, ...others) ?? first
}

/** One of two conditions, if there are two. */
export function anyOf(first: SQL, other: SQL | undefined): SQL {
  return or(first, other) ?? first
}

/** The condition does not hold. */
export function noneOf(condition: SQL): SQL {
  return not(condition)
}

/**
 * Keeps SQLite from using an index on a column. Without statistics it rates all indexes alike, and one on a column with
 * few values makes it read every row that has the value.
 */
export function unindexed(column: SQLiteColumn): SQL {
  return sql`+${column}`
}

/** An id in SQL that is written by hand, where no column says how it is stored. */
export function idParam(id: string): SQL {
  return sql`${sql.param(id, { mapToDriverValue: (text: string) => bytesOfUuid(text).buffer })}`
}

/** A list of ids as one parameter, for `in`. */
export function idList(ids: readonly string[]): SQL {
  return sql`(select unhex(value, '-') from json_each(${JSON.stringify(ids)}))`
}

/** The first value if the condition holds at the moment of writing, otherwise the second. */
export function choose(condition: SQL, value: SQL | string, otherwise: SQL | string): Expression {
  return sql`(case when ${condition} then ${value} else ${otherwise} end)`
}

/** A row if the condition holds, for a batch that has to tell why it refused. */
export function selectIf(db: Db, condition: SQL) {
  return db
    .select({ holds: sql<number>`1`.as('holds') })
    .from(sql`(select 1) as one`)
    .where(condition)
}

/** A row to insert. Each value may be an expression that the database evaluates; an absent nullable column is null. */
export type Row<T extends SQLiteTable> = { [K in keyof T['$inferInsert']]: T['$inferInsert'][K] | SQL }

/**
 * Inserts one row if `guard` holds at the moment of writing. D1 has no interactive transactions, so the statement that
 * acts also has to decide.
 */
export function insertWhere<T extends SQLiteTable>(db: Db, table: T, row: Row<T>, guard: SQL) {
  const given = new Map<string, unknown>(Object.entries(row))
  const values = Object.entries(getTableColumns(table)).map(([name, column]) => {
    const value = given.get(name) ?? null
    return is(value, SQL) ? value : sql`${sql.param(value, column)}`
  })
  return db.insert(table).select(sql`select ${sql.join(values, sql`, `)} where ${guard}`)
}

interface Wrapped {
  statement: D1PreparedStatement
  isRead: boolean
}

/** The original of each wrapped statement: D1 takes only its own statements in a batch. */
const inner = new WeakMap<D1PreparedStatement, Wrapped>()

function translateFailures(binding: D1Database, asked: Asked, pacing?: Pacing, tally?: Tally): D1Database {
  const database: Asked = {
    prepare: (query) => wrap({ statement: asked.prepare(query), isRead: /^\s*select\b/i.test(query) }),
    batch: (statements) => {
      const wrapped = statements.map((statement) => inner.get(statement) ?? { statement, isRead: false })
      const isRead = wrapped.every((each) => each.isRead)
      return ask(isRead, () => asked.batch(wrapped.map(({ statement }) => statement)))
    },
  }
  return database as D1Database

  function wrap({ statement, isRead }: Wrapped): D1PreparedStatement {
    const wrapped: Pick<D1PreparedStatement, 'bind' | 'run' | 'raw'> = {
      bind: (...values) => wrap({ statement: statement.bind(...values), isRead }),
      run: () => ask(isRead, () => statement.run()),
      raw: ((options?: { columnNames?: false }) =>
        ask(isRead, () => statement.raw(options))) as D1PreparedStatement['raw'],
    }
    inner.set(wrapped as D1PreparedStatement, { statement, isRead })
    return wrapped as D1PreparedStatement
  }

  async function ask<T>(isRead: boolean, question: () => Promise<T>): Promise<T> {
    const gap = await findSchemaGap(binding)
    if (gap) {
      log('error', 'schema.behind', { ...gap })
      throw unavailable('schema', undefined, behindSeconds)
    }
    const startMs = pacing?.now().getTime() ?? 0
    try {
      const answer = await retrying(isRead ? pacing : undefined, question)
      if (pacing) noteSize(binding, answer, pacing.now())
      return answer
    } catch (error) {
      if (isOverload(error)) throw unavailable('d1_overloaded', error, overloadSeconds)
      if (isFull(error)) throw unavailable('d1_full', error, fullSeconds)
      throw unavailable('d1', error)
    } finally {
      if (tally && pacing) {
        tally.calls++
        tally.ms += pacing.now().getTime() - startMs
      }
    }
  }
}
