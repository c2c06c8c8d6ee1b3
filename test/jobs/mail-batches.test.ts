/** Many mails in one request to Resend: each goes out once, whatever breaks in between and however messages come back. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import operations from '../../docs/operations.md?raw'
import { uuidv7 } from '../../src/crypto/random.ts'
import { hour, minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import {
  type Sent,
  type Step,
  accept,
  acceptAndLose,
  answer,
  consume,
  loseConnection,
  refuse,
  scriptResend,
} from '../support/mail-consumer.ts'
import { goodPassword, mailsTo, newestMail, tokenIn } from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'

interface Job {
  id: string
  to: string
}

/** A mail without a link, to somebody whom nobody looks up. */
async function notice(service: Service, to: string): Promise<Job> {
  const now = service.clock.now()
  const id = uuidv7(now)
  await write(
    `insert into emails (id, template, recipient, params, status, attempts, due_at, created_at)
    values (?, 'account_activated', ?, '{}', 'queued', 0, ?, ?)`,
    id,
    to,
    now.getTime(),
    now.getTime(),
  )
  return { id, to }
}

/** A mail with an activation link. */
async function registration(service: Service, to: string): Promise<Job> {
  await service.call('POST', '/auth/register', { body: { email: to, password: goodPassword } })
  return { id: service.queued.pop()!.id, to }
}

async function notices(service: Service, count: number, prefix = 'person'): Promise<Job[]> {
  const jobs: Job[] = []
  for (let index = 0; index < count; index++) jobs.push(await notice(service, `${prefix}-${index}@example.com`))
  return jobs
}

async function rowsFor(jobs: readonly Job[]) {
  const rows = await rowsOf('emails')
  return jobs.map(({ id }) => rows.find((row) => row['id'] === id)!)
}

const statusesOf = async (jobs: readonly Job[]) => (await rowsFor(jobs)).map(({ status }) => status)

/** The rows that a request carries, by the tag that comes back in webhooks. */
function rowsIn({ payload }: Sent): string[] {
  const mails = [JSON.parse(payload)].flat() as { tags: { name: string; value: string }[] }[]
  return mails.map(({ tags }) => tags.find(({ name }) => name === 'outbox_id')!.value)
}

const three = <T>(verdict: T): T[] => [verdict, verdict, verdict]

const paths = (requests: readonly Sent[]) => requests.map(({ path }) => path)

/** A D1 that fails when told to, before anything is done. */
function breakable() {
  const state = { failsAt: Infinity, trips: 0 }
  const DB = hookedD1(env.DB, () => {
    if (++state.trips === state.failsAt) throw new Error('D1_ERROR: Network connection lost.')
  })
  return { DB, failAt: (trip: number) => Object.assign(state, { trips: 0, failsAt: trip }) }
}

/** Fails the write that follows the answer of Resend. */
function dyingBeforeItWrites(times = 1) {
  return hookedD1(env.DB, (statements) => {
    if (statements.some((sql) => /^update "emails" set .*"provider_id" = /.test(sql)) && times-- > 0) {
      throw new Error('D1_ERROR: Network connection lost.')
    }
  })
}

afterEach(() => void vi.restoreAllMocks())

describe('a hundred messages', () => {
  it('are one request to Resend and four round trips to D1', async () => {
    const plain = startService()
    const jobs: Job[] = []
    for (let index = 0; index < 50; index++) jobs.push(await registration(plain, `new-${index}@example.com`))
    jobs.push(...(await notices(plain, 50)))
    const meter = countCosts(env)
    const service = startService({ env: meter.bindings, beside: plain })
    const requests = scriptResend()
    expect(await consume(service, jobs)).toEqual(jobs.map(() => 'acked'))
    const { roundTrips, statements } = meter.take()
    expect(roundTrips).toBe(4)
    expect(statements.length).toBeLessThan(200)
    expect(paths(requests)).toEqual(['/emails/batch'])
    expect(rowsIn(requests[0]!)).toEqual(jobs.map(({ id }) => id))
    for (const { id, to } of jobs) {
      expect(mailsTo(service, to)).toHaveLength(1)
      expect(await rowOf('emails', 'id = ?', id)).toMatchObject({
        status: 'sent',
        attempts: 1,
        provider_id: newestMail(service, to).id,
        in_doubt_since: null,
        finished_at: service.clock.now().getTime(),
      })
    }
    const { json } = await service.call('POST', '/auth/activate', {
      body: { token: tokenIn(newestMail(service, 'new-7@example.com')), password: goodPassword },
    })
    expect(json.user.email).toBe('new-7@example.com')
  })

  it('that are the same one hundred times are one mail by itself', async () => {
    const service = startService()
    const job = await notice(service, 'ada@example.com')
    const requests = scriptResend()
    expect(await consume(service, Array(100).fill(job))).toEqual(Array(100).fill('acked'))
    expect(requests).toMatchObject([{ path: '/emails', key: `email/${job.id}` }])
    expect(mailsTo(service, job.to)).toHaveLength(1)
  })
})

