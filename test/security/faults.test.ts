/**
 * Fails the n-th call to D1, KV, the queue or the network, for every n, in every flow. The answer is a 503 or the right
 * one, and the stores hold all of the act or nothing of it afterwards (OWASP ASVS 16.5.3).
 */
import { describe, expect, vi } from 'vitest'
import type { EmailTemplate } from '../../src/services/mail/kinds.ts'
import { codeOf, expectProblem } from '../support/answers.ts'
import { callOperation } from '../support/api.ts'
import { serveBreachList } from '../support/breach-list.ts'
import { day, minute } from '../support/clock.ts'
import { description } from '../support/description.ts'
import { type Fault, type Target, faultyBindings, modesOf } from '../support/faults.ts'
import { giveFactors } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { consume } from '../support/mail-consumer.ts'
import { givePasskey } from '../support/passkeys.ts'
import { peopleOf } from '../support/population.ts'
import { insertEmailChanges, insertEmails, insertUserAgents } from '../support/rows.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'
import { type StoreImage, normalized, revocationList, putBack, takeImage } from '../support/store-image.ts'
import { scriptTurnstile } from '../support/turnstile.ts'
import { webhookSecret } from '../support/webhooks.ts'
import { type Flow, type Outcome, type Request, email, flows, withoutFlow } from './flows.ts'

/** A service of which one call fails, and an intact one beside it that shares clock and mailbox. */
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

/** Every caller is human and no password is breached. The cache is empty, so that the list is asked every time. */
function answerFromOutside(): void {
  scriptTurnstile(() => Response.json({ success: true, hostname: 'accounts.example.com' }))
  serveBreachList([])
  vi.spyOn(caches.default, 'match').mockResolvedValue(undefined)
}

/** Every fault that can happen in a list of calls. */
function* faultsOf(calls: readonly Target[]): Iterable<Fault & { target: Target }> {
  for (const [place, target] of calls.entries()) {
    for (const mode of modesOf(target)) yield { call: place + 1, mode, target }
  }
}

const send = (service: Service, [operation, input]: Request): Promise<Answer> =>
  callOperation(service, operation, input).answer

function outcomeOf(answer: Answer): Outcome {
  return codeOf(answer) ?? answer.status
}

/** Delivers the outbox, as after the five-minute job. */
async function settleMails(service: Service): Promise<string[]> {
  const queued = (await rowsOf('emails', "status = 'queued'")).map(({ id }) => ({ id }))
  const verdicts = await consume(service, queued)
  expect(verdicts.every((verdict) => verdict === 'acked')).toBe(true)
  return service.mailbox
    .mails()
    .map(({ to, subject }) => `${to.join()}: ${subject}`)
    .toSorted()
}

const isFetch = (target: Target) => target === 'fetch'

const attempts = 'attempt_counters'

/** The effect of a request in D1, apart from an attempt that it took from the budget of passwords. */
function comparable(image: StoreImage, since: StoreImage) {
  const { [attempts]: _tries, [revocationList]: _list, ...tables } = normalized(image, { since })
  return tables
}

/** The number of attempts taken. An attempt that was claimed stays claimed, whatever fails afterwards. */
function triesIn({ tables }: StoreImage): number {
  return tables.get(attempts)!.reduce((sum, row) => sum + Number(row['count']), 0)
}

/** A failing D1 is always a 503. What the failure of another service means is up to the flow. */
function expectedOutcomes(flow: Flow, calls: readonly Target[], { call, mode }: Fault): Outcome[] {
  const target = calls[call - 1]!
  if (target === 'fetch') return [flow.outside!.offline[calls.slice(0, call).filter(isFetch).length - 1]!]
  if (target.startsWith('d1'))
    return mode === 'answer_lost' ? ['service_unavailable', flow.answer] : ['service_unavailable']
  const isVerification = flow.name.startsWith('a verification') || flow.name === 'a list of roles'
  return target === 'kv.get' && isVerification ? ['service_unavailable'] : [flow.answer]
}

