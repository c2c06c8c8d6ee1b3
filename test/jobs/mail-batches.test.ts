/** Many emails in one request to Resend: each is sent once, whatever fails in between and however messages return. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { afterEach, describe, expect, vi } from 'vitest'
import operations from '../../docs/operations.md?raw'
import { announceAgainMs, maxAnnounced } from '../../src/config/policy.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { Caller } from '../support/caller.ts'
import { hour, minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it } from '../support/fixtures.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { inboxOf } from '../support/inbox.ts'
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
import { goodPassword } from '../support/person.ts'
import { insertEmails } from '../support/rows.ts'
import { type Service, startService } from '../support/service.ts'
import { type Row, rowOf, rowsOf, write } from '../support/state.ts'

interface Job {
  id: string
  to: string
}

/** Emails without a link, to somebody whom nobody looks up. */
async function notices(service: Service, count: number, prefix = 'person'): Promise<Job[]> {
  const now = service.clock.now()
  const recipients = Array.from({ length: count }, (_, index) => `${prefix}-${index}@example.com`)
  const rows = await insertEmails(recipients.map((recipient) => ({ recipient, id: uuidv7(now), dueAt: now })))
  return rows.map(({ id, recipient }) => ({ id, to: recipient }))
}

async function notice(service: Service, to: string): Promise<Job> {
  const now = service.clock.now()
  const id = uuidv7(now)
  await insertEmails([{ recipient: to, id, dueAt: now }])
  return { id, to }
}

/** An email with an activation link. */
async function registration(service: Service, to: string): Promise<Job> {
  await new Caller(service).register({ email: to, password: goodPassword })
  return { id: service.queued.pop()!.id, to }
}

const setParams = ({ id }: Job, params: string) => write('update emails set params = ? where id = ?', params, id)

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
  it('take one request to Resend and four round trips to D1', async ({ service: plain, inbox, anonymous }) => {
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
      expect(inbox.all(to)).toHaveLength(1)
      expect(await rowOf('emails', 'id = ?', id)).toMatchObject({
        status: 'sent',
        attempts: 1,
        provider_id: inbox.newest(to).id,
        in_doubt_since: null,
        finished_at: service.clock.now().getTime(),
      })
    }
    const token = inbox.linkToken('new-7@example.com')
    const { user } = await anonymous.activate({ token, password: goodPassword })
    expect(user.email).toBe('new-7@example.com')
  })

  it('send one email by itself when all are the same', async ({ service, inbox }) => {
    const job = await notice(service, 'ada@example.com')
    const requests = scriptResend()
    expect(await consume(service, Array(100).fill(job))).toEqual(Array(100).fill('acked'))
    expect(requests).toMatchObject([{ path: '/emails', key: `email/${job.id}` }])
    expect(inbox.all(job.to)).toHaveLength(1)
  })
})

/** The rows that some work reads while that many emails wait for a quota, and as many were sent. */
async function rowsReadBehind(waiting: number, work: (service: Service) => Promise<unknown>): Promise<number> {
  const plain = startService()
  await write('delete from emails')
  const [now, later] = [plain.clock.now(), new Date(plain.clock.now().getTime() + hour)]
  const others = Array.from({ length: waiting }, (_, place) => ({ recipient: `${place}@example.com`, attempts: 1 }))
  await insertEmails(others.map((row) => ({ ...row, id: uuidv7(now), dueAt: later })))
  await insertEmails(others.map((row) => ({ ...row, id: uuidv7(now), status: 'sent' })))
  const jobs = await notices(plain, 20)
  const meter = countCosts(env)
  const service = startService({ env: { DB: meter.bindings.DB }, beside: plain })
  service.queued.push(...jobs)
  await work(service)
  return meter.take().rowsRead
}

