/** What a run of the cleanup costs, and what it reaches, however large the tables are. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { uuidv7 } from '../../src/crypto/random.ts'
import { cleanUp } from '../../src/jobs/cleanup.ts'
import { trustSchema } from '../../src/store/migrations.ts'
import { Clock, day, minute } from '../support/clock.ts'
import { contextAt } from '../support/context.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import {
  insertAttempts,
  insertAuditEvents,
  insertEmails,
  insertLinks,
  insertRegistrations,
  insertSessions,
  insertUsers,
} from '../support/rows.ts'
import { rowsOf } from '../support/state.ts'

const it = base.extend('log', async ({ service: _service }) => captureLog())

const { now } = new Clock()
const time = now().getTime()
const long = new Date(time + day)

/** A run of the cleanup, and what it cost. */
async function run(limits: { rows: number; statements: number }, at = time) {
  const meter = countCosts(env)
  trustSchema(meter.bindings.DB)
  const ctx = await contextAt({ now: () => new Date(at) }, { ...env, ...meter.bindings })
  await cleanUp(ctx, limits)
  const { statements, rowsRead, rowsWritten } = meter.take()
  return { statements: statements.length, rowsRead, rowsWritten }
}

/** What the last run logged, by table. */
function outcome({ entries }: ReturnType<typeof captureLog>): Record<string, { deleted: unknown; more: unknown }> {
  return Object.fromEntries(entries('cleanup').map(({ table, deleted, more }) => [table, { deleted, more }]))
}

const list = <T>(length: number, make: (n: number) => T) => Array.from({ length }, (_, n) => make(n))
/** Old enough for every table. */
const oldId = (n: number) => uuidv7(new Date(time - 500 * day + n))
const owner = async () => (await insertUsers([{ id: oldId(0) }]))[0]!.id

/** Sessions of which every tenth has expired. */
async function fillSessions(rows: number): Promise<void> {
  const userId = await owner()
  const expiresAt = (n: number) => (n % 10 === 9 ? now() : long)
  await insertSessions(list(rows, (n) => ({ id: oldId(n), userId, expiresAt: expiresAt(n) })))
}

/** Fills every table, with rows that have expired where `isOld` says so. */
async function fillAll(rows: number, isOld: (n: number) => boolean): Promise<void> {
  const userId = await owner()
  const expiresAt = (n: number) => (isOld(n) ? now() : long)
  const updatedAt = (n: number) => (isOld(n) ? new Date(0) : now())
  const email = (n: number) => `${String(n).padStart(8, '0')}@example.com`
  const id = (n: number) => (isOld(n) ? oldId(n) : uuidv7(new Date(time - minute + n)))
  await insertSessions(list(rows, (n) => ({ id: oldId(n), userId, expiresAt: expiresAt(n) })))
  await insertLinks(list(rows, (n) => ({ id: oldId(n), userId, expiresAt: expiresAt(n) })))
  await insertAttempts(list(rows, (n) => ({ key: `account:${email(n)}`, updatedAt: updatedAt(n) })))
  await insertRegistrations(list(rows, (n) => ({ id: id(n), email: email(n) })))
  await insertEmails(list(rows, (n) => ({ id: id(n), recipient: email(n), status: 'sent' })))
  await insertAuditEvents(list(rows, (n) => ({ id: id(n), type: 'user.signed_in' })))
}

async function emptyAll(): Promise<void> {
  const tables = ['sessions', 'one_time_links', 'attempt_counters', 'registrations', 'emails', 'audit_events', 'users']
  for (const table of [...tables, 'sweeps']) await env.DB.exec(`delete from ${table}`)
}