describe('one failing call', () => {
  it.for(flows)('in $name leaves all or nothing', async (flow, { service, people, anonymous }) => {
    captureLog()
    const request = await flow.prepare({ service, people, anonymous })
    await service.deliver()
    const before = await takeImage()

    const trial = startPair(service, undefined, flow.outside?.env)
    const success = await send(trial.broken, request)
    expect(outcomeOf(success)).toBe(flow.answer)
    const after = await takeImage()
    // The calls of the delivery do not belong to the flow.
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

      const answer = await send(broken, request)
      expect(expectedOutcomes(flow, calls, fault), label).toContain(outcomeOf(answer))
      if (outcomeOf(answer) === 'service_unavailable') expectProblem(answer, 503, 'service_unavailable')
      if (answer.status >= 400 && outcomeOf(answer) !== 'second_factor_required') {
        expect(answer.text, label).not.toMatch(/eyJ|token"/)
        expect(answer.headers.get('Set-Cookie'), label).toBe(null)
      }

      const image = await takeImage()
      const state = comparable(image, before)
      const isLost = fault.target.startsWith('d1') && fault.mode === 'answer_lost'
      const isDone = !isQuiet && JSON.stringify(state) === JSON.stringify(states.after)
      expect(state, label).toEqual(isDone ? states.after : states.before)
      // Nothing of it reached D1, or D1 did everything before another call failed.
      if (fault.target.startsWith('d1') && fault.mode !== 'answer_lost') expect(isDone, label).toBe(false)
      if (fault.target === 'queue' || fault.target === 'kv.put') expect(isDone || isQuiet, label).toBe(true)
      if (fault.target === 'fetch' && outcomeOf(answer) !== flow.answer) expect(isDone, label).toBe(false)
      if (outcomeOf(answer) === flow.answer) expect(isDone || isQuiet, label).toBe(true)
      // Without D1's answer the ended sessions are unknown and cannot be listed: `verify` accepts their access tokens until
      // these expire. A lost answer that was asked for again arrives in the end.
      const isListed = isDone && (!isLost || outcomeOf(answer) === flow.answer)
      expect(image.revoked.toSorted(), label).toEqual((isListed ? after : before).revoked.toSorted())
      const spent = triesIn(image) - triesIn(before)
      expect([0, 1, triesIn(after) - triesIn(before)], label).toContain(spent)

      if (isDone) expect(await settleMails(whole), label).toEqual(mails)
      const repeated = await send(whole, request)
      if (isDone) {
        expect(outcomeOf(repeated), label).toBe(flow.again)
        continue
      }
      // The tenth attempt in a row is used up once it is claimed.
      const isOver = spent > 0 && flow.again === 'rate_limited'
      expect(outcomeOf(repeated), label).toBe(isOver ? 'rate_limited' : flow.answer)
      if (isOver) continue
      expect(comparable(await takeImage(), before), label).toEqual(states.after)
      expect(await settleMails(whole), label).toEqual(mails)
    }
  })

  it('is tested for every operation, but for those with a reason against it', async ({ service, anonymous }) => {
    const operations = Object.values(description.paths).flatMap((item) =>
      Object.entries(item).flatMap(([method, { operationId }]) => (method === 'parameters' ? [] : operationId)),
    )
    const empty = await takeImage()
    const covered = new Set<string>()
    for (const { prepare } of flows) {
      await putBack(empty)
      const [operation] = await prepare({ service, people: peopleOf(service), anonymous })
      covered.add(operation)
    }
    expect([...covered, ...Object.keys(withoutFlow)].toSorted()).toEqual(operations.toSorted())
  })

  it.for([
    { operation: 'getHealth' },
    { operation: 'getKeys' },
    { operation: 'getSecurityContact' },
    { operation: 'passkeySignInOptions' },
    { operation: 'findChangePasswordPage' },
  ] as const)('cannot happen in $operation, which makes no call', async ({ operation }, { service }) => {
    const { broken, calls } = startPair(service)
    expect((await send(broken, [operation])).status).toBeLessThan(400)
    expect(calls).toEqual([])
  })

  it('in a refresh ends no session, as the same successor comes back', async ({ service, ada }) => {
    captureLog()
    const { broken, whole } = startPair(service, { call: 2, mode: 'answer_lost' })
    await ada.at(broken).refresh().answer
    const successor = await ada.at(whole).renewed()
    await successor.refresh()
  })
})

