/**
 * Fails the n-th call to D1, KV, the queue or the network, for every n, in every flow. What is answered is a 503 or
 * what is right, and what is stored afterwards is all of the act or nothing of it (OWASP ASVS 16.5.3).
 */
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { EmailTemplate } from '../../src/services/mail/kinds.ts'
import { expectProblem } from '../support/answers.ts'
import { serveBreachList } from '../support/breach-list.ts'
import { day, minute } from '../support/clock.ts'
import { description, findOperation } from '../support/description.ts'
import { type Fault, type Target, faultyBindings, modesOf } from '../support/faults.ts'
import { captureLog } from '../support/log-lines.ts'
import { consume } from '../support/mail-consumer.ts'
import { register, signUp, signUpAdmin } from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { type Row, rowOf } from '../support/state.ts'
import { type StoreImage, normalized, revocationList, putBack, takeImage } from '../support/store-image.ts'
import { scriptTurnstile } from '../support/turnstile.ts'
import { webhookSecret } from '../support/webhooks.ts'
import { type Flow, type Outcome, email, flows, withoutFlow } from './flows.ts'

/** A service of which one call fails, and beside it one that is whole, at the time and with the mailbox of the same test. */
function startPair(clockOf: Service, fault?: Fault, variables: Partial<Env> = {}) {
  const { clock } = clockOf
  const settings = { RESEND_WEBHOOK_SECRET: webhookSecret, ...variables }
  const whole = { ...startService({ platform: { now: clock.now }, env: settings }), clock }
  const { bindings, calls, interceptFetch } = faultyBindings(whole.env, fault)
  const broken = startService({ env: { ...settings, ...bindings }, beside: whole })
  answerFromOutside()
  interceptFetch()
  return { whole, broken, calls }
}

/** Everybody is human and no password is known. What was heard of one is forgotten, so that it is asked for again. */
function answerFromOutside(): void {
  scriptTurnstile(() => Response.json({ success: true, hostname: 'accounts.example.com' }))
  serveBreachList([])
  vi.spyOn(caches.default, 'match').mockResolvedValue(undefined)
}

/** Every fault that a list of calls can have. */
function* faultsOf(calls: readonly Target[]): Iterable<Fault & { target: Target }> {
  for (const [place, target] of calls.entries()) {
    for (const mode of modesOf(target)) yield { call: place + 1, mode, target }
  }
}

function outcomeOf({ status, json }: Answer): Outcome {
  return json?.code ?? status
}

/** Delivers what is in the outbox, as the five-minute job would have it done. */
async function settleMails(service: Service): Promise<string[]> {
  const { results } = await env.DB.prepare("select id from emails where status = 'queued'").all<{ id: string }>()
  const verdicts = await consume(service, results)
  expect(verdicts.every((verdict) => verdict === 'acked')).toBe(true)
  return service.mailbox
    .mails()
    .map(({ to, subject }) => `${to.join()}: ${subject}`)
    .toSorted()
}

const isFetch = (target: Target) => target === 'fetch'

const attempts = 'attempt_counters'

/** What a request has done in D1, apart from a try that it took out of the budget of passwords. */
function comparable(image: StoreImage, since: StoreImage) {
  const { [attempts]: _tries, [revocationList]: _list, ...tables } = normalized(image, { since })
  return tables
}

/** How many tries are taken; a try that was claimed stays claimed, whatever fails then. */
function triesIn({ tables }: StoreImage): number {
  return tables.get(attempts)!.reduce((sum, row) => sum + Number(row['count']), 0)
}

/** Whether D1 is what fails, so that there is nothing to answer but that; who asks outside says what that is worth. */
function expectedOutcomes(flow: Flow, calls: readonly Target[], { call, mode }: Fault): Outcome[] {
  const target = calls[call - 1]!
  if (target === 'fetch') return [flow.outside!.offline[calls.slice(0, call).filter(isFetch).length - 1]!]
  if (target.startsWith('d1'))
    return mode === 'answer_lost' ? ['service_unavailable', flow.answer] : ['service_unavailable']
  const isVerification = flow.name.startsWith('a verification') || flow.name.startsWith('a look at the roles')
  return target === 'kv.get' && isVerification ? ['service_unavailable'] : [flow.answer]
}

