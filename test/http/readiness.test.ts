/** What `/readyz` and the log tell an operator, and what the Worker refuses meanwhile. */
import { env as bindings } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectOk, expectProblem } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it } from '../support/fixtures.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { consume } from '../support/mail-consumer.ts'
import { goodPassword } from '../support/person.ts'
import { insertPasskeys } from '../support/rows.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe } from '../support/state.ts'

const email = 'ada@example.com'
const credentials = { email, password: goodPassword }

/** The names of all migrations, oldest first. */
const migrations = bindings.TEST_MIGRATIONS.map(({ name }) => name)
const isNot = (name: string) => bindings.DB.prepare('delete from d1_migrations where name = ?').bind(name).run()
const isApplied = (name: string) => bindings.DB.prepare('insert into d1_migrations (name) values (?)').bind(name).run()

/** A start of the Worker that knows nothing of the database yet. */
const startAnew = (service?: Service, env: Partial<Env> = {}) =>
  startService({
    ...(service && { beside: service }),
    env: { DB: hookedD1(bindings.DB, () => undefined), ...env },
    checksSchema: true,
  })

describe('a database that is behind', () => {
  it.for(migrations)('is named at /readyz and in the log, and not used: without %s', async (name, { service }) => {
    const late = startAnew(service)
    await isNot(name)
    const { entries } = captureLog()
    try {
      const ready = await late.call('GET', '/readyz')
      expect(ready.status).toBe(503)
      expect(ready.json).toEqual({
        status: 'unavailable',
        checks: { config: 'ok', d1: 'behind', kv: 'ok' },
        missing_migrations: [name],
      })
      const { answer, effects } = await observe(service, () =>
        late.call('POST', '/auth/register', { body: credentials }),
      )
      expectProblem(answer, 503, 'service_unavailable')
      expect(answer.headers.get('Retry-After')).toBe('30')
      expect(effects).toEqual(nothing)
      expect(entries('schema.behind').map(({ missing }) => missing)).toEqual([[name], [name]])
      if (migrations.length > 1 && name !== migrations[0])
        expect(entries('schema.behind')[0]).not.toHaveProperty('foreign')
      expect(entries('request.unavailable')).toMatchObject([{ reason: 'schema' }])
      expectOk(await late.call('GET', '/healthz'))
      expectOk(await late.call('GET', '/.well-known/jwks.json'))
    } finally {
      await isApplied(name)
    }
    // No new start is needed.
    expectOk(await late.call('GET', '/readyz'))
    expect((await late.call('POST', '/auth/register', { body: credentials })).status).toBe(202)
  })

  it('that was never migrated lacks every migration', async () => {
    await bindings.DB.exec('drop table d1_migrations')
    const ready = await startAnew().call('GET', '/readyz')
    expect(ready.json).toMatchObject({ checks: { d1: 'behind' }, missing_migrations: migrations })
  })

  it('that other migrations made is not used, and the log names them', async ({ service }) => {
    const rename = (from: string, to: string) =>
      bindings.DB.prepare('update d1_migrations set name = ? where name = ?').bind(to, from).run()
    const [first] = migrations as [string]
    const other = '0000_init.sql'
    await rename(first, other)
    const { entries } = captureLog()
    try {
      const started = startAnew(service)
      const ready = await started.call('GET', '/readyz')
      expect(ready.json).toMatchObject({ checks: { d1: 'behind' }, missing_migrations: [first] })
      const { answer, effects } = await observe(service, () =>
        started.call('POST', '/auth/register', { body: credentials }),
      )
      expectProblem(answer, 503, 'service_unavailable')
      expect(effects).toEqual(nothing)
      const foreign = [other, ...migrations.slice(1)]
      expect(entries('schema.behind')).toMatchObject([1, 2].map(() => ({ missing: [first], foreign })))
    } finally {
      await rename(other, first)
    }
  })

  it('keeps emails and jobs waiting', async ({ service }) => {
    await isNot(migrations.at(-1)!)
    try {
      const late = startAnew(service)
      captureLog()
      const [message] = await consume(late, [{ id: '01a22cbe-404d-755a-8c95-9aba9713401b' }], 'postern-mail')
      expect(message).toEqual({ retryAfter: 150 })
      await expect(late.runCron('0 * * * *')).rejects.toThrow()
    } finally {
      await isApplied(migrations.at(-1)!)
    }
  })

  it('is looked for once for each start of the Worker, and not in every request', async ({ service, ada }) => {
    const meter = countCosts(bindings)
    const metered = startAnew(service, meter.bindings)
    await ada.at(metered).me()
    expect(meter.take().roundTrips).toBe(2)
    for (let request = 0; request < 3; request++) {
      await ada.at(metered).me()
      expect(meter.take().roundTrips).toBe(1)
    }
  })

  it('holds up no request when the one that asked first was cancelled', async ({ service, ada }) => {
    let asked = 0
    const silentOnce = hookedD1(bindings.DB, () => (asked++ === 0 ? new Promise<void>(() => {}) : undefined))
    const started = startAnew(service, { DB: silentOnce })
    void ada.at(started).me()
    await expect.poll(() => asked).toBe(1)
    await ada.at(started).me()
  })

  it('is not one that does not answer', async ({ service }) => {
    const failing = hookedD1(bindings.DB, () => {
      throw new Error('D1_ERROR: Network connection lost.')
    })
    const { entries } = captureLog()
    const down = startAnew(service, { DB: failing })
    expectProblem(await down.call('POST', '/auth/register', { body: credentials }), 503, 'service_unavailable')
    expect((await down.call('GET', '/readyz')).json).toMatchObject({ checks: { d1: 'unavailable' } })
    expect(entries('schema.behind')).toEqual([])
    expect(entries('request.unavailable')).toMatchObject([{ reason: 'd1' }])
  })
})

