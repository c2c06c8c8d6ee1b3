import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { emailTemplates } from '../../src/services/mail/kinds.ts'
import type { Email } from '../../src/store/schema/emails.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import {
  type Step,
  accept,
  acceptAndLose,
  answer,
  consume,
  loseConnection,
  refuse,
  scriptResend,
} from '../support/mail-consumer.ts'
import {
  goodPassword,
  mailsTo,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  tokenIn,
} from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'

const ada = 'ada@example.com'
const requeue = '*/5 * * * *'

interface Row {
  id: string
  template: Email['template']
  recipient: string
  user_id: string | null
  status: Email['status']
  attempts: number
  due_at: number
  in_doubt_since: number | null
  provider_id: string | null
  last_error: string | null
  finished_at: number | null
}

async function rowOf(id: string): Promise<Row> {
  const row = await env.DB.prepare('select * from emails where id = ?').bind(id).first<Row>()
  expect(row, `the row ${id}`).not.toBeNull()
  return row!
}

async function rowsTo(recipient: string): Promise<Row[]> {
  return (await env.DB.prepare('select * from emails where recipient = ? order by id').bind(recipient).all<Row>())
    .results
}

async function eventsOf(type: string) {
  const { results } = await env.DB.prepare(
    'select user_id, detail from audit_events where type = ? order by json_extract(detail, ?)',
  )
    .bind(type, '$.email_id')
    .all<{ user_id: string | null; detail: string }>()
  return results.map((event) => ({ ...event, detail: JSON.parse(event.detail) as Record<string, unknown> }))
}

/** The one job that something put into the queue, taken out of it. */
function takeJob(service: Service) {
  expect(service.queued).toHaveLength(1)
  return service.queued.splice(0)[0]!
}

async function registerOnly(service: Service, email = ada) {
  await service.call('POST', '/auth/register', { body: { email, password: goodPassword } })
  return takeJob(service)
}

async function requestReset(service: Service, email = ada) {
  await service.call('POST', '/auth/password-reset/request', { body: { email } })
  return takeJob(service)
}

/** As after thirty tries of which no end was written down. */
async function useUp(...jobs: { id: string }[]) {
  for (const { id } of jobs) await env.DB.prepare('update emails set attempts = 30 where id = ?').bind(id).run()
}

afterEach(() => void vi.restoreAllMocks())

