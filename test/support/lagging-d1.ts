/**
 * A database with a replica that lags, as D1's Sessions API shows it: the replica has nothing of what was written since,
 * until a session comes with a bookmark of it. Then it has that state and nothing newer. Both are real databases.
 */
import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type RawRow, type RawTables, replaceAll, selectAll, tableNames } from './raw-tables.ts'

export interface LaggingD1 {
  binding: D1Database
  /** From what each session started: a constraint or a bookmark. */
  starts: string[]
  /** The SQL of each query that the replica answered. */
  answered: string[]
  /** From now on the replica has everything that was written through the binding until now. */
  catchUp: () => Promise<void>
}

interface Query {
  sql: string
  values: unknown[]
}

/** Answers with the results of a batch, or with the rows of its only query. */
type Ask = (queries: Query[], isRaw: boolean) => Promise<unknown>

const isRead = ({ sql }: Query) => /^\s*select\b/i.test(sql)
const bookmarkOf = (position: number) =>
  `${position.toString(16).padStart(8, '0')}-0000019f-00004f2a-${'4d'.repeat(16)}`

function positionOf(bookmark: string): number {
  const position = Number.parseInt(bookmark, 16)
  if (bookmark !== bookmarkOf(position)) throw new Error('D1_ERROR: The bookmark is not valid.')
  return position
}

export function laggingD1(): LaggingD1 {
  const [primary, replica] = [env.DB, env.REPLICA]
  const starts: string[] = []
  const answered: string[] = []
  let names: string[] = []
  /** The state of the primary after each write, by its position. */
  const states: RawTables[] = []
  let applied = 0
  let turn: Promise<unknown> = begin()

  async function begin(): Promise<void> {
    names = await tableNames()
    await applyD1Migrations(replica, env.TEST_MIGRATIONS)
    note(await primary.batch<RawRow>(selectAll(primary, names)))
    await replicate(states[0]!)
  }

  /** Writes the tables that changed. */
  async function replicate(next: RawTables, last?: RawTables): Promise<void> {
    const changed = [...next].filter(([name, rows]) => JSON.stringify(rows) !== JSON.stringify(last?.get(name)))
    await replica.batch([replica.prepare('pragma defer_foreign_keys = on'), ...replaceAll(replica, new Map(changed))])
  }

  function note(tables: D1Result<RawRow>[]): void {
    states.push(new Map(names.map((name, place) => [name, tables[place]!.results])))
  }

  /** One call after the other, so that each write has its state. */
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const acted = turn.then(act)
    turn = acted.catch(() => undefined)
    return acted
  }

  const askPrimary: Ask = (queries, isRaw) =>
    inTurn(async () => {
      const statements = bind(primary, queries)
      if (queries.every(isRead)) return isRaw ? statements[0]!.raw() : primary.batch(statements)
      const results = await primary.batch<RawRow>([...statements, ...selectAll(primary, names)])
      note(results.splice(statements.length))
      return isRaw ? results[0]!.results.map((row) => Object.values(row)) : results
    })

  /** Waits for a state that the database does not have, which never comes. */
  async function reach(position: number): Promise<void> {
    await turn
    if (position >= states.length) await new Promise(() => undefined)
    await inTurn(async () => {
      if (position <= applied) return
      await replicate(states[position]!, states[applied])
      applied = position
    })
  }

  const askReplica: Ask = (queries, isRaw) =>
    inTurn<unknown>(() => {
      answered.push(...queries.map(({ sql }) => sql))
      const statements = bind(replica, queries)
      return isRaw ? statements[0]!.raw() : replica.batch(statements)
    })

  function withSession(start: string = 'first-unconstrained') {
    starts.push(start)
    /** The bookmark of the newest answer. */
    let seen = start.startsWith('first-') ? null : start
    const session = askedBy(async (queries, isRaw) => {
      const least = seen === null ? 0 : positionOf(seen)
      const isForPrimary = !queries.every(isRead) || (seen === null && start === 'first-primary')
      if (!isForPrimary) await reach(least)
      const answer = await (isForPrimary ? askPrimary : askReplica)(queries, isRaw)
      seen = bookmarkOf(Math.max(least, isForPrimary ? states.length - 1 : applied))
      return answer
    })
    return { ...session, getBookmark: () => seen }
  }

  return {
    binding: { ...askedBy(askPrimary), withSession } as unknown as D1Database,
    starts,
    answered,
    catchUp: async () => {
      await turn
      await reach(states.length - 1)
    },
  }
}

const queryOf = new WeakMap<D1PreparedStatement, Query>()

function askedBy(ask: Ask) {
  function prepare(sql: string, values: unknown[] = []): D1PreparedStatement {
    const all = async () => ((await ask([{ sql, values }], false)) as D1Result[])[0]
    const statement = {
      bind: (...given: unknown[]) => prepare(sql, given),
      run: all,
      all,
      raw: () => ask([{ sql, values }], true),
    } as unknown as D1PreparedStatement
    queryOf.set(statement, { sql, values })
    return statement
  }
  return {
    prepare: (sql: string) => prepare(sql),
    batch: (statements: D1PreparedStatement[]) =>
      ask(
        statements.map((statement) => queryOf.get(statement)!),
        false,
      ),
  }
}

function bind(database: D1Database, queries: Query[]): D1PreparedStatement[] {
  return queries.map(({ sql, values }) => database.prepare(sql).bind(...values))
}
