/** Webhooks of Resend: which are accepted, how they change the fate of an email, and what follows for its address. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { Resend } from 'resend'
import { afterEach, describe, expect, vi } from 'vitest'
import { type EmailFate, emailFates, emailProblems } from '../../src/store/schema/emails.ts'
import { expectNoContent, expectOk, expectProblem, userObject } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { day, minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as plainIt } from '../support/fixtures.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { type Inbox } from '../support/inbox.ts'
import { captureLog } from '../support/log-lines.ts'
import { acceptAndLose, consume, refuse, scriptResend } from '../support/mail-consumer.ts'
import { type Person, goodPassword } from '../support/person.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'
import { eventOf, svixHeaders, tell, webhookSecret } from '../support/webhooks.ts'

const email = 'ada@example.com'
const resendEnv = { RESEND_WEBHOOK_SECRET: webhookSecret }

const it = plainIt.extend('options', async () => ({ env: resendEnv }))

/** The outbox row of the newest email to an address. */
const rowOfNewest = (inbox: Inbox, to: string) => rowOf('emails', 'provider_id = ?', inbox.newest(to).id)

const isDeliverable = async (admin: Caller, user: { id: string }) => (await admin.user(user)).email_deliverable

/** Gives the newest email of the account a fate, and counts the emails that follow. */
async function give(ada: Person, inbox: Inbox, fate: EmailFate) {
  expectOk(await tell(ada.service, eventOf(fate, inbox.newest(ada))))
  const before = inbox.all(ada).length
  return () => inbox.all(ada).length - before
}
async function requestReset(ada: Person) {
  await ada.requestPasswordReset({ email: ada.email })
  await ada.service.deliver()
}
const registerAgain = (ada: Person) => ada.register({ email: ada.email, password: goodPassword })

afterEach(() => void vi.restoreAllMocks())

plainIt('webhooks do not exist without a secret', async ({ service }) => {
  expectProblem(await tell(service, eventOf('delivered', { id: 'x' })), 404, 'not_found')
})

plainIt.for(['secret', 'whsec_', 'whsec_****', `whsec_${btoa('too short')}`])(
  'the service answers 503 if the webhook secret is malformed: %s',
  async (secret) => {
    const service = startService({ env: { RESEND_WEBHOOK_SECRET: secret } })
    const { entries } = captureLog()
    await new Caller(service).getKeys().refused(503, 'service_unavailable')
    expect(JSON.stringify(entries('config.invalid'))).toContain('RESEND_WEBHOOK_SECRET')
    expect(JSON.stringify(entries('config.invalid'))).not.toContain(secret.slice(6) || 'whsec_x')
  },
)