describe('what Resend answers', () => {
  const later = { status: 'queued', finished_at: null } as const
  // A refusal for now is certain: nothing was accepted. All else is in doubt and repeated under the same key only.
  it.each<[string, Step, number, string, boolean]>([
    [
      '429 with Retry-After',
      refuse(429, 'rate_limit_exceeded', { 'Retry-After': '120' }),
      120,
      'rate_limit_exceeded',
      false,
    ],
    [
      '429 with a shorter Retry-After than ours',
      refuse(429, 'rate_limit_exceeded', { 'Retry-After': '1' }),
      15,
      'rate_limit_exceeded',
      false,
    ],
    ['429 without', refuse(429, 'rate_limit_exceeded'), 15, 'rate_limit_exceeded', false],
    [
      '429 with a date',
      refuse(429, 'rate_limit_exceeded', { 'Retry-After': 'Sun, 22 Nov 2026 13:00:00 GMT' }),
      15,
      'rate_limit_exceeded',
      false,
    ],
    [
      '429 with a negative Retry-After',
      refuse(429, 'rate_limit_exceeded', { 'Retry-After': '-5' }),
      15,
      'rate_limit_exceeded',
      false,
    ],
    [
      '429 with a Retry-After beyond what the queue takes',
      refuse(429, 'rate_limit_exceeded', { 'Retry-After': '1e300' }),
      43_200,
      'rate_limit_exceeded',
      false,
    ],
    [
      'the daily quota',
      refuse(429, 'daily_quota_exceeded', { 'Retry-After': '1' }),
      3600,
      'daily_quota_exceeded',
      false,
    ],
    ['the monthly quota', refuse(429, 'monthly_quota_exceeded'), 3600, 'monthly_quota_exceeded', false],
    ['401', refuse(401, 'restricted_api_key'), 15, 'restricted_api_key', false],
    ['403', refuse(403, 'invalid_api_key'), 15, 'invalid_api_key', false],
    ['403 of a firewall', answer(403, '<h1>Forbidden</h1>'), 15, 'application_error', false],
    ['500', refuse(500, 'internal_server_error'), 15, 'internal_server_error', true],
    ['503 with Retry-After', refuse(503, 'application_error', { 'Retry-After': '60' }), 60, 'application_error', true],
    ['502 of a proxy', answer(502, '<h1>Bad gateway</h1>'), 15, 'application_error', true],
    ['500 with null', answer(500, 'null'), 15, 'unreadable_answer', true],
    [
      '500 with an error of another shape',
      answer(500, { name: 'ada@example.com', statusCode: '500' }),
      15,
      'unnamed_error',
      true,
    ],
    ['408', refuse(408, 'application_error'), 15, 'application_error', true],
    ['409 concurrent', refuse(409, 'concurrent_idempotent_requests'), 15, 'concurrent_idempotent_requests', true],
    ['200 that is no JSON', answer(200, '<h1>OK</h1>'), 15, 'application_error', true],
    ['200 with nothing in it', answer(200, ''), 15, 'application_error', true],
    ['200 with null', answer(200, 'null'), 15, 'unreadable_answer', true],
    ['200 without an id', answer(200, {}), 15, 'unreadable_answer', true],
    ['200 with an id that is no text', answer(200, { id: 7 }), 15, 'unreadable_answer', true],
    ['no answer', loseConnection, 15, 'application_error', true],
  ])('keeps the mail for later: %s', async (_, step, seconds, lastError, isInDoubt) => {
    const service = startService()
    const job = await registerOnly(service)
    scriptResend(step)
    expect(await consume(service, [job])).toEqual([{ retryAfter: seconds }])
    const now = service.clock.now().getTime()
    expect(await rowOf(job.id)).toMatchObject({
      ...later,
      attempts: 1,
      last_error: lastError,
      due_at: now + seconds * second,
      in_doubt_since: isInDoubt ? now : null,
    })
    expect(await eventsOf('email.failed')).toEqual([])

    service.clock.advance(seconds * second)
    expect(await consume(service, [job])).toEqual(['acked'])
    const sent = {
      status: 'sent',
      attempts: 2,
      last_error: null,
      in_doubt_since: null,
      finished_at: now + seconds * second,
    }
    expect(await rowOf(job.id)).toMatchObject({ ...sent, provider_id: newestMail(service, ada).id })
    expect(mailsTo(service, ada)).toHaveLength(1)
  })

  it.each<[string, Step, string]>([
    ['422', refuse(422, 'validation_error'), 'validation_error'],
    ['400', refuse(400, 'validation_error'), 'validation_error'],
    ['404', refuse(404, 'not_found'), 'not_found'],
    ['422 that is no JSON', answer(422, '<h1>No</h1>'), 'application_error'],
    ['451 with a name that is not one of Resend’s', refuse(451, 'Mail to ada@example.com refused'), 'unnamed_error'],
  ])('gives the mail up and says so in the audit trail: %s', async (_, step, lastError) => {
    const service = startService()
    const { id: userId } = await signUp(service, ada)
    await service.call('POST', '/auth/login', { body: { email: ada, password: goodPassword } })
    const { accessToken } = await signIn(service, ada)
    const change = { old_password: goodPassword, new_password: otherPassword }
    expect((await service.call('POST', '/auth/change-password', { token: accessToken, body: change })).status).toBe(204)
    const job = takeJob(service)
    const requests = scriptResend(step)
    expect(await consume(service, [job])).toEqual(['acked'])
    const finishedAt = service.clock.now().getTime()
    expect(await rowOf(job.id)).toMatchObject({
      status: 'failed',
      attempts: 1,
      last_error: lastError,
      in_doubt_since: null,
      finished_at: finishedAt,
    })
    expect(await eventsOf('email.failed')).toEqual([
      { user_id: userId, detail: { email_id: job.id, template: 'password_changed', reason: lastError } },
    ])
    service.clock.advance(day)
    expect(await consume(service, [job])).toEqual(['acked'])
    await service.runCron(requeue)
    expect([requests.length, service.queued.length]).toEqual([1, 0])
  })

  it('takes a key that was used for another payload as a mail that was accepted before', async () => {
    const service = startService()
    const job = await registerOnly(service)
    scriptResend(refuse(409, 'invalid_idempotent_request'))
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf(job.id)).toMatchObject({
      status: 'sent',
      provider_id: null,
      in_doubt_since: null,
      last_error: null,
    })
    expect(await eventsOf('email.failed')).toEqual([])
  })

  it('is waited for ten seconds', async () => {
    const service = startService()
    const job = await registerOnly(service)
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
    expect(await consume(service, [job])).toEqual([{ retryAfter: 15 }])
    expect(timeout.mock.calls).toEqual([[10_000]])
    expect(signals[0]).toBe(hanging.signal)
    expect(await rowOf(job.id)).toMatchObject({ status: 'queued', in_doubt_since: service.clock.now().getTime() })
  })

  it('stays out of the log, where it names people', async () => {
    const service = startService()
    const { lines } = captureLog()
    for (const step of [
      refuse(422, 'validation_error'),
      refuse(429, ada),
      answer(500, { name: ada }),
      loseConnection,
    ]) {
      const job = await registerOnly(service)
      scriptResend(step)
      await consume(service, [job])
    }
    expect(lines.length).toBeGreaterThan(4)
    expect(lines.join('\n')).not.toContain('ada@')
  })
})

