/** What Resend tells about mails: who is believed, what a mail's fate becomes, and what follows for its address. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { Resend } from 'resend'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type EmailFate, emailFates, emailProblems } from '../../src/store/schema/emails.ts'
import { expectNoContent, expectOk, expectProblem, userObject } from '../support/answers.ts'
import { day, minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { acceptAndLose, consume, refuse, scriptResend } from '../support/mail-consumer.ts'
import {
  type SignedIn,
  goodPassword,
  mailsTo,
  newestMail,
  register,
  signUp,
  signUpAdmin,
  signUpAs,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { observe, rowOf, rowsOf, write } from '../support/state.ts'
import { eventOf, svixHeaders, tell, webhookSecret } from '../support/webhooks.ts'

const ada = 'ada@example.com'

function start(options: Parameters<typeof startService>[0] = {}) {
  return startService({ ...options, env: { RESEND_WEBHOOK_SECRET: webhookSecret, ...options.env } })
}

/** The outbox row of the newest mail to an address. */
const rowOfMail = (service: Service, to: string) => rowOf('emails', 'provider_id = ?', newestMail(service, to).id)

async function isDeliverable(service: Service, { accessToken }: SignedIn, id: string): Promise<boolean> {
  return expectOk(await service.call('GET', `/users/${id}`, { token: accessToken })).email_deliverable
}

afterEach(() => void vi.restoreAllMocks())

