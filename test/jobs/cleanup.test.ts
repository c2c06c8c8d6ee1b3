/** The hourly cleanup. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { bytesOfUuid, isUuidv7, uuidv7, uuidv7Floor } from '../../src/crypto/random.ts'
import type { EmailStatus } from '../../src/store/schema/emails.ts'
import { expectOk } from '../support/answers.ts'
import { Clock, day, hour, minute } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword } from '../support/person.ts'
import {
  insertAuditEvents,
  insertEmails,
  insertLinks,
  insertRegistrations,
  insertSessions,
  insertUsers,
} from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { rowsOf } from '../support/state.ts'

const cleanup = '0 * * * *'

const { now } = new Clock()
const time = now().getTime()
const ago = (ms: number) => time - ms
/** The last id that is made before a moment, and one that is made in it. */
const idBefore = (moment: number) => uuidv7(new Date(moment - 1))
const idAt = (moment: number) => uuidv7(new Date(moment))
const count = (table: string) => env.DB.prepare(`select count(*) as n from ${table}`).first<number>('n')

const it = base.extend('log', async ({ service: _service }) => captureLog())

/** Inserts up to a hundred thousand rows. Columns are SQL in which `n` counts the rows; ids are made from `moment` on. */
async function insertMany(table: string, rows: number, columns: Record<string, string>, moment: number, stepMs = 0) {
  // An id is its 48 bits of time as 12 hex digits, the version of a UUIDv7, and the count.
  const digits = `printf('%012x', ${moment} + n * ${stepMs})`
  const id = `unhex(${digits} || '70008000' || printf('%012x', n))`
  await env.DB.prepare(
    `insert into ${table} (id, ${Object.keys(columns).join(', ')})
     with recursive counting (n) as (select 0 union all select n + 1 from counting where n + 1 < ${rows})
     select ${id}, ${Object.values(columns).join(', ')} from counting`,
  ).run()
}

/** Rows with a name each, for `left`. */
type Named<Row> = Record<string, Row>

/** Inserts a user that is older than everything that a cleanup deletes. */
async function insertOwner(): Promise<string> {
  const [owner] = await insertUsers([{ id: idAt(ago(500 * day)) }])
  return owner!.id
}

/** The names of the rows that are still there. */
async function left(table: string, ids: Named<{ id: string }>): Promise<string[]> {
  const present = new Set((await rowsOf(table)).map(({ id }) => id))
  return Object.entries(ids).flatMap(([name, { id }]) => (present.has(id) ? [name] : []))
}

/** The count that was logged for each table. */
const counted = ({ entries }: ReturnType<typeof captureLog>) =>
  Object.fromEntries(entries('cleanup').map(({ table, deleted }) => [table, deleted]))