describe('a backlog', () => {
  const works: { work: string; run: (service: Service) => Promise<unknown> }[] = [
    {
      work: 'a delivery',
      run: async (service) => expect(await consume(service, service.queued.splice(0))).toEqual(Array(20).fill('acked')),
    },
    {
      work: 'a repetition',
      run: async (service) => {
        scriptResend(loseConnection)
        const jobs = service.queued.splice(0)
        await consume(service, jobs)
        service.clock.advance(minute)
        expect(await consume(service, jobs)).toEqual(Array(20).fill('acked'))
      },
    },
    {
      work: 'the five-minute job',
      run: async (service) => {
        service.clock.advance(10 * minute)
        service.queued.length = 0
        await service.runCron('*/5 * * * *')
        expect(service.queued).toHaveLength(20)
      },
    },
  ]

  it.for(works)('makes $work read no more rows', async ({ run }) => {
    const few = await rowsReadBehind(100, run)
    const many = await rowsReadBehind(1000, run)
    expect(few).toBeGreaterThan(20)
    expect(many).toBeLessThanOrEqual(few + 5)
  })
})

describe('the answer about each email', () => {
  it('fails and audits the refused ones, and gives the others their own ids', async ({ service, inbox }) => {
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
      expect(rows[place]!['provider_id']).toBe(isRefused ? null : inbox.newest(to).id)
      expect(rows[place]!['last_error']).toBe(isRefused ? 'validation_error' : null)
    }
    const events = await rowsOf('audit_events', 'type = ?', 'email.failed')
    expect(events.map(({ detail }) => String(JSON.parse(String(detail)).email_id)).toSorted()).toEqual(
      [jobs[2]!.id, jobs[5]!.id].toSorted(),
    )
  })

  const id = (n: number) => ({ id: `id-${n}` })
  it.for<{ answered: string; body: unknown }>([
    { answered: 'nothing', body: '' },
    { answered: 'no JSON', body: '<h1>OK</h1>' },
    { answered: 'null', body: null },
    { answered: 'no list', body: {} },
    { answered: 'too few ids', body: { data: [id(0), id(1)] } },
    { answered: 'too many ids', body: { data: [id(0), id(1), id(2), id(3)], errors: [] } },
    { answered: 'an id that is no text', body: { data: [id(0), { id: 7 }, id(2)], errors: [] } },
    { answered: 'an id that is null', body: { data: [id(0), null, id(2)], errors: [] } },
    { answered: 'errors that are no list', body: { data: [id(0), id(1), id(2)], errors: {} } },
    { answered: 'an error about nobody', body: { data: [id(0), id(1)], errors: [{ index: 3, message: 'no' }] } },
    { answered: 'an error without a place', body: { data: [id(0), id(1)], errors: [{ message: 'no' }] } },
    { answered: 'two errors about one', body: { data: [id(0)], errors: [{ index: 1 }, { index: 1 }] } },
  ])(
    'makes the batch wait under the same key when it can’t be read: $answered',
    async ({ body }, { service, clock }) => {
      const jobs = await notices(service, 3)
      const requests = scriptResend(answer(200, body))
      expect(await consume(service, jobs)).toEqual(jobs.map(() => ({ retryAfter: 15 })))
      expect(await rowsFor(jobs)).toEqual(
        jobs.map(() => expect.objectContaining({ status: 'queued', in_doubt_since: clock.now().getTime() })),
      )
      clock.advance(15 * second)
      expect(await consume(service, jobs)).toEqual(jobs.map(() => 'acked'))
      expect(requests[1]).toEqual(requests[0])
      expect(await statusesOf(jobs)).toEqual(['sent', 'sent', 'sent'])
    },
  )
})