describe('a webhook', () => {
  it('is not there without a secret', async () => {
    const service = startService()
    expectProblem(await tell(service, eventOf('delivered', { id: 'x' })), 404, 'not_found')
  })

  it('with a secret that is none keeps the service from serving', async () => {
    for (const secret of ['secret', 'whsec_', 'whsec_****', `whsec_${btoa('too short')}`]) {
      const service = start({ env: { RESEND_WEBHOOK_SECRET: secret } })
      const { entries } = captureLog()
      expect((await service.call('GET', '/.well-known/jwks.json')).status).toBe(503)
      expect(JSON.stringify(entries('config.invalid'))).toContain('RESEND_WEBHOOK_SECRET')
      expect(JSON.stringify(entries('config.invalid'))).not.toContain(secret.slice(6) || 'whsec_x')
    }
  })

  const body = JSON.stringify(eventOf('bounced', { id: 'x' }))
  const now = new Date(Date.UTC(2026, 10, 22, 12))
  const good = () => svixHeaders(body, { at: now })
  const without = async (name: string) =>
    Object.fromEntries(Object.entries(await good()).filter(([each]) => each !== name))
  const withSignature = async (change: (signature: string) => string) => {
    const headers = await good()
    return { ...headers, 'svix-signature': change(headers['svix-signature']) }
  }
  const refusals: [string, () => Promise<Record<string, string>>][] = [
    ['nothing signed', async () => ({})],
    ['no id', () => without('svix-id')],
    ['no time', () => without('svix-timestamp')],
    ['no signature', () => without('svix-signature')],
    ['another secret', () => svixHeaders(body, { at: now, secret: `whsec_${btoa('another-another-another!')}` })],
    ['another body', () => svixHeaders(`${body} `, { at: now })],
    ['another id', async () => ({ ...(await good()), 'svix-id': 'msg_2' })],
    ['another time', async () => ({ ...(await good()), 'svix-timestamp': String(now.getTime() / 1000 + 1) })],
    ['a time that is none', async () => ({ ...(await good()), 'svix-timestamp': 'now' })],
    ['a time with more after it', async () => ({ ...(await good()), 'svix-timestamp': `${now.getTime() / 1000}x` })],
    ['a recording', () => svixHeaders(body, { at: new Date(now.getTime() - 5 * minute - second) })],
    ['a time to come', () => svixHeaders(body, { at: new Date(now.getTime() + 5 * minute + second) })],
    ['another version', () => withSignature((signature) => signature.replace('v1', 'v2'))],
    ['no version', () => withSignature((signature) => signature.slice(3))],
    ['half a signature', () => withSignature((signature) => signature.slice(0, 20))],
    ['no base64', () => withSignature(() => 'v1,****')],
    ['an empty signature', () => withSignature(() => 'v1,')],
    ['the right one after ten others', () => withSignature((signature) => `${'v1,AAAA '.repeat(10)}${signature}`)],
  ]
  it.each(refusals)(
    'that is not from Resend, or not from now, is refused without saying why: %s',
    async (_, headers) => {
      const service = start()
      const call = { raw: body, headers: await headers() }
      const { answer, effects } = await observe(service, () => service.call('POST', '/webhooks/resend', call))
      expectProblem(answer, 401, 'invalid_credentials')
      expect(effects).toEqual({ rows: {}, events: [], revoked: [], mails: [] })
    },
  )

  it('is taken with several signatures, one of which is right, and at the edges of five minutes', async () => {
    const service = start()
    const rotated = await withSignature((signature) => `v1,AAAA v1a,x ${signature}`)
    for (const headers of [
      rotated,
      await svixHeaders(body, { at: new Date(now.getTime() - 5 * minute) }),
      await svixHeaders(body, { at: new Date(now.getTime() + 5 * minute) }),
    ]) {
      expect(expectOk(await service.call('POST', '/webhooks/resend', { raw: body, headers }))).toEqual({
        received: true,
      })
    }
  })

  it('is verified as the SDK of Resend does it', async () => {
    const service = start()
    vi.useFakeTimers({ now, toFake: ['Date'] })
    const { webhooks } = new Resend('re_test')
    try {
      for (const [name, headersOf] of [['good', good] as const, ...refusals]) {
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
        const isTaken = (await service.call('POST', '/webhooks/resend', { raw: body, headers })).status === 200
        // Stricter than the SDK in two points: it reads a time as far as it is one, and any number of signatures.
        if (/more after it|after ten others/.test(name)) expect(verify, name).not.toThrow()
        else if (isTaken) expect(verify, name).not.toThrow()
        else expect(verify, name).toThrow(/./)
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('is held to the size of any body, and is JSON', async () => {
    const service = start()
    const large = JSON.stringify({ ...eventOf('delivered', { id: 'x' }), padding: 'x'.repeat(17_000) })
    const headers = await svixHeaders(large, { at: now })
    expectProblem(await service.call('POST', '/webhooks/resend', { raw: large, headers }), 413, 'body_too_large')
    const broken = await svixHeaders('{', { at: now })
    expectProblem(await service.call('POST', '/webhooks/resend', { raw: '{', headers: broken }), 400, 'malformed_json')
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['a list', []],
    ['no data', { type: 'email.bounced', created_at: '' }],
    ['no id', { type: 'email.bounced', created_at: '', data: {} }],
    ['an id of another type', { type: 'email.bounced', created_at: '', data: { email_id: 7 } }],
    ['a type from Object', { ...eventOf('bounced', { id: 'x' }), type: 'constructor' }],
    ['a domain', { type: 'domain.created', created_at: '', data: { id: 'x' } }],
    ['an opened mail', { ...eventOf('bounced', { id: 'x' }), type: 'email.opened' }],
    ['somebody else’s mail', eventOf('bounced', { id: 'x' })],
    ['a row that is not there', eventOf('bounced', { id: 'x' }, '01a20320-a200-7000-8000-000000000000')],
  ])('about what we do not go by is taken and changes nothing: %s', async (_, told) => {
    const service = start()
    await signUp(service, ada)
    const raw = JSON.stringify(told)
    const headers = await svixHeaders(raw, { at: service.clock.now() })
    const { answer, effects } = await observe(service, () => service.call('POST', '/webhooks/resend', { raw, headers }))
    expectOk(answer)
    expect(effects.rows).toEqual({})
  })

  it('finds the mail by what it carries, or by what Resend calls it', async () => {
    const service = start()
    await signUp(service, ada)
    const mail = newestMail(service, ada)
    const { id } = await rowOfMail(service, ada)
    await tell(service, { ...eventOf('delivery_delayed', mail), data: { email_id: mail.id, tags: ['strange'] } })
    expect(await rowOf('emails', 'id = ?', id!)).toMatchObject({ fate: 'delivery_delayed' })
    await tell(service, eventOf('delivered', { id: 'unknown to us' }, String(id)))
    expect(await rowOf('emails', 'id = ?', id!)).toMatchObject({ fate: 'delivered', provider_id: mail.id })
  })

  it('tells of a mail whose answer was lost that it was accepted', async () => {
    const service = start()
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    const job = service.queued.pop()!
    scriptResend(acceptAndLose)
    await consume(service, [job])
    service.clock.advance(23 * 60 * minute)
    await consume(service, [job])
    expect(await rowOf('emails')).toMatchObject({ status: 'unknown', provider_id: null })
    const mail = newestMail(service, ada)
    await tell(service, eventOf('delivered', mail, job.id))
    const known = { status: 'sent', provider_id: mail.id, fate: 'delivered', last_error: null, in_doubt_since: null }
    expect(await rowOf('emails')).toMatchObject({ ...known, delivered_at: service.clock.now().getTime() })
  })

  const proofs = emailFates.filter((fate) => fate !== 'failed')

  it.each(proofs)('ends the doubt about a mail that was to be repeated: %s', async (fate) => {
    const service = start()
    const { id: userId } = await signUp(service, ada)
    await service.call('POST', '/auth/password-reset/request', { body: { email: ada } })
    const job = service.queued.pop()!
    const requests = scriptResend(acceptAndLose)
    await consume(service, [job])
    await write('update emails set user_id = null where id = ?', job.id)
    service.clock.advance(second)
    const mail = newestMail(service, ada)
    for (let time = 1; time <= 2; time++) expectOk(await tell(service, eventOf(fate, mail, job.id)))
    const sent = { status: 'sent', provider_id: mail.id, fate, user_id: userId, in_doubt_since: null, last_error: null }
    const finished = { recipient: ada, finished_at: service.clock.now().getTime(), attempts: 1 }
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ ...sent, ...finished })
    service.clock.advance(day)
    expect(await consume(service, [job])).toEqual(['acked'])
    await service.runCron('*/5 * * * *')
    expect([requests.length, service.queued]).toEqual([1, []])
    expect(await rowsOf('audit_events', 'type = ?', 'email.failed')).toEqual([])
  })

  it('tells of a mail that was left out of a repetition, since it was suppressed meanwhile, that it had been accepted', async () => {
    const service = start()
    await signUp(service, ada)
    await service.call('POST', '/auth/password-reset/request', { body: { email: ada } })
    const job = service.queued.pop()!
    const welcome = newestMail(service, ada)
    const requests = scriptResend(acceptAndLose)
    await consume(service, [job])
    await tell(service, eventOf('complained', welcome))
    service.clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(requests).toHaveLength(1)
    const row = () => rowOf('emails', 'id = ?', job.id)
    expect(await row()).toMatchObject({ status: 'skipped', last_error: 'recipient_suppressed' })
    const finishedAt = service.clock.now().getTime()
    service.clock.advance(minute)
    await tell(service, eventOf('delivered', newestMail(service, ada), job.id))
    const sent = { status: 'sent', fate: 'delivered', last_error: null, in_doubt_since: null, finished_at: finishedAt }
    expect(await row()).toMatchObject(sent)
  })

  it('that comes before the answer to the request is not undone by it', async () => {
    const service = start()
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    const job = service.queued.pop()!
    scriptResend(async (toMailbox) => {
      await toMailbox()
      await tell(service, eventOf('delivered', newestMail(service, ada), job.id))
      throw new TypeError('Network connection lost.')
    })
    await consume(service, [job])
    const { id: provider_id } = newestMail(service, ada)
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ status: 'sent', provider_id, in_doubt_since: null })
  })

  it('takes a mail out of its request, whose others learn by the conflict that they arrived', async () => {
    const service = start()
    const people = [ada, 'bob@example.com', 'carla@example.com']
    for (const email of people) {
      await service.call('POST', '/auth/register', { body: { email, password: goodPassword } })
    }
    const jobs = service.queued.splice(0)
    const requests = scriptResend(acceptAndLose)
    await consume(service, jobs)
    await tell(service, eventOf('delivered', newestMail(service, ada), jobs[0]!.id))
    service.clock.advance(minute)
    expect(await consume(service, jobs)).toEqual(['acked', 'acked', 'acked'])
    expect(requests.map(({ payload }) => (JSON.parse(payload) as unknown[]).length)).toEqual([3, 2])
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1)
    expect((await rowsOf('emails')).map(({ status }) => status)).toEqual(['sent', 'sent', 'sent'])
    for (const email of people) expect(mailsTo(service, email)).toHaveLength(1)
  })

  it('has the farewell to a deleted account forget its address', async () => {
    const service = start()
    const { accessToken: token } = await signUp(service, ada)
    await service.call('DELETE', '/users/me', { token, body: { password: goodPassword } })
    const job = service.queued.pop()!
    scriptResend(acceptAndLose)
    await consume(service, [job])
    await tell(service, eventOf('bounced', newestMail(service, ada), job.id))
    expect(await rowOf('emails')).toMatchObject({ status: 'sent', fate: 'bounced', recipient: '' })
  })

  it('that says failed proves nothing: the mail is repeated, and what Resend calls it is kept', async () => {
    const service = start()
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    const job = service.queued.pop()!
    const requests = scriptResend(
      async (toMailbox) => {
        await toMailbox()
        await tell(service, eventOf('failed', newestMail(service, ada), job.id))
        throw new TypeError('Network connection lost.')
      },
      refuse(409, 'invalid_idempotent_request'),
    )
    await consume(service, [job])
    const known = { fate: 'failed', provider_id: newestMail(service, ada).id }
    expect(await rowOf('emails')).toMatchObject({ ...known, status: 'queued', finished_at: null })
    service.clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf('emails')).toMatchObject({ ...known, status: 'sent' })
    expect(requests[1]).toEqual(requests[0])
    await write(`update emails set status = 'unknown', fate = null`)
    await tell(service, eventOf('failed', newestMail(service, ada), job.id))
    expect(await rowOf('emails')).toMatchObject({ ...known, status: 'unknown' })
  })

  it('leaves a mail alone that was refused for certain', async () => {
    const service = start()
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    const job = service.queued.pop()!
    scriptResend(refuse(429, 'rate_limit_exceeded'))
    await consume(service, [job])
    await tell(service, eventOf('delivered', { id: 'of an earlier try' }, job.id))
    expect(await rowOf('emails')).toMatchObject({
      status: 'queued',
      finished_at: null,
      last_error: 'rate_limit_exceeded',
    })
    service.clock.advance(minute)
    await consume(service, [job])
    expect(mailsTo(service, ada)).toHaveLength(1)
  })

  it('costs one round trip and reads a handful of rows', async () => {
    const plain = start()
    await signUp(plain, ada)
    const { id } = await rowOfMail(plain, ada)
    const meter = countCosts(env)
    const service = start({ env: meter.bindings, beside: plain })
    for (const fate of emailFates) {
      for (const row of [undefined, String(id)]) {
        expectOk(await tell(service, eventOf(fate, newestMail(plain, ada), row)))
        const cost = meter.take()
        expect(cost.roundTrips).toBe(1)
        expect(cost.rowsRead).toBeLessThan(20)
        if (row) expect(cost.rowsWritten, 'a repetition').toBe(0)
      }
    }
  })

  it('that D1 has not taken is answered so that Resend comes again, and nothing is half done', async () => {
    const service = start()
    const { id } = await signUp(service, ada)
    const mail = newestMail(service, ada)
    const DB = hookedD1(env.DB, () => {
      throw new Error('D1_ERROR: Network connection lost.')
    })
    const failing = start({ beside: service, env: { DB } })
    const { answer, effects } = await observe(service, () => tell(failing, eventOf('bounced', mail)))
    expectProblem(answer, 503, 'service_unavailable')
    expect(effects.rows).toEqual({})
    expectOk(await tell(service, eventOf('bounced', mail)))
    expect(await rowOf('users', 'id = ?', id)).toMatchObject({ email_problem: 'bounced' })
  })

  it('leaves no address in the log or the audit trail', async () => {
    const service = start()
    await signUp(service, ada)
    const { lines } = captureLog()
    for (const fate of emailFates) await tell(service, eventOf(fate, newestMail(service, ada)))
    await tell(service, eventOf('bounced', newestMail(service, ada)), {
      secret: `whsec_${btoa('another-another-another!')}`,
    })
    expect(lines.length).toBeGreaterThan(emailFates.length)
    expect(lines.join('\n')).not.toContain('ada@')
    expect(JSON.stringify(await rowsOf('audit_events'))).not.toContain('ada@')
  })
})