describe('a mail that cannot be sent', () => {
  it('is tried thirty times, twice as late each time up to an hour, and is then failed', async () => {
    const service = startService()
    const job = await registerOnly(service)
    const requests = scriptResend(...Array.from({ length: 40 }, () => refuse(429, 'rate_limit_exceeded')))
    const pauses: unknown[] = []
    for (let attempt = 1; attempt < 30; attempt++) {
      const [verdict] = await consume(service, [job])
      const { retryAfter } = verdict as { retryAfter: number }
      pauses.push(retryAfter)
      service.clock.advance(retryAfter * second)
    }
    expect(pauses).toEqual([15, 30, 60, 120, 240, 480, 960, 1920, ...Array(21).fill(3600)])
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf(job.id)).toMatchObject({ status: 'failed', attempts: 30, last_error: 'rate_limit_exceeded' })
    expect(await eventsOf('email.failed')).toHaveLength(1)
    await consume(service, [job])
    expect(requests).toHaveLength(30)
  })

  it('is unknown after 23 hours of doubt, and never sent again', async () => {
    const service = startService()
    const job = await registerOnly(service)
    const requests = scriptResend(loseConnection, refuse(429, 'rate_limit_exceeded'), loseConnection)
    const start = service.clock.now().getTime()
    await consume(service, [job])
    // A certain refusal settles nothing about the attempt before it.
    service.clock.advance(hour)
    await consume(service, [job])
    expect(await rowOf(job.id)).toMatchObject({ status: 'queued', in_doubt_since: start })
    service.clock.advance(22 * hour - 1)
    await consume(service, [job])
    expect(new Set(requests.map(({ key }) => key))).toEqual(new Set([`email/${job.id}`]))
    expect(new Set(requests.map(({ payload }) => payload)).size).toBe(1)
    expect(requests).toHaveLength(3)

    service.clock.advance(1)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf(job.id)).toMatchObject({ status: 'unknown', last_error: 'in_doubt_too_long' })
    const [event] = await eventsOf('email.failed')
    expect(event!.detail).toMatchObject({ email_id: job.id, reason: 'in_doubt_too_long' })
    for (let later = 0; later < 3; later++) {
      service.clock.advance(day)
      await service.runCron(requeue)
      expect(service.queued).toEqual([])
      expect(await consume(service, [job])).toEqual(['acked'])
    }
    expect(requests).toHaveLength(3)
    expect(await eventsOf('email.failed')).toHaveLength(1)
  })

  it('is unknown, not failed, when its last try may have been accepted', async () => {
    const service = startService()
    const job = await registerOnly(service)
    scriptResend(...Array.from({ length: 29 }, () => refuse(429, 'rate_limit_exceeded')), acceptAndLose)
    for (let attempt = 1; attempt <= 30; attempt++) await consume(service, [job])
    expect(await rowOf(job.id)).toMatchObject({ status: 'unknown', attempts: 30 })
    expect(mailsTo(service, ada)).toHaveLength(1)
  })

  it('is unknown, not failed, when it is refused for good after an answer was lost', async () => {
    const service = startService()
    const job = await registerOnly(service)
    const start = service.clock.now().getTime()
    scriptResend(acceptAndLose, refuse(422, 'validation_error'))
    await consume(service, [job])
    service.clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    const row = { status: 'unknown', attempts: 2, last_error: 'validation_error', in_doubt_since: start }
    expect(await rowOf(job.id)).toMatchObject({ ...row, finished_at: service.clock.now().getTime() })
    expect(await eventsOf('email.failed')).toHaveLength(1)
  })
})

describe('nothing is sent twice', () => {
  it('by twenty consumers that get the same message at once', async () => {
    const service = startService()
    const requests = scriptResend()
    for (let round = 0; round < 10; round++) {
      const email = `round-${round}@example.com`
      const job = await registerOnly(service, email)
      const verdicts = await Promise.all(Array.from({ length: 20 }, () => consume(service, [job])))
      expect(verdicts.flat()).toEqual(Array(20).fill('acked'))
      expect(await rowOf(job.id)).toMatchObject({ status: 'sent', attempts: 1 })
      expect(mailsTo(service, email)).toHaveLength(1)
      // The mailbox would hide a repetition behind the key, so what it was asked counts.
      expect(requests).toHaveLength(round + 1)
    }
  })

  it('after a crash between the answer of Resend and our write', async () => {
    let crashes = 1
    const DB = hookedD1(env.DB, ([sql]) => {
      if (/^update "emails" set .*"provider_id" = /.test(sql!) && crashes-- > 0)
        throw new Error('D1_ERROR: Network connection lost.')
    })
    const service = startService({ env: { DB } })
    const job = await registerOnly(service)
    const requests = scriptResend()
    const start = service.clock.now().getTime()
    const [verdict] = await consume(service, [job])
    expect(await rowOf(job.id)).toMatchObject({ status: 'sending', attempts: 1, in_doubt_since: start })
    // Later than the claim, or the next try would be turned away and the mail would wait for the five-minute job.
    const { retryAfter } = verdict as { retryAfter: number }
    expect(retryAfter * second).toBeGreaterThan(2 * minute)

    service.clock.advance(retryAfter * second)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf(job.id)).toMatchObject({ status: 'sent', attempts: 2, provider_id: newestMail(service, ada).id })
    expect(requests).toHaveLength(2)
    expect(requests[1]).toEqual(requests[0])
    expect(requests[0]!.key).toBe(`email/${job.id}`)
    expect(mailsTo(service, ada)).toHaveLength(1)
  })

  it('when the consumer dies with its message: the claim lapses and the five-minute job brings the mail back', async () => {
    const service = startService()
    const job = await registerOnly(service)
    const requests = scriptResend(async (toMailbox) => {
      await toMailbox()
      return new Promise<Response>(() => undefined)
    })
    void consume(service, [job])
    await vi.waitFor(() => expect(requests).toHaveLength(1))

    service.clock.advance(2 * minute - 1)
    expect(await consume(service, [job]), 'still claimed').toEqual(['acked'])
    expect(requests).toHaveLength(1)
    service.clock.advance(5 * minute)
    await service.runCron(requeue)
    expect(service.queued, 'not stranded yet').toEqual([])
    service.clock.advance(1)
    await service.runCron(requeue)
    expect(service.queued).toEqual([job])
    await service.deliver()
    expect(requests).toHaveLength(2)
    expect(requests[1]).toEqual(requests[0])
    expect(mailsTo(service, ada)).toHaveLength(1)
    expect(await rowOf(job.id)).toMatchObject({ status: 'sent', attempts: 2 })
  })

  it.each<[string, Step]>([
    ['accepted', accept],
    ['refused', refuse(422, 'validation_error')],
    ['put off', refuse(429, 'rate_limit_exceeded')],
  ])('by a consumer that wakes up after its claim: it was %s, and another had the row', async (_, lateAnswer) => {
    const service = startService()
    const job = await registerOnly(service)
    const wake = Promise.withResolvers<void>()
    const requests = scriptResend(async (toMailbox, signal) => {
      await wake.promise
      return lateAnswer(toMailbox, signal)
    })
    const late = consume(service, [job])
    await vi.waitFor(() => expect(requests).toHaveLength(1))
    service.clock.advance(2 * minute)
    expect(await consume(service, [job]), 'the claim has lapsed').toEqual(['acked'])
    const sent = await rowOf(job.id)
    expect(sent).toMatchObject({ status: 'sent', attempts: 2 })
    wake.resolve()
    await late
    expect(await rowOf(job.id)).toEqual(sent)
    expect(mailsTo(service, ada)).toHaveLength(1)
    expect(await eventsOf('email.failed')).toEqual([])
  })
})