describe('a full database', () => {
  /** Reads, and fails as D1 does at any other write than a deletion. */
  const fullD1 = (message = 'D1_ERROR: Exceeded maximum DB size') =>
    hookedD1(bindings.DB, (statements) => {
      if (statements.some((sql) => /^\s*(insert|update)/i.test(sql))) throw new Error(message)
    })

  it('is told at /readyz and in every refusal, while reads go on', async ({ service, ada }) => {
    const { entries } = captureLog()
    const full = startService({ beside: service, env: { DB: fullD1() } })
    const ready = await full.call('GET', '/readyz')
    expect(ready.status).toBe(503)
    expect(ready.json).toEqual({ status: 'unavailable', checks: { config: 'ok', d1: 'full', kv: 'ok' } })
    expect(entries('readiness.failed')).toMatchObject([{ check: 'd1_full' }])
    await ada.at(full).me()
    const refused = await full.call('POST', '/auth/register', { body: { ...credentials, email: 'bob@example.com' } })
    expectProblem(refused, 503, 'service_unavailable')
    expect(refused.headers.get('Retry-After')).toBe('300')
    expect(entries('request.unavailable')).toMatchObject([{ reason: 'd1_full' }])
  })

  it.for(['D1_ERROR: Exceeded maximum DB size', 'D1_ERROR: database or disk is full: SQLITE_FULL'])(
    'is known by what D1 says: %s',
    async (message, { service }) => {
      captureLog()
      const ready = await startService({ beside: service, env: { DB: fullD1(message) } }).call('GET', '/readyz')
      expect(ready.json).toMatchObject({ checks: { d1: 'full' } })
    },
  )

  it('is looked for once a minute, by a write that leaves no row', async ({ service, clock }) => {
    const writes: string[] = []
    const watched = hookedD1(bindings.DB, (statements) => {
      writes.push(...statements.filter((sql) => !/^\s*select/i.test(sql)))
    })
    const looking = startService({ beside: service, env: { DB: watched } })
    const { effects } = await observe(service, async () => {
      for (let call = 0; call < 5; call++) expectOk(await looking.call('GET', '/readyz'))
    })
    expect(effects).toEqual(nothing)
    expect(writes).toHaveLength(1)
    const { results } = await bindings.DB.prepare('select name from d1_migrations').all()
    expect(results.map(({ name }) => name)).toEqual(migrations)
    clock.advance(minute)
    expectOk(await looking.call('GET', '/readyz'))
    expect(writes).toHaveLength(2)
  })
})

describe('a warning', () => {
  it('says that nobody has decided who must have a second factor, and all is ready', async ({ service }) => {
    for (const [value, warnings] of [
      ['', ['second_factor_unset']],
      ['optional', undefined],
      ['staff', undefined],
    ]) {
      const ready = await startService({ beside: service, env: { SECOND_FACTOR: value as string } }).call(
        'GET',
        '/readyz',
      )
      expectOk(ready)
      expect((ready.json as { warnings?: string[] }).warnings).toEqual(warnings)
    }
  })

  // The index of RP IDs is read from both ends.
  it.for(['aaa.example', 'zzz.example'])('names passkeys of another RP ID: %s', async (rpId, { service, ada }) => {
    captureLog()
    await insertPasskeys([{ userId: ada.id }, { userId: ada.id, rpId }])
    expect((await service.call('GET', '/readyz')).json).toMatchObject({ status: 'ok', warnings: ['foreign_passkeys'] })
  })

  it('names passkeys of another RP ID in the log, once for each start', async ({ service, ada }) => {
    const { entries } = captureLog()
    await insertPasskeys([{ userId: ada.id }])
    expect((await service.call('GET', '/readyz')).json).not.toHaveProperty('warnings')
    const moved = startService({ beside: service, env: { WEBAUTHN_RP_ID: 'example.com' } })
    for (let call = 0; call < 2; call++) {
      const ready = await moved.call('GET', '/readyz')
      expectOk(ready)
      expect(ready.json).toMatchObject({ status: 'ok', warnings: ['foreign_passkeys'] })
    }
    expect(entries('passkeys.unusable')).toMatchObject([{ level: 'warn', rp_id: 'example.com' }])
  })

  it('is no way to be ready: without an answer about the passkeys the database is unavailable', async ({ service }) => {
    captureLog()
    const failing = hookedD1(bindings.DB, (statements) => {
      if (statements.some((sql) => sql.includes('passkeys'))) throw new Error('D1_ERROR: Network connection lost.')
    })
    const ready = await startService({ beside: service, env: { DB: failing } }).call('GET', '/readyz')
    expect(ready.json).toEqual({ status: 'unavailable', checks: { config: 'ok', d1: 'unavailable', kv: 'ok' } })
  })

  it('reads few rows, however many passkeys there are', async ({ service, ada }) => {
    await insertPasskeys(Array.from({ length: 20 }, () => ({ userId: ada.id })))
    const meter = countCosts(bindings)
    const started = startService({ beside: service, env: meter.bindings })
    expectOk(await started.call('GET', '/readyz'))
    expect(meter.take().rowsRead).toBeLessThan(10)
  })
})

