/** Delivery of emails: what becomes of an email for each answer of Resend, each crash and each delay. */
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, vi } from 'vitest'
import { emailTemplates } from '../../src/services/mail/kinds.ts'
import { expectProblem } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { enrolApp } from '../support/factors.ts'
import { enrolPasskey } from '../support/passkeys.ts'
import { it as base } from '../support/fixtures.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { inboxOf } from '../support/inbox.ts'
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
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { type People, peopleOf } from '../support/population.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'

const address = 'ada@example.com'
const requeue = '*/5 * * * *'
const changeOfPassword = { old_password: goodPassword, new_password: otherPassword }

const emailRow = (id: string) => rowOf('emails', 'id = ?', id)

async function eventsOf(type: string) {
  const events = await rowsOf('audit_events', 'type = ?', type)
  return events
    .map(({ user_id, detail }) => ({ user_id, detail: JSON.parse(String(detail)) as Record<string, unknown> }))
    .toSorted((a, b) => (String(a.detail['email_id']) < String(b.detail['email_id']) ? -1 : 1))
}

/** The one job that something put into the queue, taken out of it. */
function takeJob(service: Service) {
  expect(service.queued).toHaveLength(1)
  return service.queued.splice(0)[0]!
}

async function registerOnly(service: Service, email = address) {
  await new Caller(service).register({ email, password: goodPassword })
  return takeJob(service)
}

async function requestReset(service: Service, email = address) {
  await new Caller(service).requestPasswordReset({ email })
  return takeJob(service)
}

/** As after 30 tries whose outcome was never stored. */
async function useUp(...jobs: { id: string }[]) {
  for (const { id } of jobs) await write('update emails set attempts = 30 where id = ?', id)
}

const makeUnreadable = ({ id }: { id: string }) => write(`update emails set params = '{' where id = ?`, id)

/** The two emails with a link: how each is caused, and how its link is used. */
const linkEmails = {
  activation: {
    cause: (service: Service) => registerOnly(service),
    follow: (service: Service, token: string) => new Caller(service).activate({ token, password: goodPassword }),
    life: day,
  },
  reset: {
    cause: async (service: Service) => {
      await peopleOf(service).signUp(address)
      return requestReset(service)
    },
    follow: (service: Service, token: string) =>
      new Caller(service).completePasswordReset({ token, new_password: otherPassword }),
    life: hour,
  },
}

const it = base.extend('leaver', async ({ service, anonymous, ada }) => {
  await anonymous.requestPasswordReset({ email: address })
  const pending = service.queued.splice(0)
  await ada.deleteMe()
  return { pending, farewell: takeJob(service) }
})

afterEach(() => void vi.restoreAllMocks())