describe('the fate of a mail', () => {
  it('is the same however often, late and out of order its events come', { timeout: 120_000 }, async () => {
    const service = start()
    const { id } = await signUp(service, ada)
    const mail = newestMail(service, ada)
    const { id: rowId } = await rowOfMail(service, ada)
    const startMs = service.clock.now().getTime()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...emailFates), fc.boolean()), { maxLength: 8 }),
        async (told) => {
          await write('update emails set fate = null, delivered_at = null where id = ?', String(rowId))
          await write('update users set email_problem = null')
          await write(`delete from audit_events where type = 'email.undeliverable'`)
          for (const [fate, isTagged] of told) {
            const event = {
              ...eventOf(fate, mail, isTagged ? String(rowId) : undefined),
              created_at: new Date(startMs).toISOString(),
            }
            expectOk(await tell(service, event))
          }
          const fates = told.map(([fate]) => fate)
          const last = emailFates.findLast((fate) => fates.includes(fate)) ?? null
          const problem = last !== null && (emailProblems as readonly string[]).includes(last) ? last : null
          const row = await rowOf('emails', 'id = ?', String(rowId))
          expect(row).toMatchObject({
            fate: last,
            delivered_at: fates.includes('delivered') ? startMs : null,
            status: 'sent',
          })
          expect(await rowOf('users', 'id = ?', id)).toMatchObject({ email_problem: problem })
          const events = await rowsOf('audit_events', 'type = ?', 'email.undeliverable')
          const reasons = events.map(({ detail }) => JSON.parse(String(detail)).reason as EmailFate)
          expect(new Set(reasons).size, 'one event for each').toBe(reasons.length)
          if (problem) expect(reasons).toContain(problem)
          else expect(reasons).toEqual([])
          for (const event of events) expect(event).toMatchObject({ user_id: id, ip: null, user_agent: null })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('moves once when one webhook is delivered twenty times at once', async () => {
    const service = start()
    for (let round = 0; round < 10; round++) {
      const email = `round-${round}@example.com`
      await signUp(service, email)
      const event = eventOf('complained', newestMail(service, email))
      const answers = await Promise.all(Array.from({ length: 20 }, () => tell(service, event)))
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
      expect(await rowsOf('audit_events', 'type = ?', 'email.undeliverable')).toHaveLength(round + 1)
    }
  })

  it('is not known before it happened', async () => {
    const service = start()
    await signUp(service, ada)
    for (const created_at of ['3000-01-01T00:00:00.000Z', 'soon']) {
      await write('update emails set delivered_at = null')
      await tell(service, { ...eventOf('delivered', newestMail(service, ada)), created_at })
      expect(await rowOfMail(service, ada)).toMatchObject({ delivered_at: service.clock.now().getTime() })
    }
  })
})