describe('the probe for room', () => {
  it('holds up no call when the one that made it was cancelled', async ({ service }) => {
    let probed = 0
    const silent = hookedD1(bindings.DB, (statements) => {
      if (!statements.some((sql) => /^\s*insert/i.test(sql))) return undefined
      probed++
      return new Promise<void>(() => {})
    })
    const started = startService({ beside: service, env: { DB: silent } })
    void started.call('GET', '/readyz')
    await expect.poll(() => probed).toBe(1)
    expectOk(await started.call('GET', '/readyz'))
  })
})

describe('maintenance', () => {
  it('answers 503 with Retry-After to everything but the health checks, and does nothing', async ({ service, ada }) => {
    const closed = startService({ beside: service, env: { MAINTENANCE: 'true' } })
    const { entries } = captureLog()
    const { effects } = await observe(service, async () => {
      const calls: [string, string, object?][] = [
        ['POST', '/auth/login', { body: credentials }],
        ['POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } }],
        ['GET', '/auth/verify', { token: ada.accessToken }],
        ['GET', '/.well-known/jwks.json'],
        ['GET', '/openapi.json'],
        ['POST', '/webhooks/resend', { raw: '{}' }],
        ['GET', '/nowhere'],
      ]
      for (const [method, path, call] of calls) {
        const answer = await closed.call(method, path, call)
        expectProblem(answer, 503, 'service_unavailable')
        expect(answer.headers.get('Retry-After'), path).toBe('120')
      }
    })
    expect(effects).toEqual(nothing)
    expect(new Set(entries('request').map(({ reason }) => reason))).toEqual(new Set(['maintenance']))
    // Nobody has to be woken for what was asked for.
    expect(entries('request.unavailable')).toEqual([])
    expectOk(await closed.call('GET', '/healthz'))
    const ready = await closed.call('GET', '/readyz')
    expect([ready.status, ready.json]).toEqual([
      503,
      { status: 'maintenance', checks: { config: 'ok', d1: 'ok', kv: 'ok' } },
    ])
  })

  it('keeps every email: messages come back, and no job runs', async ({ service, anonymous, inbox }) => {
    await anonymous.register(credentials)
    const closed = startService({ beside: service, env: { MAINTENANCE: 'true' } })
    const { entries } = captureLog()
    const jobs = service.queued.map(({ id }) => ({ id }))
    const { effects } = await observe(service, async () => {
      for (const queue of ['postern-mail', 'postern-mail-dead']) {
        expect(await consume(closed, jobs, queue)).toEqual([{ retryAfter: 900 }])
      }
      for (const cron of ['*/5 * * * *', '0 * * * *']) await closed.runCron(cron)
    })
    expect(effects).toEqual(nothing)
    expect(entries().map(({ event }) => event)).toEqual(Array(4).fill('job.paused'))
    await service.deliver()
    expect(inbox.all(email)).toHaveLength(1)
  })

  it('is said at /readyz together with what else is wrong', async ({ service }) => {
    await isNot(migrations.at(-1)!)
    try {
      const closed = startService({ beside: service, env: { MAINTENANCE: 'true' } })
      captureLog()
      expect((await closed.call('GET', '/readyz')).json).toEqual({
        status: 'maintenance',
        checks: { config: 'ok', d1: 'behind', kv: 'ok' },
        missing_migrations: [migrations.at(-1)],
      })
    } finally {
      await isApplied(migrations.at(-1)!)
    }
  })
})

describe('the log', () => {
  it('has a word for refused passwords and another for busy addresses', async ({ service, people, anonymous }) => {
    await people.signUp(email)
    const { entries } = captureLog()
    for (let attempt = 0; attempt < 6; attempt++) await anonymous.login({ email, password: 'wrong-password-1' }).answer
    expect(entries('lock_out.refused')).toMatchObject([{ level: 'warn', route: '/auth/login' }])
    expect(entries('rate_limit.exceeded')).toEqual([])
    const limit = { limit: async () => ({ success: false }) } as unknown as RateLimit
    const busy = startService({ beside: service, env: { RATE_LIMITS: 'on', LIMIT_LOGIN: limit } })
    await new Caller(busy).login({ email, password: goodPassword }).refused(429, 'rate_limited')
    expect(entries('rate_limit.exceeded')).toMatchObject([{ level: 'warn', route: '/auth/login', seconds: 60 }])
    expect(entries('lock_out.refused')).toHaveLength(1)
  })
})