describe('the cleanup', () => {
  it('deletes links that have expired, unless an email is still to carry them', async ({ service }) => {
    const userId = await insertOwner()
    const link = (id: string, expiresAt: number) => ({
      id,
      userId,
      purpose: 'reset' as const,
      expiresAt: new Date(expiresAt),
    })
    const ids = {
      expired: link(idAt(ago(2 * hour)), time),
      expiredLongAgo: link(idAt(ago(300 * day)), ago(299 * day)),
      live: link(idAt(ago(2 * hour)), time + 1),
      young: link(idAt(ago(minute)), time + hour),
      mailed: link(idAt(ago(2 * hour)), time),
      refused: link(idAt(ago(2 * hour)), time),
      inDelivery: link(idAt(ago(2 * hour)), time),
    }
    await insertLinks(Object.values(ids))
    // The next delivery of an email may renew its link.
    const recipient = 'ada@example.com'
    await insertEmails([
      { recipient, id: ids.mailed.id, status: 'sent' },
      { recipient, id: ids.refused.id, status: 'queued' },
      { recipient, id: ids.inDelivery.id, status: 'sending' },
    ])
    await service.runCron(cleanup)
    expect(await left('one_time_links', ids)).toEqual(['live', 'young', 'refused', 'inDelivery'])
  })

  it('deletes sessions whose refresh token has expired, wherever they lie among live ones', async ({ service }) => {
    const userId = await insertOwner()
    const session = (id: string, expiresAt: number) => ({ id, userId, expiresAt: new Date(expiresAt) })
    const ids = {
      expired: session(idBefore(ago(30 * day)), time),
      expiredLongAgo: session(idAt(ago(90 * day)), ago(day)),
      refreshed: session(idAt(ago(89 * day)), time + 1),
      live: session(idBefore(ago(30 * day)), time + 1),
      young: session(idAt(time), time + 30 * day),
    }
    await insertSessions(Object.values(ids))
    await service.runCron(cleanup)
    expect(await left('sessions', ids)).toEqual(['refreshed', 'live', 'young'])
  })

  it('deletes registrations seven days after the last one of their address', async ({ service }) => {
    const week = ago(7 * day)
    await insertUsers([
      { id: idAt(ago(500 * day)), email: 'active@example.com' },
      { id: idAt(time), email: 'pending@example.com', status: 'pending' },
    ])
    const ids = {
      old: { email: 'active@example.com', id: idBefore(week) },
      ofNobody: { email: 'gone@example.com', id: idBefore(week) },
      seventhDay: { email: 'late@example.com', id: uuidv7Floor(new Date(week)) },
      firstOfTwo: { email: 'again@example.com', id: idBefore(week) },
      secondOfTwo: { email: 'again@example.com', id: idAt(week) },
      stillPending: { email: 'pending@example.com', id: idBefore(week) },
    }
    await insertRegistrations(Object.values(ids))
    await service.runCron(cleanup)
    expect(await left('registrations', ids)).toEqual(['seventhDay', 'firstOfTwo', 'secondOfTwo', 'stillPending'])
  })

  it('deletes finished emails after 30 days, and none that is still to be sent', async ({ service }) => {
    const month = ago(30 * day)
    const ids: Named<{ id: string; recipient: string; status: EmailStatus }> = {}
    for (const status of ['queued', 'sending', 'sent', 'skipped', 'failed', 'unknown'] as const) {
      ids[`old ${status}`] = { id: idBefore(month), recipient: 'ada@example.com', status }
      ids[`young ${status}`] = { id: idAt(month), recipient: 'ada@example.com', status }
    }
    await insertEmails(Object.values(ids))
    await service.runCron(cleanup)
    const kept = await left('emails', ids)
    expect(kept.filter((name) => name.startsWith('old'))).toEqual(['old queued', 'old sending'])
    expect(kept.filter((name) => name.startsWith('young'))).toHaveLength(6)
  })

  it('deletes audit events after 400 days', async ({ service }) => {
    const event = (id: string) => ({ id, type: 'user.signed_in' as const })
    const ids = {
      old: event(idBefore(ago(400 * day))),
      inTime: event(uuidv7Floor(new Date(ago(400 * day)))),
      fresh: event(idAt(time)),
    }
    await insertAuditEvents(Object.values(ids))
    await service.runCron(cleanup)
    expect(await left('audit_events', ids)).toEqual(['inTime', 'fresh'])
  })

  it('never deletes active or suspended accounts', async ({ service }) => {
    const ids = {
      active: { id: idAt(ago(500 * day)) },
      suspended: { id: idAt(ago(500 * day)), status: 'suspended' as const },
      admin: { id: idAt(ago(500 * day)), role: 'ADMIN' as const },
    }
    await insertUsers(Object.values(ids))
    await service.runCron(cleanup)
    expect(await left('users', ids)).toEqual(['active', 'suspended', 'admin'])
  })
})