describe('a run of the cleanup', () => {
  it.for([
    { expired: 'few rows have', isOld: (n: number) => n < 400 && n % 10 === 9 },
    { expired: 'every row has', isOld: () => true },
  ])('costs the same with twenty times as many rows, when $expired expired', async ({ isOld }) => {
    const limits = { rows: 20, statements: 60 }
    await fillAll(400, isOld)
    const small = await run(limits)
    await emptyAll()
    await fillAll(8000, isOld)
    expect(await run(limits)).toEqual(small)
    // The next step of a table may need more than is left.
    expect(small.statements).toBeLessThanOrEqual(limits.statements)
    expect(small.statements).toBeGreaterThan(limits.statements - 4)
    // Each statement looks at no more than an entry of an index and a row for each row of a step.
    expect(small.rowsRead).toBeLessThan(limits.statements * limits.rows * 3)
  })

  it.for(['sessions', 'attempt_counters'])('goes on in %s where the one before it stopped', async (table, { log }) => {
    const rows = 1000
    if (table === 'sessions') await fillSessions(rows)
    else
      await insertAttempts(list(rows, (n) => ({ key: `account:${n}`, updatedAt: n % 10 === 9 ? new Date(0) : now() })))
    // Half of the walk, at most.
    const limits = { rows: 50, statements: 40 }
    const left = async () => Number(await env.DB.prepare(`select count(*) as n from ${table}`).first('n'))
    let deleted = 0
    const more: unknown[] = []
    for (let runs = 0; runs < 8 && more.at(-1) !== false; runs++) {
      await run(limits)
      const swept = outcome(log)[table]!
      deleted += Number(swept.deleted)
      more.push(swept.more)
    }
    expect(more).toEqual([...list(more.length - 1, () => true), false])
    expect(more.length).toBeGreaterThan(1)
    expect([deleted, await left()]).toEqual([rows / 10, rows * 0.9])
    // The next walk starts at the beginning.
    if (table === 'sessions') await env.DB.exec(`update sessions set expires_at = 0`)
    await run({ rows: 50, statements: 200 })
    if (table === 'sessions') expect(await left()).toBe(0)
  })

  it('looks at no more pending accounts when there are more, and reaches the stale one behind them', async ({
    log,
  }) => {
    const email = (n: number) => `${String(n).padStart(8, '0')}@example.com`
    const fill = async (rows: number) => {
      await insertUsers(list(rows, (n) => ({ id: oldId(n), email: email(n), status: 'pending' })))
      await insertRegistrations(list(rows - 1, (n) => ({ id: uuidv7(new Date(time - minute + n)), email: email(n) })))
    }
    // One step of the last table.
    const limits = { rows: 20, statements: 25 }
    await fill(200)
    const small = await run(limits)
    await emptyAll()
    await fill(2000)
    expect(await run(limits)).toEqual(small)
    expect(outcome(log)['users']).toEqual({ deleted: 0, more: true })
    await run({ rows: 1000, statements: 900 })
    expect(outcome(log)['users']).toEqual({ deleted: 1, more: false })
    expect(await env.DB.prepare('select count(*) as n from users').first('n')).toBe(1999)
  })

  it('says for each table whether it could finish', async ({ log }) => {
    await fillSessions(500)
    await run({ rows: 10, statements: 40 })
    const unfinished = outcome(log)
    expect(unfinished['sessions']).toEqual({ deleted: expect.any(Number), more: true })
    expect(unfinished['emails']).toEqual({ deleted: 0, more: false })
    await run({ rows: 1000, statements: 900 })
    expect(Object.values(outcome(log)).filter(({ more }) => more !== false)).toEqual([])
  })

  it('lets no table wait for another that is never finished', async ({ log }) => {
    await fillSessions(2000)
    await insertEmails(list(30, (n) => ({ id: oldId(n), recipient: '', status: 'sent' })))
    await run({ rows: 10, statements: 70 })
    expect(outcome(log)).toMatchObject({ sessions: { more: true }, emails: { deleted: 30, more: false } })
  })

  it('touches nobody who signs in meanwhile', async ({ people, service }) => {
    const callers = list(20, (n) => `racer-${n}@example.com`)
    for (const email of callers) await people.signUp(email)
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      service.clock.advance(31 * day)
      const at = service.clock.now().getTime()
      const before = await rowsOf('sessions')
      expect(before).toHaveLength(20)
      const [signedIn] = await Promise.all([
        Promise.all(callers.map((email) => people.signIn(email))),
        ...list(4, () => run({ rows: 3, statements: 200 }, at)),
      ])
      await run({ rows: 100, statements: 900 }, at)
      const after = await rowsOf('sessions')
      const old = new Set(before.map(({ id }) => id))
      expect(after.filter(({ id }) => old.has(id))).toEqual([])
      expect(after).toHaveLength(20)
      for (const person of signedIn) await person.me()
      expect(await rowsOf('users')).toHaveLength(20)
    }
  })
})