/** What certain work costs while that many mails wait for a quota, and as many have gone out. */
async function rowsReadBehind(waiting: number, work: (service: Service) => Promise<unknown>): Promise<number> {
  const plain = startService()
  await write('delete from emails')
  const now = plain.clock.now().getTime()
  await write(
    `with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?)
    insert into emails (id, template, recipient, params, status, attempts, due_at, created_at)
    select printf('00000000-0000-7000-8000-%012d-%s', n, status), 'account_activated', n || '@example.com', '{}', status, 1, ?, ?
    from numbers join (select 'queued' as status union select 'sent')`,
    waiting,
    now + hour,
    now,
  )
  const jobs = await notices(plain, 20)
  const meter = countCosts(env)
  const service = startService({ env: { DB: meter.bindings.DB }, beside: plain })
  service.queued.push(...jobs)
  await work(service)
  return meter.take().rowsRead
}

describe('a backlog', () => {
  const works: Record<string, (service: Service) => Promise<unknown>> = {
    'a delivery': async (service) =>
      expect(await consume(service, service.queued.splice(0))).toEqual(Array(20).fill('acked')),
    'a repetition': async (service) => {
      scriptResend(loseConnection)
      const jobs = service.queued.splice(0)
      await consume(service, jobs)
      service.clock.advance(minute)
      expect(await consume(service, jobs)).toEqual(Array(20).fill('acked'))
    },
    'the five-minute job': async (service) => {
      service.clock.advance(10 * minute)
      service.queued.length = 0
      await service.runCron('*/5 * * * *')
      expect(service.queued).toHaveLength(20)
    },
  }

  it.each(Object.keys(works))('makes %s read no more rows', async (work) => {
    const few = await rowsReadBehind(100, works[work]!)
    const many = await rowsReadBehind(1000, works[work]!)
    expect(few).toBeGreaterThan(20)
    expect(many).toBeLessThanOrEqual(few + 5)
  })
})

describe('the answer about each mail', () => {
  it('is honoured: refused ones are failed and audited, the others sent under their own ids', async () => {
    const service = startService()
    const jobs = [
      ...(await notices(service, 2, 'good')),
      await notice(service, 'not an address'),
      ...(await notices(service, 2, 'fine')),
      await notice(service, 'nor this'),
    ]
    const requests = scriptResend()
    expect(await consume(service, jobs)).toEqual(jobs.map(() => 'acked'))
    expect(requests).toHaveLength(1)
    expect(await statusesOf(jobs)).toEqual(['sent', 'sent', 'failed', 'sent', 'sent', 'failed'])
    const rows = await rowsFor(jobs)
    for (const [place, { to }] of jobs.entries()) {
      const isRefused = [2, 5].includes(place)
      expect(rows[place]!['provider_id']).toBe(isRefused ? null : newestMail(service, to).id)
      expect(rows[place]!['last_error']).toBe(isRefused ? 'validation_error' : null)
    }
    const events = await rowsOf('audit_events', 'type = ?', 'email.failed')
    expect(events.map(({ detail }) => String(JSON.parse(String(detail)).email_id)).toSorted()).toEqual(
      [jobs[2]!.id, jobs[5]!.id].toSorted(),
    )
  })

  const id = (n: number) => ({ id: `id-${n}` })
  it.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '<h1>OK</h1>'],
    ['null', null],
    ['no list', {}],
    ['too few ids', { data: [id(0), id(1)] }],
    ['too many ids', { data: [id(0), id(1), id(2), id(3)], errors: [] }],
    ['an id that is no text', { data: [id(0), { id: 7 }, id(2)], errors: [] }],
    ['an id that is null', { data: [id(0), null, id(2)], errors: [] }],
    ['errors that are no list', { data: [id(0), id(1), id(2)], errors: {} }],
    ['an error about nobody', { data: [id(0), id(1)], errors: [{ index: 3, message: 'no' }] }],
    ['an error without a place', { data: [id(0), id(1)], errors: [{ message: 'no' }] }],
    ['two errors about one', { data: [id(0)], errors: [{ index: 1 }, { index: 1 }] }],
  ])('is waited for when it can’t be read, under the same key: %s', async (_, body) => {
    const service = startService()
    const jobs = await notices(service, 3)
    const requests = scriptResend(answer(200, body))
    expect(await consume(service, jobs)).toEqual(jobs.map(() => ({ retryAfter: 15 })))
    expect(await rowsFor(jobs)).toEqual(
      jobs.map(() => expect.objectContaining({ status: 'queued', in_doubt_since: service.clock.now().getTime() })),
    )
    service.clock.advance(15 * second)
    expect(await consume(service, jobs)).toEqual(jobs.map(() => 'acked'))
    expect(requests[1]).toEqual(requests[0])
    expect(await statusesOf(jobs)).toEqual(['sent', 'sent', 'sent'])
  })
})