describe('a batch in doubt', () => {
  it.for([
    { order: 'in one batch again', group: (jobs: Job[]) => [jobs] },
    { order: 'one by one', group: (jobs: Job[]) => jobs.map((job) => [job]) },
    { order: 'in another order', group: (jobs: Job[]) => [jobs.toReversed()] },
    { order: 'in halves that overlap', group: (jobs: Job[]) => [jobs.slice(3), jobs.slice(0, 5)] },
    { order: 'by one message of all', group: (jobs: Job[]) => [jobs.slice(4, 5)] },
  ])('is repeated unchanged after a crash before our write: redelivered $order', async ({ group }) => {
    const service = startService({ env: { DB: dyingBeforeItWrites() } })
    const inbox = inboxOf(service)
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
      expect(inbox.all(jobs[place]!.to)).toHaveLength(1)
      expect(row['provider_id']).toBe(inbox.newest(jobs[place]!.to).id)
    }
  })

  it.for([{ after: 'a lost connection' }, { after: 'the five-minute job' }])(
    'is announced at one time after $after, and one message sends all of it',
    async ({ after }, { service, clock }) => {
      const jobs = [...(await notices(service, 4)), await registration(service, 'ada@example.com')]
      const announced = async () => new Set((await rowsFor(jobs)).map((row) => row['announce_at']))
      const requests = scriptResend(loseConnection, loseConnection)
      for (const pause of [15, 30]) {
        expect(await consume(service, jobs)).toEqual(jobs.map(() => ({ retryAfter: pause })))
        expect([...(await announced())]).toEqual([clock.now().getTime() + pause * second + 5 * minute])
        clock.advance(pause * second)
      }
      if (after === 'the five-minute job') {
        clock.advance(5 * minute)
        await service.runCron('*/5 * * * *')
        expect(service.queued.splice(0)).toHaveLength(jobs.length)
        expect([...(await announced())]).toEqual([clock.now().getTime() + announceAgainMs])
      }
      expect(await consume(service, jobs.slice(-1))).toEqual(['acked'])
      expect(requests).toEqual([requests[0], requests[0], requests[0]])
      expect(await statusesOf(jobs)).toEqual(jobs.map(() => 'sent'))
    },
  )

  it('is not tried before it is due, however many of its messages come', async ({ service, clock }) => {
    const jobs = await notices(service, 6)
    const requests = scriptResend(loseConnection, loseConnection)
    await consume(service, jobs)
    clock.advance(10 * second)
    expect(await consume(service, jobs.slice(0, 3))).toEqual(three({ retryAfter: 5 }))
    clock.advance(5 * second)
    expect(await consume(service, jobs.slice(0, 3))).toEqual(three({ retryAfter: 30 }))
    expect(await consume(service, jobs.slice(3))).toEqual(three({ retryAfter: 30 }))
    expect(requests).toHaveLength(2)
    expect(await rowsFor(jobs)).toEqual(jobs.map(() => expect.objectContaining({ attempts: 2 })))
  })

  it('has arrived if it conflicts after a used link made it shorter', async ({ service, clock, inbox, anonymous }) => {
    const [ada, bob] = [
      await registration(service, 'ada@example.com'),
      await registration(service, 'bob@example.com'),
    ] as const
    const last = await notice(service, 'carla@example.com')
    const requests = scriptResend(acceptAndLose)
    await consume(service, [ada, bob, last])
    await anonymous.activate({ token: inbox.linkToken(ada.to), password: goodPassword })
    service.queued.length = 0
    clock.advance(minute)
    expect(await consume(service, [ada, bob, last])).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(rowsIn)).toEqual([
      [ada.id, bob.id, last.id],
      [bob.id, last.id],
    ])
    expect(await statusesOf([ada, bob, last])).toEqual(['skipped', 'sent', 'sent'])
    for (const { to } of [ada, bob, last]) expect(inbox.all(to)).toHaveLength(1)
  })

  it('goes on without an account that was deleted meanwhile', async ({ service, clock, inbox }) => {
    const jobs = await notices(service, 3)
    scriptResend(loseConnection)
    await consume(service, jobs)
    await write('delete from emails where id = ?', jobs[1]!.id)
    clock.advance(minute)
    await consume(service, jobs)
    expect(jobs.map(({ to }) => inbox.all(to).length)).toEqual([1, 0, 1])
  })

  it('comes from a request without an answer after 30 seconds', async ({ service, clock }) => {
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
    const doubt = { status: 'queued', in_doubt_since: clock.now().getTime() }
    expect(await rowsFor(jobs)).toEqual(three(expect.objectContaining(doubt)))
  })

  it('is unknown as a whole after 23 hours, and never sent again', async ({ service, clock }) => {
    const jobs = await notices(service, 3)
    const requests = scriptResend(loseConnection, refuse(429, 'rate_limit_exceeded'))
    await consume(service, jobs)
    clock.advance(hour)
    expect(await consume(service, jobs), 'still the same request').toEqual(three({ retryAfter: 30 }))
    expect(requests[1]).toEqual(requests[0])
    clock.advance(22 * hour)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(await statusesOf(jobs)).toEqual(['unknown', 'unknown', 'unknown'])
    expect(await rowsOf('audit_events', 'type = ?', 'email.failed')).toHaveLength(3)
    clock.advance(24 * hour)
    await service.runCron('*/5 * * * *')
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests).toHaveLength(2)
  })

  it('is not taken apart when it is refused as a whole, but repeated until it is unknown', async ({
    service,
    clock,
    inbox,
  }) => {
    const jobs = await notices(service, 3)
    const requests = scriptResend(acceptAndLose, refuse(422, 'validation_error'), refuse(400, 'validation_error'))
    await consume(service, jobs)
    for (const pause of [minute, 22 * hour]) {
      clock.advance(pause)
      expect(await consume(service, jobs)).toEqual(three({ retryAfter: expect.any(Number) }))
    }
    expect(requests).toEqual(three(requests[0]))
    clock.advance(hour)
    expect(await consume(service, jobs)).toEqual(three('acked'))
    expect(await statusesOf(jobs)).toEqual(three('unknown'))
    for (const { to } of jobs) expect(inbox.all(to)).toHaveLength(1)
  })

  it('is repeated whole or not at all when only a part of it is due', async ({ service, clock }) => {
    const jobs = await notices(service, 3)
    const requests = scriptResend(acceptAndLose)
    await consume(service, jobs)
    clock.advance(minute)
    await write('update emails set due_at = ? where id = ?', clock.now().getTime() + 1, jobs[2]!.id)
    expect(await consume(service, jobs)).toEqual(three('acked'))
    expect(requests, 'a shorter list would be refused under its key').toHaveLength(1)
    expect(await statusesOf(jobs)).toEqual(three('queued'))
    clock.advance(5 * minute + 1)
    await service.runCron('*/5 * * * *')
    await service.deliver()
    expect(requests).toEqual([requests[0], requests[0]])
    expect(await statusesOf(jobs)).toEqual(three('sent'))
  })

  it('stays whole, although the five-minute job has no room for all of it', async ({ service, clock }) => {
    const others = await notices(service, maxAnnounced - 10, 'stranded')
    const jobs = await notices(service, 60)
    const requests = scriptResend(loseConnection)
    await consume(service, jobs)
    // The other rows were due before.
    clock.advance(10 * minute)
    const later = await notices(service, 10, 'later')
    clock.advance(5 * minute)
    await service.runCron('*/5 * * * *')
    expect(service.queued.map(({ id }) => id).toSorted()).toEqual([...others, ...jobs].map(({ id }) => id).toSorted())
    const announcedAt = (rows: Row[]) => new Set(rows.map(({ announce_at: at }) => at))
    const nextAt = clock.now().getTime() + announceAgainMs
    expect(announcedAt(await rowsFor(jobs))).toEqual(new Set([nextAt]))
    expect(announcedAt(await rowsFor(later))).not.toContain(nextAt)
    expect(await consume(service, jobs.slice(30, 31))).toEqual(['acked'])
    expect(requests).toHaveLength(2)
    expect(requests[1]).toEqual(requests[0])
    expect(await statusesOf(jobs)).toEqual(jobs.map(() => 'sent'))
  })

  it('is claimed by one of twenty consumers', async ({ service, clock, inbox }) => {
    const requests = scriptResend()
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      const jobs = await notices(service, 4, `round-${round}`)
      requests.length = 0
      const steps = scriptResend(loseConnection)
      await consume(service, jobs)
      clock.advance(minute)
      const verdicts = await Promise.all(
        Array.from({ length: 20 }, (_, index) => consume(service, jobs.slice(index % 4))),
      )
      expect(new Set(verdicts.flat())).toEqual(new Set(['acked']))
      expect(steps).toHaveLength(2)
      expect(steps[1]).toEqual(steps[0])
      for (const { to } of jobs) expect(inbox.all(to)).toHaveLength(1)
    }
  })

  it('is not repeated in a run that has taken 100 emails', async ({ service, clock }) => {
    const batches = [await notices(service, 60, 'a'), await notices(service, 60, 'b'), await notices(service, 2, 'c')]
    const requests = scriptResend(loseConnection, loseConnection, loseConnection)
    for (const jobs of batches) await consume(service, jobs)
    clock.advance(minute)
    const firsts = batches.map(([first]) => first!)
    expect(await consume(service, firsts)).toEqual(['acked', 'acked', { retryAfter: 15 }])
    expect(requests).toHaveLength(5)
    clock.advance(15 * second)
    await consume(service, firsts)
    expect(await statusesOf(batches.flat())).toEqual(batches.flat().map(() => 'sent'))
    expect(service.mailbox.mails()).toHaveLength(122)
  })

  it('is not repeated in a run that might exceed the statements that D1 allows', async ({ service: plain }) => {
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

  it('is not repeated in a run that has taken longer than a minute', async ({ service, clock }) => {
    const batches = [await notices(service, 2, 'a'), await notices(service, 2, 'b'), await notices(service, 2, 'c')]
    scriptResend(loseConnection, loseConnection, loseConnection)
    for (const jobs of batches) await consume(service, jobs)
    clock.advance(minute)
    const after =
      (ms: number): Step =>
      (toMailbox) => {
        clock.advance(ms)
        return toMailbox()
      }
    vi.restoreAllMocks()
    startService({ beside: service })
    const requests = scriptResend(after(minute), after(1))
    const later = { retryAfter: 15 }
    expect(await consume(service, batches.flat())).toEqual(['acked', 'acked', 'acked', 'acked', later, later])
    expect(requests).toHaveLength(2)
    clock.advance(15 * second)
    expect(await consume(service, batches.flat())).toEqual(Array(6).fill('acked'))
    expect(await statusesOf(batches.flat())).toEqual(Array(6).fill('sent'))
  })
})

