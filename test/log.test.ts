import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { decodeProtectedHeader, errors } from 'jose'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { uuidv7 } from '../src/crypto/random.ts'
import { describeError, log as writeLine } from '../src/log.ts'
import { connect } from '../src/store/db.ts'
import { registrations } from '../src/store/schema/registrations.ts'
import { users } from '../src/store/schema/users.ts'
import type { OperationId } from './support/api.ts'
import { Caller } from './support/caller.ts'
import { minute } from './support/clock.ts'
import { it } from './support/fixtures.ts'
import { hookedD1 } from './support/hooked-d1.ts'
import { captureLog } from './support/log-lines.ts'
import { consume, refuse, scriptResend } from './support/mail-consumer.ts'
import { subjects } from './support/mails.ts'
import { goodPassword } from './support/person.ts'
import { peopleOf } from './support/population.ts'
import { type Answer, type Call, type Service, startService } from './support/service.ts'

/** No line may contain this, in any case. */
const canary = 'Canary7Q'
const canaryPassword = `${canary} quiet lanterns drift`
const canaryAddress = `${canary.toLowerCase()}@example.com`

let log: ReturnType<typeof captureLog>
beforeEach(() => {
  log = captureLog()
})
afterEach(() => void vi.restoreAllMocks())

function expectNoCanary(...others: string[]): void {
  const written = log.lines.join('\n').toLowerCase()
  expect(written).not.toBe('')
  for (const secret of [canary, ...others]) expect(written).not.toContain(secret.toLowerCase())
}

const requests = () => log.entries('request')