describe('a webhook', () => {
  const body = JSON.stringify(eventOf('bounced', { id: 'x' }))
  const now = new Date(Date.UTC(2026, 10, 22, 12))
  const good = () => svixHeaders(body, { at: now })
  const without = async (name: string) =>
    Object.fromEntries(Object.entries(await good()).filter(([each]) => each !== name))
  const withSignature = async (change: (signature: string) => string) => {
    const headers = await good()
    return { ...headers, 'svix-signature': change(headers['svix-signature']) }
  }
  const refusals: { flaw: string; headersOf: () => Promise<Record<string, string>> }[] = [
    { flaw: 'it is not signed', headersOf: async () => ({}) },
    { flaw: 'it has no id', headersOf: () => without('svix-id') },
    { flaw: 'it has no time', headersOf: () => without('svix-timestamp') },
    { flaw: 'it has no signature', headersOf: () => without('svix-signature') },
    {
      flaw: 'the secret is another one',
      headersOf: () => svixHeaders(body, { at: now, secret: `whsec_${btoa('another-another-another!')}` }),
    },
    { flaw: 'another body was signed', headersOf: () => svixHeaders(`${body} `, { at: now }) },
    { flaw: 'another id was signed', headersOf: async () => ({ ...(await good()), 'svix-id': 'msg_2' }) },
    {
      flaw: 'another time was signed',
      headersOf: async () => ({ ...(await good()), 'svix-timestamp': String(now.getTime() / 1000 + 1) }),
    },
    { flaw: 'the time is a word', headersOf: async () => ({ ...(await good()), 'svix-timestamp': 'now' }) },
    {
      flaw: 'the time has more after it',
      headersOf: async () => ({ ...(await good()), 'svix-timestamp': `${now.getTime() / 1000}x` }),
    },
    {
      flaw: 'it is replayed after five minutes',
      headersOf: () => svixHeaders(body, { at: new Date(now.getTime() - 5 * minute - second) }),
    },
    {
      flaw: 'it is more than five minutes in the future',
      headersOf: () => svixHeaders(body, { at: new Date(now.getTime() + 5 * minute + second) }),
    },
    {
      flaw: 'the version is another one',
      headersOf: () => withSignature((signature) => signature.replace('v1', 'v2')),
    },
    { flaw: 'there is no version', headersOf: () => withSignature((signature) => signature.slice(3)) },
    { flaw: 'the signature is cut', headersOf: () => withSignature((signature) => signature.slice(0, 20)) },
    { flaw: 'the signature is not base64', headersOf: () => withSignature(() => 'v1,****') },
    { flaw: 'the signature is empty', headersOf: () => withSignature(() => 'v1,') },
    {
      flaw: 'the right signature comes after ten others',
      headersOf: () => withSignature((signature) => `${'v1,AAAA '.repeat(10)}${signature}`),
    },
  ]
  const deliver = (anonymous: Caller, raw: string, headers: Record<string, string>) =>
    anonymous.call('receiveResendWebhook', { raw, headers })

  it.for(refusals)(
    'is refused without a reason in the answer if $flaw',
    async ({ headersOf }, { service, anonymous }) => {
      const headers = await headersOf()
      const { answer, effects } = await observe(service, () => deliver(anonymous, body, headers))
      expectProblem(answer, 401, 'invalid_credentials')
      expect(effects).toEqual(nothing)
    },
  )

  it('is accepted with one right signature of several, and up to five minutes off', async ({ anonymous }) => {
    for (const headers of [
      await withSignature((signature) => `v1,AAAA v1a,x ${signature}`),
      await svixHeaders(body, { at: new Date(now.getTime() - 5 * minute) }),
      await svixHeaders(body, { at: new Date(now.getTime() + 5 * minute) }),
    ]) {
      expect(expectOk(await deliver(anonymous, body, headers).answer)).toEqual({ received: true })
    }
  })

  it('is verified as the SDK of Resend verifies it, or more strictly', async ({ anonymous }) => {
    vi.useFakeTimers({ now, toFake: ['Date'] })
    const { webhooks } = new Resend('re_test')
    try {
      for (const { flaw, headersOf } of [{ flaw: 'it is good', headersOf: good }, ...refusals]) {
        const headers: Record<string, string> = await headersOf()
        const verify = () =>
          webhooks.verify({
            payload: body,
            webhookSecret,
            headers: {
              id: headers['svix-id']!,
              timestamp: headers['svix-timestamp']!,
              signature: headers['svix-signature']!,
            },
          })
        const { status } = await deliver(anonymous, body, headers).answer
        // The SDK reads a time up to its first wrong character, and any number of signatures. Postern refuses both.
        if (/more after it|after ten others/.test(flaw)) expect(verify, flaw).not.toThrow()
        else if (status === 200) expect(verify, flaw).not.toThrow()
        else expect(verify, flaw).toThrow(/./)
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('is limited in size like any other body, and has to be JSON', async ({ anonymous }) => {
    const large = JSON.stringify({ ...eventOf('delivered', { id: 'x' }), padding: 'x'.repeat(17_000) })
    const ofLarge = await svixHeaders(large, { at: now })
    expectProblem(await deliver(anonymous, large, ofLarge).answer, 413, 'body_too_large')
    const ofBroken = await svixHeaders('{', { at: now })
    expectProblem(await deliver(anonymous, '{', ofBroken).answer, 400, 'malformed_json')
  })

  it.for<{ about: string; told: unknown }>([
    { about: 'null', told: null },
    { about: 'a list', told: [] },
    { about: 'no data', told: { type: 'email.bounced', created_at: '' } },
    { about: 'no id', told: { type: 'email.bounced', created_at: '', data: {} } },
    { about: 'an id of another type', told: { type: 'email.bounced', created_at: '', data: { email_id: 7 } } },
    { about: 'a domain', told: { type: 'domain.created', created_at: '', data: { id: 'x' } } },
    { about: 'an opened email', told: { ...eventOf('bounced', { id: 'x' }), type: 'email.opened' } },
    { about: 'an email of another sender', told: eventOf('bounced', { id: 'x' }) },
    {
      about: 'a row that does not exist',
      told: eventOf('bounced', { id: 'x' }, '01a20320-a200-7000-8000-000000000000'),
    },
  ])('is accepted and changes nothing if it is about $about', async ({ told }, { service, clock, anonymous, ada }) => {
    expect(await rowsOf('users')).toMatchObject([{ id: ada.id }])
    const raw = JSON.stringify(told)
    const headers = await svixHeaders(raw, { at: clock.now() })
    const { answer, effects } = await observe(service, () => deliver(anonymous, raw, headers))
    expectOk(answer)
    expect(effects.rows).toEqual({})
  })

  it.for(Object.getOwnPropertyNames(Object.prototype))(
    'is answered with 200 and has no effect if its type is %s, which every object has',
    async (type, { service, inbox, ada }) => {
      const told = eventOf('delivered', inbox.newest(ada))
      const { answer, effects } = await observe(service, () => tell(service, { ...told, type }))
      expectOk(answer)
      expect(effects).toEqual(nothing)
    },
  )

  it('finds its email by the row id in its tags, whatever its id at Resend', async ({ service, inbox, ada }) => {
    const mail = inbox.newest(ada)
    const { id } = await rowOfNewest(inbox, email)
    await tell(service, eventOf('delivered', { id: 'unknown to us' }, String(id)))
    expect(await rowOf('emails', 'id = ?', id!)).toMatchObject({ fate: 'delivered', provider_id: mail.id })
  })

  it.for([
    { tags: 'none', told: {} },
    { tags: 'null', told: { tags: null } },
    { tags: 'a list', told: { tags: ['strange'] } },
    { tags: 'another name', told: { tags: { category: 'welcome' } } },
    { tags: 'no id', told: { tags: { outbox_id: 'x' } } },
    { tags: 'a number', told: { tags: { outbox_id: 7 } } },
  ])(
    'about an email without our tag is ignored, even if we know its id at Resend: $tags',
    async ({ told }, { service, inbox, ada }) => {
      const { id } = inbox.newest(ada)
      const event = { ...eventOf('bounced', { id }), data: { email_id: id, bounce: { type: 'Permanent' }, ...told } }
      const { answer, effects } = await observe(service, () => tell(service, event))
      expectOk(answer)
      expect(effects).toEqual(nothing)
    },
  )

  it('marks an email as sent whose answer was lost', async ({ service, clock, inbox, anonymous }) => {
    await anonymous.register({ email, password: goodPassword })
    const job = service.queued.pop()!
    scriptResend(acceptAndLose)
    await consume(service, [job])
    clock.advance(23 * 60 * minute)
    await consume(service, [job])
    expect(await rowOf('emails')).toMatchObject({ status: 'unknown', provider_id: null })
    const mail = inbox.newest(email)
    await tell(service, eventOf('delivered', mail, job.id))
    const known = { status: 'sent', provider_id: mail.id, fate: 'delivered', last_error: null, in_doubt_since: null }
    expect(await rowOf('emails')).toMatchObject({ ...known, delivered_at: clock.now().getTime() })
  })

  const proofs = emailFates.filter((fate) => fate !== 'failed')

  it.for(proofs)(
    'stops the repetition of an email whose answer was lost: %s',
    async (fate, { service, clock, inbox, anonymous, ada }) => {
      await anonymous.requestPasswordReset({ email })
      const job = service.queued.pop()!
      const requests = scriptResend(acceptAndLose)
      await consume(service, [job])
      await write('update emails set user_id = null where id = ?', job.id)
      clock.advance(second)
      const mail = inbox.newest(ada)
      for (let time = 1; time <= 2; time++) expectOk(await tell(service, eventOf(fate, mail, job.id)))
      const known = { status: 'sent', provider_id: mail.id, fate, in_doubt_since: null, last_error: null }
      const finished = { recipient: email, finished_at: clock.now().getTime(), attempts: 1 }
      expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ ...known, user_id: ada.id, ...finished })
      clock.advance(day)
      expect(await consume(service, [job])).toEqual(['acked'])
      await service.runCron('*/5 * * * *')
      expect([requests.length, service.queued]).toEqual([1, []])
      expect(await rowsOf('audit_events', 'type = ?', 'email.failed')).toEqual([])
    },
  )

  it('marks an email as sent that a suppression kept from being repeated', async ({ service, clock, inbox, ada }) => {
    await ada.requestPasswordReset({ email })
    const job = service.queued.pop()!
    const welcome = inbox.newest(ada)
    const requests = scriptResend(acceptAndLose)
    await consume(service, [job])
    await tell(service, eventOf('complained', welcome))
    clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(requests).toHaveLength(1)
    const row = () => rowOf('emails', 'id = ?', job.id)
    expect(await row()).toMatchObject({ status: 'skipped', last_error: 'recipient_suppressed' })
    const finishedAt = clock.now().getTime()
    clock.advance(minute)
    await tell(service, eventOf('delivered', inbox.newest(ada), job.id))
    const sent = { status: 'sent', fate: 'delivered', last_error: null, in_doubt_since: null, finished_at: finishedAt }
    expect(await row()).toMatchObject(sent)
  })

  it('is not undone by an answer to the request that comes later', async ({ service, inbox, anonymous }) => {
    await anonymous.register({ email, password: goodPassword })
    const job = service.queued.pop()!
    scriptResend(async (toMailbox) => {
      await toMailbox()
      await tell(service, eventOf('delivered', inbox.newest(email), job.id))
      throw new TypeError('Network connection lost.')
    })
    await consume(service, [job])
    const { id: provider_id } = inbox.newest(email)
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ status: 'sent', provider_id, in_doubt_since: null })
  })

  it('takes its email out of a batch, and the conflict of the others means they were sent', async ({
    service,
    clock,
    inbox,
    anonymous,
  }) => {
    const addresses = [email, 'bob@example.com', 'carla@example.com']
    for (const address of addresses) await anonymous.register({ email: address, password: goodPassword })
    const jobs = service.queued.splice(0)
    const requests = scriptResend(acceptAndLose)
    await consume(service, jobs)
    await tell(service, eventOf('delivered', inbox.newest(email), jobs[0]!.id))
    clock.advance(minute)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(({ payload }) => (JSON.parse(payload) as unknown[]).length)).toEqual([3, 2])
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1)
    expect((await rowsOf('emails')).map(({ status }) => status)).toEqual(['sent', 'sent', 'sent'])
    for (const address of addresses) expect(inbox.all(address)).toHaveLength(1)
  })

  it('removes the address from the last email to a deleted account', async ({ service, inbox, ada }) => {
    await ada.deleteMe()
    const job = service.queued.pop()!
    scriptResend(acceptAndLose)
    await consume(service, [job])
    await tell(service, eventOf('bounced', inbox.newest(ada), job.id))
    expect(await rowOf('emails')).toMatchObject({ status: 'sent', fate: 'bounced', recipient: '' })
  })

  it('proves nothing if it says failed: the email is repeated', async ({ service, clock, inbox, anonymous }) => {
    await anonymous.register({ email, password: goodPassword })
    const job = service.queued.pop()!
    const requests = scriptResend(
      async (toMailbox) => {
        await toMailbox()
        await tell(service, eventOf('failed', inbox.newest(email), job.id))
        throw new TypeError('Network connection lost.')
      },
      refuse(409, 'invalid_idempotent_request'),
    )
    await consume(service, [job])
    const known = { fate: 'failed', provider_id: inbox.newest(email).id }
    expect(await rowOf('emails')).toMatchObject({ ...known, status: 'queued', finished_at: null })
    clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf('emails')).toMatchObject({ ...known, status: 'sent' })
    expect(requests[1]).toEqual(requests[0])
    await write(`update emails set status = 'unknown', fate = null`)
    await tell(service, eventOf('failed', inbox.newest(email), job.id))
    expect(await rowOf('emails')).toMatchObject({ ...known, status: 'unknown' })
  })

  it('does not change an email that Resend refused', async ({ service, clock, inbox, anonymous }) => {
    await anonymous.register({ email, password: goodPassword })
    const job = service.queued.pop()!
    scriptResend(refuse(429, 'rate_limit_exceeded'))
    await consume(service, [job])
    await tell(service, eventOf('delivered', { id: 'of an earlier try' }, job.id))
    const row = { status: 'queued', finished_at: null, last_error: 'rate_limit_exceeded' }
    expect(await rowOf('emails')).toMatchObject(row)
    clock.advance(minute)
    await consume(service, [job])
    expect(inbox.all(email)).toHaveLength(1)
  })

  it('costs one round trip, fewer than 20 rows read and, when it repeats another, no row written', async ({
    service,
    inbox,
    ada,
  }) => {
    const meter = countCosts(env)
    const metered = startService({ env: { ...resendEnv, ...meter.bindings }, beside: service })
    for (const fate of emailFates) {
      for (const isRepetition of [false, true]) {
        expectOk(await tell(metered, eventOf(fate, inbox.newest(ada))))
        const cost = meter.take()
        expect(cost.roundTrips).toBe(1)
        expect(cost.rowsRead).toBeLessThan(20)
        if (isRepetition) expect(cost.rowsWritten).toBe(0)
        else if (!(emailProblems as readonly string[]).includes(fate)) expect(cost.rowsWritten).toBe(1)
      }
    }
  })

  it('gets a 503 and has no effect if D1 fails, so that Resend delivers it again', async ({ service, inbox, ada }) => {
    const mail = inbox.newest(ada)
    const DB = hookedD1(env.DB, () => {
      throw new Error('D1_ERROR: Network connection lost.')
    })
    const failing = startService({ beside: service, env: { ...resendEnv, DB } })
    const { answer, effects } = await observe(service, () => tell(failing, eventOf('bounced', mail)))
    expectProblem(answer, 503, 'service_unavailable')
    expect(effects.rows).toEqual({})
    expectOk(await tell(service, eventOf('bounced', mail)))
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ email_problem: 'bounced' })
  })

  it('leaves no address in the log or the audit trail', async ({ service, inbox, ada }) => {
    const { lines } = captureLog()
    for (const fate of emailFates) await tell(service, eventOf(fate, inbox.newest(ada)))
    await tell(service, eventOf('bounced', inbox.newest(ada)), {
      secret: `whsec_${btoa('another-another-another!')}`,
    })
    expect(lines.length).toBeGreaterThan(emailFates.length)
    expect(lines.join('\n')).not.toContain('ada@')
    expect(JSON.stringify(await rowsOf('audit_events'))).not.toContain('ada@')
  })
})