describe('a link', () => {
  const links = async () => (await env.DB.prepare('select id from one_time_links').all<{ id: string }>()).results
  const times = async () => (await env.DB.prepare('select created_at, expires_at from one_time_links').all()).results

  it.each([
    ['activation', (token: string) => ['/auth/activate', { token, password: goodPassword }] as const],
    ['reset', (token: string) => ['/auth/password-reset/complete', { token, new_password: otherPassword }] as const],
  ])('that was used between two deliveries of its mail does not come back to life: %s', async (kind, use) => {
    const service = startService()
    if (kind === 'reset') await signUp(service, ada)
    const job = await (kind === 'reset' ? requestReset(service) : registerOnly(service))
    scriptResend(acceptAndLose)
    await consume(service, [job])
    const token = tokenIn(newestMail(service, ada))
    const [path, body] = use(token)
    expect((await service.call('POST', path, { body })).status).toBeLessThan(300)
    await service.deliver()
    const before = mailsTo(service, ada).length

    service.clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect((await rowOf(job.id)).finished_at).not.toBeNull()
    expect(await links()).toEqual([])
    expect(mailsTo(service, ada)).toHaveLength(before)
    expect((await service.call('POST', path, { body })).json).toMatchObject({ code: 'invalid_link' })
  })

  it('is not followed by "you already have an account" when the account came about by another mail meanwhile', async () => {
    const service = startService()
    const job = await registerOnly(service)
    scriptResend(loseConnection)
    await consume(service, [job])
    await service.call('POST', '/auth/resend-activation', { body: { email: ada } })
    await service.deliver()
    const body = { token: tokenIn(newestMail(service, ada)), password: goodPassword }
    expect((await service.call('POST', '/auth/activate', { body })).status).toBe(200)
    await service.deliver()
    const subjects = mailsTo(service, ada).map(({ subject }) => subject)

    service.clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(mailsTo(service, ada).map(({ subject }) => subject)).toEqual(subjects)
    expect((await rowOf(job.id)).status).toBe('skipped')
  })

  it('that has expired while its mail is in doubt is not mailed', async () => {
    const service = startService()
    await signUp(service, ada)
    const job = await requestReset(service)
    const requests = scriptResend(loseConnection)
    await consume(service, [job])
    expect(await links()).toHaveLength(1)
    service.clock.advance(hour)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf(job.id)).toMatchObject({ status: 'skipped', finished_at: service.clock.now().getTime() })
    expect(requests).toHaveLength(1)
  })

  it.each<[string, Step]>([
    ['activation', refuse(429, 'daily_quota_exceeded')],
    ['reset', refuse(429, 'daily_quota_exceeded')],
    ['reset', refuse(401, 'restricted_api_key')],
    ['reset', refuse(403, 'invalid_api_key')],
  ])('begins to live with the first delivery that is not refused for certain: %s', async (kind, refusal) => {
    const service = startService()
    if (kind === 'reset') await signUp(service, ada)
    const job = await (kind === 'reset' ? requestReset(service) : registerOnly(service))
    const life = kind === 'reset' ? hour : day
    scriptResend(refusal, refusal)
    for (let attempt = 1; attempt <= 2; attempt++) {
      await consume(service, [job])
      service.clock.advance(life)
      await service.runCron('0 * * * *')
    }
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf(job.id)).toMatchObject({ status: 'sent', attempts: 3 })
    expect(await links()).toEqual([{ id: job.id }])
    expect(await eventsOf('user.password_reset_requested'), 'no event for a try').toHaveLength(kind === 'reset' ? 1 : 0)

    service.clock.advance(life - second)
    const token = tokenIn(newestMail(service, ada))
    const [path, body] =
      kind === 'reset'
        ? ['/auth/password-reset/complete', { token, new_password: otherPassword }]
        : ['/auth/activate', { token, password: goodPassword }]
    expect((await service.call('POST', path, { body })).status).toBeLessThan(300)
  })

  it('is mailed with the same times again once its mail may have been accepted', async () => {
    const service = startService()
    await signUp(service, ada)
    const job = await requestReset(service)
    const requests = scriptResend(
      refuse(429, 'daily_quota_exceeded'),
      acceptAndLose,
      refuse(429, 'rate_limit_exceeded'),
    )
    for (const pause of [hour, minute, minute, minute]) {
      await consume(service, [job])
      service.clock.advance(pause)
    }
    const [refused, ...offered] = requests.map(({ payload }) => payload)
    expect(offered).toEqual(offered.map(() => offered[0]))
    expect(offered).toHaveLength(3)
    expect(offered[0]).not.toBe(refused)
  })

  it('that is gone when its mail is no longer refused stays gone', async () => {
    const service = startService()
    await signUp(service, ada)
    const job = await requestReset(service)
    const requests = scriptResend(refuse(429, 'daily_quota_exceeded'))
    await consume(service, [job])
    const body = { token: await resetToken(service, ada), new_password: otherPassword }
    expect((await service.call('POST', '/auth/password-reset/complete', { body })).status).toBe(204)
    await service.deliver()
    const before = requests.length
    service.clock.advance(hour)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf(job.id)).toMatchObject({ status: 'skipped' })
    expect([await links(), requests.length]).toEqual([[], before])
  })

  it('is not given other times by a consumer that wakes up after its claim, when another offers its mail', async () => {
    const [wake, hang] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let sleeps = false
    const DB = hookedD1(env.DB, async (statements) => {
      if (!sleeps || !statements.some((sql) => sql.startsWith('update "one_time_links"'))) return
      sleeps = false
      await wake.promise
    })
    const service = startService({ env: { DB } })
    await signUp(service, ada)
    const job = await requestReset(service)
    const requests = scriptResend(refuse(429, 'rate_limit_exceeded'), async (toMailbox) => {
      await hang.promise
      return toMailbox()
    })
    await consume(service, [job])
    service.clock.advance(minute)
    sleeps = true
    const late = consume(service, [job])
    await vi.waitFor(() => expect(sleeps).toBe(false))
    service.clock.advance(2 * minute)
    const other = consume(service, [job])
    await vi.waitFor(() => expect(requests).toHaveLength(2))
    const offered = await times()
    service.clock.advance(second)
    wake.resolve()
    await late
    expect(await times()).toEqual(offered)
    hang.resolve()
    await other
  })

  it('is as young as its first delivery, however long the mail lay', async () => {
    const service = startService()
    await signUp(service, ada)
    const job = await requestReset(service)
    service.clock.advance(10 * hour)
    await consume(service, [job])
    service.clock.advance(hour - second)
    const body = { token: tokenIn(newestMail(service, ada)), new_password: otherPassword }
    expect((await service.call('POST', '/auth/password-reset/complete', { body })).status).toBe(204)
  })
})