describe('a request', () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
  /** All fields of a line. */
  const line = (about: object) => ({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: 'info',
    event: 'request',
    request_id: expect.stringMatching(uuid),
    outcome: 'ok',
    duration_ms: expect.any(Number),
    country: null,
    ...about,
  })

  it('leaves one line with all its fields, whatever its outcome', async ({ service, ada }) => {
    const { accessToken: token, id: user_id } = ada
    const wrong = { email: ada.email, password: 'wrong' }
    const login = { method: 'POST', path: '/auth/login', route: '/auth/login' }
    const cases: { method?: string; path: string; call?: Call; route?: string; status: number; more?: object }[] = [
      { path: '/healthz', route: '/healthz', status: 200 },
      { path: '/readyz', route: '/readyz', status: 200 },
      { path: '/users/me', call: { token }, route: '/users/me', status: 200, more: { user_id } },
      { path: '/auth/verify', call: { token }, route: '/auth/verify', status: 204, more: { user_id } },
      { path: '/users/me', route: '/users/me', status: 401, more: { outcome: 'invalid_token' } },
      {
        path: '/users/me',
        call: { token: 'no.jwt' },
        route: '/users/me',
        status: 401,
        more: { outcome: 'invalid_token', reason: 'malformed' },
      },
      {
        path: '/users',
        call: { token },
        route: '/users',
        status: 403,
        more: { outcome: 'insufficient_permission', user_id },
      },
      {
        ...login,
        call: { body: wrong },
        status: 401,
        more: { outcome: 'invalid_credentials', reason: 'wrong_password' },
      },
      { ...login, call: { raw: '{' }, status: 400, more: { outcome: 'malformed_json' } },
      { ...login, call: { body: {} }, status: 422, more: { outcome: 'validation_failed' } },
      {
        method: 'POST',
        path: '/auth/login',
        call: { raw: 'x'.repeat(20_000) },
        status: 413,
        more: { outcome: 'body_too_large' },
      },
      { path: '/nothing/here', status: 404, more: { outcome: 'not_found' } },
      { method: 'DELETE', path: '/auth/login', status: 405, more: { outcome: 'method_not_allowed' } },
      {
        method: 'DELETE',
        path: `/users/me/sessions/${ada.sessionId}`,
        call: { token },
        route: '/users/me/sessions/:id',
        status: 204,
        more: { user_id },
      },
    ]
    for (const { method = 'GET', path, call, route = expect.any(String), status, more } of cases) {
      log.lines.length = 0
      const answer = await service.call(method, path, call)
      expect(requests(), `${method} ${path}`).toHaveLength(1)
      const [entry] = requests()
      expect(entry).toEqual(line({ route, status, method, ...more }))
      expect(entry?.['status']).toBe(answer.status)
      expect(entry?.['request_id']).toBe(answer.headers.get('X-Request-Id'))
    }
  })

  it('is logged as an error when it fails on our side, with the reason in a line of its own', async ({
    service,
    ada,
  }) => {
    const get = async () => Promise.reject(new Error('KV GET failed: 500'))
    const failing = startService({ env: { REVOCATIONS: { get } as unknown as KVNamespace }, beside: service })
    log.lines.length = 0
    await ada.at(failing).verify().refused(503, 'service_unavailable')
    const [why, entry] = log.entries()
    expect(why).toMatchObject({
      level: 'error',
      event: 'request.unavailable',
      reason: 'kv',
      error_message: 'KV GET failed: 500',
    })
    expect(entry).toEqual(
      line({
        level: 'error',
        method: 'GET',
        route: '/auth/verify',
        status: 503,
        outcome: 'service_unavailable',
        reason: 'kv',
      }),
    )
    expect(why?.['request_id']).toBe(entry?.['request_id'])
  })

  it('takes its id from the client only if that is harmless', async ({ anonymous }) => {
    const answerUnder = (id: string) => anonymous.call('getHealth', { headers: { 'X-Request-Id': id } }).answer
    for (const harmless of ['a', 'trace-1.b_C', 'x'.repeat(36)]) {
      const answer = await answerUnder(harmless)
      expect([answer.headers.get('X-Request-Id'), requests().at(-1)?.['request_id']]).toEqual([harmless, harmless])
    }
    const injected = [
      '',
      'a b',
      'x'.repeat(37),
      '"}{"level":"error"',
      'a\tb',
      '../x',
      '${jndi:ldap://x}',
      '<b>',
      'a%0ab',
    ]
    for (const harmful of injected) {
      const answer = await answerUnder(harmful)
      const { request_id } = requests().at(-1)!
      expect(request_id, harmful).toMatch(uuid)
      expect(answer.headers.get('X-Request-Id')).toBe(request_id)
    }
  })

  it('cannot forge a line with its headers, its path or its body', async ({ service }) => {
    const forged = '{"level":"error","event":"request"}'
    for (const text of [forged, `x\t${forged}`, 'x\\n{}', '%0d%0a{}', '\u001b[31mred']) {
      const headers: Record<string, string> = {
        'User-Agent': text,
        'X-Request-Id': text,
        'CF-Connecting-IP': text,
        Referer: text,
        Cookie: text,
      }
      const call = { headers, body: { email: 'ada@example.com', password: text } }
      await service.call('POST', `/auth/login?next=${encodeURIComponent(`\n${text}`)}`, call)
      await service.call('GET', `/${encodeURIComponent(`\n${text}\u2028${text}`)}`, { headers })
    }
    expect(log.lines).toHaveLength(10)
    for (const each of log.lines) {
      for (const breaking of ['\n', '\r', '\u0085', '\u2028', '\u2029', '\u001b']) expect(each).not.toContain(breaking)
      expect(JSON.parse(each)).toMatchObject({ event: 'request', level: 'info' })
    }
  })
})