describe('the fate of an email', () => {
  it(
    'does not depend on the order, the delay or the number of its events',
    { timeout: 120_000 },
    async ({ service, clock, inbox, ada }) => {
      const mail = inbox.newest(ada)
      const { id: rowId } = await rowOfNewest(inbox, email)
      const startMs = clock.now().getTime()
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom(...emailFates), { maxLength: 8 }), async (fates) => {
          await write('update emails set fate = null, delivered_at = null where id = ?', String(rowId))
          await write('update users set email_problem = null')
          await write(`delete from audit_events where type = 'email.undeliverable'`)
          for (const fate of fates) {
            const event = { ...eventOf(fate, mail), created_at: new Date(startMs).toISOString() }
            expectOk(await tell(service, event))
          }
          const last = emailFates.findLast((fate) => fates.includes(fate)) ?? null
          const problem = last !== null && (emailProblems as readonly string[]).includes(last) ? last : null
          const row = await rowOf('emails', 'id = ?', String(rowId))
          expect(row).toMatchObject({
            fate: last,
            delivered_at: fates.includes('delivered') ? startMs : null,
            status: 'sent',
          })
          expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ email_problem: problem })
          const events = await rowsOf('audit_events', 'type = ?', 'email.undeliverable')
          const reasons = events.map(({ detail }) => JSON.parse(String(detail)).reason as EmailFate)
          expect(new Set(reasons).size, 'one event for each').toBe(reasons.length)
          if (problem) expect(reasons).toContain(problem)
          else expect(reasons).toEqual([])
          for (const event of events) expect(event).toMatchObject({ user_id: ada.id, ip: null, user_agent: null })
        }),
        { numRuns: 60 },
      )
    },
  )

  it('changes once if one webhook is delivered twenty times at once', async ({ service, inbox, people }) => {
    for (let round = 0; round < 10; round++) {
      const person = await people.signUp(`round-${round}@example.com`)
      const event = eventOf('complained', inbox.newest(person))
      const answers = await Promise.all(Array.from({ length: 20 }, () => tell(service, event)))
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
      expect(await rowsOf('audit_events', 'type = ?', 'email.undeliverable')).toHaveLength(round + 1)
    }
  })

  it('has the time of the webhook if Resend gives none, or one in the future', async ({
    service,
    clock,
    inbox,
    ada,
  }) => {
    for (const created_at of ['3000-01-01T00:00:00.000Z', 'soon']) {
      await write('update emails set delivered_at = null')
      await tell(service, { ...eventOf('delivered', inbox.newest(ada)), created_at })
      expect(await rowOfNewest(inbox, email)).toMatchObject({ delivered_at: clock.now().getTime() })
    }
  })

  it.for(['delivery_delayed', 'delivered', 'failed', 'soft_bounced'] as const)(
    'leaves the address deliverable if it is %s',
    async (fate, { inbox, admin, ada }) => {
      const countOfNew = await give(ada, inbox, fate)
      expect(await isDeliverable(admin, ada)).toBe(true)
      await requestReset(ada)
      expect(countOfNew()).toBe(1)
    },
  )
})