/** For each kind of email, the state of the account it is about. */
const mailFlows: Record<EmailTemplate, { to: 'pending' | 'active' | 'gone'; params?: Record<string, string | null> }> =
  {
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
    factor_added: { to: 'active', params: { kind: 'totp' } },
    factor_removed: { to: 'active', params: { kind: 'passkey' } },
    passkey_renamed: { to: 'active' },
    recovery_codes_renewed: { to: 'active' },
    recovery_code_used: { to: 'active' },
    passkey_doubted: { to: 'active' },
    second_factor_attempts: { to: 'active' },
    factors_reset: { to: 'active', params: { reason: 'Lost phone' } },
    factor_code: { to: 'active', params: { sessionId: '01936f6e-0000-7000-8000-00000000000a' } },
    email_change: { to: 'active' },
    email_change_notice: { to: 'active' },
    email_changed: { to: 'active' },
    email_reverted: { to: 'active' },
    export_made: { to: 'active' },
  }

const jobId = '01936f6e-0000-7000-8000-00000000000a'

async function insertJob(service: Service, template: EmailTemplate, params: Record<string, string | null> = {}) {
  const now = service.clock.now()
  await insertEmails([{ id: jobId, template, recipient: email, params, dueAt: now }])
}

/** The change of address that the job is about. */
async function insertChange({ clock }: Service, template: EmailTemplate): Promise<void> {
  await write('update users set password_id = id')
  const { id } = await rowOf('users')
  await write('update emails set user_id = ? where id = ?', String(id), jobId)
  const [here, there] = [email, 'other@example.com']
  const until = new Date(clock.now().getTime() + 3 * day)
  await insertEmailChanges([
    {
      userId: String(id),
      linkId: jobId,
      ...(template === 'email_change' ? { newEmail: here, oldEmail: there } : { newEmail: there, oldEmail: here }),
      expiresAt: until,
      revertUntil: until,
    },
  ])
  if (template === 'email_change') await write('update users set email = ?', there)
}

/** Times and attempts differ after a second delivery. Nothing else may. */
function delivered(image: StoreImage, since: StoreImage, ...others: string[]) {
  return normalized(image, { since, ignoringTime: true, ignoringColumns: ['attempts', 'provider_id', ...others] })
}

/** Delivers until the queue is done, with the pauses of the queue. */
async function deliverThrough(first: Service, then: Service, clockOf: Service, queue?: string): Promise<void> {
  let [verdict] = await consume(first, [{ id: jobId }], queue)
  for (let round = 0; typeof verdict === 'object' && round < 10; round++) {
    clockOf.clock.advance((verdict.retryAfter ?? 0) * 1000)
    ;[verdict] = await consume(then, [{ id: jobId }], queue)
  }
  expect(verdict).toBe('acked')
}