describe('who gets what', () => {
  const ask = (service: Service, path: string, email: string) =>
    service.call('POST', path, { body: { email, password: goodPassword } }).then(() => takeJob(service))

  async function suspended(service: Service, email: string) {
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    await service.call('POST', `/users/${id}/suspend`, { token: admin.accessToken, body: { reason: 'spam' } })
    await service.deliver()
  }

  it.each(['/auth/password-reset/request', '/auth/resend-activation'])(
    'an unknown address gets nothing: %s',
    async (path) => {
      const service = startService()
      const requests = scriptResend()
      const job = await ask(service, path, 'nobody@example.com')
      expect(await consume(service, [job])).toEqual(['acked'])
      expect(await rowOf(job.id)).toMatchObject({ status: 'skipped', finished_at: service.clock.now().getTime() })
      expect(requests).toEqual([])
      expect(await eventsOf('user.password_reset_requested')).toEqual([])
    },
  )

  it('a suspended account can have its password reset, is told that it exists, and is not activated', async () => {
    const service = startService()
    await suspended(service, ada)
    const before = mailsTo(service, ada).length
    const outcomes = []
    for (const path of ['/auth/password-reset/request', '/auth/register', '/auth/resend-activation']) {
      const job = await ask(service, path, ada)
      await consume(service, [job])
      outcomes.push((await rowOf(job.id)).status)
    }
    expect(outcomes).toEqual(['sent', 'sent', 'skipped'])
    const [exists, reset] = mailsTo(service, ada)
    expect(mailsTo(service, ada)).toHaveLength(before + 2)
    expect(reset!.text).toContain('/reset-password#token=')
    expect(exists!.subject).toMatch(/already/i)
    expect(exists!.text).not.toContain('#token=')
  })

  it('an active account gets no activation link, and a pending one no second account', async () => {
    const service = startService()
    await signUp(service, ada)
    await consume(service, [await ask(service, '/auth/resend-activation', ada)])
    await consume(service, [await ask(service, '/auth/register', ada)])
    expect(newestMail(service, ada).subject).toMatch(/already/i)
    const first = await register(service, 'bob@example.com')
    const second = await register(service, 'bob@example.com')
    expect(first).not.toBe(second)
  })

  it('a template that nobody knows any more is skipped', async () => {
    const service = startService()
    const job = await registerOnly(service)
    await env.DB.prepare(`update emails set template = 'retired' where id = ?`).bind(job.id).run()
    const requests = scriptResend()
    expect(await consume(service, [job])).toEqual(['acked'])
    expect([(await rowOf(job.id)).status, requests.length]).toEqual(['skipped', 0])
  })
})

