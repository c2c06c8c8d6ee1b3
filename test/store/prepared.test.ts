/** Statements whose SQL is made once: what D1 gets is what drizzle's own connection sends for the same values. */
import { env } from 'cloudflare:workers'
import { and, asc, eq, getTableColumns, inArray, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { uuidv7 } from '../../src/crypto/random.ts'
import { batch } from '../../src/store/batch.ts'
import { type Db, connect } from '../../src/store/db.ts'
import { type Terms, prepared, termsOf } from '../../src/store/prepared.ts'
import { attemptCounters } from '../../src/store/schema/attempts.ts'
import { sessions } from '../../src/store/schema/sessions.ts'
import { users } from '../../src/store/schema/users.ts'
import { selectSessionAndUser, selectUserOfSession } from '../../src/store/sessions.ts'

/** A database that answers every question with the same rows, and tells what it was asked. */
function listeningDb(rows: unknown[][] = []) {
  const asked: { sql: string; values: unknown[] }[] = []
  const statement = (text: string, values: unknown[]) => ({
    bind: (...bound: unknown[]) => statement(text, bound),
    raw: async () => (asked.push({ sql: text, values }), rows),
  })
  const client = { prepare: (text: string) => statement(text, []) } as unknown as D1Database
  return { asked, db: connect(client), drizzles: drizzle(client) as unknown as Db }
}

/** A value of each way of storing one, some of them twice, among constants. */
const columns = {
  id: sessions.id,
  lastUsedAt: sessions.lastUsedAt,
  generation: sessions.generation,
  network: sessions.network,
  amr: sessions.amr,
  country: sessions.country,
  role: users.role,
}

function make(db: Db, { id, lastUsedAt, generation, network, amr, country, role }: Terms<typeof columns>) {
  const isOfRole = eq(users.role, role)
  return db
    .update(sessions)
    .set({ lastUsedAt, network, generation: sql`${sessions.generation} + 1`, amr, userAgentId: sql`${7}` })
    .where(
      and(
        eq(sessions.id, id),
        sql`${sessions.network} is ${network}`,
        sql`${sessions.generation} in (${generation}, ${generation} + 1)`,
        eq(sessions.country, country),
        inArray(sessions.userId, db.select({ id: users.id }).from(users).where(isOfRole)),
      ),
    )
    .returning({ id: sessions.id, at: sessions.lastUsedAt })
}

const values = fc.record({
  id: fc.uuid({ version: 7 }),
  lastUsedAt: fc.date({ noInvalidDate: true }),
  generation: fc.nat(),
  network: fc.option(fc.uint8Array({ maxLength: 8 }).map((bytes) => bytes.slice())),
  amr: fc.option(fc.array(fc.string())),
  country: fc.option(fc.string()),
  role: fc.constantFrom('USER', 'MODERATOR', 'ADMIN'),
})

const insertAttempts = (db: Db, keys: readonly string[]) =>
  db
    .insert(attemptCounters)
    .values(keys.map((key, count) => ({ key, count, allowedAt: new Date(count), updatedAt: new Date(0), series: '' })))

const selectAttempts = prepared({ key: attemptCounters.key }, (db, { key }) =>
  db
    .select({ key: attemptCounters.key, at: attemptCounters.allowedAt })
    .from(attemptCounters)
    .where(eq(attemptCounters.key, key))
    .orderBy(asc(attemptCounters.key)),
)

/** Columns of every kind in groups, and expressions with a decoder and without one. */
const selectMuch = (db: Db, { id }: Terms<{ id: typeof sessions.id }>) =>
  db
    .select({
      session: sessions,
      user: users,
      at: sql<Date>`${sessions.lastUsedAt}`.mapWith(sessions.lastUsedAt),
      isNew: sql<number>`1`.as('is_new'),
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, id))

const selectedColumns = [...Object.values(getTableColumns(sessions)), ...Object.values(getTableColumns(users))]

/** What D1 sends for a column: numbers stand for times and words, too. */
function storedIn(column: SQLiteColumn) {
  const byType = new Map<string, fc.Arbitrary<unknown>>([
    ['text', column.dataType === 'json' ? fc.json() : fc.string()],
    ['blob', fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => [...bytes])],
    ['integer', fc.nat({ max: 2 })],
  ])
  return fc.option(byType.get(column.getSQLType())!)
}

const row = fc.tuple(...selectedColumns.map(storedIn), fc.option(fc.nat()), fc.nat())

describe('a prepared statement', () => {
  it('reads rows as drizzle does', async () => {
    const statement = prepared({ id: sessions.id }, selectMuch)
    const id = uuidv7(new Date())
    await fc.assert(
      fc.asyncProperty(fc.array(row), async (rows) => {
        const { db, drizzles } = listeningDb(rows)
        const expected = await selectMuch(drizzles, termsOf({ id: sessions.id }, { id }))
        expect(await statement(db, { id })).toEqual(expected)
      }),
    )
  })

  it('sends the text and the values that drizzle makes for the same values', async () => {
    const statement = prepared(columns, make)
    await fc.assert(
      fc.asyncProperty(values, async (given) => {
        const { db, drizzles, asked } = listeningDb()
        await statement(db, given)
        await make(drizzles, termsOf(columns, given))
        const [ours, expected] = asked
        expect(ours).toEqual(expected)
      }),
    )
  })

  it('is made once', async () => {
    const makeOnce = vi.fn(make)
    const statement = prepared(columns, makeOnce)
    expect(makeOnce).not.toHaveBeenCalled()
    for (const given of fc.sample(values, 3)) await statement(listeningDb().db, given)
    expect(makeOnce).toHaveBeenCalledOnce()
  })

  it('keeps to the connection and the values of its request', async () => {
    const [one, other] = [listeningDb(), listeningDb()]
    const first = selectAttempts(one.db, { key: 'a' })
    const second = selectAttempts(other.db, { key: 'b' })
    await second
    await first
    expect([one.asked, other.asked].map((asked) => asked.map((each) => each.values))).toEqual([[['a']], [['b']]])
  })

  it('gives typed rows, alone and in a batch', async () => {
    const db = connect(env.DB)
    await insertAttempts(db, ['a', 'b'])
    const [a, b] = [
      { key: 'a', at: new Date(0) },
      { key: 'b', at: new Date(1) },
    ]
    expect(await selectAttempts(db, { key: 'b' })).toEqual([b])
    const rows = await batch(db, { b: selectAttempts(db, { key: 'b' }), a: selectAttempts(db, { key: 'a' }) })
    expect(rows).toEqual({ a: [a], b: [b] })
  })

  it('reads no password hash of whoever sends a token', async () => {
    const { db, asked } = listeningDb()
    const [sessionId, userId] = [uuidv7(new Date()), uuidv7(new Date())]
    await selectSessionAndUser(db, { sessionId, userId, now: new Date() })
    await selectUserOfSession(db, { id: sessionId })
    expect(asked.map(({ sql }) => /"email".*from/.test(sql) && !sql.includes('password_hash'))).toEqual([true, true])
  })

  it('fails as every statement does', async () => {
    const db = connect({
      prepare: () => ({ bind: () => ({ raw: async () => Promise.reject(new Error('gone')) }) }),
    } as unknown as D1Database)
    const failure = async () => selectAttempts(db, { key: 'a' })
    await expect(failure()).rejects.toMatchObject({ code: 'service_unavailable' })
  })
})
