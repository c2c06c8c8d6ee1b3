/** No email is tried before it is due, however many messages name it. */
import { afterEach, describe, expect, vi } from 'vitest'
import { uuidv7 } from '../../src/crypto/random.ts'
import { hour, minute, second } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { type Step, accept, answer, consume, loseConnection, refuse, scriptResend } from '../support/mail-consumer.ts'
import { insertEmails } from '../support/rows.ts'
import type { Service } from '../support/service.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'

const overHour = { 'Retry-After': '3600' }
const duplicates = 30

async function notices(service: Service, count: number, due = service.clock.now()) {
  const now = service.clock.now()
  const rows = Array.from({ length: count }, (_, place) => ({
    recipient: `person-${place}@example.com`,
    id: uuidv7(now),
    dueAt: due,
  }))
  return (await insertEmails(rows)).map(({ id }) => ({ id }))
}

afterEach(() => void vi.restoreAllMocks())

/** How emails come to wait for an hour. */
const waits: { wait: string; count: number; steps: Step[] }[] = [
  { wait: 'was refused for now by itself', count: 1, steps: [refuse(429, 'rate_limit_exceeded', overHour)] },
  { wait: 'met a quota by itself', count: 1, steps: [refuse(429, 'daily_quota_exceeded')] },
  { wait: 'is in doubt by itself', count: 1, steps: [answer(503, {}, overHour)] },
  { wait: 'was refused for now with others', count: 3, steps: [refuse(401, 'invalid_api_key', overHour)] },
  { wait: 'is in doubt with others', count: 3, steps: [answer(503, {}, overHour)] },
]

describe('an email that', () => {
  it.for(waits)('$wait costs no try for a message that comes before it is due', async (given, { service, clock }) => {
    const jobs = await notices(service, given.count)
    const requests = scriptResend(...given.steps)
    const wait = (seconds: number) => jobs.map(() => ({ retryAfter: seconds }))
    expect(await consume(service, jobs)).toEqual(wait(3600))
    const rows = await rowsOf('emails')
    for (let round = 0; round < duplicates; round++) {
      // Alone, too: it may come in another batch of the queue than the others.
      const some = round % 2 === 0 ? jobs : jobs.slice(0, 1)
      expect(await consume(service, some)).toEqual(wait(3600).slice(0, some.length))
    }
    expect(await rowsOf('emails')).toEqual(rows)
    clock.advance(hour - 1)
    expect(await consume(service, jobs)).toEqual(wait(1))
    expect(await rowsOf('emails')).toEqual(rows)
    expect(requests).toHaveLength(1)

    clock.advance(1)
    expect(await consume(service, jobs)).toEqual(jobs.map(() => 'acked'))
    expect(await rowsOf('emails')).toMatchObject(jobs.map(() => ({ status: 'sent', attempts: 2 })))
  })

  it('was never tried waits for its time, too, and holds up nobody else', async ({ service, clock }) => {
    const early = await notices(service, 1, new Date(clock.now().getTime() + minute))
    const due = await notices(service, 2)
    const requests = scriptResend()
    for (let round = 0; round < duplicates; round++) {
      expect((await consume(service, [...early, ...due]))[0]).toEqual({ retryAfter: 60 })
    }
    expect(await rowOf('emails', 'id = ?', early[0]!.id)).toMatchObject({ status: 'queued', attempts: 0 })
    expect(await rowsOf('emails', "status = 'sent' and attempts = 1")).toHaveLength(2)
    expect(requests).toHaveLength(1)
    clock.advance(minute)
    expect(await consume(service, early)).toEqual(['acked'])
    expect(await rowOf('emails', 'id = ?', early[0]!.id)).toMatchObject({ status: 'sent', attempts: 1 })
  })

  it('was taken out of a refused list is tried by itself when it is due, once', async ({ service, clock }) => {
    const jobs = await notices(service, 3)
    const requests = scriptResend(refuse(422, 'validation_error'), accept, accept, accept)
    await consume(service, jobs)
    const tries = (await rowsOf('emails')).map(({ attempts }) => attempts)
    for (let round = 0; round < duplicates; round++) await consume(service, jobs)
    expect((await rowsOf('emails')).map(({ attempts }) => attempts)).toEqual(tries)
    clock.advance(15 * second)
    await consume(service, [...jobs, ...jobs])
    expect((await rowsOf('emails')).map(({ status }) => status)).toEqual(jobs.map(() => 'sent'))
    expect(requests).toHaveLength(4)
  })

  it('is being sent for the last time is not closed by a dead letter about it', async ({ service, clock }) => {
    const [job] = await notices(service, 1)
    const requests = scriptResend(...Array.from({ length: 29 }, () => loseConnection), async (toMailbox) => {
      await consume(service, [job], 'postern-mail-dead')
      return toMailbox()
    })
    for (let round = 0; round < 30; round++) {
      const [verdict] = await consume(service, [job])
      if (typeof verdict === 'object') clock.advance(verdict.retryAfter! * second)
    }
    expect(requests).toHaveLength(30)
    expect(await rowOf('emails')).toMatchObject({ status: 'sent', attempts: 30 })
    expect(await rowsOf('audit_events')).toEqual([])
  })

  it('was given up by its consumer in the last try is closed once that try has lapsed', async ({ service, clock }) => {
    const [job] = await notices(service, 1)
    scriptResend(loseConnection)
    await consume(service, [job])
    await write("update emails set attempts = 30, status = 'sending', due_at = ?", clock.now().getTime() + 2 * minute)
    await consume(service, [job], 'postern-mail-dead')
    expect(await rowOf('emails')).toMatchObject({ status: 'sending' })
    clock.advance(2 * minute)
    await consume(service, [job], 'postern-mail-dead')
    expect(await rowOf('emails')).toMatchObject({ status: 'unknown', last_error: 'dead_letter' })
  })
})
