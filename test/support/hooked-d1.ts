import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { type Service, startService } from './service.ts'

type Hook = (statements: string[]) => void | Promise<void>

/** A D1 binding that does something once, when an attempt was counted and its password is not verified yet. */
export function afterAttempt(act: () => Promise<void>): D1Database {
  let isDone = false
  return hookedD1(
    env.DB,
    () => undefined,
    async (statements) => {
      if (isDone || !statements.some((sql) => sql.startsWith('insert into "attempt_counters"'))) return
      isDone = true
      await act()
    },
  )
}

/**
 * A service beside another one that does something once, just before the first of its statements that looks like this.
 *
 * @returns `late`, and a check that it came to such a statement
 */
export function interrupt(
  service: Service,
  statement: RegExp,
  act: () => Promise<unknown>,
  env: Partial<Env> = {},
): { late: Service; expectInterrupted: () => void } {
  let isDone = false
  const DB = hookedD1(service.env.DB, async (statements) => {
    if (isDone || !statements.some((sql) => statement.test(sql))) return
    isDone = true
    await act()
  })
  const late = startService({ beside: service, env: { ...env, DB } })
  return { late, expectInterrupted: () => expect(isDone, 'the call came to this statement').toBe(true) }
}

/**
 * A D1 binding that shows each round trip before it goes out: the SQL of its statements, a batch's all at once. What
 * the hook throws, the caller gets as a failure of D1, and nothing was done. What the hook after it throws comes when
 * everything was done: an answer that got lost.
 */
export function hookedD1(db: D1Database, before: Hook, after: Hook = () => undefined): D1Database {
  const inner = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>()

  async function ask<T>(sql: string[], question: () => Promise<T>): Promise<T> {
    await before(sql)
    const answer = await question()
    await after(sql)
    return answer
  }

  function hooked(statement: D1PreparedStatement, sql: string): D1PreparedStatement {
    const wrapped = {
      bind: (...values: unknown[]) => hooked(statement.bind(...values), sql),
      run: () => ask([sql], () => statement.run()),
      all: () => ask([sql], () => statement.all()),
      raw: () => ask([sql], () => statement.raw()),
    }
    inner.set(wrapped, { statement, sql })
    return wrapped as unknown as D1PreparedStatement
  }

  const binding = {
    prepare: (sql: string) => hooked(db.prepare(sql), sql),
    async batch(statements: D1PreparedStatement[]) {
      const plain = statements.map((statement) => inner.get(statement)!)
      return ask(
        plain.map(({ sql }) => sql),
        () => db.batch(plain.map(({ statement }) => statement)),
      )
    },
  }
  return binding as unknown as D1Database
}