describe('a batch whose fate is in doubt', () => {
  it.each([
    ['in one batch again', (jobs: Job[]) => [jobs]],
    ['one by one', (jobs: Job[]) => jobs.map((job) => [job])],
    ['in another order', (jobs: Job[]) => [jobs.toReversed()]],
    ['in halves that overlap', (jobs: Job[]) => [jobs.slice(3), jobs.slice(0, 5)]],
    ['by one message of all', (jobs: Job[]) => [jobs.slice(4, 5)]],
  ])('after a crash between Resend’s answer and our write is repeated as it was: redelivered %s', async (_, group) => {
    const service = startService({ env: { DB: dyingBeforeItWrites() } })
    const jobs = [...(await notices(service, 4)), await registration(service, 'ada@example.com')]
    jobs.push(...(await notices(service, 3, 'other')))
    const requests = scriptResend()
    const [verdict] = await consume(service, jobs)
    expect(await statusesOf(jobs)).toEqual(jobs.map(() => 'sending'))
    const stranger = await notice(service, 'stranger@example.com')

    const { retryAfter } = verdict as { retryAfter: number }
    service.clock.advance(retryAfter * second)
    for (const messages of group(jobs)) {
      expect(await consume(service, [...messages, stranger])).toEqual([...messages, stranger].map(() => 'acked'))
    }
    const [first, ...others] = requests
    const repeated = others.filter(({ key }) => key === first!.key)
    expect(repeated).toEqual([first])
    expect(others).toHaveLength(2)
    expect(await statusesOf([...jobs, stranger])).toEqual([...jobs, stranger].map(() => 'sent'))
    for (const [place, row] of (await rowsFor(jobs)).entries()) {
      expect(mailsTo(service, jobs[place]!.to)).toHaveLength(1)
      expect(row['provider_id']).toBe(newestMail(service, jobs[place]!.to).id)
    }
  })

  it('waits until it is due, so that a hundred messages about it are not a hundred tries', async () => {
    const service = startService()
    const jobs = await notices(service, 6)
    const requests = scriptResend(loseConnection, loseConnection)
    await consume(service, jobs)
    service.clock.advance(10 * second)
    expect(await consume(service, jobs.slice(0, 3))).toEqual(three({ retryAfter: 5 }))
    service.clock.advance(5 * second)
    expect(await consume(service, jobs.slice(0, 3))).toEqual(three({ retryAfter: 30 }))
    expect(await consume(service, jobs.slice(3))).toEqual(three({ retryAfter: 30 }))
    expect(requests).toHaveLength(2)
    expect(await rowsFor(jobs)).toEqual(jobs.map(() => expect.objectContaining({ attempts: 2 })))
  })

  it('that becomes shorter, since a link in it was used, tells by its conflict that the others arrived', async () => {
    const service = startService()
    const [ada, bob] = [
      await registration(service, 'ada@example.com'),
      await registration(service, 'bob@example.com'),
    ] as const
    const last = await notice(service, 'carla@example.com')
    const requests = scriptResend(acceptAndLose)
    await consume(service, [ada, bob, last])
    const body = { token: tokenIn(newestMail(service, ada.to)), password: goodPassword }
    expect((await service.call('POST', '/auth/activate', { body })).status).toBe(200)
    service.queued.length = 0
    service.clock.advance(minute)
    expect(await consume(service, [ada, bob, last])).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(rowsIn)).toEqual([
      [ada.id, bob.id, last.id],
      [bob.id, last.id],
    ])
    expect(await statusesOf([ada, bob, last])).toEqual(['skipped', 'sent', 'sent'])
    for (const { to } of [ada, bob, last]) expect(mailsTo(service, to)).toHaveLength(1)
  })

  it('is shorter by an account that was deleted meanwhile, and goes on without it', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    scriptResend(loseConnection)
    await consume(service, jobs)
    await write('delete from emails where id = ?', jobs[1]!.id)
    service.clock.advance(minute)
    await consume(service, jobs)
    expect(jobs.map(({ to }) => mailsTo(service, to).length)).toEqual([1, 0, 1])
  })

  it('is what a request is that had no answer after thirty seconds', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    const hanging = new AbortController()
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(hanging.signal)
    const signals: unknown[] = []
    scriptResend(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signals.push(signal)
          signal.addEventListener('abort', () => reject(signal.reason as Error))
          queueMicrotask(() => hanging.abort(new DOMException('The operation timed out.', 'TimeoutError')))
        }),
    )
    expect(await consume(service, jobs)).toEqual(three({ retryAfter: 15 }))
    expect(timeout.mock.calls).toEqual([[30_000]])
    expect(signals[0]).toBe(hanging.signal)
    const doubt = { status: 'queued', in_doubt_since: service.clock.now().getTime() }
    expect(await rowsFor(jobs)).toEqual(three(expect.objectContaining(doubt)))
  })

  it('is unknown after 23 hours, all of it, and never sent again', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    const requests = scriptResend(loseConnection, refuse(429, 'rate_limit_exceeded'))
    await consume(service, jobs)
    service.clock.advance(hour)
    expect(await consume(service, jobs), 'still the same request').toEqual(three({ retryAfter: 30 }))
    expect(requests[1]).toEqual(requests[0])
    service.clock.advance(22 * hour)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(await statusesOf(jobs)).toEqual(['unknown', 'unknown', 'unknown'])
    expect(await rowsOf('audit_events', 'type = ?', 'email.failed')).toHaveLength(3)
    service.clock.advance(24 * hour)
    await service.runCron('*/5 * * * *')
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests).toHaveLength(2)
  })

  it('and that is then refused as a whole is not taken apart: it is repeated until it is unknown', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    const requests = scriptResend(acceptAndLose, refuse(422, 'validation_error'), refuse(400, 'validation_error'))
    await consume(service, jobs)
    for (const pause of [minute, 22 * hour]) {
      service.clock.advance(pause)
      expect(await consume(service, jobs)).toEqual(three({ retryAfter: expect.any(Number) }))
    }
    expect(requests).toEqual(three(requests[0]))
    service.clock.advance(hour)
    expect(await consume(service, jobs)).toEqual(three('acked'))
    expect(await statusesOf(jobs)).toEqual(three('unknown'))
    for (const { to } of jobs) expect(mailsTo(service, to)).toHaveLength(1)
  })

  it('is repeated whole or not at all when only a part of it is due', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    const requests = scriptResend(acceptAndLose)
    await consume(service, jobs)
    service.clock.advance(minute)
    await write('update emails set due_at = ? where id = ?', service.clock.now().getTime() + 1, jobs[2]!.id)
    expect(await consume(service, jobs)).toEqual(three('acked'))
    expect(requests, 'a shorter list would be refused under its key').toHaveLength(1)
    expect(await statusesOf(jobs)).toEqual(three('queued'))
    service.clock.advance(5 * minute + 1)
    await service.runCron('*/5 * * * *')
    await service.deliver()
    expect(requests).toEqual([requests[0], requests[0]])
    expect(await statusesOf(jobs)).toEqual(three('sent'))
  })

  it('is due at one moment after the five-minute job, though that takes it in two pieces', async () => {
    const clocks: Service['clock'][] = []
    const DB = hookedD1(env.DB, ([sql]) => {
      if (sql!.startsWith('update "emails" set "due_at"')) for (const clock of clocks) clock.advance(second)
    })
    const service = startService({ env: { DB } })
    const stranded = await notices(service, 60, 'stranded')
    const jobs = await notices(service, 60)
    scriptResend(loseConnection)
    await consume(service, jobs)
    service.clock.advance(10 * minute)
    const startMs = service.clock.now().getTime()
    clocks.push(service.clock)
    await service.runCron('*/5 * * * *')
    expect(service.clock.now().getTime(), 'in more than one piece').toBeGreaterThan(startMs + 2 * second)
    expect(new Set((await rowsFor(jobs)).map(({ due_at: due }) => due))).toEqual(new Set([startMs]))
    expect(service.queued.map(({ id }) => id).toSorted()).toEqual([...stranded, ...jobs].map(({ id }) => id).toSorted())
  })

  it('is claimed by one of twenty consumers', async () => {
    const service = startService()
    const requests = scriptResend()
    for (let round = 0; round < 10; round++) {
      const jobs = await notices(service, 4, `round-${round}`)
      requests.length = 0
      const steps = scriptResend(loseConnection)
      await consume(service, jobs)
      service.clock.advance(minute)
      const verdicts = await Promise.all(
        Array.from({ length: 20 }, (_, index) => consume(service, jobs.slice(index % 4))),
      )
      expect(new Set(verdicts.flat())).toEqual(new Set(['acked']))
      expect(steps).toHaveLength(2)
      expect(steps[1]).toEqual(steps[0])
      for (const { to } of jobs) expect(mailsTo(service, to)).toHaveLength(1)
    }
  })

  it('is not repeated any more in a run that has taken a hundred mails', async () => {
    const service = startService()
    const batches = [await notices(service, 60, 'a'), await notices(service, 60, 'b'), await notices(service, 2, 'c')]
    const requests = scriptResend(loseConnection, loseConnection, loseConnection)
    for (const jobs of batches) await consume(service, jobs)
    service.clock.advance(minute)
    const firsts = batches.map(([first]) => first!)
    expect(await consume(service, firsts)).toEqual(['acked', 'acked', { retryAfter: 15 }])
    expect(requests).toHaveLength(5)
    service.clock.advance(15 * second)
    await consume(service, firsts)
    expect(await statusesOf(batches.flat())).toEqual(batches.flat().map(() => 'sent'))
    expect(service.mailbox.mails()).toHaveLength(122)
  })

  it('is not repeated any more in a run that might make more statements than D1 allows it', async () => {
    const plain = startService()
    const jobs: Job[] = []
    for (let index = 0; index < 100; index++) jobs.push(await registration(plain, `new-${index}@example.com`))
    const meter = countCosts(env)
    const service = startService({ env: meter.bindings, beside: plain })
    scriptResend(refuse(422, 'validation_error'), ...Array<Step>(100).fill(refuse(422, 'validation_error')))
    await consume(service, jobs)
    service.clock.advance(15 * second)
    meter.take()
    const verdicts = await consume(service, jobs)
    expect(meter.take().statements.length).toBeLessThan(900)
    expect(verdicts).toEqual(jobs.map((_, index) => (index < 50 ? 'acked' : { retryAfter: 15 })))
    expect(await consume(service, jobs)).toEqual(Array(100).fill('acked'))
  })

  it('is not repeated any more in a run that has taken longer than a minute', async () => {
    const service = startService()
    const batches = [await notices(service, 2, 'a'), await notices(service, 2, 'b'), await notices(service, 2, 'c')]
    scriptResend(loseConnection, loseConnection, loseConnection)
    for (const jobs of batches) await consume(service, jobs)
    service.clock.advance(minute)
    const after =
      (ms: number): Step =>
      (toMailbox) => {
        service.clock.advance(ms)
        return toMailbox()
      }
    vi.restoreAllMocks()
    startService({ beside: service })
    const requests = scriptResend(after(minute), after(1))
    const later = { retryAfter: 15 }
    expect(await consume(service, batches.flat())).toEqual(['acked', 'acked', 'acked', 'acked', later, later])
    expect(requests).toHaveLength(2)
    service.clock.advance(15 * second)
    expect(await consume(service, batches.flat())).toEqual(Array(6).fill('acked'))
    expect(await statusesOf(batches.flat())).toEqual(Array(6).fill('sent'))
  })
})

