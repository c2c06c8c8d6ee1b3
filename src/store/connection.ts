/**
 * Runs the statements that drizzle builds. drizzle's own connection to D1 brings relational queries, transactions,
 * caches and loggers along: 4 kB gzipped that nothing here calls.
 */
import type { Query, SQL } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import {
  SQLiteAsyncDialect,
  SQLiteDeleteBase,
  SQLiteInsertBuilder,
  SQLiteSelectBuilder,
  type SQLiteSession,
  type SQLiteTable,
  SQLiteUpdateBuilder,
} from 'drizzle-orm/sqlite-core'
import { type Selected, rowReader } from './row-reader.ts'

/** drizzle's builders, and what runs statements. */
export interface Connection extends Pick<DrizzleD1Database, 'select' | 'insert' | 'update' | 'delete'> {
  readonly $client: D1Database
  /** Runs SQL that is written by hand. The rows have the names and values of the database. */
  run: <Row>(statement: SQL) => Promise<D1Result<Row>>
  batch: (statements: readonly BatchItem<'sqlite'>[]) => Promise<unknown[]>
}

type ReadRows = ReturnType<typeof rowReader>

/** What drizzle's builders call a prepared query: a text with its values, and how its rows are read. */
export class Prepared {
  readonly #client: D1Database
  readonly #read: ReadRows | undefined
  readonly query: Query

  constructor(client: D1Database, query: Query, read: ReadRows | undefined) {
    this.#client = client
    this.#read = read
    this.query = query
  }

  /** The same text with other values, on another connection. */
  rebind(client: D1Database, params: unknown[]): Prepared {
    return new Prepared(client, { sql: this.query.sql, params }, this.#read)
  }

  bound(): D1PreparedStatement {
    return this.#client.prepare(this.query.sql).bind(...this.query.params)
  }

  /** The result of a batch. D1 gives its rows as objects, in the order of the columns. */
  resultOf(result: D1Result<object>): unknown {
    return this.#read ? this.#read(result.results.map((row) => Object.values(row))) : result
  }

  /** A builder calls `run` for a write without rows and `all` for everything else. */
  run(): Promise<unknown> {
    return this.execute()
  }

  all(): Promise<unknown> {
    return this.execute()
  }

  async execute(): Promise<unknown> {
    return this.#read ? this.#read(await this.bound().raw()) : this.bound().run()
  }
}

/** Statements are sent to `client`. */
export function connectionTo(client: D1Database): Connection {
  const dialect = new SQLiteAsyncDialect()
  const prepareQuery = (query: Query, fields?: readonly Selected[]) =>
    new Prepared(client, query, fields && rowReader(fields))
  const session = { prepareQuery, prepareOneTimeQuery: prepareQuery } as unknown as SQLiteSession<
    'async',
    D1Result,
    Record<string, never>,
    Record<string, never>
  >
  const connection = {
    $client: client,
    select: (fields: undefined) => new SQLiteSelectBuilder({ fields, session, dialect }),
    insert: (table: SQLiteTable) => new SQLiteInsertBuilder(table, session, dialect),
    update: (table: SQLiteTable) => new SQLiteUpdateBuilder(table, session, dialect),
    delete: (table: SQLiteTable) => new SQLiteDeleteBase(table, session, dialect),
    run: async (statement: SQL) => prepareQuery(dialect.sqlToQuery(statement)).execute(),
    async batch(statements: readonly { prepare: () => Prepared }[]) {
      const made = statements.map((statement) => statement.prepare())
      const results = await client.batch<object>(made.map((each) => each.bound()))
      return results.map((result, place) => made[place]!.resultOf(result))
    },
  }
  return connection as unknown as Connection
}