describe('an account that nobody activates', () => {
  const week = ago(7 * day)
  const pending = (email: string, id = idBefore(week)) => ({ id, email, status: 'pending' as const })

  it('is deleted after seven days with its registrations and links, and leaves one event', async ({ service, log }) => {
    const addresses = ['a@example.com', 'b@example.com', 'c@example.com']
    const stored = await insertUsers(addresses.map((address) => pending(address)))
    const ids = stored.map(({ id }) => id)
    await insertRegistrations([...addresses, ...addresses].map((email) => ({ email, id: idBefore(week) })))
    await insertLinks(
      ids.map((userId) => ({ userId, id: idBefore(week), purpose: 'reset', expiresAt: new Date(ago(6 * day)) })),
    )
    await service.runCron(cleanup)
    expect(await Promise.all(['users', 'registrations', 'one_time_links'].map(count))).toEqual([0, 0, 0])
    const events = await rowsOf('audit_events')
    expect(new Set(events.map(({ user_id }) => user_id))).toEqual(new Set(ids))
    expect(events).toHaveLength(3)
    expect(new Set(events.map(({ id }) => id)).size).toBe(3)
    const nothing = { actor_id: null, ip: null, country: null, user_agent: null, request_id: null, detail: null }
    for (const event of events) {
      expect(event).toMatchObject({ ...nothing, at: time, type: 'user.expired' })
      expect(isUuidv7(String(event['id']))).toBe(true)
      expect(String(event['id']).slice(0, 13)).toBe(uuidv7(now()).slice(0, 13))
    }
    expect(counted(log)).toMatchObject({ users: 3 })
  })

  it('stays when it is younger, was registered again, or has a link that could still activate it', async ({
    service,
  }) => {
    const ids = {
      stale: pending('stale@example.com'),
      young: pending('young@example.com', uuidv7Floor(new Date(week))),
      tried: pending('tried@example.com'),
      linked: pending('linked@example.com'),
      overdue: pending('overdue@example.com'),
    }
    await insertUsers(Object.values(ids))
    await insertRegistrations(Object.values(ids).map(({ email }) => ({ email, id: idBefore(week) })))
    await insertRegistrations([{ email: 'tried@example.com', id: idAt(week) }])
    await insertLinks([
      { userId: ids.linked.id, id: idAt(ago(day)), purpose: 'reset', expiresAt: new Date(time + 1) },
      { userId: ids.overdue.id, id: idAt(ago(day)), purpose: 'reset', expiresAt: new Date(time) },
    ])
    await service.runCron(cleanup)
    expect(await left('users', ids)).toEqual(['young', 'tried', 'linked'])
    const emails = new Set((await rowsOf('registrations')).map((row) => row['email']))
    expect(emails).toEqual(new Set(['linked@example.com', 'tried@example.com', 'young@example.com']))
  })

  it('can be registered again by the same person afterwards', async ({ service, clock, inbox, people, anonymous }) => {
    const email = 'ada@example.com'
    await people.register(email)
    clock.advance(6 * day + 23 * hour)
    await service.runCron(cleanup)
    expect(await count('users')).toBe(1)
    // The link of an email that was requested late is valid for its whole day.
    await anonymous.resendActivation(email)
    await service.deliver()
    clock.advance(23 * hour)
    await service.runCron(cleanup)
    expect(await count('users')).toBe(1)
    clock.advance(hour)
    await service.runCron(cleanup)
    expect(await Promise.all(['users', 'registrations', 'one_time_links'].map(count))).toEqual([0, 0, 0])
    const token = inbox.linkToken(email)
    await anonymous.activate({ token, password: goodPassword }).refused(400, 'invalid_link')
    await people.signUp(email)
  })

  it('is never deleted while somebody activates it', async ({ service, clock, inbox, people, anonymous }) => {
    const statuses = []
    for (let round = 0; round < 10; round++) {
      const email = `round-${round}@example.com`
      await people.register(email)
      clock.advance(7 * day)
      await anonymous.resendActivation(email)
      await service.deliver()
      const token = inbox.linkToken(email)
      const [activated] = await Promise.all([
        anonymous.activate({ token, password: goodPassword }).answer,
        service.runCron(cleanup),
      ])
      statuses.push(activated.status)
      await service.deliver()
    }
    // The link is live, so every activation succeeds.
    expect(statuses).toEqual(Array(10).fill(200))
    expect(await count('users')).toBe(10)
  })
})

