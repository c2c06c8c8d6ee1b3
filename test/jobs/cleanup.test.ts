import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isUuidv7, uuidv7, uuidv7Floor } from '../../src/crypto/random.ts'
import { Clock, day, hour, minute } from '../support/clock.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword, newestMail, register, signIn, signUp, tokenIn } from '../support/people.ts'
import { startService } from '../support/service.ts'

const cleanup = '0 * * * *'
const requeue = '*/5 * * * *'

const { now } = new Clock()
const time = now().getTime()
const ago = (ms: number) => time - ms
/** The last id that is made before a moment, and one that is made in it. */
const idBefore = (moment: number) => uuidv7(new Date(moment - 1))
const idAt = (moment: number) => uuidv7(new Date(moment))
const count = (table: string) => env.DB.prepare(`select count(*) as n from ${table}`).first<number>('n')

async function insert(table: string, row: Record<string, unknown>): Promise<string> {
  const columns = Object.keys(row)
  const marks = columns.map(() => '?').join(', ')
  await env.DB.prepare(`insert into ${table} (${columns.join(', ')}) values (${marks})`)
    .bind(...Object.values(row))
    .run()
  return String(row['id'])
}

/** Rows of one table by the hundred thousand. `n` counts them; each id is of the moment given for it. */
async function insertMany(table: string, rows: number, columns: Record<string, string>, moment: number, stepMs = 0) {
  // An id's 48 bits of time as 12 digits, then what makes it a UUIDv7, and the count.
  const digits = `printf('%012x', ${moment} + n * ${stepMs})`
  const id = `substr(${digits}, 1, 8) || '-' || substr(${digits}, 9) || '-7000-8000-' || printf('%012x', n)`
  await env.DB.prepare(
    `insert into ${table} (id, ${Object.keys(columns).join(', ')})
     with recursive counting (n) as (select 0 union all select n + 1 from counting where n + 1 < ${rows})
     select ${id}, ${Object.values(columns).join(', ')} from counting`,
  ).run()
}

const user = (more: object = {}) => ({
  id: idAt(ago(500 * day)),
  email: `${crypto.randomUUID()}@example.com`,
  role: 'USER',
  status: 'active',
  created_at: 0,
  updated_at: 0,
  ...more,
})
const session = (user_id: string, id: string, expires_at: number) => ({
  id,
  user_id,
  generation: 1,
  created_at: 0,
  last_used_at: 0,
  expires_at,
})
const link = (user_id: string, id: string, expires_at: number) => ({
  id,
  purpose: 'reset',
  user_id,
  created_at: 0,
  expires_at,
})
const registration = (email: string, id: string) => ({ id, email, password_hash: '', created_at: 0 })
const email = (id: string, status: string, due_at = time) => ({
  id,
  template: 'account_activated',
  recipient: 'ada@example.com',
  params: '{}',
  status,
  attempts: 0,
  due_at,
  created_at: 0,
})
const auditEvent = (id: string) => ({ id, at: 0, type: 'user.signed_in' })

/** Which of some rows are still there. */
async function left(table: string, ids: Record<string, string>): Promise<string[]> {
  const { results } = await env.DB.prepare(`select id from ${table}`).all<{ id: string }>()
  const present = new Set(results.map(({ id }) => id))
  return Object.entries(ids).flatMap(([name, id]) => (present.has(id) ? [name] : []))
}

/** The count that was logged for each table. */
const counted = ({ entries }: ReturnType<typeof captureLog>) =>
  Object.fromEntries(entries('cleanup').map(({ table, deleted }) => [table, deleted]))

let log: ReturnType<typeof captureLog>
beforeEach(() => {
  log = captureLog()
})
afterEach(() => void vi.restoreAllMocks())