describe('a batch that was certainly not accepted', () => {
  it.for<{ answered: string; step: Step; seconds: number }>([
    { answered: '429', step: refuse(429, 'rate_limit_exceeded', { 'Retry-After': '40' }), seconds: 40 },
    { answered: 'the daily quota', step: refuse(429, 'daily_quota_exceeded'), seconds: 3600 },
    { answered: '401', step: refuse(401, 'restricted_api_key'), seconds: 15 },
    { answered: '403', step: refuse(403, 'invalid_api_key'), seconds: 15 },
  ])(
    'leaves its emails free to be sent later with others: $answered',
    async ({ step, seconds }, { service, clock, inbox }) => {
      const jobs = await notices(service, 4)
      const requests = scriptResend(step)
      expect(await consume(service, jobs)).toEqual(jobs.map(() => ({ retryAfter: seconds })))
      expect(await rowsFor(jobs)).toEqual(
        jobs.map(() => expect.objectContaining({ status: 'queued', in_doubt_since: null, batch_id: null })),
      )
      clock.advance(seconds * second)
      const [ada, bob, carla, dov] = jobs as [Job, Job, Job, Job]
      const eve = await notice(service, 'eve@example.com')
      await consume(service, [dov, eve, ada])
      await consume(service, [carla, bob])
      expect(requests.slice(1).map(rowsIn)).toEqual([
        [dov.id, eve.id, ada.id],
        [carla.id, bob.id],
      ])
      expect(new Set(requests.map(({ key }) => key)).size).toBe(3)
      for (const { to } of [...jobs, eve]) expect(inbox.all(to)).toHaveLength(1)
    },
  )

  it('is taken apart when one of its emails is invalid, and only that one fails', async ({ service, clock }) => {
    const jobs = await notices(service, 4)
    scriptResend(refuse(422, 'validation_error'))
    expect(await consume(service, jobs)).toEqual(jobs.map(() => ({ retryAfter: 15 })))
    clock.advance(15 * second)
    const requests = scriptResend(accept, refuse(422, 'invalid_attachment'))
    expect(await consume(service, jobs)).toEqual(jobs.map(() => 'acked'))
    expect(requests.map(({ path, key }) => [path, key])).toEqual(jobs.map(({ id }) => ['/emails', `email/${id}`]))
    expect(await statusesOf(jobs)).toEqual(['sent', 'failed', 'sent', 'sent'])
  })
})