describe('an answer of Resend', () => {
  const later = { status: 'queued', finished_at: null } as const
  // After a refusal for now, nothing was accepted for certain. Any other answer leaves doubt: only the same key may be
  // sent again.
  it.for<{ answered: string; step: Step; seconds: number; lastError: string; isInDoubt: boolean }>([
    {
      answered: '429 with Retry-After',
      step: refuse(429, 'rate_limit_exceeded', { 'Retry-After': '120' }),
      seconds: 120,
      lastError: 'rate_limit_exceeded',
      isInDoubt: false,
    },
    {
      answered: '429 with a shorter Retry-After than ours',
      step: refuse(429, 'rate_limit_exceeded', { 'Retry-After': '1' }),
      seconds: 15,
      lastError: 'rate_limit_exceeded',
      isInDoubt: false,
    },
    {
      answered: '429 without',
      step: refuse(429, 'rate_limit_exceeded'),
      seconds: 15,
      lastError: 'rate_limit_exceeded',
      isInDoubt: false,
    },
    {
      answered: '429 with a date',
      step: refuse(429, 'rate_limit_exceeded', { 'Retry-After': 'Sun, 22 Nov 2026 13:00:00 GMT' }),
      seconds: 15,
      lastError: 'rate_limit_exceeded',
      isInDoubt: false,
    },
    {
      answered: '429 with a negative Retry-After',
      step: refuse(429, 'rate_limit_exceeded', { 'Retry-After': '-5' }),
      seconds: 15,
      lastError: 'rate_limit_exceeded',
      isInDoubt: false,
    },
    {
      answered: '429 with a Retry-After beyond what the queue takes',
      step: refuse(429, 'rate_limit_exceeded', { 'Retry-After': '1e300' }),
      seconds: 43_200,
      lastError: 'rate_limit_exceeded',
      isInDoubt: false,
    },
    {
      answered: 'the daily quota',
      step: refuse(429, 'daily_quota_exceeded', { 'Retry-After': '1' }),
      seconds: 3600,
      lastError: 'daily_quota_exceeded',
      isInDoubt: false,
    },
    {
      answered: 'the monthly quota',
      step: refuse(429, 'monthly_quota_exceeded'),
      seconds: 3600,
      lastError: 'monthly_quota_exceeded',
      isInDoubt: false,
    },
    {
      answered: '401',
      step: refuse(401, 'restricted_api_key'),
      seconds: 15,
      lastError: 'restricted_api_key',
      isInDoubt: false,
    },
    {
      answered: '403',
      step: refuse(403, 'invalid_api_key'),
      seconds: 15,
      lastError: 'invalid_api_key',
      isInDoubt: false,
    },
    {
      answered: '403 of a firewall',
      step: answer(403, '<h1>Forbidden</h1>'),
      seconds: 15,
      lastError: 'application_error',
      isInDoubt: false,
    },
    {
      answered: '500',
      step: refuse(500, 'internal_server_error'),
      seconds: 15,
      lastError: 'internal_server_error',
      isInDoubt: true,
    },
    {
      answered: '503 with Retry-After',
      step: refuse(503, 'application_error', { 'Retry-After': '60' }),
      seconds: 60,
      lastError: 'application_error',
      isInDoubt: true,
    },
    {
      answered: '502 of a proxy',
      step: answer(502, '<h1>Bad gateway</h1>'),
      seconds: 15,
      lastError: 'application_error',
      isInDoubt: true,
    },
    {
      answered: '500 with null',
      step: answer(500, 'null'),
      seconds: 15,
      lastError: 'unreadable_answer',
      isInDoubt: true,
    },
    {
      answered: '500 with an error of another shape',
      step: answer(500, { name: 'ada@example.com', statusCode: '500' }),
      seconds: 15,
      lastError: 'unnamed_error',
      isInDoubt: true,
    },
    {
      answered: '408',
      step: refuse(408, 'application_error'),
      seconds: 15,
      lastError: 'application_error',
      isInDoubt: true,
    },
    {
      answered: '409 concurrent',
      step: refuse(409, 'concurrent_idempotent_requests'),
      seconds: 15,
      lastError: 'concurrent_idempotent_requests',
      isInDoubt: true,
    },
    {
      answered: '200 that is no JSON',
      step: answer(200, '<h1>OK</h1>'),
      seconds: 15,
      lastError: 'application_error',
      isInDoubt: true,
    },
    {
      answered: '200 with nothing in it',
      step: answer(200, ''),
      seconds: 15,
      lastError: 'application_error',
      isInDoubt: true,
    },
    {
      answered: '200 with null',
      step: answer(200, 'null'),
      seconds: 15,
      lastError: 'unreadable_answer',
      isInDoubt: true,
    },
    {
      answered: '200 without an id',
      step: answer(200, {}),
      seconds: 15,
      lastError: 'unreadable_answer',
      isInDoubt: true,
    },
    {
      answered: '200 with an id that is no text',
      step: answer(200, { id: 7 }),
      seconds: 15,
      lastError: 'unreadable_answer',
      isInDoubt: true,
    },
    { answered: 'no answer', step: loseConnection, seconds: 15, lastError: 'application_error', isInDoubt: true },
  ])(
    'keeps the email for later: $answered',
    async ({ step, seconds, lastError, isInDoubt }, { service, clock, inbox }) => {
      const job = await registerOnly(service)
      scriptResend(step)
      expect(await consume(service, [job])).toEqual([{ retryAfter: seconds }])
      const now = clock.now().getTime()
      expect(await emailRow(job.id)).toMatchObject({
        ...later,
        attempts: 1,
        last_error: lastError,
        due_at: now + seconds * second,
        in_doubt_since: isInDoubt ? now : null,
      })
      expect(await eventsOf('email.failed')).toEqual([])

      clock.advance(seconds * second)
      expect(await consume(service, [job])).toEqual(['acked'])
      const sent = {
        status: 'sent',
        attempts: 2,
        last_error: null,
        in_doubt_since: null,
        finished_at: now + seconds * second,
      }
      expect(await emailRow(job.id)).toMatchObject({ ...sent, provider_id: inbox.newest(address).id })
      expect(inbox.all(address)).toHaveLength(1)
    },
  )

  it.for<{ answered: string; step: Step; lastError: string }>([
    { answered: '422', step: refuse(422, 'validation_error'), lastError: 'validation_error' },
    { answered: '400', step: refuse(400, 'validation_error'), lastError: 'validation_error' },
    { answered: '404', step: refuse(404, 'not_found'), lastError: 'not_found' },
    { answered: '422 that is no JSON', step: answer(422, '<h1>No</h1>'), lastError: 'application_error' },
    {
      answered: '451 with a name that is not one of Resend’s',
      step: refuse(451, 'Mail to ada@example.com refused'),
      lastError: 'unnamed_error',
    },
  ])(
    'ends the email as failed, with an audit event: $answered',
    async ({ step, lastError }, { service, clock, ada }) => {
      await ada.signIn()
      const session = await ada.signIn()
      await session.changePassword(changeOfPassword)
      const job = takeJob(service)
      const requests = scriptResend(step)
      expect(await consume(service, [job])).toEqual(['acked'])
      const finishedAt = clock.now().getTime()
      expect(await emailRow(job.id)).toMatchObject({
        status: 'failed',
        attempts: 1,
        last_error: lastError,
        in_doubt_since: null,
        finished_at: finishedAt,
      })
      expect(await eventsOf('email.failed')).toEqual([
        { user_id: ada.id, detail: { email_id: job.id, template: 'password_changed', reason: lastError } },
      ])
      clock.advance(day)
      expect(await consume(service, [job])).toEqual(['acked'])
      await service.runCron(requeue)
      expect([requests.length, service.queued.length]).toEqual([1, 0])
    },
  )

  it('means an earlier success when the key was used for another payload', async ({ service }) => {
    const job = await registerOnly(service)
    scriptResend(refuse(409, 'invalid_idempotent_request'))
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await emailRow(job.id)).toMatchObject({
      status: 'sent',
      provider_id: null,
      in_doubt_since: null,
      last_error: null,
    })
    expect(await eventsOf('email.failed')).toEqual([])
  })

  it('is awaited for ten seconds', async ({ service, clock }) => {
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
    expect(await emailRow(job.id)).toMatchObject({ status: 'queued', in_doubt_since: clock.now().getTime() })
  })

  it('is not logged, since it may name people', async ({ service }) => {
    const { lines } = captureLog()
    for (const step of [
      refuse(422, 'validation_error'),
      refuse(429, address),
      answer(500, { name: address }),
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

describe('an email that cannot be sent', () => {
  it('is tried 30 times, after pauses that double up to an hour, and has failed then', async ({ service, clock }) => {
    const job = await registerOnly(service)
    const requests = scriptResend(...Array.from({ length: 40 }, () => refuse(429, 'rate_limit_exceeded')))
    const pauses: unknown[] = []
    for (let attempt = 1; attempt < 30; attempt++) {
      const [verdict] = await consume(service, [job])
      const { retryAfter } = verdict as { retryAfter: number }
      pauses.push(retryAfter)
      clock.advance(retryAfter * second)
    }
    expect(pauses).toEqual([15, 30, 60, 120, 240, 480, 960, 1920, ...Array(21).fill(3600)])
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await emailRow(job.id)).toMatchObject({ status: 'failed', attempts: 30, last_error: 'rate_limit_exceeded' })
    expect(await eventsOf('email.failed')).toHaveLength(1)
    await consume(service, [job])
    expect(requests).toHaveLength(30)
  })

  it('is unknown after 23 hours of doubt, and never sent again', async ({ service, clock }) => {
    const job = await registerOnly(service)
    const requests = scriptResend(loseConnection, refuse(429, 'rate_limit_exceeded'), loseConnection)
    const start = clock.now().getTime()
    await consume(service, [job])
    // A certain refusal says nothing about the attempt before it.
    clock.advance(hour)
    await consume(service, [job])
    expect(await emailRow(job.id)).toMatchObject({ status: 'queued', in_doubt_since: start })
    clock.advance(22 * hour - 1)
    await consume(service, [job])
    expect(new Set(requests.map(({ key }) => key))).toEqual(new Set([`email/${job.id}`]))
    expect(new Set(requests.map(({ payload }) => payload)).size).toBe(1)
    expect(requests).toHaveLength(3)

    clock.advance(1)
    // As if its pause had ended just now.
    await write('update emails set due_at = ? where id = ?', clock.now().getTime(), job.id)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await emailRow(job.id)).toMatchObject({ status: 'unknown', last_error: 'in_doubt_too_long' })
    const [event] = await eventsOf('email.failed')
    expect(event!.detail).toMatchObject({ email_id: job.id, reason: 'in_doubt_too_long' })
    for (let later = 0; later < 3; later++) {
      clock.advance(day)
      await service.runCron(requeue)
      expect(service.queued).toEqual([])
      expect(await consume(service, [job])).toEqual(['acked'])
    }
    expect(requests).toHaveLength(3)
    expect(await eventsOf('email.failed')).toHaveLength(1)
  })

  it('is unknown, not failed, when its last try may have been accepted', async ({ service, clock, inbox }) => {
    const job = await registerOnly(service)
    scriptResend(...Array.from({ length: 29 }, () => refuse(429, 'rate_limit_exceeded')), acceptAndLose)
    for (let attempt = 1; attempt <= 30; attempt++) {
      await consume(service, [job])
      clock.advance(hour)
    }
    expect(await emailRow(job.id)).toMatchObject({ status: 'unknown', attempts: 30 })
    expect(inbox.all(address)).toHaveLength(1)
  })

  it('is unknown, not failed, when it is refused for good after an answer was lost', async ({ service, clock }) => {
    const job = await registerOnly(service)
    const start = clock.now().getTime()
    scriptResend(acceptAndLose, refuse(422, 'validation_error'))
    await consume(service, [job])
    clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    const row = { status: 'unknown', attempts: 2, last_error: 'validation_error', in_doubt_since: start }
    expect(await emailRow(job.id)).toMatchObject({ ...row, finished_at: clock.now().getTime() })
    expect(await eventsOf('email.failed')).toHaveLength(1)
  })
})

describe('an email', () => {
  it('is sent once by twenty consumers that get the same message at once', async ({ service, inbox }) => {
    const requests = scriptResend()
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      const email = `round-${round}@example.com`
      const job = await registerOnly(service, email)
      const verdicts = await Promise.all(Array.from({ length: 20 }, () => consume(service, [job])))
      expect(verdicts.flat()).toEqual(Array(20).fill('acked'))
      expect(await emailRow(job.id)).toMatchObject({ status: 'sent', attempts: 1 })
      expect(inbox.all(email)).toHaveLength(1)
      // The mailbox hides repetitions of a key, so the requests are counted.
      expect(requests).toHaveLength(round + 1)
    }
  })

  it('is sent once after a crash between the answer of Resend and our write', async () => {
    let crashes = 1
    const DB = hookedD1(env.DB, ([sql]) => {
      if (/^update "emails" set .*"provider_id" = /.test(sql!) && crashes-- > 0)
        throw new Error('D1_ERROR: Network connection lost.')
    })
    const service = startService({ env: { DB } })
    const inbox = inboxOf(service)
    const job = await registerOnly(service)
    const requests = scriptResend()
    const start = service.clock.now().getTime()
    const [verdict] = await consume(service, [job])
    expect(await emailRow(job.id)).toMatchObject({ status: 'sending', attempts: 1, in_doubt_since: start })
    // Later than the claim: a try during the claim gets no row, and the email would wait for the five-minute job.
    const { retryAfter } = verdict as { retryAfter: number }
    expect(retryAfter * second).toBeGreaterThan(2 * minute)

    service.clock.advance(retryAfter * second)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await emailRow(job.id)).toMatchObject({ status: 'sent', attempts: 2, provider_id: inbox.newest(address).id })
    expect(requests).toHaveLength(2)
    expect(requests[1]).toEqual(requests[0])
    expect(requests[0]!.key).toBe(`email/${job.id}`)
    expect(inbox.all(address)).toHaveLength(1)
  })

  it('is sent once when its consumer dies: the claim lapses and the five-minute job requeues it', async ({
    service,
    clock,
    inbox,
  }) => {
    const job = await registerOnly(service)
    const requests = scriptResend(async (toMailbox) => {
      await toMailbox()
      return new Promise<Response>(() => undefined)
    })
    void consume(service, [job])
    await vi.waitFor(() => expect(requests).toHaveLength(1))

    clock.advance(2 * minute - 1)
    expect(await consume(service, [job]), 'still claimed').toEqual(['acked'])
    expect(requests).toHaveLength(1)
    clock.advance(5 * minute)
    await service.runCron(requeue)
    expect(service.queued, 'not stranded yet').toEqual([])
    clock.advance(1)
    await service.runCron(requeue)
    expect(service.queued).toEqual([job])
    await service.deliver()
    expect(requests).toHaveLength(2)
    expect(requests[1]).toEqual(requests[0])
    expect(inbox.all(address)).toHaveLength(1)
    expect(await emailRow(job.id)).toMatchObject({ status: 'sent', attempts: 2 })
  })

  it.for<{ late: string; lateAnswer: Step }>([
    { late: 'accepted', lateAnswer: accept },
    { late: 'refused', lateAnswer: refuse(422, 'validation_error') },
    { late: 'postponed', lateAnswer: refuse(429, 'rate_limit_exceeded') },
  ])(
    'is sent once when a consumer wakes up after its claim, and Resend $late it',
    async ({ lateAnswer }, { service, clock, inbox }) => {
      const job = await registerOnly(service)
      const wake = Promise.withResolvers<void>()
      const requests = scriptResend(async (toMailbox, signal) => {
        await wake.promise
        return lateAnswer(toMailbox, signal)
      })
      const late = consume(service, [job])
      await vi.waitFor(() => expect(requests).toHaveLength(1))
      clock.advance(2 * minute)
      expect(await consume(service, [job]), 'the claim has lapsed').toEqual(['acked'])
      const sent = await emailRow(job.id)
      expect(sent).toMatchObject({ status: 'sent', attempts: 2 })
      wake.resolve()
      await late
      expect(await emailRow(job.id)).toEqual(sent)
      expect(inbox.all(address)).toHaveLength(1)
      expect(await eventsOf('email.failed')).toEqual([])
    },
  )
})

describe('a link', () => {
  const links = async () => (await rowsOf('one_time_links')).map(({ id }) => id)
  const times = async () =>
    (await rowsOf('one_time_links')).map(({ created_at, expires_at }) => ({ created_at, expires_at }))

  it.for([
    { kind: 'activation', ...linkEmails.activation },
    { kind: 'reset', ...linkEmails.reset },
  ])('stays used up when its email is delivered again: $kind', async ({ cause, follow }, { service, clock, inbox }) => {
    const job = await cause(service)
    scriptResend(acceptAndLose)
    await consume(service, [job])
    const token = inbox.linkToken(address)
    await follow(service, token)
    await service.deliver()
    const before = inbox.all(address).length

    clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect((await emailRow(job.id))['finished_at']).not.toBeNull()
    expect(await links()).toEqual([])
    expect(inbox.all(address)).toHaveLength(before)
    expectProblem(await follow(service, token).answer, 400, 'invalid_link')
  })

  it('is not followed by "you already have an account" after another email activated the account', async ({
    service,
    clock,
    inbox,
    anonymous,
  }) => {
    const job = await registerOnly(service)
    scriptResend(loseConnection)
    await consume(service, [job])
    await anonymous.resendActivation(address)
    await service.deliver()
    await anonymous.activate({ token: inbox.linkToken(address), password: goodPassword })
    await service.deliver()
    const subjects = inbox.subjects(address)

    clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(inbox.subjects(address)).toEqual(subjects)
    expect((await emailRow(job.id))['status']).toBe('skipped')
  })

  it('is not mailed once it has expired while its email was in doubt', async ({ service, clock, ada: _ada }) => {
    const job = await requestReset(service)
    const requests = scriptResend(loseConnection)
    await consume(service, [job])
    expect(await links()).toHaveLength(1)
    clock.advance(hour)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await emailRow(job.id)).toMatchObject({ status: 'skipped', finished_at: clock.now().getTime() })
    expect(requests).toHaveLength(1)
  })

  it.for<{ kind: 'activation' | 'reset'; refusal: string; step: Step }>([
    { kind: 'activation', refusal: 'over quota', step: refuse(429, 'daily_quota_exceeded') },
    { kind: 'reset', refusal: 'over quota', step: refuse(429, 'daily_quota_exceeded') },
    { kind: 'reset', refusal: 'a restricted key', step: refuse(401, 'restricted_api_key') },
    { kind: 'reset', refusal: 'a wrong key', step: refuse(403, 'invalid_api_key') },
  ])(
    'starts its lifetime at the first delivery that is not surely refused: $kind, $refusal',
    async ({ kind, step }, { service, clock, inbox }) => {
      const { cause, follow, life } = linkEmails[kind]
      const job = await cause(service)
      scriptResend(step, step)
      for (let attempt = 1; attempt <= 2; attempt++) {
        await consume(service, [job])
        clock.advance(life)
        await service.runCron('0 * * * *')
      }
      expect(await consume(service, [job])).toEqual(['acked'])
      expect(await emailRow(job.id)).toMatchObject({ status: 'sent', attempts: 3 })
      expect(await links()).toEqual([job.id])
      expect(await eventsOf('user.password_reset_requested'), 'no event for a try').toHaveLength(
        kind === 'reset' ? 1 : 0,
      )

      clock.advance(life - second)
      await follow(service, inbox.linkToken(address))
    },
  )

  it('keeps its times once its email may have been accepted', async ({ service, clock, ada: _ada }) => {
    const job = await requestReset(service)
    const requests = scriptResend(
      refuse(429, 'daily_quota_exceeded'),
      acceptAndLose,
      refuse(429, 'rate_limit_exceeded'),
    )
    for (const pause of [hour, minute, minute, minute]) {
      await consume(service, [job])
      clock.advance(pause)
    }
    const [refused, ...offered] = requests.map(({ payload }) => payload)
    expect(offered).toEqual(offered.map(() => offered[0]))
    expect(offered).toHaveLength(3)
    expect(offered[0]).not.toBe(refused)
  })

  it('stays deleted when its email is no longer refused', async ({ service, clock, people, anonymous, ada: _ada }) => {
    const job = await requestReset(service)
    const requests = scriptResend(refuse(429, 'daily_quota_exceeded'))
    await consume(service, [job])
    const token = await people.resetToken(address)
    await anonymous.completePasswordReset({ token, new_password: otherPassword })
    await service.deliver()
    const before = requests.length
    clock.advance(hour)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await emailRow(job.id)).toMatchObject({ status: 'skipped' })
    expect([await links(), requests.length]).toEqual([[], before])
  })

  it('keeps its times when a consumer wakes up after its claim and another offers the email', async () => {
    const [wake, hang] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let sleeps = false
    const DB = hookedD1(env.DB, async (statements) => {
      if (!sleeps || !statements.some((sql) => sql.startsWith('update "one_time_links"'))) return
      sleeps = false
      await wake.promise
    })
    const service = startService({ env: { DB } })
    const job = await linkEmails.reset.cause(service)
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

  it('is as old as its first delivery, however long its email was queued', async ({
    service,
    clock,
    inbox,
    anonymous,
    ada: _ada,
  }) => {
    const job = await requestReset(service)
    clock.advance(10 * hour)
    await consume(service, [job])
    clock.advance(hour - second)
    await anonymous.completePasswordReset({ token: inbox.linkToken(address), new_password: otherPassword })
  })
})

describe('delivery', () => {
  const requests = {
    reset: (caller: Caller, email: string) => caller.requestPasswordReset({ email }),
    activation: (caller: Caller, email: string) => caller.resendActivation(email),
    registration: (caller: Caller, email: string) => caller.register({ email, password: goodPassword }),
  }

  async function request(service: Service, kind: keyof typeof requests, email: string) {
    await requests[kind](new Caller(service), email)
    return takeJob(service)
  }

  it.for([{ kind: 'reset' }, { kind: 'activation' }] as const)(
    'sends nothing to an unknown address: $kind',
    async ({ kind }, { service, clock }) => {
      const sent = scriptResend()
      const job = await request(service, kind, 'nobody@example.com')
      expect(await consume(service, [job])).toEqual(['acked'])
      expect(await emailRow(job.id)).toMatchObject({ status: 'skipped', finished_at: clock.now().getTime() })
      expect(sent).toEqual([])
      expect(await eventsOf('user.password_reset_requested')).toEqual([])
    },
  )

  it('sends a suspended account a reset and a notice that it exists, and no activation link', async ({
    service,
    inbox,
    admin,
    ada,
  }) => {
    await admin.suspend(ada)
    await service.deliver()
    const before = inbox.all(address).length
    const outcomes = []
    for (const kind of ['reset', 'registration', 'activation'] as const) {
      const job = await request(service, kind, address)
      await consume(service, [job])
      outcomes.push((await emailRow(job.id))['status'])
    }
    expect(outcomes).toEqual(['sent', 'sent', 'skipped'])
    const [exists, reset] = inbox.all(address)
    expect(inbox.all(address)).toHaveLength(before + 2)
    expect(reset!.text).toContain('/reset-password#token=')
    expect(exists!.subject).toMatch(/already/i)
    expect(exists!.text).not.toContain('#token=')
  })

  it('sends an active account no activation link, and a pending one another link', async ({
    service,
    inbox,
    people,
    ada: _ada,
  }) => {
    await consume(service, [await request(service, 'activation', address)])
    await consume(service, [await request(service, 'registration', address)])
    expect(inbox.newest(address).subject).toMatch(/already/i)
    const first = await people.register('bob@example.com')
    const another = await people.register('bob@example.com')
    expect(first).not.toBe(another)
  })

  it('skips an unknown template', async ({ service }) => {
    const job = await registerOnly(service)
    await write(`update emails set template = 'retired' where id = ?`, job.id)
    const requests = scriptResend()
    expect(await consume(service, [job])).toEqual(['acked'])
    expect([(await emailRow(job.id))['status'], requests.length]).toEqual(['skipped', 0])
  })
})

describe('a deleted account', () => {
  it('gets a farewell and none of the emails that were queued before', async ({ service, inbox, leaver }) => {
    const { pending, farewell } = leaver
    expect((await rowsOf('emails', 'recipient = ?', address)).map(({ id }) => id)).toEqual([farewell.id])
    const before = inbox.subjects(address)
    expect(await consume(service, [...pending, farewell])).toEqual(['acked', 'acked'])
    expect(inbox.subjects(address)).toHaveLength(before.length + 1)
    expect(inbox.subjects(address)[0]).toMatch(/deleted/i)
    expect(await emailRow(farewell.id)).toMatchObject({ status: 'sent', recipient: '' })
    expect(await rowsOf('emails', 'recipient = ?', address)).toEqual([])
  })

  it.for<{ outcome: string; step: Step; status: string }>([
    { outcome: 'refused', step: refuse(422, 'validation_error'), status: 'failed' },
    { outcome: 'accepted under the same key before', step: refuse(409, 'invalid_idempotent_request'), status: 'sent' },
  ])('is forgotten when the farewell was $outcome', async ({ step, status }, { service, leaver }) => {
    const { farewell } = leaver
    scriptResend(step)
    await consume(service, [farewell])
    expect(await emailRow(farewell.id)).toMatchObject({ status, recipient: '' })
  })

  it('is remembered while the farewell is still to be sent, and forgotten when the queue gives up', async ({
    service,
    leaver,
  }) => {
    const { farewell } = leaver
    scriptResend(refuse(429, 'rate_limit_exceeded'))
    await consume(service, [farewell])
    expect(await emailRow(farewell.id)).toMatchObject({ status: 'queued', recipient: address })
    await useUp(farewell)
    await consume(service, [farewell], 'postern-mail-dead')
    expect(await emailRow(farewell.id)).toMatchObject({ status: 'failed', recipient: '' })
  })

  it('is forgotten after 23 hours of doubt', async ({ service, clock, leaver }) => {
    const { farewell } = leaver
    scriptResend(loseConnection)
    await consume(service, [farewell])
    clock.advance(23 * hour)
    await consume(service, [farewell])
    expect(await emailRow(farewell.id)).toMatchObject({ status: 'unknown', recipient: '' })
  })
})

describe('a dead letter', () => {
  const bury = (service: Service, ...jobs: unknown[]) => consume(service, jobs, 'postern-mail-dead')

  it('ends its row and is recorded, once', async ({ service, clock, ada }) => {
    const reset = await requestReset(service)
    scriptResend(refuse(401, 'missing_api_key'), loseConnection)
    await consume(service, [reset])
    const session = await ada.signIn()
    clock.advance(second)
    await session.changePassword(changeOfPassword)
    const changed = takeJob(service)
    await consume(service, [changed])

    await useUp(reset, changed)
    expect(await bury(service, reset, changed)).toEqual(['acked', 'acked'])
    const finished = { last_error: 'dead_letter', finished_at: clock.now().getTime() }
    expect(await emailRow(reset.id)).toMatchObject({ ...finished, status: 'failed' })
    expect(await emailRow(changed.id), 'it may have been accepted').toMatchObject({ ...finished, status: 'unknown' })
    const about = (email_id: string, template: string) => ({ email_id, template, reason: 'dead_letter' })
    const events = [
      { user_id: ada.id, detail: about(reset.id, 'password_reset') },
      { user_id: ada.id, detail: about(changed.id, 'password_changed') },
    ]
    expect(await eventsOf('email.failed')).toEqual(events)
    clock.advance(day)
    await bury(service, reset, changed)
    expect(await eventsOf('email.failed')).toEqual(events)
    expect(await emailRow(reset.id)).toMatchObject(finished)
  })

  it('leaves an email alone that was sent in the end', async ({ service }) => {
    const job = await registerOnly(service)
    await consume(service, [job])
    const sent = await emailRow(job.id)
    expect(await bury(service, job, { id: 'nobody' })).toEqual(['acked', 'acked'])
    expect(await emailRow(job.id)).toEqual(sent)
    expect(await eventsOf('email.failed')).toEqual([])
  })

  it('leaves a row with tries left, which the five-minute job requeues', async ({ service: plain, inbox }) => {
    let isDown = true
    const DB = hookedD1(env.DB, () => {
      if (isDown) throw new Error('D1_ERROR: Network connection lost.')
    })
    const job = await registerOnly(plain)
    const service = startService({ env: { DB }, beside: plain })
    for (let retry = 0; retry <= 40; retry++) {
      expect(await consume(service, [job])).toEqual([{ retryAfter: 150 }])
      service.clock.advance(150 * second)
    }
    isDown = false
    const before = await emailRow(job.id)
    expect(await bury(service, job)).toEqual(['acked'])
    expect(await emailRow(job.id)).toEqual(before)
    expect(await eventsOf('email.failed')).toEqual([])
    await service.runCron(requeue)
    expect(service.queued).toEqual([job])
    await service.deliver()
    expect(await emailRow(job.id)).toMatchObject({ status: 'sent', attempts: 1 })
    expect(inbox.all(address)).toHaveLength(1)
  })

  it('leaves a row with one try left', async ({ service }) => {
    const job = await registerOnly(service)
    await useUp(job)
    await write('update emails set attempts = attempts - 1')
    await bury(service, job)
    expect(await emailRow(job.id)).toMatchObject({ status: 'queued', attempts: 29 })
  })

  it.for([
    { kind: 'can’t be read', isUnreadable: true },
    { kind: 'breaks its consumer after each claim', isUnreadable: false },
  ])('ends a row that $kind', async ({ isUnreadable }, { service: plain }) => {
    const DB = hookedD1(env.DB, (statements) => {
      const isAfterClaim = statements.some((sql) => /from "registrations"/.test(sql))
      if (!isUnreadable && isAfterClaim) throw new Error('D1_ERROR: Network connection lost.')
    })
    const job = await registerOnly(plain)
    if (isUnreadable) await makeUnreadable(job)
    const service = startService({ env: { DB }, beside: plain })
    for (let retry = 0; retry <= 40; retry++) {
      expect(await consume(service, [job])).toEqual([{ retryAfter: 150 }])
      service.clock.advance(150 * second)
    }
    expect(await emailRow(job.id), 'a claim is a try').toMatchObject({ attempts: 41, finished_at: null })
    await bury(service, job)
    expect(await emailRow(job.id)).toMatchObject({
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
    expect((await emailRow(job.id))['status']).toBe('failed')
  })

  it('affects no other message, whatever its form', async ({ service }) => {
    const job = await registerOnly(service)
    const unreadable = await registerOnly(service)
    await makeUnreadable(unreadable)
    await useUp(unreadable, job)
    const strange = [null, undefined, {}, 'text', { id: null }, { id: { $ne: 1 } }]
    expect(new Set(await bury(service, ...strange, unreadable, job))).toEqual(new Set(['acked']))
    expect([(await emailRow(unreadable.id))['status'], (await emailRow(job.id))['status']]).toEqual([
      'failed',
      'failed',
    ])
  })
})

describe('a batch', () => {
  it('is not held up by a message that cannot be delivered', async ({ service }) => {
    const jobs = []
    for (let index = 0; index < 4; index++) jobs.push(await registerOnly(service, `person-${index}@example.com`))
    const [first, broken, third, last] = jobs
    await makeUnreadable(broken!)
    const { lines } = captureLog()
    const strange = [null, undefined, 'text', 7, {}, { id: 7 }, { id: null }, { id: ['a'] }, { id: 'nobody' }]
    const verdicts = await consume(service, [first, broken, ...strange, third, last])
    expect(verdicts[0]).toBe('acked')
    expect(verdicts[1]).toEqual({ retryAfter: 150 })
    expect(verdicts.slice(2, -2)).toEqual(strange.map(() => 'acked'))
    expect(verdicts.slice(-2)).toEqual(['acked', 'acked'])
    const statuses = await Promise.all(jobs.map(async (job) => (await emailRow(job.id))['status']))
    expect(statuses).toEqual(['sent', 'queued', 'sent', 'sent'])
    expect(lines.join('\n')).not.toContain('@example.com')
  })

  it('comes back whole when D1 is down, with nothing sent', async () => {
    let isDown = false
    const DB = hookedD1(env.DB, () => {
      if (isDown) throw new Error('D1_ERROR: Network connection lost.')
    })
    const service = startService({ env: { DB } })
    const jobs = [await registerOnly(service, address), await registerOnly(service, 'bob@example.com')]
    isDown = true
    const requests = scriptResend()
    expect(await consume(service, jobs)).toEqual([{ retryAfter: 150 }, { retryAfter: 150 }])
    expect(requests).toEqual([])
    isDown = false
    expect(await consume(service, jobs)).toEqual(['acked', 'acked'])
  })
})

describe('the emails of a whole account life', () => {
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

  /** Everything that causes an email, with every answer kept. */
  async function live(service: Service) {
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
    const [caller, people] = [new Caller(telling), peopleOf(telling)]
    const bob = 'bob@example.com'
    const admin = await people.admin()
    await people.register(address)
    const ada = await people.signUp(address)
    await people.register(bob)
    await people.register(bob, otherPassword)
    const { users } = await admin.users({ email: 'bob' })
    await admin.activateUser(users[0]!)
    await caller.register({ email: address, password: otherPassword })
    await caller.resendActivation(address)
    await caller.completePasswordReset({ token: await people.resetToken(address), new_password: passwords[1]! })
    await moveAndComeBack(telling, people)
    await changeFactors(admin, await people.signIn(address, passwords[1]))
    const session = await people.signIn(address, passwords[1])
    await session.changePassword({ old_password: passwords[1]!, new_password: passwords[2]! })
    for (let turn = 0; turn < 3; turn++) {
      await session.refresh().answer
      service.clock.advance(minute)
    }
    const elsewhere = caller.from({ country: 'FR', headers: { 'CF-Connecting-IP': '198.51.100.9' } })
    await elsewhere.login({ email: address, password: passwords[2]! }).answer
    for (let turn = 0; turn < 10; turn++) {
      await caller.login({ email: address, password: 'not it' }).answer
      service.clock.advance(20 * second)
    }
    await admin.assignRole(ada, 'MODERATOR')
    await admin.suspend(ada, 'For a while.')
    await admin.reinstate(ada)
    await service.deliver()
    const before = await dump()
    await admin.deleteUser(ada)
    await service.deliver()
    const sent = jobs.mock.calls.flat()
    return { answers, before, after: await dump(), jobs: sent }
  }

  /** Everything about second factors that is mailed. There are none at the end, and no session either. */
  async function changeFactors(admin: Person, person: Person): Promise<void> {
    await person.sendFactorCode()
    const { app, recoveryCodes } = await enrolApp(person)
    const caller = new Caller(person.service)
    const { json } = await caller.login({ email: address, password: person.password }).answer
    const { factor_token } = json as { factor_token: string }
    for (let turn = 0; turn < 5; turn++) await caller.secondFactor({ factor_token, totp: app.wrongCode() }).answer
    await caller.secondFactor({ factor_token, recovery_code: recoveryCodes[0]! })
    await person.renewRecoveryCodes()
    await person.renamePasskey((await enrolPasskey(person)).id, 'Laptop')
    await person.removeTotp()
    await enrolApp(person)
    await admin.resetFactors(person)
  }

  /** A change of address and its end, after which the password is the second one again. */
  async function moveAndComeBack(service: Service, people: People): Promise<void> {
    const [inbox, moved] = [inboxOf(service), 'ada.new@example.com']
    const mover = await people.signIn(address, passwords[1])
    await mover.changeEmail(moved)
    await service.deliver()
    await mover.confirmEmail(inbox.linkToken(moved))
    await mover.exportMe()
    await service.deliver()
    await new Caller(service).revertEmail(inbox.linkToken(address))
    const token = await people.resetToken(address)
    await new Caller(service).completePasswordReset({ token, new_password: passwords[1]! })
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

  it('cover every template, and link only to PUBLIC_URL', async ({ service }) => {
    const { before, after } = await live(service)
    const templates = [...before['emails']!, ...after['emails']!].map((row) => (row as { template: string }).template)
    // A passkey that may have been copied is in test/routes/passkeys.test.ts.
    const all = emailTemplates.filter((template) => template !== 'passkey_doubted')
    expect([...new Set(templates)].toSorted()).toEqual(all.toSorted())
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

  it('leave no token, password or link in a row, the revocation list or a queue message', async ({ service }) => {
    const { answers, before, after, jobs } = await live(service)
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
    expect(jobs.length).toBeGreaterThan(10)
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
    const inbox = inboxOf(service)
    await new Caller(service).register({ email: address, password: goodPassword })
    const { id } = await rowOf('emails', 'recipient = ?', address)
    await vi.waitFor(async () => expect(await emailRow(String(id))).toMatchObject({ status: 'sent', attempts: 1 }), {
      timeout: 10_000,
      interval: 50,
    })
    expect(inbox.all(address)).toHaveLength(1)
    expect(inbox.linkToken(address)).toMatch(/^eyJ/)
  })
})