describe('a batch that was certainly not accepted', () => {
  it.each<[string, Step, number]>([
    ['429', refuse(429, 'rate_limit_exceeded', { 'Retry-After': '40' }), 40],
    ['the daily quota', refuse(429, 'daily_quota_exceeded'), 3600],
    ['401', refuse(401, 'restricted_api_key'), 15],
    ['403', refuse(403, 'invalid_api_key'), 15],
  ])('binds nobody: its mails go later, with whatever others: %s', async (_, step, seconds) => {
    const service = startService()
    const jobs = await notices(service, 4)
    const requests = scriptResend(step)
    expect(await consume(service, jobs)).toEqual(jobs.map(() => ({ retryAfter: seconds })))
    expect(await rowsFor(jobs)).toEqual(
      jobs.map(() => expect.objectContaining({ status: 'queued', in_doubt_since: null, batch_id: null })),
    )
    service.clock.advance(seconds * second)
    const [ada, bob, carla, dov] = jobs as [Job, Job, Job, Job]
    const eve = await notice(service, 'eve@example.com')
    await consume(service, [dov, eve, ada])
    await consume(service, [carla, bob])
    expect(requests.slice(1).map(rowsIn)).toEqual([
      [dov.id, eve.id, ada.id],
      [carla.id, bob.id],
    ])
    expect(new Set(requests.map(({ key }) => key)).size).toBe(3)
    for (const { to } of [...jobs, eve]) expect(mailsTo(service, to)).toHaveLength(1)
  })

  it('since one of its mails is impossible is taken apart, and only that one fails', async () => {
    const service = startService()
    const jobs = await notices(service, 4)
    scriptResend(refuse(422, 'validation_error'))
    expect(await consume(service, jobs)).toEqual(jobs.map(() => ({ retryAfter: 15 })))
    service.clock.advance(15 * second)
    const requests = scriptResend(accept, refuse(422, 'invalid_attachment'))
    expect(await consume(service, jobs)).toEqual(jobs.map(() => 'acked'))
    expect(requests.map(({ path, key }) => [path, key])).toEqual(jobs.map(({ id }) => ['/emails', `email/${id}`]))
    expect(await statusesOf(jobs)).toEqual(['sent', 'failed', 'sent', 'sent'])
  })
})