describe('a log without secrets and addresses', () => {
  const secretHeaders = {
    Authorization: `Bearer ${canary}.${canary}.${canary}`,
    Cookie: `session=${canary}`,
    Referer: `https://${canary}.example/`,
    'User-Agent': canary,
    'X-Forwarded-For': canary,
    'X-Api-Key': canary,
    'CF-Connecting-IP': canary,
  }

  const linkIn: Record<string, string[]> = {
    [subjects.activation]: ['activation+jwt'],
    [subjects.passwordReset]: ['reset+jwt'],
  }

  it('is kept by every success, and emails hold no secret but the link they are for', async ({ service }) => {
    const answers: Answer[] = []
    const noting: Service = {
      ...service,
      async call(method, path, call) {
        const answer = await service.call(method, `${path}?email=${canaryAddress}&token=${canary}`, {
          ...call,
          headers: {
            ...secretHeaders,
            ...call?.headers,
            ...(call?.token && { Authorization: `Bearer ${call.token}` }),
          },
        })
        answers.push(answer)
        return answer
      },
    }
    const anonymous = new Caller(noting)
    const people = peopleOf(noting)
    const profile = {
      first_name: canary,
      last_name: canary,
      bio: canary,
      avatar_url: `https://${canary}.example/a.png`,
    }
    const { first_name, last_name } = profile
    const admin = await people.admin()
    const registration = { email: canaryAddress, password: canaryPassword, first_name, last_name }
    await anonymous.register(registration)
    const person = await people.signUp(canaryAddress, canaryPassword)
    await person.updateMe(profile)
    await person.signIn()
    const newPassword = `${canaryPassword} again`
    const token = await people.resetToken(canaryAddress)
    await anonymous.completePasswordReset({ token, new_password: newPassword })
    const session = await people.signIn(canaryAddress, newPassword)
    await session.changePassword({ old_password: newPassword, new_password: canaryPassword })
    await session.refresh()
    await session.verify()
    await admin.suspend(person, canary)
    await admin.reinstate(person)
    await service.deliver()
    await admin.deleteUser(person)
    // Emails that anybody can have sent to somebody else.
    await anonymous.register({ ...registration, email: admin.email })
    await anonymous.requestPasswordReset({ email: admin.email })
    await admin.startPasswordReset(admin)
    await service.deliver()
    await service.runCron('0 * * * *')
    await service.runCron('*/5 * * * *')
    expect(answers.filter(({ status }) => status >= 400)).toEqual([])

    const texts = [...answers.map(({ text }) => text), ...service.mailbox.mails().map(({ text }) => text ?? '')]
    const tokens = texts.flatMap((text) => text.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g) ?? [])
    expect(tokens.length).toBeGreaterThan(8)
    expectNoCanary('eyJ', '@', 'admin@example.com', goodPassword, ...tokens.map((each) => each.split('.')[2]!))
    for (const each of log.lines) JSON.parse(each)

    const mails = service.mailbox.mails()
    expect(new Set(mails.flatMap(({ to }) => to))).toEqual(new Set([admin.email, canaryAddress]))
    for (const { to: _to, ...mail } of mails) {
      const text = JSON.stringify(mail)
      // The reason that a moderator gave is shown to the suspended user.
      const said = mail.subject === subjects.accountSuspended ? text.replaceAll(canary, '') : text
      for (const secret of [canary, admin.email, goodPassword, person.id, admin.id]) {
        expect(said.toLowerCase(), mail.subject).not.toContain(secret.toLowerCase())
      }
      // One link, of the kind of the email: in the text, on the button and to be copied.
      const inMail = [...new Set(said.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g))]
      expect(inMail.map((each) => decodeProtectedHeader(each).typ)).toEqual(linkIn[mail.subject] ?? [])
    }
    const [suspension] = mails.filter(({ subject }) => subject === subjects.accountSuspended)
    expect(suspension).toMatchObject({ to: [canaryAddress], text: expect.stringContaining(`Reason: ${canary}`) })
  })

  const notUtf8 = new Uint8Array([...new TextEncoder().encode(`"${canary}`), 0xff])
  const wrongTypes = { email: [canary], password: { [canary]: canary } }
  const textBody = { raw: `password=${canary}`, headers: { 'Content-Type': `text/${canary}` } }
  const forgedLink = { token: `${canary}.${canary}.${canary}`, password: canary }

  it.for<{ fault: string; operation: OperationId; call: Call }>([
    { fault: 'broken JSON', operation: 'login', call: { raw: `{"password":"${canary}` } },
    { fault: 'broken UTF-8', operation: 'login', call: { raw: notUtf8 } },
    { fault: 'JSON that is a text', operation: 'login', call: { raw: `"${canary}"` } },
    { fault: 'wrong types', operation: 'login', call: { body: wrongTypes } },
    {
      fault: 'unknown fields',
      operation: 'login',
      call: { body: { email: canaryAddress, password: canary, [canary]: canary } },
    },
    { fault: 'NUL', operation: 'login', call: { body: { email: canaryAddress, password: `${canary}\0` } } },
    {
      fault: 'a wrong password',
      operation: 'login',
      call: { body: { email: canaryAddress, password: canaryPassword } },
    },
    { fault: 'a weak password', operation: 'register', call: { body: { email: canaryAddress, password: canary } } },
    { fault: 'a large body', operation: 'register', call: { raw: canary.repeat(10_000) } },
    { fault: 'another type of content', operation: 'login', call: textBody },
    { fault: 'a forged link', operation: 'activate', call: { body: forgedLink } },
    { fault: 'a forged refresh token', operation: 'refresh', call: { body: { refresh_token: canary } } },
    {
      fault: 'a forged reset link',
      operation: 'completePasswordReset',
      call: { body: { token: canary, new_password: canaryPassword } },
    },
  ])('is kept by a refusal: $fault', async ({ operation, call }, { anonymous }) => {
    expectRefusal(await anonymous.from({ headers: secretHeaders }).call(operation, call).answer)
  })

  it.for([
    { fault: 'an unknown path', path: `/${canary}/${canary}`, body: { [canary]: canary } },
    { fault: 'an invalid id', path: `/users/${canary}/suspend`, body: { reason: canary } },
    { fault: 'a wrong method', path: `/auth/refresh/../verify?token=${canary}`, body: {} },
  ])('is kept by a refusal: $fault', async ({ path, body }, { service }) => {
    expectRefusal(await service.call('POST', path, { body, headers: secretHeaders }))
  })

  function expectRefusal(answer: Answer): void {
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(JSON.stringify([answer.text, ...answer.headers]).toLowerCase()).not.toContain(canary.toLowerCase())
    expect(requests()).toHaveLength(1)
    expectNoCanary()
  }

  const body = { email: canaryAddress, password: canaryPassword }

  it('is kept when D1 fails with an error that shows bound values', async () => {
    const bound: unknown[] = []
    const failing = {
      bind: (...values: unknown[]) => (bound.push(...values), failing),
      run: async () =>
        Promise.reject(new Error(`Failed query: insert … params: ${bound.join()}\n    at ${bound.join()}`)),
      all: () => failing.run(),
      raw: () => failing.run(),
    }
    const DB = { prepare: () => failing, batch: () => failing.run() } as unknown as D1Database
    const caller = new Caller(startService({ env: { DB } }))
    const operations: OperationId[] = ['register', 'login', 'requestPasswordReset', 'resendActivation']
    for (const operation of operations) {
      const answer: Answer = await caller.call(operation, { body: { ...body, first_name: canary } }).answer
      expect([operation, answer.status]).toEqual([operation, 503])
      expect(answer.json).toMatchObject({ code: 'service_unavailable' })
      expect(answer.text.toLowerCase()).not.toContain(canary.toLowerCase())
    }
    expect(bound.join().toLowerCase()).toContain(canaryAddress)
    expect(log.entries('request.unavailable')).toHaveLength(4)
    expectNoCanary()
  })

  it('is kept when D1 really fails, and quotes its message', async ({ anonymous }) => {
    await env.DB.exec('alter table registrations rename to gone; alter table users rename to gone_too')
    await anonymous.register(body).refused(503, 'service_unavailable')
    await anonymous.login(body).refused(503, 'service_unavailable')
    for (const entry of log.entries('request.unavailable')) {
      expect(entry).toMatchObject({
        reason: 'd1',
        error_message: expect.stringMatching(/^D1_ERROR: no such table: \w+/),
      })
    }
    expectNoCanary()
  })

  it('is kept after an unexpected failure', async () => {
    const thrown = () => {
      throw new TypeError(`cannot read ${canaryPassword}\n    at ${canary} (${canaryAddress})`)
    }
    const service = startService({ env: { DB: { prepare: thrown, batch: thrown } as unknown as D1Database } })
    const answer = await new Caller(service).login(body).answer
    expect(answer.status).toBe(500)
    expect(answer.json).toMatchObject({ code: 'internal_error' })
    expect(answer.text).not.toContain(canary)
    expect(log.entries('request.failed')).toMatchObject([
      {
        level: 'error',
        request_id: answer.headers.get('X-Request-Id'),
        error: expect.stringContaining('TypeError'),
        error_at: expect.stringContaining('log.test.ts'),
      },
    ])
    expect(requests()).toMatchObject([{ level: 'error', status: 500, outcome: 'internal_error' }])
    expectNoCanary()
  })

  it('is kept when something is thrown that is no ordinary error', async ({ service, ada }) => {
    for (const thing of [
      canary,
      { message: canary },
      null,
      undefined,
      Object.assign(new Error(canary), { name: 'Error' }),
    ]) {
      const get = async () => {
        throw thing
      }
      const failing = startService({ env: { REVOCATIONS: { get } as unknown as KVNamespace }, beside: service })
      await ada.at(failing).verify().refused(503, 'service_unavailable')
    }
    expect(log.entries('request.unavailable')).toHaveLength(5)
    expectNoCanary()
  })

  it('is kept when the queue or KV fails after the answer', async () => {
    const fail = async () => Promise.reject(new Error(`could not keep ${canary}`))
    const MAIL_QUEUE = { send: fail, sendBatch: fail } as unknown as Env['MAIL_QUEUE']
    await new Caller(startService({ env: { MAIL_QUEUE } })).register(body)
    expect(log.entries('mail.queue_failed')).toHaveLength(1)

    const REVOCATIONS = { get: async () => null, put: fail } as unknown as KVNamespace
    const person = await peopleOf(startService({ env: { REVOCATIONS } })).signUp(canaryAddress, canaryPassword)
    await person.logout()
    expect(log.entries('revocation.write_failed').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    expectNoCanary(person.refreshToken)
  })

  it('is kept when delivery fails, up to the dead-letter queue', async ({ service, people, clock, anonymous }) => {
    await anonymous.register(body)
    const jobs = service.queued.splice(0)
    const lost = () => {
      throw new TypeError(`no route to ${canary}`)
    }
    scriptResend(refuse(429, canary), lost, refuse(500, canaryAddress), refuse(422, `no mail to ${canaryAddress}`))
    for (let attempt = 0; attempt < 4; attempt++) {
      await consume(service, jobs)
      clock.advance(minute)
    }
    await people.register(canaryAddress, canaryPassword)
    clock.advance(minute)
    await env.DB.exec(`update emails set status = 0, params = '{"registrationId": ${canary}'`)
    await consume(service, jobs)
    await consume(service, jobs, 'postern-mail-dead')
    const broken = hookedD1(env.DB, () => {
      throw new Error(`params: ${canary}`)
    })
    const down = startService({ env: { DB: broken } })
    await consume(down, jobs)
    await expect(down.runCron('0 * * * *')).rejects.toThrow()
    await expect(down.runCron('*/5 * * * *')).rejects.toThrow()
    const events = new Set(log.entries().map(({ event }) => event))
    for (const event of ['mail.postponed', 'mail.failed', 'mail.delivery_failed', 'cleanup.failed', 'job.failed']) {
      expect(events).toContain(event)
    }
    expectNoCanary()
  })
})