describe('a deleted account', () => {
  async function deleteAda(service: Service) {
    const { accessToken: token } = await signUp(service, ada)
    await service.call('POST', '/auth/password-reset/request', { body: { email: ada } })
    const pending = service.queued.splice(0)
    expect((await service.call('DELETE', '/users/me', { token, body: { password: goodPassword } })).status).toBe(204)
    return { pending, farewell: takeJob(service) }
  }
  const subjectsTo = (service: Service) => mailsTo(service, ada).map(({ subject }) => subject)

  it('gets none of the mails that were on their way, and a farewell', async () => {
    const service = startService()
    const { pending, farewell } = await deleteAda(service)
    expect((await rowsTo(ada)).map(({ id }) => id)).toEqual([farewell.id])
    const before = subjectsTo(service)
    expect(await consume(service, [...pending, farewell])).toEqual(['acked', 'acked'])
    expect(subjectsTo(service)).toHaveLength(before.length + 1)
    expect(subjectsTo(service)[0]).toMatch(/deleted/i)
    expect(await rowOf(farewell.id)).toMatchObject({ status: 'sent', recipient: '' })
    expect(await rowsTo(ada)).toEqual([])
  })

  it.each<[string, Step, string]>([
    ['refused', refuse(422, 'validation_error'), 'failed'],
    ['accepted under the same key before', refuse(409, 'invalid_idempotent_request'), 'sent'],
  ])('is forgotten when the farewell was %s', async (_, step, status) => {
    const service = startService()
    const { farewell } = await deleteAda(service)
    scriptResend(step)
    await consume(service, [farewell])
    expect(await rowOf(farewell.id)).toMatchObject({ status, recipient: '' })
  })

  it('is remembered for as long as the farewell is still to be sent, and forgotten when the queue gives up', async () => {
    const service = startService()
    const { farewell } = await deleteAda(service)
    scriptResend(refuse(429, 'rate_limit_exceeded'))
    await consume(service, [farewell])
    expect(await rowOf(farewell.id)).toMatchObject({ status: 'queued', recipient: ada })
    await useUp(farewell)
    await consume(service, [farewell], 'postern-mail-dead')
    expect(await rowOf(farewell.id)).toMatchObject({ status: 'failed', recipient: '' })
  })

  it('is forgotten after 23 hours of doubt', async () => {
    const service = startService()
    const { farewell } = await deleteAda(service)
    scriptResend(loseConnection)
    await consume(service, [farewell])
    service.clock.advance(23 * hour)
    await consume(service, [farewell])
    expect(await rowOf(farewell.id)).toMatchObject({ status: 'unknown', recipient: '' })
  })
})

describe('a dead letter', () => {
  const bury = (service: Service, ...jobs: unknown[]) => consume(service, jobs, 'postern-mail-dead')

  it('marks its row and is in the audit trail, once', async () => {
    const service = startService()
    const { id: userId } = await signUp(service, ada)
    await service.call('POST', '/auth/password-reset/request', { body: { email: ada } })
    const reset = takeJob(service)
    scriptResend(refuse(401, 'missing_api_key'), loseConnection)
    await consume(service, [reset])
    const { accessToken: token } = await signIn(service, ada)
    service.clock.advance(second)
    await service.call('POST', '/auth/change-password', {
      token,
      body: { old_password: goodPassword, new_password: otherPassword },
    })
    const changed = takeJob(service)
    await consume(service, [changed])

    await useUp(reset, changed)
    expect(await bury(service, reset, changed)).toEqual(['acked', 'acked'])
    const finished = { last_error: 'dead_letter', finished_at: service.clock.now().getTime() }
    expect(await rowOf(reset.id)).toMatchObject({ ...finished, status: 'failed' })
    expect(await rowOf(changed.id), 'it may have been accepted').toMatchObject({ ...finished, status: 'unknown' })
    const about = (email_id: string, template: string) => ({ email_id, template, reason: 'dead_letter' })
    const events = [
      { user_id: userId, detail: about(reset.id, 'password_reset') },
      { user_id: userId, detail: about(changed.id, 'password_changed') },
    ]
    expect(await eventsOf('email.failed')).toEqual(events)
    service.clock.advance(day)
    await bury(service, reset, changed)
    expect(await eventsOf('email.failed')).toEqual(events)
    expect(await rowOf(reset.id)).toMatchObject(finished)
  })

  it('leaves a mail alone that got through in the end', async () => {
    const service = startService()
    const job = await registerOnly(service)
    await consume(service, [job])
    const sent = await rowOf(job.id)
    expect(await bury(service, job, { id: 'nobody' })).toEqual(['acked', 'acked'])
    expect(await rowOf(job.id)).toEqual(sent)
    expect(await eventsOf('email.failed')).toEqual([])
  })

  it('of a row with tries to spare loses no mail: the five-minute job has it sent', async () => {
    let isDown = true
    const DB = hookedD1(env.DB, () => {
      if (isDown) throw new Error('D1_ERROR: Network connection lost.')
    })
    const plain = startService()
    const job = await registerOnly(plain)
    const service = startService({ env: { DB }, beside: plain })
    for (let retry = 0; retry <= 40; retry++) {
      expect(await consume(service, [job])).toEqual([{ retryAfter: 150 }])
      service.clock.advance(150 * second)
    }
    isDown = false
    const before = await rowOf(job.id)
    expect(await bury(service, job)).toEqual(['acked'])
    expect(await rowOf(job.id)).toEqual(before)
    expect(await eventsOf('email.failed')).toEqual([])
    await service.runCron(requeue)
    expect(service.queued).toEqual([job])
    await service.deliver()
    expect(await rowOf(job.id)).toMatchObject({ status: 'sent', attempts: 1 })
    expect(mailsTo(service, ada)).toHaveLength(1)
  })

  it('of a row with one try left leaves it that one', async () => {
    const service = startService()
    const job = await registerOnly(service)
    await useUp(job)
    await env.DB.prepare('update emails set attempts = attempts - 1').run()
    await bury(service, job)
    expect(await rowOf(job.id)).toMatchObject({ status: 'queued', attempts: 29 })
  })

  it.each(['can’t be read', 'breaks its consumer after each claim'])('ends a row that %s', async (kind) => {
    const isUnreadable = kind === 'can’t be read'
    const DB = hookedD1(env.DB, (statements) => {
      const isAfterClaim = statements.some((sql) => /from "registrations"/.test(sql))
      if (!isUnreadable && isAfterClaim) throw new Error('D1_ERROR: Network connection lost.')
    })
    const plain = startService()
    const job = await registerOnly(plain)
    if (isUnreadable) await env.DB.prepare(`update emails set params = '{'`).run()
    const service = startService({ env: { DB }, beside: plain })
    for (let retry = 0; retry <= 40; retry++) {
      expect(await consume(service, [job])).toEqual([{ retryAfter: 150 }])
      service.clock.advance(150 * second)
    }
    expect(await rowOf(job.id), 'a claim is a try').toMatchObject({ attempts: 41, finished_at: null })
    await bury(service, job)
    expect(await rowOf(job.id)).toMatchObject({
      status: isUnreadable ? 'failed' : 'unknown',
      last_error: 'dead_letter',
    })
  })

  it('comes back when D1 fails', async () => {
    let isDown = false
    const DB = hookedD1(env.DB, () => {
      if (isDown) throw new Error('D1_ERROR: Network connection lost.')
    })
    const service = startService({ env: { DB } })
    const job = await registerOnly(service)
    await useUp(job)
    isDown = true
    const { entries } = captureLog()
    expect(await bury(service, job)).toEqual([{ retryAfter: 150 }])
    expect(entries('mail.dead_letter_failed')).toHaveLength(1)
    isDown = false
    expect(await bury(service, job)).toEqual(['acked'])
    expect((await rowOf(job.id)).status).toBe('failed')
  })

  it('of any form harms no other', async () => {
    const service = startService()
    const job = await registerOnly(service)
    const unreadable = await registerOnly(service)
    await env.DB.prepare(`update emails set params = '{' where id = ?`).bind(unreadable.id).run()
    await useUp(unreadable, job)
    const strange = [null, undefined, {}, 'text', { id: null }, { id: { $ne: 1 } }]
    expect(new Set(await bury(service, ...strange, unreadable, job))).toEqual(new Set(['acked']))
    expect([(await rowOf(unreadable.id)).status, (await rowOf(job.id)).status]).toEqual(['failed', 'failed'])
  })
})