describe('one row', () => {
  it('that can’t be read is taken out before the others are offered, and tried by itself', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    await write(`update emails set params = '{' where id = ?`, jobs[1]!.id)
    const requests = scriptResend(acceptAndLose)
    const verdicts = await consume(service, jobs)
    expect(verdicts[1]).toEqual({ retryAfter: 150 })
    expect(await rowOf('emails', 'id = ?', jobs[1]!.id)).toMatchObject({ batch_id: null, in_doubt_since: null })
    await write(`update emails set params = '{}' where id = ?`, jobs[1]!.id)
    service.clock.advance(150 * second)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(rowsIn)).toEqual([[jobs[0]!.id, jobs[2]!.id], [jobs[1]!.id], [jobs[0]!.id, jobs[2]!.id]])
    for (const { to } of jobs) expect(mailsTo(service, to)).toHaveLength(1)
  })

  it('that can’t be read any more when its request is repeated holds up no other, and is not sent twice', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    const [, bad] = jobs as [Job, Job, Job]
    const requests = scriptResend(acceptAndLose)
    await consume(service, jobs)
    await write(`update emails set params = '{' where id = ?`, bad.id)
    service.clock.advance(minute)
    expect(await consume(service, jobs)).toEqual(['acked', { retryAfter: 150 }, 'acked'])
    expect(await statusesOf(jobs)).toEqual(['sent', 'queued', 'sent'])
    await write(`update emails set params = '{}' where id = ?`, bad.id)
    service.clock.advance(150 * second)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(await statusesOf(jobs)).toEqual(['sent', 'sent', 'sent'])
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1)
    for (const { to } of jobs) expect(mailsTo(service, to)).toHaveLength(1)
  })

  it('that can’t be read any more, of a request that was not accepted before, is free to go later', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    const [, bad] = jobs as [Job, Job, Job]
    scriptResend(loseConnection)
    await consume(service, jobs)
    await write(`update emails set params = '{' where id = ?`, bad.id)
    service.clock.advance(minute)
    expect(await consume(service, jobs)).toEqual(['acked', { retryAfter: 150 }, 'acked'])
    expect(await rowOf('emails', 'id = ?', bad.id)).toMatchObject({ batch_id: null, in_doubt_since: null })
    await write(`update emails set params = '{}' where id = ?`, bad.id)
    service.clock.advance(150 * second)
    await consume(service, jobs)
    for (const { to } of jobs) expect(mailsTo(service, to)).toHaveLength(1)
  })

  it('that can’t be read and came in a request that no answer is known of waits along with it', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    scriptResend(loseConnection, loseConnection)
    await consume(service, jobs)
    await write(`update emails set params = '{' where id = ?`, jobs[1]!.id)
    service.clock.advance(minute)
    await consume(service, jobs)
    expect(new Set((await rowsFor(jobs)).map(({ due_at: due, batch_id: id }) => `${due} ${id}`)).size).toBe(1)
    service.clock.advance(23 * hour)
    await consume(service, jobs)
    expect(await statusesOf(jobs)).toEqual(['unknown', 'unknown', 'unknown'])
  })

  it('that has nothing to say is taken out before, and is not in the list of a repetition when it would have', async () => {
    const service = startService()
    const [ada, bob] = await notices(service, 2)
    await service.call('POST', '/auth/password-reset/request', { body: { email: 'late@example.com' } })
    const reset = service.queued.pop()!
    const requests = scriptResend(acceptAndLose)
    await consume(service, [ada, reset, bob])
    expect(await rowOf('emails', 'id = ?', reset.id)).toMatchObject({ status: 'skipped', user_id: null })
    await registration(service, 'late@example.com')
    service.clock.advance(minute)
    await consume(service, [ada, reset, bob])
    expect(requests[1]).toEqual(requests[0])
  })

  it('that the version before has offered by itself stays by itself, under its old key', async () => {
    const service = startService()
    const jobs = await notices(service, 3)
    const [, old] = jobs as [Job, Job, Job]
    await write(
      'update emails set attempts = 1, in_doubt_since = ? where id = ?',
      service.clock.now().getTime(),
      old.id,
    )
    service.clock.advance(minute)
    const requests = scriptResend()
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(({ key }) => key)).toContain(`email/${old.id}`)
    expect(requests.map(rowsIn)).toEqual([[jobs[0]!.id, jobs[2]!.id], [old.id]])
  })

  it('of an unknown account learns at delivery whose it is', async () => {
    const service = startService()
    const job = await registration(service, 'ada@example.com')
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ user_id: null })
    await consume(service, [job])
    const { id } = await rowOf('users')
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ user_id: id })
  })
})