describe('an address that bounced or complained', () => {
  it.for(emailProblems)(
    'gets no more emails, and is undeliverable in the list of users: %s',
    async (problem, { inbox, admin, ada }) => {
      const countOfNew = await give(ada, inbox, problem)
      expect(await isDeliverable(admin, ada)).toBe(false)
      expect((await admin.users({ email: 'ada' })).users).toMatchObject([{ id: ada.id, email_deliverable: false }])
      const requests = scriptResend()
      await requestReset(ada)
      expect([countOfNew(), requests.length]).toEqual([0, 0])
      const skipped = { status: 'skipped', last_error: 'recipient_suppressed', user_id: ada.id, attempts: 1 }
      expect(await rowOf('emails', 'template = ?', 'password_reset')).toMatchObject(skipped)
      expect(await rowsOf('one_time_links')).toEqual([])
      const [event] = await rowsOf('audit_events', 'type = ?', 'email.undeliverable')
      expect(JSON.parse(String(event!['detail']))).toEqual({
        email_id: expect.any(String),
        template: 'account_activated',
        reason: problem,
      })
    },
  )

  it('is the only one left out of a batch', async ({ service, inbox, people, admin, ada }) => {
    await give(ada, inbox, 'bounced')
    const bob = await people.signUp('bob@example.com')
    const before = service.mailbox.mails().length
    for (const person of [ada, bob]) await admin.requestPasswordReset({ email: person.email })
    await service.deliver()
    expect(service.mailbox.mails()).toHaveLength(before + 1)
    expect(inbox.newest(bob).text).toContain('/reset-password#token=')
  })

  it('gets emails again after a new registration, in spite of a replay of the bounce', async ({
    service,
    inbox,
    admin,
    ada,
  }) => {
    const countOfNew = await give(ada, inbox, 'bounced')
    const mail = inbox.newest(ada)
    await registerAgain(ada)
    await service.deliver()
    expect(countOfNew()).toBe(1)
    expect(await isDeliverable(admin, ada)).toBe(true)
    expectOk(await tell(service, eventOf('bounced', mail), { id: 'msg_replay' }))
    expect(await isDeliverable(admin, ada)).toBe(true)
    expectOk(await tell(service, eventOf('bounced', inbox.newest(ada))))
    expect(await isDeliverable(admin, ada)).toBe(false)
  })

  it('stays suppressed after a registration beyond the budget of emails', async ({ inbox, admin, ada }) => {
    await give(ada, inbox, 'bounced')
    for (let time = 0; time < 5; time++) await registerAgain(ada)
    await write(`update users set email_problem = 'bounced' where id = ?`, ada.id)
    await registerAgain(ada)
    expect(await isDeliverable(admin, ada)).toBe(false)
  })

  it('gets emails again if an ADMIN lifts the suppression, which is audited once', async ({
    service,
    inbox,
    admin,
    ada,
  }) => {
    const countOfNew = await give(ada, inbox, 'complained')
    const { answer, effects } = await observe(service, () => admin.liftEmailSuppression(ada))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { audit_events: '+1', users: '~1' },
      events: [{ type: 'email.suppression_lifted', actor: admin.id, user: ada.id, detail: null }],
      revoked: [],
      mails: [],
    })
    expect(await isDeliverable(admin, ada)).toBe(true)
    await requestReset(ada)
    expect(countOfNew()).toBe(1)
    const again = await observe(service, () => admin.liftEmailSuppression(ada))
    expectProblem(again.answer, 409, 'not_suppressed')
    expect(again.effects).toEqual(nothing)
  })

  it('stays suppressed if anybody but an ADMIN tries to lift it', async ({
    inbox,
    anonymous,
    admin,
    moderator,
    ada,
  }) => {
    await give(ada, inbox, 'bounced')
    await ada.liftEmailSuppression(ada).refused(403, 'insufficient_permission')
    await moderator.liftEmailSuppression(ada).refused(403, 'insufficient_permission')
    expect(await isDeliverable(moderator, ada)).toBe(false)
    for (const nobody of ['01a20320-a200-7000-8000-000000000000', 'nobody']) {
      await admin.liftEmailSuppression(nobody).refused(404, 'not_found')
    }
    await anonymous.liftEmailSuppression(ada).refused(401, 'invalid_token')
  })

  it('is not marked for its user, and is deleted with the account', async ({ service, clock, inbox, people, ada }) => {
    await give(ada, inbox, 'bounced')
    expect(await ada.me()).toEqual(userObject({ id: ada.id, email }))
    const before = inbox.all(ada).length
    expectNoContent(await ada.deleteMe().answer)
    await service.deliver()
    expect(inbox.all(ada), 'no last email to a suppressed address').toHaveLength(before)
    expect(await rowsOf('emails', 'recipient = ?', email)).toEqual([])
    clock.advance(day)
    await people.register(email)
    expect(inbox.all(ada)).toHaveLength(before + 1)
  })

  it('is not stored if its account was deleted', async ({ service, inbox, ada }) => {
    await ada.deleteMe()
    await service.deliver()
    const farewell = inbox.newest(ada)
    expectOk(await tell(service, eventOf('bounced', farewell)))
    expect(await rowOf('emails')).toMatchObject({ fate: 'bounced', recipient: '' })
    expect(await rowsOf('users')).toEqual([])
    const [event] = await rowsOf('audit_events', 'type = ?', 'email.undeliverable')
    expect(event).toMatchObject({ user_id: ada.id })
  })

  it('gets no email that was put off before, and its job is done', async ({ service, clock, inbox, ada }) => {
    await give(ada, inbox, 'delivered')
    await ada.requestPasswordReset({ email })
    const job = service.queued.pop()!
    scriptResend(refuse(429, 'rate_limit_exceeded'))
    await consume(service, [job])
    await write(`update users set email_problem = 'bounced' where id = ?`, ada.id)
    clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ status: 'skipped' })
  })
})