describe('a batch', () => {
  it('is not held up by a message that cannot be delivered', async () => {
    const service = startService()
    const jobs = []
    for (let index = 0; index < 4; index++) jobs.push(await registerOnly(service, `person-${index}@example.com`))
    const [first, broken, third, last] = jobs
    await env.DB.prepare(`update emails set params = '{' where id = ?`).bind(broken!.id).run()
    const { lines } = captureLog()
    const strange = [null, undefined, 'text', 7, {}, { id: 7 }, { id: null }, { id: ['a'] }, { id: 'nobody' }]
    const verdicts = await consume(service, [first, broken, ...strange, third, last])
    expect(verdicts[0]).toBe('acked')
    expect(verdicts[1]).toEqual({ retryAfter: 150 })
    expect(verdicts.slice(2, -2)).toEqual(strange.map(() => 'acked'))
    expect(verdicts.slice(-2)).toEqual(['acked', 'acked'])
    const statuses = await Promise.all(jobs.map(async (job) => (await rowOf(job.id)).status))
    expect(statuses).toEqual(['sent', 'queued', 'sent', 'sent'])
    expect(lines.join('\n')).not.toContain('@example.com')
  })

  it('comes back whole when D1 is down, and nothing was sent', async () => {
    let isDown = false
    const DB = hookedD1(env.DB, () => {
      if (isDown) throw new Error('D1_ERROR: Network connection lost.')
    })
    const service = startService({ env: { DB } })
    const jobs = [await registerOnly(service, ada), await registerOnly(service, 'bob@example.com')]
    isDown = true
    const requests = scriptResend()
    expect(await consume(service, jobs)).toEqual([{ retryAfter: 150 }, { retryAfter: 150 }])
    expect(requests).toEqual([])
    isDown = false
    expect(await consume(service, jobs)).toEqual(['acked', 'acked'])
  })
})