describe('one failing call in the delivery', () => {
  const templates = Object.keys(mailFlows) as EmailTemplate[]
  const cases = templates
    .map((template) => ({ template, ...mailFlows[template] }))
    .flatMap(({ template, to, params }) => [
      { name: template, template, to, params },
      ...(template === 'registration'
        ? [{ name: 'registration of a taken address', template, to: 'active', params }]
        : []),
      ...(template === 'activation'
        ? [{ name: 'activation that is no longer needed', template, to: 'active', params }]
        : []),
    ])

  it.for(cases)('of $name sends one email, and once', async ({ template, to, params }, { service, people }) => {
    captureLog()
    if (to === 'active') await people.signUp(email)
    if (to === 'pending') await people.register(email)
    const registrationId = to === 'pending' ? String((await rowOf('registrations'))['id']) : null
    await insertJob(service, template, { ...params, registrationId })
    if (template.startsWith('email_change')) await insertChange(service, template)
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

  const ends = [{ end: 'refused' }, { end: 'dead letter' }] as const

  it.for(ends)('that ends as $end closes the row with one event', async ({ end }, { service, people }) => {
    captureLog()
    await people.signUp(email)
    await insertJob(service, 'password_changed')
    if (end === 'dead letter') await write('update emails set attempts = 30 where id = ?', jobId)
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
      // A refusal does not tell whether Resend accepted the offer before it, whose answer was lost.
      const { status, attempts } = await rowOf('emails', 'id = ?', jobId)
      expect(status, JSON.stringify(fault)).toBe(attempts === 2 ? 'unknown' : 'failed')
      expect(whole.mailbox.mails()).toEqual([])
    }
  })
})

/** An email that is sent again has another link, whose times may differ. */
function withoutTokens(text: string | null | undefined): string | undefined {
  return text?.replaceAll(/#token=\S+/g, '#token').replaceAll(/\d{1,2} \w+ 20\d\d.*/g, 'then')
}

describe('one failing call in a job', () => {
  it('that requeues stranded emails leaves them to the next run, and each is sent once', async ({
    service,
    people,
  }) => {
    captureLog()
    await people.signUp(email)
    await insertJob(service, 'password_changed')
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
      const outcome = await broken.runCron('*/5 * * * *').then(
        () => 'done',
        () => 'failed',
      )
      // A read whose answer was lost is asked again.
      expect(outcome, label).toBe(fault.call === 1 && fault.mode === 'answer_lost' ? 'done' : 'failed')
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

  it('that cleans up leaves each table cleaned or as it was, and the next run does the rest', async ({
    service,
    people,
    anonymous,
  }) => {
    captureLog()
    await people.register('late@example.com')
    const late = { id: String((await rowOf('users'))['id']), email: 'late@example.com' }
    await giveFactors(late.id, service.clock)
    await givePasskey(late)
    await people.signUp(email)
    await people.admin()
    await insertEmailChanges([
      {
        userId: String((await rowOf('users', 'email = ?', email))['id']),
        newEmail: 'x@example.com',
        oldEmail: email,
        revertUntil: service.clock.now(),
      },
    ])
    await anonymous.login({ email, password: 'wrong' }).refused(401, 'invalid_credentials')
    await anonymous.requestPasswordReset({ email })
    await service.deliver()
    await insertUserAgents(['Netscape/4', 'Mosaic/2'])
    service.clock.advance(401 * day)
    const before = await takeImage()
    const trial = startPair(service)
    await trial.broken.runCron('0 * * * *')
    const after = await takeImage()
    // The newest user agent stays, with another number of rows.
    const rowsIn = (image: StoreImage) => normalized(image, { since: before, ignoringColumns: ['row_count'] })
    const [was, is] = [rowsIn(before), rowsIn(after)]
    const cleaned = Object.keys(was).filter((table) => JSON.stringify(was[table]) !== JSON.stringify(is[table]))
    // Every table, so that the test covers each of them. Seals are there with an archive: test/jobs/audit-archive.test.ts.
    expect([...cleaned, 'audit_seals'].toSorted()).toEqual(
      Object.keys(was)
        .filter((table) => !table.startsWith('('))
        .toSorted(),
    )

    for (const fault of faultsOf(trial.calls)) {
      const label = JSON.stringify(fault)
      await putBack(before)
      const { whole, broken } = startPair(service, fault)
      // A read whose answer was lost is repeated, and then nothing has failed.
      const failure = await broken.runCron('0 * * * *').catch((error: Error) => error.message)
      expect([undefined, 'cleanup failed'], label).toContain(failure)
      const half = rowsIn(await takeImage())
      if (failure === undefined) expect(half, label).toEqual(is)
      for (const [table, rows] of Object.entries(half)) {
        // The events of expired accounts are written with their deletion, and deleted by a step of their own.
        // Sweeps are where the next run goes on: their rows come and change.
        if (table === 'audit_events' || table === 'sweeps') continue
        expect(was[table], `${label} ${table}`).toEqual(expect.arrayContaining(rows))
        expect(rows, `${label} ${table}`).toEqual(expect.arrayContaining(is[table]!))
      }
      await whole.runCron('0 * * * *')
      expect(rowsIn(await takeImage()), label).toEqual(is)
    }
  })
})
