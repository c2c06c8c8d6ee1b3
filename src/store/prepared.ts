/**
 * Statements whose SQL is made once in each isolate. Otherwise drizzle puts the same text together again for every
 * request.
 */
import { type GetColumnData, Param, type Placeholder, QueryPromise, type SQL, is, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Prepared } from './connection.ts'
import type { Db } from './db.ts'

/** What a statement is given, by name. The column of a value says how it is stored. */
type Columns = Readonly<Record<string, SQLiteColumn>>

export type Values<C extends Columns> = { readonly [Name in keyof C]: GetColumnData<C[Name], 'raw'> | null }

/** The same in SQL. Whoever makes a statement from them cannot look at a value, so the text is the same for all. */
export type Terms<C extends Columns> = { readonly [Name in keyof C]: SQL }

/** For a statement that is made for one request. */
export function termsOf<C extends Columns>(columns: C, values: Values<C>): Terms<C> {
  const given = new Map<string, unknown>(Object.entries(values))
  return mapColumns(columns, (name, column) => sql`${sql.param(given.get(name), column)}`)
}

type Unprepared = BatchItem<'sqlite'> & { prepare: () => object }

/** A statement that is made from its terms at its first use, and then only gets other values. */
export function prepared<C extends Columns, S extends Unprepared>(columns: C, make: (db: Db, terms: Terms<C>) => S) {
  let made: Prepared | undefined
  return (db: Db, values: Values<C>) => {
    made ??= make(db, placeholdersFor(columns)).prepare() as Prepared
    return new BoundStatement<S['_']['result']>(made, db, new Map(Object.entries(values)))
  }
}

function placeholdersFor<C extends Columns>(columns: C): Terms<C> {
  return mapColumns(columns, (name, column) => sql`${sql.param(sql.placeholder(name), column)}`)
}

/** A prepared statement with the values and the connection of one request, to be awaited or put in a batch. */
class BoundStatement<Result> extends QueryPromise<Result> implements BatchItem<'sqlite'> {
  declare readonly _: { readonly dialect: 'sqlite'; readonly result: Result }
  readonly #bound: Prepared

  constructor(made: Prepared, db: Db, values: ReadonlyMap<string, unknown>) {
    super()
    const params = made.query.params.map((param) => (is(param, Param) ? storedValue(param, values) : param))
    this.#bound = made.rebind(db.$client, params)
  }

  /** A batch asks for this. */
  prepare(): Prepared {
    return this.#bound
  }

  execute(): Promise<Result> {
    return this.#bound.execute() as Promise<Result>
  }
}

function storedValue({ value, encoder }: Param, values: ReadonlyMap<string, unknown>): unknown {
  const given = values.get((value as Placeholder).name)
  return given === null ? null : encoder.mapToDriverValue(given)
}

function mapColumns<C extends Columns>(columns: C, termOf: (name: string, column: SQLiteColumn) => SQL): Terms<C> {
  const terms = Object.entries(columns).map(([name, column]) => [name, termOf(name, column)])
  return Object.fromEntries(terms) as Terms<C>
}