describe('each mail is accepted once', () => {
  it.each<[string, Step]>([
    ['refused for certain', refuse(429, 'rate_limit_exceeded')],
    ['refused together', refuse(422, 'validation_error')],
    ['refused for good', answer(200, { data: [], errors: [{ index: 0 }, { index: 1 }] })],
    ['in doubt', loseConnection],
  ])('when a consumer wakes up after its claim and another is sending: it was %s', async (_, lateAnswer) => {
    const service = startService()
    const jobs = await notices(service, 2)
    const [wake, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const requests = scriptResend(
      async (toMailbox, signal) => {
        await wake.promise
        return lateAnswer(toMailbox, signal)
      },
      async (toMailbox) => {
        const response = await toMailbox()
        await answered.promise
        return response
      },
    )
    const late = consume(service, jobs)
    await vi.waitFor(() => expect(requests).toHaveLength(1))
    service.clock.advance(2 * minute)
    const other = consume(service, jobs)
    await vi.waitFor(() => expect(requests).toHaveLength(2))
    const claimed = await rowsFor(jobs)
    wake.resolve()
    await late
    expect(await rowsFor(jobs), 'the claim of the other').toEqual(claimed)
    service.clock.advance(30 * second)
    await consume(service, jobs)
    answered.resolve()
    await other
    expect(requests).toHaveLength(2)
    expect(await statusesOf(jobs)).toEqual(['sent', 'sent'])
    for (const { to } of jobs) expect(mailsTo(service, to)).toHaveLength(1)
    expect(await rowsOf('audit_events', 'type = ?', 'email.failed')).toEqual([])
  })

  it('with twenty consumers at once, whose batches overlap', async () => {
    const service = startService()
    for (let round = 0; round < 10; round++) {
      const jobs = await notices(service, 12, `round-${round}`)
      const requests = scriptResend()
      const verdicts = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          consume(
            service,
            Array.from({ length: 5 }, (_, step) => jobs[(index * 3 + step * (1 + (index % 3))) % 12]!),
          ),
        ),
      )
      expect(new Set(verdicts.flat())).toEqual(new Set(['acked']))
      // The mailbox would hide a repetition behind the key, so what it was asked counts.
      const offered = requests.flatMap(rowsIn)
      expect(offered.toSorted()).toEqual(jobs.map(({ id }) => id).toSorted())
      for (const { to } of jobs) expect(mailsTo(service, to)).toHaveLength(1)
    }
  })

  const steps: Record<string, Step> = {
    accept,
    acceptAndLose,
    loseConnection,
    unavailable: refuse(503, 'application_error'),
    acceptAndGarble: async (toMailbox) => {
      await toMailbox()
      return new Response('<h1>OK</h1>')
    },
    rateLimited: refuse(429, 'rate_limit_exceeded'),
    refusedTogether: refuse(400, 'validation_error'),
    concurrent: refuse(409, 'concurrent_idempotent_requests'),
  }

  it('whatever Resend answers, D1 fails and the queue repeats', { timeout: 240_000 }, async () => {
    const { DB, failAt } = breakable()
    const service = startService({ env: { DB } })
    let run = 0
    const visit = fc.record({
      messages: fc.uniqueArray(fc.nat(7), { minLength: 1 }),
      answers: fc.array(fc.constantFrom(...Object.keys(steps)), { maxLength: 3 }),
      failsAt: fc.option(fc.integer({ min: 1, max: 7 }), { nil: Infinity }),
      waitSeconds: fc.constantFrom(0, 20, 150, 600),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(visit, { minLength: 1, maxLength: 6 }), async (visits) => {
        run++
        failAt(Infinity)
        const jobs = await notices(service, 5, `run-${run}`)
        for (let index = 0; index < 3; index++)
          jobs.push(await registration(service, `new-${run}-${index}@example.com`))
        // A refusal of one mail is final, so only requests of several are refused so.
        const apart = (name: string): Step =>
          name === 'refusedTogether'
            ? (toMailbox, signal) => (rowsIn(requests.at(-1)!).length === 1 ? accept : steps[name]!)(toMailbox, signal)
            : steps[name]!
        let requests: Sent[] = []
        for (const { messages, answers, failsAt, waitSeconds } of visits) {
          const before = requests
          vi.restoreAllMocks()
          startService({ beside: service })
          requests = scriptResend(...answers.map(apart))
          failAt(failsAt)
          await consume(
            service,
            messages.map((index) => jobs[index]!),
          )
          requests.unshift(...before)
          service.clock.advance(waitSeconds * second)
        }
        failAt(Infinity)
        vi.restoreAllMocks()
        startService({ beside: service })
        const before = requests
        requests = scriptResend()
        // What was never asked for, or whose message was taken by a consumer that failed, comes back with the cron.
        for (let round = 0; round < 4; round++) {
          service.clock.advance(2 * hour)
          await service.runCron('*/5 * * * *')
          await service.deliver()
        }
        requests.unshift(...before)
        expect(await statusesOf(jobs)).toEqual(jobs.map(() => 'sent'))
        for (const { to } of jobs) expect(mailsTo(service, to), to).toHaveLength(1)
        // One key, one list; it may become shorter, and never longer.
        for (const [key, same] of Map.groupBy(requests, (request) => request.key)) {
          for (const [index, request] of same.entries()) {
            const earlier = same[index - 1]
            if (earlier) expect(rowsIn(earlier), key!).toEqual(expect.arrayContaining(rowsIn(request)))
          }
        }
      }),
      { numRuns: 40 },
    )
  })
})