describe('in the whole life of accounts', () => {
  const passwords = [goodPassword, otherPassword, 'three amber kites wander']
  const spoofed = {
    Host: 'evil.example',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'http',
    Forwarded: 'host=evil.example;proto=http',
    Origin: 'https://evil.example',
    Referer: 'https://evil.example/',
    'User-Agent': 'https://evil.example/agent',
  }

  /** Everything that causes a mail, with every answer kept. */
  async function live() {
    const service = startService()
    const answers: Answer[] = []
    const jobs = vi.spyOn(service.queued, 'push')
    const telling: Service = {
      ...service,
      async call(method, path, call) {
        const each = await service.call(method, path, { ...call, headers: { ...spoofed, ...call?.headers } })
        answers.push(each)
        return each
      },
    }
    const admin = await signUpAdmin(telling)
    const asAdmin = (method: string, path: string, body?: object) =>
      telling.call(method, path, { token: admin.accessToken, ...(body && { body }) })
    await register(telling, ada)
    const { id } = await signUp(telling, ada)
    await register(telling, 'bob@example.com')
    await register(telling, 'bob@example.com', otherPassword)
    const { json } = await asAdmin('GET', '/users?email=bob')
    await asAdmin('POST', `/users/${json.users[0].id}/activate`)
    await telling.call('POST', '/auth/register', { body: { email: ada, password: otherPassword } })
    await telling.call('POST', '/auth/resend-activation', { body: { email: ada } })
    await telling.call('POST', '/auth/password-reset/complete', {
      body: { token: await resetToken(telling, ada), new_password: passwords[1] },
    })
    const { accessToken: token, refreshToken } = await signIn(telling, ada, passwords[1])
    await telling.call('POST', '/auth/change-password', {
      token,
      body: { old_password: passwords[1], new_password: passwords[2] },
    })
    for (let turn = 0; turn < 3; turn++) {
      await telling.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
      service.clock.advance(minute)
    }
    const elsewhere = { country: 'FR', headers: { 'CF-Connecting-IP': '198.51.100.9' } }
    await telling.call('POST', '/auth/login', { ...elsewhere, body: { email: ada, password: passwords[2] } })
    for (let turn = 0; turn < 10; turn++) {
      await telling.call('POST', '/auth/login', { body: { email: ada, password: 'not it' } })
      service.clock.advance(20 * second)
    }
    await asAdmin('PUT', `/users/${id}/role`, { role: 'MODERATOR' })
    await asAdmin('POST', `/users/${id}/suspend`, { reason: 'For a while.' })
    await asAdmin('POST', `/users/${id}/reinstate`)
    await service.deliver()
    const before = await dump()
    await asAdmin('DELETE', `/users/${id}`)
    await service.deliver()
    const sent = jobs.mock.calls.flat()
    return { service, answers, before, after: await dump(), jobs: sent }
  }

  /** Every row of every table, and every key of the revocation list. */
  async function dump(): Promise<Record<string, unknown[]>> {
    const tables: Record<string, unknown[]> = {}
    for (const table of ['users', 'sessions', 'registrations', 'one_time_links', 'emails', 'audit_events']) {
      tables[table] = (await env.DB.prepare(`select * from ${table}`).all()).results
    }
    const { keys } = await env.REVOCATIONS.list()
    tables['revocations'] = await Promise.all(
      keys.map(async ({ name }) => [
        name,
        await env.REVOCATIONS.get(name),
        (await env.REVOCATIONS.getWithMetadata(name)).metadata,
      ]),
    )
    return tables
  }

  it('every mail there is was sent, and links to nowhere but PUBLIC_URL', async () => {
    const { service, before, after } = await live()
    const templates = [...before['emails']!, ...after['emails']!].map((row) => (row as Row).template)
    expect([...new Set(templates)].toSorted()).toEqual(emailTemplates.toSorted())
    const mails = service.mailbox.mails()
    expect(mails.some(({ subject }) => /already/i.test(subject))).toBe(true)
    for (const { subject, html, text, from } of mails) {
      const said = `${subject}\n${html}\n${text}\n${from}`
      expect(said).not.toContain('evil.example')
      const links = said.match(/\b[a-z][a-z+.-]*:\/\/[^\s"'<>)]*/gi) ?? []
      const foreign = links.filter((link) => !/^https:\/\/accounts\.example\.com(?:[/#]|$)/.test(link))
      expect(foreign, subject).toEqual([])
      for (const [, href] of html!.matchAll(/(?:href|src|action|background)\s*=\s*["']?([^"'\s>]*)/gi)) {
        expect(href).toMatch(/^https:\/\/accounts\.example\.com(?:\/|$)/)
      }
    }
  })

  it('no token, password or link lies in a row, in the revocation list or in a queue message', async () => {
    const { service, answers, before, after, jobs } = await live()
    const jwtPattern = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g
    const texts = [...answers.map(({ text }) => text), ...service.mailbox.mails().map(({ text }) => text!)]
    const tokens = new Set(texts.flatMap((text) => text.match(jwtPattern) ?? []))
    expect(tokens.size).toBeGreaterThan(12)
    const secrets = [...passwords, ...[...tokens].flatMap((token) => [token, token.split('.')[2]!])]

    const kept = JSON.stringify([before, after, jobs])
    expect(kept.length).toBeGreaterThan(10_000)
    expect(secrets.filter((secret) => kept.includes(secret))).toEqual([])
    expect(kept).not.toMatch(/eyJ|#token|\/activate|\/reset-password|https?:\/\/accounts/)
    // Encoded, too.
    const [, password] = passwords
    expect(kept).not.toContain(btoa(password!).slice(0, 20))
    for (const job of jobs) expect(job).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    const revocations = [...before['revocations']!, ...after['revocations']!] as [string, string, unknown][]
    expect(revocations.length).toBeGreaterThan(0)
    for (const [name, value, metadata] of revocations) {
      expect([name, value, metadata]).toEqual([expect.stringMatching(/^session:[0-9a-f-]{36}$/), '1', null])
    }
  })
})

describe('the real queue', () => {
  it('takes a registration to the mailbox through the Worker of the test runtime', async () => {
    const service = startService({ env: { MAIL_QUEUE: env.MAIL_QUEUE } })
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    const [row] = await rowsTo(ada)
    await vi.waitFor(async () => expect(await rowOf(row!.id)).toMatchObject({ status: 'sent', attempts: 1 }), {
      timeout: 10_000,
      interval: 50,
    })
    expect(mailsTo(service, ada)).toHaveLength(1)
    expect(tokenIn(newestMail(service, ada))).toMatch(/^eyJ/)
  })
})
