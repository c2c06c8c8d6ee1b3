/** The emails that were lost on the way to the queue: which are sent to it again, how often, and at what cost. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { announceAgainMs, maxAnnounced } from '../../src/config/policy.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import type { EmailStatus } from '../../src/store/schema/emails.ts'
import { Clock, day, hour, minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { subjects } from '../support/mails.ts'
import { goodPassword } from '../support/person.ts'
import { insertEmails } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'

const requeue = '*/5 * * * *'
const time = new Clock().now().getTime()
const ago = (ms: number) => time - ms
const stranded = ago(5 * minute)

const it = base.extend('log', async ({ service: _service }) => captureLog())

/** A queue that keeps what it is sent, in the batches in which it came. */
function keepingQueue() {
  const batches: string[][] = []
  const sendBatch = async (messages: Iterable<{ body: { id: string } }>) => {
    batches.push(Array.from(messages, ({ body }) => body.id))
  }
  return { batches, MAIL_QUEUE: { sendBatch } as unknown as Env['MAIL_QUEUE'] }
}

/** Inserts queued emails, each due a moment after the one before. */
async function insertOverdue(count: number): Promise<void> {
  await env.DB.prepare(
    `insert into emails (id, template, recipient, budget, params, status, attempts, due_at, announce_at)
     with recursive counting (n) as (select 0 union all select n + 1 from counting where n + 1 < ?1)
     select unhex(printf('%012x70008000%012x', ?2 + n, n)), '', '', '', '{}', 0, 0, ?2 + n, ?2 + n from counting`,
  )
    .bind(count, ago(day))
    .run()
}

describe('an email that was lost on the way to the queue', () => {
  it('is queued again after five minutes, and not before', async ({ service, log }) => {
    const email = (status: EmailStatus, dueAt: number) => ({
      recipient: 'ada@example.com',
      status,
      id: uuidv7(new Date(dueAt)),
      dueAt: new Date(dueAt),
    })
    const lost = [email('queued', stranded), email('sending', stranded), email('queued', ago(3 * day))]
    const finished = (['sent', 'skipped', 'failed', 'unknown'] as const).map((status) => email(status, stranded))
    await insertEmails([
      ...lost,
      email('queued', stranded + 1),
      email('sending', stranded + 1),
      email('queued', time),
      email('queued', time + hour),
      ...finished,
    ])
    const before = await rowsOf('emails')
    await service.runCron(requeue)
    expect(service.queued.map(({ id }) => id).toSorted()).toEqual(lost.map(({ id }) => id).toSorted())
    expect(log.entries('mail.requeued')).toMatchObject([{ count: 3 }])
    const isLost = new Set<unknown>(lost.map(({ id }) => id))
    expect(await rowsOf('emails'), 'only the next announcement is another').toEqual(
      before.map((row) => (isLost.has(row['id']) ? { ...row, announce_at: time + announceAgainMs } : row)),
    )
  })

  it('is queued once more after an hour, and not every five minutes', async ({ service, clock }) => {
    const [row] = await insertEmails([{ recipient: 'ada@example.com', dueAt: new Date(stranded) }])
    const job = { id: row!.id }
    for (let passed = 0; passed < announceAgainMs; passed += 5 * minute) {
      await service.runCron(requeue)
      expect(service.queued).toEqual([job])
      clock.advance(5 * minute)
    }
    await service.runCron(requeue)
    expect(service.queued).toEqual([job, job])
  })

  it('is queued five minutes after a claim that lapsed, whenever it was queued before', async ({ service, clock }) => {
    const [row] = await insertEmails([{ recipient: 'ada@example.com', dueAt: new Date(stranded) }])
    await service.runCron(requeue)
    expect(service.queued).toHaveLength(1)
    const DB = env.DB
    await DB.prepare('update emails set params = ?').bind('{').run()
    await service.deliver()
    const { due_at: due } = await rowOf('emails', 'id = ?', row!.id)
    service.queued.length = 0
    clock.advance(Number(due) - clock.now().getTime() + 5 * minute)
    await service.runCron(requeue)
    expect(service.queued).toEqual([{ id: row!.id }])
  })

  it('is queued in batches of 100, the longest waiting first', async ({ log }) => {
    await insertOverdue(250)
    const { batches, MAIL_QUEUE } = keepingQueue()
    await startService({ env: { MAIL_QUEUE } }).runCron(requeue)
    expect(batches.map(({ length }) => length)).toEqual([100, 100, 50])
    expect(batches.flat()).toEqual((await rowsOf('emails')).map(({ id }) => id))
    expect(log.entries('mail.requeued')).toMatchObject([{ count: 250 }])
  })

  it('is kept when the queue fails again', async ({ service, log }) => {
    await insertOverdue(150)
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

  it('reaches its recipient when the queue was down at the request', async ({
    service,
    clock,
    inbox,
    anonymous,
    log,
  }) => {
    let isDown = true
    const send = async (job: { id: string }) => {
      if (isDown) throw new Error('Queue send failed: overloaded')
      service.queued.push(job)
    }
    service.env.MAIL_QUEUE = { ...service.env.MAIL_QUEUE, send } as unknown as Env['MAIL_QUEUE']
    const email = 'ada@example.com'
    await anonymous.register({ email, password: goodPassword })
    expect(log.entries('mail.queue_failed')).toMatchObject([
      { level: 'warn', error_message: 'Queue send failed: overloaded' },
    ])
    isDown = false
    clock.advance(5 * minute)
    await service.runCron(requeue)
    await service.deliver()
    expect(inbox.subjects(email)).toEqual([subjects.activation])
  })
})

describe('a backlog of 100,000 emails', () => {
  it('costs each run as much as one of 5,000, and each email is queued once in a round', async () => {
    const { MAIL_QUEUE, batches } = keepingQueue()
    const meter = countCosts(env)
    const { DB } = meter.bindings
    const costs = []
    for (const count of [5_000, 100_000]) {
      await env.DB.prepare('delete from emails').run()
      batches.length = 0
      await insertOverdue(count)
      const service = startService({ env: { DB, MAIL_QUEUE } })
      meter.take()
      for (let run = 0; run < 5; run++) {
        await service.runCron(requeue)
        const { rowsRead, rowsWritten, roundTrips } = meter.take()
        costs.push({ rowsRead, rowsWritten, roundTrips })
        service.clock.advance(5 * minute)
      }
      expect(batches.map(({ length }) => length)).toEqual(Array(50).fill(100))
      expect(new Set(batches.flat()).size).toBe(5 * maxAnnounced)
    }
    for (const cost of costs) {
      expect(cost.roundTrips).toBe(2)
      expect(cost.rowsWritten).toBeLessThanOrEqual(2 * maxAnnounced)
      expect(cost.rowsRead).toBeLessThanOrEqual(11 * maxAnnounced)
    }
    console.warn(costs)
  })
})