describe('one failing call', () => {
  it.each(flows)('in $name leaves all or nothing', async (flow) => {
    captureLog()
    const service = startService()
    const request = await flow.prepare(service)
    await service.deliver()
    const before = await takeImage()

    const trial = startPair(service, undefined, flow.outside?.env)
    const success = await trial.broken.call(...request)
    expect(outcomeOf(success)).toBe(flow.answer)
    const after = await takeImage()
    // What delivery calls is not this flow's.
    const calls = [...trial.calls]
    const mails = await settleMails(trial.whole)
    expect(calls.length).toBeGreaterThan(0)
    expect(calls.filter(isFetch)).toHaveLength(flow.outside?.offline.length ?? 0)

    const states = { before: comparable(before, before), after: comparable(after, before) }
    const isQuiet = JSON.stringify(states.before) === JSON.stringify(states.after)

    for (const fault of faultsOf(calls)) {
      const label = `call ${fault.call} of ${calls.length}, to ${fault.target}, ${fault.mode}`
      await putBack(before)
      const { whole, broken } = startPair(service, fault, flow.outside?.env)

      const answer = await broken.call(...request)
      expect(expectedOutcomes(flow, calls, fault), label).toContain(outcomeOf(answer))
      if (outcomeOf(answer) === 'service_unavailable') expectProblem(answer, 503, 'service_unavailable')
      if (answer.status >= 400) {
        expect(answer.text, label).not.toMatch(/eyJ|token"/)
        expect(answer.headers.get('Set-Cookie'), label).toBe(null)
      }

      const image = await takeImage()
      const state = comparable(image, before)
      const isLost = fault.target.startsWith('d1') && fault.mode === 'answer_lost'
      const isDone = !isQuiet && JSON.stringify(state) === JSON.stringify(states.after)
      expect(state, label).toEqual(isDone ? states.after : states.before)
      // Nothing of it reached D1, or D1 did all that there was to do before anything else failed.
      if (fault.target.startsWith('d1') && fault.mode !== 'answer_lost') expect(isDone, label).toBe(false)
      if (fault.target === 'queue' || fault.target === 'kv.put') expect(isDone || isQuiet, label).toBe(true)
      if (fault.target === 'fetch' && outcomeOf(answer) !== flow.answer) expect(isDone, label).toBe(false)
      if (outcomeOf(answer) === flow.answer) expect(isDone || isQuiet, label).toBe(true)
      // Whoever never heard which sessions D1 ended can't list them: `verify` lags by the life of an access token. A lost
      // answer that was asked for again is heard in the end.
      const isListed = isDone && (!isLost || outcomeOf(answer) === flow.answer)
      expect(image.revoked.toSorted(), label).toEqual((isListed ? after : before).revoked.toSorted())
      const spent = triesIn(image) - triesIn(before)
      expect([0, 1, triesIn(after) - triesIn(before)], label).toContain(spent)

      if (isDone) expect(await settleMails(whole), label).toEqual(mails)
      const repeated = await whole.call(...request)
      if (isDone) {
        expect(outcomeOf(repeated), label).toBe(flow.again)
        continue
      }
      // The tenth try in a row is over once it is claimed.
      const isOver = spent > 0 && flow.again === 'rate_limited'
      expect(outcomeOf(repeated), label).toBe(isOver ? 'rate_limited' : flow.answer)
      if (isOver) continue
      expect(comparable(await takeImage(), before), label).toEqual(states.after)
      expect(await settleMails(whole), label).toEqual(mails)
    }
  })

  it('is shown for every operation there is, but for those that say why not', async () => {
    const operations = Object.values(description.paths).flatMap((item) =>
      Object.entries(item).flatMap(([method, { operationId }]) => (method === 'parameters' ? [] : operationId)),
    )
    const empty = await takeImage()
    const covered = new Set<string>()
    for (const { prepare } of flows) {
      await putBack(empty)
      const [method, path] = await prepare(startService())
      covered.add(findOperation(method, path)!.operationId)
    }
    expect([...covered, ...Object.keys(withoutFlow)].toSorted()).toEqual(operations.toSorted())
  })

  it.each(['/healthz', '/.well-known/jwks.json', '/.well-known/change-password'])(
    'in %s cannot be, since nobody is asked',
    async (path) => {
      const { broken, calls } = startPair(startService())
      expect((await broken.call('GET', path)).status).toBeLessThan(400)
      expect(calls).toEqual([])
    },
  )

  it('in a refresh loses nobody the session: the same successor comes back', async () => {
    captureLog()
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    const body = { refresh_token: refreshToken }
    const { broken, whole } = startPair(service, { call: 2, mode: 'answer_lost' })
    await broken.call('POST', '/auth/refresh', { body })
    const { json } = await whole.call('POST', '/auth/refresh', { body })
    expect((await whole.call('POST', '/auth/refresh', { body: { refresh_token: json.refresh_token } })).status).toBe(
      200,
    )
  })
})

/** For each row that can be in the outbox, the account it is about. */
const mailFlows: Record<EmailTemplate, { to: 'pending' | 'active' | 'gone'; params?: Row }> = {
  registration: { to: 'pending' },
  activation: { to: 'pending' },
  account_activated: { to: 'active' },
  password_reset: { to: 'active' },
  set_password: { to: 'active' },
  password_changed: { to: 'active' },
  account_suspended: { to: 'active', params: { reason: 'spam' } },
  account_reinstated: { to: 'active' },
  account_deleted: { to: 'gone' },
  role_changed: { to: 'active', params: { role: 'MODERATOR' } },
  session_reuse: { to: 'active' },
  sign_in_attempts: { to: 'active' },
  new_sign_in: { to: 'active' },
}

const jobId = '01936f6e-0000-7000-8000-00000000000a'

async function insertOutboxRow(service: Service, template: string, params: Row = {}): Promise<void> {
  const now = service.clock.now().getTime()
  await env.DB.prepare(
    `insert into emails (id, template, recipient, params, status, attempts, due_at, created_at)
     values (?, ?, ?, ?, 'queued', 0, ?, ?)`,
  )
    .bind(jobId, template, email, JSON.stringify(params), now, now)
    .run()
}

/** Times and tries differ after a second delivery. Everything else must not. */
function delivered(image: StoreImage, since: StoreImage, ...others: string[]) {
  return normalized(image, { since, ignoringTime: true, ignoringColumns: ['attempts', 'provider_id', ...others] })
}

/** Delivers until the queue has nothing more to do, like the queue with its pauses. */
async function deliverThrough(first: Service, then: Service, clockOf: Service, queue?: string): Promise<void> {
  let [verdict] = await consume(first, [{ id: jobId }], queue)
  for (let round = 0; typeof verdict === 'object' && round < 10; round++) {
    clockOf.clock.advance((verdict.retryAfter ?? 0) * 1000)
    ;[verdict] = await consume(then, [{ id: jobId }], queue)
  }
  expect(verdict).toBe('acked')
}

describe('one failing call in the delivery', () => {
  const cases = Object.entries(mailFlows).flatMap(([template, { to, params }]) => [
    { name: template, template, to, params },
    ...(template === 'registration'
      ? [{ name: 'registration of a taken address', template, to: 'active', params }]
      : []),
    ...(template === 'activation' ? [{ name: 'activation with nothing to say', template, to: 'active', params }] : []),
  ])

  it.each(cases)('of $name sends one mail, and once', async ({ template, to, params }) => {
    captureLog()
    const service = startService()
    if (to === 'active') await signUp(service, email)
    if (to === 'pending') await register(service, email)
    const registrationId = to === 'pending' ? String((await rowOf('registrations'))['id']) : null
    await insertOutboxRow(service, template, { ...params, registrationId })
    const before = await takeImage()

    const trial = startPair(service)
    await deliverThrough(trial.broken, trial.broken, service)
    const after = delivered(await takeImage(), before)
    const mails = trial.whole.mailbox.mails().map(({ text }) => text)
    expect(mails).toHaveLength(trial.calls.includes('fetch') ? 1 : 0)

    for (const fault of faultsOf(trial.calls)) {
      const label = `call ${fault.call} of ${trial.calls.length}, to ${fault.target}, ${fault.mode}`
      await putBack(before)
      const { whole, broken } = startPair(service, fault)
      await deliverThrough(broken, whole, service)
      expect(whole.mailbox.mails(), label).toHaveLength(mails.length)
      expect(withoutTokens(whole.mailbox.mails()[0]?.text), label).toBe(withoutTokens(mails[0]))
      expect(delivered(await takeImage(), before), label).toEqual(after)
    }
  })

  it.each(['refused', 'dead letter'])('that ends as %s closes the row with one event', async (end) => {
    captureLog()
    const service = startService()
    await signUp(service, email)
    await insertOutboxRow(service, 'password_changed')
    if (end === 'dead letter') await env.DB.prepare('update emails set attempts = 30 where id = ?').bind(jobId).run()
    const queue = end === 'refused' ? 'postern-mail' : 'postern-mail-dead'
    const before = await takeImage()
    const refusal = { statusCode: 422, name: 'validation_error', message: 'no' }
    const start = (fault?: Fault) => {
      const pair = startPair(service, fault)
      const { handle } = pair.whole.mailbox
      pair.whole.mailbox.handle = async (request) =>
        end === 'refused' ? Response.json(refusal, { status: 422 }) : handle(request)
      return pair
    }
    const trial = start()
    await deliverThrough(trial.broken, trial.broken, service, queue)
    const closed = ['status', 'in_doubt_since']
    const after = delivered(await takeImage(), before, ...closed)
    for (const fault of faultsOf(trial.calls)) {
      await putBack(before)
      const { whole, broken } = start(fault)
      await deliverThrough(broken, whole, service, queue)
      expect(delivered(await takeImage(), before, ...closed), JSON.stringify(fault)).toEqual(after)
      // A refusal says nothing about the offer before it, of which no answer is known.
      const { status, attempts } = await rowOf('emails', 'id = ?', jobId)
      expect(status, JSON.stringify(fault)).toBe(attempts === 2 ? 'unknown' : 'failed')
      expect(whole.mailbox.mails()).toEqual([])
    }
  })
})

/** The link of a mail that is sent again after its first delivery failed is another text, for its times may differ. */
function withoutTokens(text: string | null | undefined): string | undefined {
  return text?.replaceAll(/#token=\S+/g, '#token').replaceAll(/\d{1,2} \w+ 20\d\d.*/g, 'then')
}

describe('one failing call in a job', () => {
  it('that requeues stranded mail leaves them to the next run, and each is sent once', async () => {
    captureLog()
    const service = startService()
    await signUp(service, email)
    await insertOutboxRow(service, 'password_changed')
    service.clock.advance(10 * minute)
    const before = await takeImage()
    const trial = startPair(service)
    await trial.broken.runCron('*/5 * * * *')
    const { calls } = trial
    expect(calls).toContain('queue')

    for (const fault of faultsOf([...calls])) {
      const label = JSON.stringify(fault)
      await putBack(before)
      const { whole, broken } = startPair(service, fault)
      await expect(broken.runCron('*/5 * * * *'), label).rejects.toThrow()
      await whole.deliver()
      service.clock.advance(6 * minute)
      await whole.runCron('*/5 * * * *')
      await whole.deliver()
      expect(
        whole.mailbox.mails().map(({ subject }) => subject),
        label,
      ).toHaveLength(1)
      expect(await rowOf('emails', 'id = ?', jobId), label).toMatchObject({ status: 'sent' })
    }
  })

  it('that cleans up leaves each table cleaned or as it was, and the next run does the rest', async () => {
    captureLog()
    const service = startService()
    await register(service, 'late@example.com')
    await signUp(service, email)
    await signUpAdmin(service)
    await service.call('POST', '/auth/login', { body: { email, password: 'wrong' } })
    await service.call('POST', '/auth/password-reset/request', { body: { email } })
    await service.deliver()
    service.clock.advance(401 * day)
    const before = await takeImage()
    const trial = startPair(service)
    await trial.broken.runCron('0 * * * *')
    const after = await takeImage()
    const [was, is] = [normalized(before, { since: before }), normalized(after, { since: before })]
    const cleaned = Object.keys(was).filter((table) => JSON.stringify(was[table]) !== JSON.stringify(is[table]))
    // Every table, so that the test is about each.
    expect(cleaned.toSorted()).toEqual(
      Object.keys(was)
        .filter((table) => !table.startsWith('('))
        .toSorted(),
    )

    for (const fault of faultsOf(trial.calls)) {
      const label = JSON.stringify(fault)
      await putBack(before)
      const { whole, broken } = startPair(service, fault)
      // A read whose answer was lost is asked for again, and then nothing failed.
      const failure = await broken.runCron('0 * * * *').catch((error: Error) => error.message)
      expect([undefined, 'cleanup failed'], label).toContain(failure)
      const half = normalized(await takeImage(), { since: before })
      if (failure === undefined) expect(half, label).toEqual(is)
      for (const [table, rows] of Object.entries(half)) {
        // The trail of expired accounts is written with their deletion and swept by its own step.
        if (table === 'audit_events') continue
        expect(was[table], `${label} ${table}`).toEqual(expect.arrayContaining(rows))
        expect(rows, `${label} ${table}`).toEqual(expect.arrayContaining(is[table]!))
      }
      await whole.runCron('0 * * * *')
      expect(normalized(await takeImage(), { since: before }), label).toEqual(is)
    }
  })
})