it('that were given up, and certainly not accepted, go out when an operator queues them again in the words of docs/operations.md', async () => {
  const service = startService()
  const jobs = await notices(service, 3)
  scriptResend(...Array.from({ length: 30 }, () => refuse(401, 'invalid_api_key')))
  for (let attempt = 0; attempt < 30; attempt++) {
    await consume(service, jobs)
    service.clock.advance(hour)
  }
  expect(await statusesOf(jobs)).toEqual(three('failed'))
  // The version before called it failed when an earlier offer may have been accepted.
  const old = await notice(service, 'old@example.com')
  const [unknown] = await notices(service, 1, 'unknown')
  const doubtful = 'update emails set status = ?, attempts = 2, in_doubt_since = created_at where id = ?'
  await write(doubtful, 'failed', old.id)
  await write(doubtful, 'unknown', unknown!.id)

  service.clock.advance(24 * hour)
  const [, command] = /"(UPDATE emails SET status = 'queued'[^"]+)"/.exec(operations)!
  await write(command!.replace('unixepoch()', String(service.clock.now().getTime() / 1000)).replace('86400', '864000'))
  await service.runCron('*/5 * * * *')
  await service.deliver()
  expect(await statusesOf(jobs)).toEqual(three('sent'))
  for (const { to } of jobs) expect(mailsTo(service, to), to).toHaveLength(1)
  expect(await statusesOf([old, unknown!])).toEqual(['failed', 'unknown'])
})