describe('what has run its course goes, and nothing earlier', () => {
  it('links, when they expire and no mail is still to carry them', async () => {
    const owner = await insert('users', user())
    const ids = {
      expired: await insert('one_time_links', link(owner, idAt(ago(2 * hour)), time)),
      expiredLongAgo: await insert('one_time_links', link(owner, idAt(ago(300 * day)), ago(299 * day))),
      live: await insert('one_time_links', link(owner, idAt(ago(2 * hour)), time + 1)),
      young: await insert('one_time_links', link(owner, idAt(ago(minute)), time + hour)),
      mailed: await insert('one_time_links', link(owner, idAt(ago(2 * hour)), time)),
      refused: await insert('one_time_links', link(owner, idAt(ago(2 * hour)), time)),
      inDelivery: await insert('one_time_links', link(owner, idAt(ago(2 * hour)), time)),
    }
    // The next delivery of a mail may renew its link.
    await insert('emails', email(ids.mailed, 'sent'))
    await insert('emails', email(ids.refused, 'queued'))
    await insert('emails', email(ids.inDelivery, 'sending'))
    await startService().runCron(cleanup)
    expect(await left('one_time_links', ids)).toEqual(['live', 'young', 'refused', 'inDelivery'])
  })

  it('sessions, when their refresh token expires, at whatever place among live ones', async () => {
    const owner = await insert('users', user())
    const ids = {
      expired: await insert('sessions', session(owner, idBefore(ago(30 * day)), time)),
      expiredLongAgo: await insert('sessions', session(owner, idAt(ago(90 * day)), ago(day))),
      refreshed: await insert('sessions', session(owner, idAt(ago(89 * day)), time + 1)),
      live: await insert('sessions', session(owner, idBefore(ago(30 * day)), time + 1)),
      young: await insert('sessions', session(owner, idAt(time), time + 30 * day)),
    }
    await startService().runCron(cleanup)
    expect(await left('sessions', ids)).toEqual(['refreshed', 'live', 'young'])
  })

  it('attempts to register, seven days after the last one of their address', async () => {
    const week = ago(7 * day)
    await insert('users', user({ email: 'active@example.com' }))
    await insert('users', user({ id: idAt(time), email: 'pending@example.com', status: 'pending' }))
    const ids = {
      old: await insert('registrations', registration('active@example.com', idBefore(week))),
      ofNobody: await insert('registrations', registration('gone@example.com', idBefore(week))),
      seventhDay: await insert('registrations', registration('late@example.com', uuidv7Floor(new Date(week)))),
      firstOfTwo: await insert('registrations', registration('again@example.com', idBefore(week))),
      secondOfTwo: await insert('registrations', registration('again@example.com', idAt(week))),
      stillPending: await insert('registrations', registration('pending@example.com', idBefore(week))),
    }
    await startService().runCron(cleanup)
    expect(await left('registrations', ids)).toEqual(['seventhDay', 'firstOfTwo', 'secondOfTwo', 'stillPending'])
  })

  it('finished mails, after thirty days, and none that is still to be sent', async () => {
    const month = ago(30 * day)
    const ids: Record<string, string> = {}
    for (const status of ['queued', 'sending', 'sent', 'skipped', 'failed', 'unknown']) {
      ids[`old ${status}`] = await insert('emails', email(idBefore(month), status))
      ids[`young ${status}`] = await insert('emails', email(idAt(month), status))
    }
    await startService().runCron(cleanup)
    const kept = await left('emails', ids)
    expect(kept.filter((name) => name.startsWith('old'))).toEqual(['old queued', 'old sending'])
    expect(kept.filter((name) => name.startsWith('young'))).toHaveLength(6)
  })

  it('audit events, after four hundred days', async () => {
    const ids = {
      old: await insert('audit_events', auditEvent(idBefore(ago(400 * day)))),
      inTime: await insert('audit_events', auditEvent(uuidv7Floor(new Date(ago(400 * day))))),
      fresh: await insert('audit_events', auditEvent(idAt(time))),
    }
    await startService().runCron(cleanup)
    expect(await left('audit_events', ids)).toEqual(['inTime', 'fresh'])
  })

  it('active and suspended accounts never', async () => {
    const ids = {
      active: await insert('users', user()),
      suspended: await insert('users', user({ status: 'suspended' })),
      admin: await insert('users', user({ role: 'ADMIN' })),
    }
    await startService().runCron(cleanup)
    expect(await left('users', ids)).toEqual(['active', 'suspended', 'admin'])
  })
})