describe('one row', () => {
  it('is taken out of the batch when it can’t be read, and tried by itself', async ({ service, clock, inbox }) => {
    const jobs = await notices(service, 3)
    await setParams(jobs[1]!, '{')
    const requests = scriptResend(acceptAndLose)
    const verdicts = await consume(service, jobs)
    expect(verdicts[1]).toEqual({ retryAfter: 150 })
    expect(await rowOf('emails', 'id = ?', jobs[1]!.id)).toMatchObject({ batch_id: null, in_doubt_since: null })
    await setParams(jobs[1]!, '{}')
    clock.advance(150 * second)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(rowsIn)).toEqual([[jobs[0]!.id, jobs[2]!.id], [jobs[1]!.id], [jobs[0]!.id, jobs[2]!.id]])
    for (const { to } of jobs) expect(inbox.all(to)).toHaveLength(1)
  })

  it('delays no other when it can’t be read at a repetition, and is not sent twice', async ({
    service,
    clock,
    inbox,
  }) => {
    const jobs = await notices(service, 3)
    const [, bad] = jobs as [Job, Job, Job]
    const requests = scriptResend(acceptAndLose)
    await consume(service, jobs)
    await setParams(bad, '{')
    clock.advance(minute)
    expect(await consume(service, jobs)).toEqual(['acked', { retryAfter: 150 }, 'acked'])
    expect(await statusesOf(jobs)).toEqual(['sent', 'queued', 'sent'])
    await setParams(bad, '{}')
    clock.advance(150 * second)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(await statusesOf(jobs)).toEqual(['sent', 'sent', 'sent'])
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1)
    for (const { to } of jobs) expect(inbox.all(to)).toHaveLength(1)
  })

  it('is sent later when it can’t be read and its request was not accepted', async ({ service, clock, inbox }) => {
    const jobs = await notices(service, 3)
    const [, bad] = jobs as [Job, Job, Job]
    scriptResend(loseConnection)
    await consume(service, jobs)
    await setParams(bad, '{')
    clock.advance(minute)
    expect(await consume(service, jobs)).toEqual(['acked', { retryAfter: 150 }, 'acked'])
    expect(await rowOf('emails', 'id = ?', bad.id)).toMatchObject({ batch_id: null, in_doubt_since: null })
    await setParams(bad, '{}')
    clock.advance(150 * second)
    await consume(service, jobs)
    for (const { to } of jobs) expect(inbox.all(to)).toHaveLength(1)
  })

  it('waits with its request when it can’t be read and the request has no answer', async ({ service, clock }) => {
    const jobs = await notices(service, 3)
    scriptResend(loseConnection, loseConnection)
    await consume(service, jobs)
    await setParams(jobs[1]!, '{')
    clock.advance(minute)
    await consume(service, jobs)
    expect(new Set((await rowsFor(jobs)).map(({ due_at: due, batch_id: id }) => `${due} ${id}`)).size).toBe(1)
    clock.advance(23 * hour)
    await consume(service, jobs)
    expect(await statusesOf(jobs)).toEqual(['unknown', 'unknown', 'unknown'])
  })

  it('stays out of a repetition when it was skipped at first', async ({ service, clock, anonymous }) => {
    const [ada, bob] = await notices(service, 2)
    await anonymous.requestPasswordReset({ email: 'late@example.com' })
    const reset = service.queued.pop()!
    const requests = scriptResend(acceptAndLose)
    await consume(service, [ada, reset, bob])
    expect(await rowOf('emails', 'id = ?', reset.id)).toMatchObject({ status: 'skipped', user_id: null })
    await registration(service, 'late@example.com')
    clock.advance(minute)
    await consume(service, [ada, reset, bob])
    expect(requests[1]).toEqual(requests[0])
  })

  it('stays by itself, under its old key, when the previous version offered it', async ({ service, clock }) => {
    const jobs = await notices(service, 3)
    const [, old] = jobs as [Job, Job, Job]
    await write('update emails set attempts = 1, in_doubt_since = ? where id = ?', clock.now().getTime(), old.id)
    clock.advance(minute)
    const requests = scriptResend()
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(({ key }) => key)).toContain(`email/${old.id}`)
    expect(requests.map(rowsIn)).toEqual([[jobs[0]!.id, jobs[2]!.id], [old.id]])
  })

  it('gets its user at delivery when the account was not known before', async ({ service }) => {
    const job = await registration(service, 'ada@example.com')
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ user_id: null })
    await consume(service, [job])
    const { id } = await rowOf('users')
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ user_id: id })
  })
})