describe('the description of an error', () => {
  it('is the message of D1, which holds no value', async () => {
    const db = connect(env.DB)
    const user = (id: string, email: unknown) =>
      ({
        id,
        email: email as string,
        firstName: canary,
        role: 'USER',
        status: 'active',
        updatedAt: new Date(0),
      }) as const
    const taken = uuidv7(new Date(0))
    const newId = () => uuidv7(new Date(0))
    await db.insert(users).values(user(taken, canaryAddress))
    const failures = [
      db.insert(users).values(user(newId(), canaryAddress)),
      db.insert(users).values(user(taken, `2${canaryAddress}`)),
      db.insert(users).values(user(newId(), null)),
      db.insert(users).values(user(newId(), { toString: () => canary })),
      db.insert(registrations).values({
        id: newId(),
        email: canaryAddress,
        firstName: canary,
        passwordHash: null as unknown as Uint8Array<ArrayBuffer>,
      }),
      // A text where bytes belong.
      db.update(users).set({ passwordHash: sql`${canary}` }),
    ]
    for (const failure of failures) {
      const error: unknown = await failure.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      const said = describeError(error)
      expect(said['error_message']).toMatch(/^D1_/)
      expect(JSON.stringify(said).toLowerCase()).not.toContain(canary.toLowerCase())
    }
  })

  it('ends for anything that is thrown, even a circle of causes', () => {
    const loop = new Error('loop')
    loop.cause = loop
    expect(describeError(loop)['error']).toBe('Error < Error < Error < Error < Error')
    expect(describeError('text')).toMatchObject({ error: 'string' })
    expect(describeError(null)).toMatchObject({ error: 'object' })
    expect(describeError(undefined)).toMatchObject({ error: 'undefined' })
  })

  it("names jose's errors by their codes, because the names of classes are minified", () => {
    const error = new Error('outer', { cause: new errors.JWSSignatureVerificationFailed() })
    expect(describeError(error)['error']).toBe('Error < ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
  })

  it('names the source line, and no line of the message that looks like one', () => {
    const at = describeError(new Error(`x\n    at ${canary} (file.ts:1:1)`))['error_at']
    expect(at).toContain('log.test.ts')
    expect(at).not.toContain(canary)
  })

  it('is one line for any content', () => {
    writeLine('warn', 'job', { text: 'a\nb\r\n{"level":"error"}', none: undefined, list: ['a\nb'] })
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]).not.toMatch(/[\r\n]/)
    expect(log.entries()[0]).toMatchObject({
      level: 'warn',
      event: 'job',
      text: 'a\nb\r\n{"level":"error"}',
      list: ['a\nb'],
    })
  })
})