describe('an account that nobody activates', () => {
  const week = ago(7 * day)
  const pending = (address: string, id = idBefore(week)) => user({ id, email: address, status: 'pending' })

  it('goes after seven days with its attempts and its links, and leaves one event', async () => {
    const addresses = ['a@example.com', 'b@example.com', 'c@example.com']
    const ids = []
    for (const address of addresses) {
      const id = await insert('users', pending(address))
      ids.push(id)
      await insert('registrations', registration(address, idBefore(week)))
      await insert('registrations', registration(address, idBefore(week)))
      await insert('one_time_links', link(id, idBefore(week), ago(6 * day)))
    }
    // An ADMIN may have given a role to somebody who never came.
    await env.DB.prepare(`update users set role = 'MODERATOR' where email = 'b@example.com'`).run()
    await startService().runCron(cleanup)
    expect(await Promise.all(['users', 'registrations', 'one_time_links'].map(count))).toEqual([0, 0, 0])
    const { results: events } = await env.DB.prepare('select * from audit_events').all()
    expect(new Set(events.map(({ user_id }) => user_id))).toEqual(new Set(ids))
    expect(events).toHaveLength(3)
    expect(new Set(events.map(({ id }) => id)).size).toBe(3)
    const nothing = { actor_id: null, ip: null, country: null, user_agent: null, request_id: null, detail: null }
    for (const event of events) {
      expect(event).toMatchObject({ ...nothing, at: time, type: 'user.expired' })
      expect(isUuidv7(event['id'] as string)).toBe(true)
      expect((event['id'] as string).slice(0, 13)).toBe(uuidv7(now()).slice(0, 13))
    }
    expect(counted(log)).toMatchObject({ users: 3 })
  })

  it('stays when it is younger, when somebody tried again, or when a link could still activate it', async () => {
    const ids = {
      stale: await insert('users', pending('stale@example.com')),
      young: await insert('users', pending('young@example.com', uuidv7Floor(new Date(week)))),
      tried: await insert('users', pending('tried@example.com')),
      linked: await insert('users', pending('linked@example.com')),
      overdue: await insert('users', pending('overdue@example.com')),
    }
    for (const name of Object.keys(ids))
      await insert('registrations', registration(`${name}@example.com`, idBefore(week)))
    await insert('registrations', registration('tried@example.com', idAt(week)))
    await insert('one_time_links', link(ids.linked, idAt(ago(day)), time + 1))
    await insert('one_time_links', link(ids.overdue, idAt(ago(day)), time))
    await startService().runCron(cleanup)
    expect(await left('users', ids)).toEqual(['young', 'tried', 'linked'])
    const { results } = await env.DB.prepare('select distinct email from registrations order by email').all()
    expect(results.map((row) => row['email'])).toEqual(['linked@example.com', 'tried@example.com', 'young@example.com'])
  })

  it('can be had again by the same person afterwards', async () => {
    const service = startService()
    await register(service, 'ada@example.com')
    service.clock.advance(6 * day + 23 * hour)
    await service.runCron(cleanup)
    expect(await count('users')).toBe(1)
    // The link of a mail that was asked for late is good for its whole day.
    await service.call('POST', '/auth/resend-activation', { body: { email: 'ada@example.com' } })
    await service.deliver()
    service.clock.advance(23 * hour)
    await service.runCron(cleanup)
    expect(await count('users')).toBe(1)
    service.clock.advance(hour)
    await service.runCron(cleanup)
    expect(await Promise.all(['users', 'registrations', 'one_time_links'].map(count))).toEqual([0, 0, 0])
    const late = { token: tokenIn(newestMail(service, 'ada@example.com')), password: goodPassword }
    expect((await service.call('POST', '/auth/activate', { body: late })).json).toMatchObject({ code: 'invalid_link' })
    await signUp(service, 'ada@example.com')
  })

  it('is never taken from under the feet of who activates it at that moment', async () => {
    const service = startService()
    const outcomes = []
    for (let round = 0; round < 10; round++) {
      const address = `round-${round}@example.com`
      await register(service, address)
      service.clock.advance(7 * day)
      await service.call('POST', '/auth/resend-activation', { body: { email: address } })
      await service.deliver()
      const body = { token: tokenIn(newestMail(service, address)), password: goodPassword }
      const [activated] = await Promise.all([
        service.call('POST', '/auth/activate', { body }),
        service.runCron(cleanup),
      ])
      outcomes.push(activated.status)
      await service.deliver()
    }
    // The link in hand is live, so each of them gets through.
    expect(outcomes).toEqual(Array(10).fill(200))
    expect(await count('users')).toBe(10)
  })
})