describe('an address that bounced or complained', () => {
  async function troubled(problem: EmailFate) {
    const service = start()
    const admin = await signUpAdmin(service)
    const { id, accessToken } = await signUp(service, ada)
    expectOk(await tell(service, eventOf(problem, newestMail(service, ada))))
    const before = mailsTo(service, ada).length
    return { service, admin, id, accessToken, countOfNew: () => mailsTo(service, ada).length - before }
  }
  const requestReset = (service: Service) =>
    service.call('POST', '/auth/password-reset/request', { body: { email: ada } }).then(() => service.deliver())

  it.each(emailProblems)('gets no more mail, and the users’ list shows it: %s', async (problem) => {
    const { service, admin, id, countOfNew } = await troubled(problem)
    expect(await isDeliverable(service, admin, id)).toBe(false)
    const { json } = await service.call('GET', '/users?email=ada', { token: admin.accessToken })
    expect(json.users).toMatchObject([{ id, email_deliverable: false }])
    const requests = scriptResend()
    await requestReset(service)
    expect([countOfNew(), requests.length]).toEqual([0, 0])
    const skipped = { status: 'skipped', last_error: 'recipient_suppressed', user_id: id, attempts: 1 }
    expect(await rowOf('emails', 'template = ?', 'password_reset')).toMatchObject(skipped)
    expect(await rowsOf('one_time_links')).toEqual([])
    const [event] = await rowsOf('audit_events', 'type = ?', 'email.undeliverable')
    expect(JSON.parse(String(event!['detail']))).toEqual({
      email_id: expect.any(String),
      template: 'account_activated',
      reason: problem,
    })
  })

  it.each<EmailFate>(['delivery_delayed', 'delivered', 'failed', 'soft_bounced'])('is none after %s', async (fate) => {
    const { service, admin, id, countOfNew } = await troubled(fate)
    expect(await isDeliverable(service, admin, id)).toBe(true)
    await requestReset(service)
    expect(countOfNew()).toBe(1)
  })

  it('is in a batch the only one that is left out', async () => {
    const { service } = await troubled('bounced')
    await signUp(service, 'bob@example.com')
    const before = service.mailbox.mails().length
    for (const email of [ada, 'bob@example.com']) {
      await service.call('POST', '/auth/password-reset/request', { body: { email } })
    }
    await service.deliver()
    expect(service.mailbox.mails()).toHaveLength(before + 1)
    expect(newestMail(service, 'bob@example.com').text).toContain('/reset-password#token=')
  })

  it('is given another chance by a new registration, and a replay of the bounce takes it back no more', async () => {
    const { service, admin, id, countOfNew } = await troubled('bounced')
    const mail = newestMail(service, ada)
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    await service.deliver()
    expect(countOfNew()).toBe(1)
    expect(await isDeliverable(service, admin, id)).toBe(true)
    expectOk(await tell(service, eventOf('bounced', mail), { id: 'msg_replay' }))
    expect(await isDeliverable(service, admin, id)).toBe(true)
    expectOk(await tell(service, eventOf('bounced', newestMail(service, ada))))
    expect(await isDeliverable(service, admin, id)).toBe(false)
  })

  it('is given none by a registration that is over the budget of mails', async () => {
    const { service, admin, id } = await troubled('bounced')
    for (let time = 0; time < 5; time++) {
      await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    }
    await write(`update users set email_problem = 'bounced' where id = ?`, id)
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    expect(await isDeliverable(service, admin, id)).toBe(false)
  })

  it('is given another chance by an ADMIN, which is in the audit trail, once', async () => {
    const { service, admin, id, countOfNew } = await troubled('complained')
    const lift = () => service.call('DELETE', `/users/${id}/email-suppression`, { token: admin.accessToken })
    const { answer, effects } = await observe(service, lift)
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { audit_events: '+1', users: '~1' },
      events: [{ type: 'email.suppression_lifted', actor: admin.id, user: id, detail: null }],
      revoked: [],
      mails: [],
    })
    expect(await isDeliverable(service, admin, id)).toBe(true)
    await requestReset(service)
    expect(countOfNew()).toBe(1)
    const again = await observe(service, lift)
    expectNoContent(again.answer)
    expect(again.effects.rows).toEqual({})
  })

  it('is nothing for a MODERATOR or a USER to lift, and of nobody for an ADMIN', async () => {
    const { service, admin, id, accessToken } = await troubled('bounced')
    const moderator = await signUpAs(service, 'MODERATOR', 'moderator@example.com', admin)
    for (const token of [accessToken, moderator.accessToken]) {
      const answer = await service.call('DELETE', `/users/${id}/email-suppression`, { token })
      expectProblem(answer, 403, 'insufficient_permission')
    }
    expect(await isDeliverable(service, moderator, id)).toBe(false)
    const nobody = '01a20320-a200-7000-8000-000000000000'
    for (const path of [nobody, 'nobody']) {
      const answer = await service.call('DELETE', `/users/${path}/email-suppression`, { token: admin.accessToken })
      expectProblem(answer, 404, 'not_found')
    }
    expectProblem(await service.call('DELETE', `/users/${id}/email-suppression`), 401, 'invalid_token')
  })

  it('is not told to the user, and is gone with the account', async () => {
    const { service, accessToken, id } = await troubled('bounced')
    const me = expectOk(await service.call('GET', '/users/me', { token: accessToken }))
    expect(me).toEqual(userObject({ id, email: ada }))
    const before = mailsTo(service, ada).length
    expectNoContent(await service.call('DELETE', '/users/me', { token: accessToken, body: { password: goodPassword } }))
    await service.deliver()
    expect(mailsTo(service, ada), 'no farewell to an address that takes no mail').toHaveLength(before)
    expect(await rowsOf('emails', 'recipient = ?', ada)).toEqual([])
    service.clock.advance(day)
    await register(service, ada)
    expect(mailsTo(service, ada)).toHaveLength(before + 1)
  })

  it('that belongs to nobody any more is not kept', async () => {
    const service = start()
    const { accessToken, id } = await signUp(service, ada)
    await service.call('DELETE', '/users/me', { token: accessToken, body: { password: goodPassword } })
    await service.deliver()
    const farewell = newestMail(service, ada)
    expectOk(await tell(service, eventOf('bounced', farewell)))
    expect(await rowOf('emails')).toMatchObject({ fate: 'bounced', recipient: '' })
    expect(await rowsOf('users')).toEqual([])
    const [event] = await rowsOf('audit_events', 'type = ?', 'email.undeliverable')
    expect(event).toMatchObject({ user_id: id })
  })

  it('does not hold up a mail that was put off before', async () => {
    const { service, id } = await troubled('delivered')
    await service.call('POST', '/auth/password-reset/request', { body: { email: ada } })
    const job = service.queued.pop()!
    scriptResend(refuse(429, 'rate_limit_exceeded'))
    await consume(service, [job])
    await write(`update users set email_problem = 'bounced' where id = ?`, id)
    service.clock.advance(minute)
    expect(await consume(service, [job])).toEqual(['acked'])
    expect(await rowOf('emails', 'id = ?', job.id)).toMatchObject({ status: 'skipped' })
  })
})