describe('an email in batches', () => {
  it.for<{ late: string; lateAnswer: Step }>([
    { late: 'refused for certain', lateAnswer: refuse(429, 'rate_limit_exceeded') },
    { late: 'refused together', lateAnswer: refuse(422, 'validation_error') },
    { late: 'refused for good', lateAnswer: answer(200, { data: [], errors: [{ index: 0 }, { index: 1 }] }) },
    { late: 'in doubt', lateAnswer: loseConnection },
  ])(
    'is accepted once when a consumer wakes up after its claim and was $late',
    async ({ lateAnswer }, { service, clock, inbox }) => {
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
      clock.advance(2 * minute)
      const other = consume(service, jobs)
      await vi.waitFor(() => expect(requests).toHaveLength(2))
      const claimed = await rowsFor(jobs)
      wake.resolve()
      await late
      expect(await rowsFor(jobs), 'the claim of the other').toEqual(claimed)
      clock.advance(30 * second)
      await consume(service, jobs)
      answered.resolve()
      await other
      expect(requests).toHaveLength(2)
      expect(await statusesOf(jobs)).toEqual(['sent', 'sent'])
      for (const { to } of jobs) expect(inbox.all(to)).toHaveLength(1)
      expect(await rowsOf('audit_events', 'type = ?', 'email.failed')).toEqual([])
    },
  )

  it('is accepted once by twenty consumers at once, whose batches overlap', async ({ service, inbox }) => {
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
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
      // The mailbox hides repetitions of a key, so the requests are counted.
      const offered = requests.flatMap(rowsIn)
      expect(offered.toSorted()).toEqual(jobs.map(({ id }) => id).toSorted())
      for (const { to } of jobs) expect(inbox.all(to)).toHaveLength(1)
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

  it('is accepted once, whatever Resend answers, D1 fails and the queue repeats', { timeout: 240_000 }, async () => {
    const { DB, failAt } = breakable()
    const service = startService({ env: { DB } })
    const inbox = inboxOf(service)
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
        // The refusal of a single email is final, so only requests with several are refused this way.
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
        // The cron job requeues rows that were never queued, or whose consumer failed.
        for (let round = 0; round < 4; round++) {
          service.clock.advance(2 * hour)
          await service.runCron('*/5 * * * *')
          await service.deliver()
        }
        requests.unshift(...before)
        expect(await statusesOf(jobs)).toEqual(jobs.map(() => 'sent'))
        for (const { to } of jobs) expect(inbox.all(to), to).toHaveLength(1)
        // One key, one list: it may become shorter, never longer.
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

it('sends failed emails when an operator requeues them as docs/operations.md says', async ({
  service,
  clock,
  inbox,
}) => {
  const jobs = await notices(service, 3)
  scriptResend(...Array.from({ length: 30 }, () => refuse(401, 'invalid_api_key')))
  for (let attempt = 0; attempt < 30; attempt++) {
    await consume(service, jobs)
    clock.advance(hour)
  }
  expect(await statusesOf(jobs)).toEqual(three('failed'))
  // The previous version marked a row as failed even if an earlier offer may have been accepted.
  const old = await notice(service, 'old@example.com')
  const [unknown] = await notices(service, 1, 'unknown')
  const doubtful = 'update emails set status = ?, attempts = 2, in_doubt_since = created_at where id = ?'
  await write(doubtful, 'failed', old.id)
  await write(doubtful, 'unknown', unknown!.id)

  clock.advance(24 * hour)
  const [, command] = /"(UPDATE emails SET status = 0,[^"]+)"/.exec(operations)!
  const sql = command!.replace('unixepoch()', String(clock.now().getTime() / 1000)).replace('86400', '864000')
  await env.DB.prepare(sql).run()
  await service.runCron('*/5 * * * *')
  await service.deliver()
  expect(await statusesOf(jobs)).toEqual(three('sent'))
  for (const { to } of jobs) expect(inbox.all(to), to).toHaveLength(1)
  expect(await statusesOf([old, unknown!])).toEqual(['failed', 'unknown'])
})