describe('a run', () => {
  /** A little of everything, expired and live. */
  async function populate() {
    const owner = await insert('users', user())
    const ownerColumn = { user_id: `'${owner}'`, created_at: '0' }
    const sessionColumns = { ...ownerColumn, generation: '1', last_used_at: '0' }
    const old = ago(500 * day)
    await insertMany('sessions', 60, { ...sessionColumns, expires_at: `iif(n % 3, ${time}, ${time + 1})` }, old)
    await insertMany(
      'one_time_links',
      60,
      { ...ownerColumn, purpose: `'reset'`, expires_at: `iif(n % 3, ${time}, ${time + 1})` },
      old,
    )
    await insertMany(
      'registrations',
      60,
      { email: `iif(n % 3, n, 'kept') || '@example.com'`, password_hash: `''`, created_at: '0' },
      old,
    )
    await insert('registrations', registration('kept@example.com', idAt(time)))
    await insertMany(
      'emails',
      60,
      {
        template: `''`,
        recipient: `''`,
        params: `'{}'`,
        status: `iif(n % 3, 'sent', 'queued')`,
        attempts: '0',
        due_at: '0',
        created_at: '0',
      },
      old,
    )
    await insertMany('audit_events', 60, { at: '0', type: `''` }, old)
    await insertMany(
      'users',
      60,
      {
        email: `n || '@example.org'`,
        role: `'USER'`,
        status: `iif(n % 3, 'pending', 'active')`,
        created_at: '0',
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
    users: 40,
    registrations: 40,
    emails: 40,
    audit_events: 60,
  }

  it('says for each table how much it deleted, in a line, and a second one deletes nothing', async () => {
    await populate()
    const service = startService()
    await service.runCron(cleanup)
    expect(await rest()).toEqual(live)
    const entries = log.entries('cleanup')
    expect(entries.map(({ table }) => table)).toEqual(Object.keys(dead))
    expect(counted(log)).toEqual(dead)
    expect(log.entries('job')).toMatchObject([{ job: 'cleanup', level: 'info' }])

    log.lines.length = 0
    await service.runCron(cleanup)
    expect(await rest()).toEqual(live)
    expect(Object.values(counted(log))).toEqual([0, 0, 0, 0, 0, 0, 0])
  })

  it('does no harm beside another', async () => {
    await populate()
    const services = Array.from({ length: 5 }, () => startService())
    await Promise.all(services.map((service) => service.runCron(cleanup)))
    expect(await rest()).toEqual(live)
    const { results } = await env.DB.prepare(`select user_id from audit_events where type = 'user.expired'`).all()
    expect(results).toHaveLength(40)
    expect(new Set(results.map((row) => row['user_id'])).size).toBe(40)
  })

  it.each(['one_time_links', 'sessions', 'users', 'registrations', 'emails', 'audit_events'] as const)(
    'goes on when %s fails, says so, and fails in the end',
    async (broken) => {
      await populate()
      const DB = hookedD1(env.DB, (statements) => {
        // The tables of a stale account go in one batch, so that one counts for `users` alone.
        const isTarget = statements.at(-1)!.startsWith(`delete from "${broken}"`)
        if (isTarget) throw new Error('D1_ERROR: no such thing: SQLITE_ERROR')
      })
      const service = startService({ env: { DB } })
      await expect(service.runCron(cleanup)).rejects.toThrow()
      const { [broken]: _, ...others } = await rest()
      // What a stale account would have taken along is still wanted.
      expect(others).toMatchObject(
        Object.fromEntries(
          Object.entries(live).filter(
            ([table]) => table !== broken && (broken !== 'users' || table !== 'audit_events'),
          ),
        ),
      )
      const { [broken]: failed, ...done } = counted(log)
      expect(failed).toBeUndefined()
      expect(Object.keys(done)).toHaveLength(6)
      expect(log.entries('cleanup.failed')).toMatchObject([
        { level: 'error', table: broken, error_message: 'D1_ERROR: no such thing: SQLITE_ERROR' },
      ])
      expect(log.entries('job.failed')).toMatchObject([{ level: 'error', job: 'cleanup' }])

      await startService().runCron(cleanup)
      expect(await rest()).toEqual(live)
    },
  )

  it('deletes 100,000 expired sessions and as much besides, within the queries of one invocation', async () => {
    const owner = await insert('users', user())
    const ownerColumn = { user_id: `'${owner}'`, created_at: '0' }
    const sessionColumns = { ...ownerColumn, generation: '1', last_used_at: '0' }
    // Every fifth is live, so they lie among one another as in life.
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
      { ...ownerColumn, purpose: `'reset'`, expires_at: `${ago(day)}` },
      ago(2 * day),
    )
    await insertMany('audit_events', 50_000, { at: '0', type: `''` }, ago(401 * day))
    await insertMany(
      'emails',
      30_000,
      { template: `''`, recipient: `n`, params: `'{}'`, status: `'sent'`, attempts: '1', due_at: '0', created_at: '0' },
      ago(31 * day),
    )
    await insertMany(
      'users',
      20_000,
      { email: `n || '@example.com'`, role: `'USER'`, status: `'pending'`, created_at: '0', updated_at: '0' },
      ago(8 * day),
    )
    await insertMany(
      'registrations',
      20_000,
      { email: `n || '@example.com'`, password_hash: `''`, created_at: '0' },
      ago(8 * day),
    )
    let statements = 0
    const DB = hookedD1(env.DB, (batch) => void (statements += batch.length))
    await startService({ env: { DB } }).runCron(cleanup)
    expect(counted(log)).toEqual({
      one_time_links: 20_000,
      sessions: 100_000,
      attempt_counters: 0,
      users: 20_000,
      registrations: 0,
      emails: 30_000,
      audit_events: 50_000,
    })
    expect(await count('sessions')).toBe(25_000)
    expect(await count('registrations')).toBe(0)
    expect(await count('users')).toBe(1)
    expect(statements).toBeLessThan(1000)
  })

  it('asks less than 1,000 things of D1 however much there is to do', async () => {
    let statements = 0
    const full = { results: [], success: true, meta: { changes: 5000 } }
    let chunk = 0
    const statement = {
      bind: () => statement,
      run: async () => (statements++, full),
      all: async () => (statements++, full),
      raw: async () => (statements++, [[`last-${String(chunk++).padStart(9, '0')}`]]),
    }
    const DB = {
      prepare: () => statement,
      batch: async (batch: unknown[]) => ((statements += batch.length), batch.map(() => full)),
    }
    await startService({ env: { DB: DB as unknown as D1Database } }).runCron(cleanup)
    expect(statements).toBeGreaterThan(100)
    expect(statements).toBeLessThan(1000)
  })

  it('leaves people signed in', async () => {
    const service = startService()
    await signUp(service, 'ada@example.com')
    let { refreshToken } = await signIn(service, 'ada@example.com')
    for (let week = 0; week < 12; week++) {
      service.clock.advance(7 * day)
      await service.runCron(cleanup)
      const answer = await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
      expect(answer.status, `week ${week}`).toBe(200)
      refreshToken = answer.json.refresh_token
    }
  })
})

describe('a mail that was lost on the way to the queue', () => {
  const stranded = ago(5 * minute)
  const statusOf = (id: string) => env.DB.prepare('select status, due_at from emails where id = ?').bind(id).first()

  it('is queued again after five minutes, and not before', async () => {
    const ids = {
      queued: await insert('emails', email(idAt(stranded), 'queued', stranded)),
      claimLapsed: await insert('emails', email(idAt(stranded), 'sending', stranded)),
      longLost: await insert('emails', email(idAt(ago(3 * day)), 'queued', ago(3 * day))),
    }
    await insert('emails', email(idAt(stranded), 'queued', stranded + 1))
    await insert('emails', email(idAt(stranded), 'sending', stranded + 1))
    await insert('emails', email(idAt(time), 'queued', time))
    await insert('emails', email(idAt(stranded), 'queued', time + hour))
    for (const status of ['sent', 'skipped', 'failed', 'unknown'])
      await insert('emails', email(idAt(stranded), status, stranded))
    const service = startService()
    await service.runCron(requeue)
    expect(service.queued.map(({ id }) => id).toSorted()).toEqual(Object.values(ids).toSorted())
    expect(log.entries('mail.requeued')).toMatchObject([{ count: 3 }])
    expect(await statusOf(ids.queued)).toEqual({ status: 'queued', due_at: time })
    await service.runCron(requeue)
    expect(service.queued, 'not again at once').toHaveLength(3)
  })

  it('goes to the queue a hundred at a time, the longest waiting first', async () => {
    await insertMany(
      'emails',
      250,
      {
        template: `''`,
        recipient: `''`,
        params: `'{}'`,
        status: `'queued'`,
        attempts: '0',
        due_at: `${ago(day)} - n`,
        created_at: '0',
      },
      ago(day),
    )
    const batches: string[][] = []
    const sendBatch = async (messages: Iterable<{ body: { id: string } }>) => {
      batches.push(Array.from(messages, ({ body }) => body.id))
    }
    const MAIL_QUEUE = { sendBatch } as unknown as Env['MAIL_QUEUE']
    await startService({ env: { MAIL_QUEUE } }).runCron(requeue)
    expect(batches.map(({ length }) => length)).toEqual([100, 100, 50])
    const sent = batches.flat()
    expect(new Set(sent).size).toBe(250)
    const number = (id: string) => Number.parseInt(id.slice(-12), 16)
    expect(
      sent.slice(0, 100).every((id) => number(id) >= 150),
      'the oldest first',
    ).toBe(true)
    expect(log.entries('mail.requeued')).toMatchObject([{ count: 250 }])
  })

  it('is not lost when the queue fails again', async () => {
    const service = startService()
    await insertMany(
      'emails',
      150,
      {
        template: `''`,
        recipient: `''`,
        params: `'{}'`,
        status: `'queued'`,
        attempts: '0',
        due_at: `${ago(day)}`,
        created_at: '0',
      },
      ago(day),
    )
    const queued = new Set<string>()
    let failures = 1
    const sendBatch = async (messages: Iterable<{ body: { id: string } }>) => {
      if (queued.size > 0 && failures-- > 0) throw new Error('Queue sendBatch failed: overloaded')
      for (const { body } of messages) queued.add(body.id)
    }
    const failing = startService({
      env: { MAIL_QUEUE: { sendBatch } as unknown as Env['MAIL_QUEUE'] },
      platform: { now: service.clock.now },
    })
    await expect(failing.runCron(requeue)).rejects.toThrow('Queue sendBatch failed')
    expect(log.entries('job.failed')).toMatchObject([
      { job: 'requeue', error_message: 'Queue sendBatch failed: overloaded' },
    ])
    expect(queued.size).toBe(100)
    service.clock.advance(5 * minute)
    await failing.runCron(requeue)
    expect(queued.size).toBe(150)
  })

  it('reaches its person in the end, when the queue was down at the time of the request', async () => {
    let isDown = true
    const service = startService()
    const send = async (job: { id: string }) => {
      if (isDown) throw new Error('Queue send failed: overloaded')
      service.queued.push(job)
    }
    const original = service.env.MAIL_QUEUE
    service.env.MAIL_QUEUE = { ...original, send } as unknown as Env['MAIL_QUEUE']
    const body = { email: 'ada@example.com', password: goodPassword }
    expect((await service.call('POST', '/auth/register', { body })).status).toBe(202)
    expect(log.entries('mail.queue_failed')).toMatchObject([
      { level: 'warn', error_message: 'Queue send failed: overloaded' },
    ])
    isDown = false
    service.clock.advance(5 * minute)
    await service.runCron(requeue)
    await service.deliver()
    expect(tokenIn(newestMail(service, 'ada@example.com'))).toBeDefined()
  })
})

describe('a cron trigger', () => {
  it('that nobody knows is logged and does nothing', async () => {
    let statements = 0
    const DB = hookedD1(env.DB, () => void statements++)
    await startService({ env: { DB } }).runCron('7 7 * * *')
    expect(log.entries()).toMatchObject([{ level: 'error', event: 'job.unknown', cron: '7 7 * * *' }])
    expect(statements).toBe(0)
  })
})