describe('a run of the cleanup', () => {
  /** A little of everything, expired and live. */
  async function populate() {
    const owner = await insertOwner()
    const ownerColumn = { user_id: `unhex('${owner}', '-')` }
    const sessionColumns = { ...ownerColumn, device_id: 'randomblob(16)', generation: '1', last_used_at: '0' }
    const old = ago(500 * day)
    await insertMany('sessions', 60, { ...sessionColumns, expires_at: `iif(n % 3, ${time}, ${time + 1})` }, old)
    await insertMany(
      'one_time_links',
      60,
      { ...ownerColumn, purpose: '2', created_at: '0', expires_at: `iif(n % 3, ${time}, ${time + 1})` },
      old,
    )
    await insertMany(
      'registrations',
      60,
      { email: `iif(n % 3, n, 'kept') || '@example.com'`, password_hash: `x''` },
      old,
    )
    await insertRegistrations([{ email: 'kept@example.com', id: idAt(time) }])
    await insertMany(
      'emails',
      60,
      {
        template: `''`,
        recipient: `''`,
        params: `'{}'`,
        status: 'iif(n % 3, 2, 0)',
        attempts: '0',
        due_at: '0',
        announce_at: '0',
        budget: `''`,
      },
      old,
    )
    await insertMany('audit_events', 60, { type: '1', by_user: '0' }, old)
    await insertMany(
      'users',
      60,
      {
        email: `n || '@example.org'`,
        role: '0',
        status: 'iif(n % 3, 0, 1)',
        updated_at: '0',
      },
      old,
    )
  }
  const rest = async () => {
    const counts: Record<string, number | null> = {}
    for (const table of ['one_time_links', 'sessions', 'users', 'registrations', 'emails', 'audit_events'])
      counts[table] = await count(table)
    return counts
  }
  const live = { one_time_links: 20, sessions: 20, users: 21, registrations: 21, emails: 20, audit_events: 40 }
  const dead = {
    one_time_links: 40,
    sessions: 40,
    attempt_counters: 0,
    registrations: 40,
    email_changes: 0,
    emails: 40,
    audit_events: 60,
    ceilings: 0,
    user_agents: 0,
    users: 40,
  }

  it('logs a line with the count for each table, and a second run deletes nothing', async ({ service, log }) => {
    await populate()
    await service.runCron(cleanup)
    expect(await rest()).toEqual(live)
    const entries = log.entries('cleanup')
    expect(entries.map(({ table }) => table)).toEqual(Object.keys(dead))
    expect(counted(log)).toEqual(dead)
    expect(log.entries('job')).toMatchObject([{ job: 'cleanup', level: 'info' }])

    log.lines.length = 0
    await service.runCron(cleanup)
    expect(await rest()).toEqual(live)
    expect(Object.values(counted(log))).toEqual(Object.keys(dead).map(() => 0))
  })

  it('does no harm beside another run', async () => {
    await populate()
    const services = Array.from({ length: 5 }, () => startService())
    await Promise.all(services.map((service) => service.runCron(cleanup)))
    expect(await rest()).toEqual(live)
    const events = await rowsOf('audit_events', "type = 'user.expired'")
    expect(events).toHaveLength(40)
    expect(new Set(events.map((row) => row['user_id'])).size).toBe(40)
  })

  it.for([
    { broken: 'one_time_links' },
    { broken: 'sessions' },
    { broken: 'users' },
    { broken: 'registrations' },
    { broken: 'emails' },
    { broken: 'audit_events' },
  ] as const)('goes on when $broken fails, logs that, and fails in the end', async ({ broken }, { service, log }) => {
    await populate()
    const DB = hookedD1(env.DB, (statements) => {
      // One batch deletes a stale account from several tables. Its last statement is about `users`.
      const isTarget = statements.at(-1)!.startsWith(`delete from "${broken}"`)
      if (isTarget) throw new Error('D1_ERROR: no such thing: SQLITE_ERROR')
    })
    const failing = startService({ env: { DB } })
    await expect(failing.runCron(cleanup)).rejects.toThrow()
    const { [broken]: _, ...others } = await rest()
    // The rows that would be deleted with a stale account are still needed.
    expect(others).toMatchObject(
      Object.fromEntries(
        Object.entries(live).filter(([table]) => table !== broken && (broken !== 'users' || table !== 'audit_events')),
      ),
    )
    const { [broken]: failed, ...done } = counted(log)
    expect(failed).toBeUndefined()
    expect(Object.keys(done)).toHaveLength(9)
    expect(log.entries('cleanup.failed')).toMatchObject([
      { level: 'error', table: broken, error_message: 'D1_ERROR: no such thing: SQLITE_ERROR' },
    ])
    expect(log.entries('job.failed')).toMatchObject([{ level: 'error', job: 'cleanup' }])

    await service.runCron(cleanup)
    expect(await rest()).toEqual(live)
  })

  it('deletes 100,000 expired sessions and more within the queries of one invocation', async ({ log }) => {
    const owner = await insertOwner()
    const ownerColumn = { user_id: `unhex('${owner}', '-')` }
    const sessionColumns = { ...ownerColumn, device_id: 'randomblob(16)', generation: '1', last_used_at: '0' }
    // Every fifth session is live, so that live and expired ones are mixed.
    await insertMany(
      'sessions',
      125_000,
      { ...sessionColumns, expires_at: `iif(n % 5, ${time}, ${time + day})` },
      ago(60 * day),
      200,
    )
    await insertMany(
      'one_time_links',
      20_000,
      { ...ownerColumn, purpose: '2', created_at: '0', expires_at: `${ago(day)}` },
      ago(2 * day),
    )
    await insertMany('audit_events', 50_000, { type: '1', by_user: '0' }, ago(401 * day))
    await insertMany(
      'emails',
      30_000,
      {
        template: `''`,
        recipient: 'n',
        params: `'{}'`,
        status: '2',
        attempts: '1',
        due_at: '0',
        announce_at: '0',
        budget: `''`,
      },
      ago(31 * day),
    )
    await insertMany(
      'users',
      20_000,
      { email: `n || '@example.com'`, role: '0', status: '0', updated_at: '0' },
      ago(8 * day),
    )
    await insertMany('registrations', 20_000, { email: `n || '@example.com'`, password_hash: `x''` }, ago(8 * day))
    let statements = 0
    const DB = hookedD1(env.DB, (batch) => void (statements += batch.length))
    await startService({ env: { DB } }).runCron(cleanup)
    expect(counted(log)).toEqual({
      one_time_links: 20_000,
      sessions: 100_000,
      attempt_counters: 0,
      users: 20_000,
      registrations: 0,
      email_changes: 0,
      emails: 30_000,
      ceilings: 0,
      user_agents: 0,
      audit_events: 50_000,
    })
    expect(await count('sessions')).toBe(25_000)
    expect(await count('registrations')).toBe(0)
    expect(await count('users')).toBe(1)
    expect(statements).toBeLessThan(1000)
  })

  it('sends fewer than 1,000 statements to D1, however much there is to delete', async () => {
    let statements = 0
    const full = { results: [], success: true, meta: { changes: 5000 } }
    let chunk = 0
    const statement = {
      bind: () => statement,
      run: async () => (statements++, full),
      all: async () => (statements++, full),
      raw: async () => (statements++, [[[...bytesOfUuid(idAt(chunk++))]]]),
    }
    const DB = {
      prepare: () => statement,
      batch: async (batch: unknown[]) => ((statements += batch.length), batch.map(() => full)),
    }
    await startService({ env: { DB: DB as unknown as D1Database } }).runCron(cleanup)
    expect(statements).toBeGreaterThan(100)
    expect(statements).toBeLessThan(1000)
  })

  it('leaves people signed in', async ({ service, clock, ada }) => {
    let current = await ada.signIn()
    for (let week = 0; week < 12; week++) {
      clock.advance(7 * day)
      await service.runCron(cleanup)
      const answer = await current.refresh().answer
      expect(answer.status, `week ${week}`).toBe(200)
      current = current.holding(expectOk(answer))
    }
  })
})

describe('an unknown cron trigger', () => {
  it('is logged and does nothing', async ({ log }) => {
    let statements = 0
    const DB = hookedD1(env.DB, () => void statements++)
    await startService({ env: { DB } }).runCron('7 7 * * *')
    expect(log.entries()).toMatchObject([{ level: 'error', event: 'job.unknown', cron: '7 7 * * *' }])
    expect(statements).toBe(0)
  })
})
