import { env } from 'cloudflare:workers'
import { decodeProtectedHeader } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { describeError, log as writeLine } from '../src/log.ts'
import { connect } from '../src/store/db.ts'
import { registrations } from '../src/store/schema/registrations.ts'
import { users } from '../src/store/schema/users.ts'
import { minute } from './support/clock.ts'
import { hookedD1 } from './support/hooked-d1.ts'
import { captureLog } from './support/log-lines.ts'
import { consume, refuse, scriptResend } from './support/mail-consumer.ts'
import { subjects } from './support/mails.ts'
import { goodPassword, register, resetToken, signIn, signUp, signUpAdmin } from './support/people.ts'
import { type Answer, type Call, type Service, startService } from './support/service.ts'

/** What must not be found in any line, in whatever case. */
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
  /** Everything that a line says, and nothing else. */
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

  it('leaves one line with its fields, whatever becomes of it', async () => {
    const service = startService()
    const ada = await signUp(service, 'ada@example.com')
    const session = (await service.call('GET', '/users/me/sessions', { token: ada.accessToken })).json.sessions[0].id
    const wrong = { email: 'ada@example.com', password: 'wrong' }
    const cases: [string, string, Call, object][] = [
      ['GET', '/healthz', {}, { route: '/healthz', status: 200 }],
      ['GET', '/readyz', {}, { route: '/readyz', status: 200 }],
      ['GET', '/users/me', { token: ada.accessToken }, { route: '/users/me', status: 200, user_id: ada.id }],
      ['GET', '/auth/verify', { token: ada.accessToken }, { route: '/auth/verify', status: 204, user_id: ada.id }],
      ['GET', '/users/me', {}, { route: '/users/me', status: 401, outcome: 'invalid_token' }],
      [
        'GET',
        '/users/me',
        { token: 'no.jwt' },
        { route: '/users/me', status: 401, outcome: 'invalid_token', reason: 'malformed' },
      ],
      [
        'GET',
        '/users',
        { token: ada.accessToken },
        { route: '/users', status: 403, outcome: 'insufficient_permission', user_id: ada.id },
      ],
      [
        'POST',
        '/auth/login',
        { body: wrong },
        { route: '/auth/login', status: 401, outcome: 'invalid_credentials', reason: 'wrong_password' },
      ],
      ['POST', '/auth/login', { raw: '{' }, { route: '/auth/login', status: 400, outcome: 'malformed_json' }],
      ['POST', '/auth/login', { body: {} }, { route: '/auth/login', status: 422, outcome: 'validation_failed' }],
      ['POST', '/auth/login', { raw: 'x'.repeat(20_000) }, { status: 413, outcome: 'body_too_large' }],
      ['GET', '/nothing/here', {}, { status: 404, outcome: 'not_found' }],
      ['DELETE', '/auth/login', {}, { status: 405, outcome: 'method_not_allowed' }],
      [
        'DELETE',
        `/users/me/sessions/${session}`,
        { token: ada.accessToken },
        { route: '/users/me/sessions/:id', status: 204, user_id: ada.id },
      ],
    ]
    for (const [method, path, call, expected] of cases) {
      log.lines.length = 0
      const answer = await service.call(method, path, call)
      expect(requests(), `${method} ${path}`).toHaveLength(1)
      const [entry] = requests()
      expect(entry).toEqual(line({ route: expect.any(String), ...expected, method }))
      expect(entry.status).toBe(answer.status)
      expect(entry.request_id).toBe(answer.headers.get('X-Request-Id'))
    }
  })

  it('that fails on our side is an error, and says why in a line of its own', async () => {
    const service = startService({
      env: {
        REVOCATIONS: { get: async () => Promise.reject(new Error('KV GET failed: 500')) } as unknown as KVNamespace,
      },
    })
    const { accessToken: token } = await signUp(service, 'ada@example.com')
    log.lines.length = 0
    expect((await service.call('GET', '/auth/verify', { token })).status).toBe(503)
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
    expect(why.request_id).toBe(entry.request_id)
  })

  it('is named by its client only in a name that is harmless', async () => {
    const service = startService()
    for (const harmless of ['a', 'trace-1.b_C', 'x'.repeat(128)]) {
      const answer = await service.call('GET', '/healthz', { headers: { 'X-Request-Id': harmless } })
      expect([answer.headers.get('X-Request-Id'), requests().at(-1).request_id]).toEqual([harmless, harmless])
    }
    const injected = [
      '',
      'a b',
      'x'.repeat(129),
      '"}{"level":"error"',
      'a\tb',
      '../x',
      '${jndi:ldap://x}',
      '<b>',
      'a%0ab',
    ]
    for (const harmful of injected) {
      const answer = await service.call('GET', '/healthz', { headers: { 'X-Request-Id': harmful } })
      const { request_id } = requests().at(-1)
      expect(request_id, harmful).toMatch(uuid)
      expect(answer.headers.get('X-Request-Id')).toBe(request_id)
    }
  })

  it('cannot write a line of its own through what it says of itself', async () => {
    const service = startService()
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

describe('no secret and no address is in any line', () => {
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

  it('when all goes well, nor in a mail but for the link that it is there for', async () => {
    const service = startService()
    const answers: Answer[] = []
    const telling: Service = {
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
    const profile = {
      first_name: canary,
      last_name: canary,
      bio: canary,
      avatar_url: `https://${canary}.example/a.png`,
    }
    const { first_name, last_name } = profile
    const admin = await signUpAdmin(telling)
    const registration = { email: canaryAddress, password: canaryPassword, first_name, last_name }
    await telling.call('POST', '/auth/register', { body: registration })
    const person = await signUp(telling, canaryAddress, canaryPassword)
    await telling.call('PATCH', '/users/me', { token: person.accessToken, body: profile })
    await signIn(telling, canaryAddress, canaryPassword)
    const reset = { token: await resetToken(telling, canaryAddress), new_password: `${canaryPassword} again` }
    await telling.call('POST', '/auth/password-reset/complete', { body: reset })
    const { accessToken: token, refreshToken } = await signIn(telling, canaryAddress, `${canaryPassword} again`)
    const change = { old_password: `${canaryPassword} again`, new_password: canaryPassword }
    await telling.call('POST', '/auth/change-password', { token, body: change })
    await telling.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
    await telling.call('GET', '/auth/verify', { token })
    await telling.call('POST', `/users/${person.id}/suspend`, { token: admin.accessToken, body: { reason: canary } })
    await telling.call('POST', `/users/${person.id}/reinstate`, { token: admin.accessToken })
    await service.deliver()
    await telling.call('DELETE', `/users/${person.id}`, { token: admin.accessToken })
    // What anybody can have mailed to somebody else.
    await telling.call('POST', '/auth/register', { body: { ...registration, email: admin.email } })
    await telling.call('POST', '/auth/password-reset/request', { body: { email: admin.email } })
    await telling.call('POST', `/users/${admin.id}/password-reset`, { token: admin.accessToken })
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
      // A moderator's words, to whom they are about.
      const said = mail.subject === subjects.accountSuspended ? text.replaceAll(canary, '') : text
      for (const secret of [canary, admin.email, goodPassword, person.id, admin.id]) {
        expect(said.toLowerCase(), mail.subject).not.toContain(secret.toLowerCase())
      }
      // One link, of the mail's own kind: in the text, on the button and to be copied.
      const inMail = [...new Set(said.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g))]
      expect(inMail.map((each) => decodeProtectedHeader(each).typ)).toEqual(linkIn[mail.subject] ?? [])
    }
    const [suspension] = mails.filter(({ subject }) => subject === subjects.accountSuspended)
    expect(suspension).toMatchObject({ to: [canaryAddress], text: expect.stringContaining(`Reason: ${canary}`) })
  })

  it.each<[string, string, Call]>([
    ['broken JSON', '/auth/login', { raw: `{"password":"${canary}` }],
    ['broken UTF-8', '/auth/login', { raw: new Uint8Array([...new TextEncoder().encode(`"${canary}`), 0xff]) }],
    ['JSON that is a text', '/auth/login', { raw: `"${canary}"` }],
    ['wrong types', '/auth/login', { body: { email: [canary], password: { [canary]: canary } } }],
    ['unknown fields', '/auth/login', { body: { email: canaryAddress, password: canary, [canary]: canary } }],
    ['NUL', '/auth/login', { body: { email: canaryAddress, password: `${canary}\0` } }],
    ['a wrong password', '/auth/login', { body: { email: canaryAddress, password: canaryPassword } }],
    ['a weak password', '/auth/register', { body: { email: canaryAddress, password: canary } }],
    ['a large body', '/auth/register', { raw: canary.repeat(10_000) }],
    [
      'another type of content',
      '/auth/login',
      { raw: `password=${canary}`, headers: { 'Content-Type': `text/${canary}` } },
    ],
    ['a forged link', '/auth/activate', { body: { token: `${canary}.${canary}.${canary}`, password: canary } }],
    ['a forged refresh token', '/auth/refresh', { body: { refresh_token: canary } }],
    ['a forged reset link', '/auth/password-reset/complete', { body: { token: canary, new_password: canaryPassword } }],
    ['an unknown path', `/${canary}/${canary}`, { body: { [canary]: canary } }],
    ['an id that is none', `/users/${canary}/suspend`, { body: { reason: canary } }],
    ['a wrong method', `/auth/refresh/../verify?token=${canary}`, { body: {} }],
  ])('when a request is refused: %s', async (_, path, call) => {
    const service = startService()
    const { headers } = call
    const answer = await service.call('POST', path, { ...call, headers: { ...secretHeaders, ...headers } })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(JSON.stringify([answer.text, ...answer.headers]).toLowerCase()).not.toContain(canary.toLowerCase())
    expect(requests()).toHaveLength(1)
    expectNoCanary()
  })

  const body = { email: canaryAddress, password: canaryPassword }

  it('when D1 fails and its error shows what was bound', async () => {
    const bound: unknown[] = []
    const failing = {
      bind: (...values: unknown[]) => (bound.push(...values), failing),
      run: async () =>
        Promise.reject(new Error(`Failed query: insert … params: ${bound.join()}\n    at ${bound.join()}`)),
      all: () => failing.run(),
      raw: () => failing.run(),
    }
    const DB = { prepare: () => failing, batch: () => failing.run() } as unknown as D1Database
    const service = startService({ env: { DB } })
    for (const path of ['/auth/register', '/auth/login', '/auth/password-reset/request', '/auth/resend-activation']) {
      const answer = await service.call('POST', path, { body: { ...body, first_name: canary } })
      expect([path, answer.status, answer.json.code]).toEqual([path, 503, 'service_unavailable'])
      expect(answer.text.toLowerCase()).not.toContain(canary.toLowerCase())
    }
    expect(bound.join().toLowerCase()).toContain(canaryAddress)
    expect(log.entries('request.unavailable')).toHaveLength(4)
    expectNoCanary()
  })

  it('when D1 really fails, and then its own words are there', async () => {
    const service = startService()
    await env.DB.exec('alter table registrations rename to gone; alter table users rename to gone_too')
    for (const path of ['/auth/register', '/auth/login'])
      expect((await service.call('POST', path, { body })).status).toBe(503)
    for (const entry of log.entries('request.unavailable')) {
      expect(entry).toMatchObject({
        reason: 'd1',
        error_message: expect.stringMatching(/^D1_ERROR: no such table: \w+/),
      })
    }
    expectNoCanary()
  })

  it('when something fails that nobody expected', async () => {
    const thrown = () => {
      throw new TypeError(`cannot read ${canaryPassword}\n    at ${canary} (${canaryAddress})`)
    }
    const service = startService({ env: { DB: { prepare: thrown, batch: thrown } as unknown as D1Database } })
    const answer = await service.call('POST', '/auth/login', { body })
    expect([answer.status, answer.json.code]).toEqual([500, 'internal_error'])
    expect(answer.text).not.toContain(canary)
    expect(log.entries('request.failed')).toMatchObject([
      {
        level: 'error',
        request_id: answer.json.request_id,
        error: expect.stringContaining('TypeError'),
        error_at: expect.stringContaining('log.test.ts'),
      },
    ])
    expect(requests()).toMatchObject([{ level: 'error', status: 500, outcome: 'internal_error' }])
    expectNoCanary()
  })

  it('when something is thrown that is no error', async () => {
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
      const service = startService({ env: { REVOCATIONS: { get } as unknown as KVNamespace } })
      const { accessToken: token } = await signUp(service, 'ada@example.com')
      expect((await service.call('GET', '/auth/verify', { token })).status).toBe(503)
      await env.DB.exec('delete from sessions; delete from emails; delete from users')
    }
    expect(log.entries('request.unavailable')).toHaveLength(5)
    expectNoCanary()
  })

  it('when the queue or KV fails after the answer', async () => {
    const fail = async () => Promise.reject(new Error(`could not keep ${canary}`))
    const MAIL_QUEUE = { send: fail, sendBatch: fail } as unknown as Env['MAIL_QUEUE']
    expect((await startService({ env: { MAIL_QUEUE } }).call('POST', '/auth/register', { body })).status).toBe(202)
    expect(log.entries('mail.queue_failed')).toHaveLength(1)

    const REVOCATIONS = { get: async () => null, put: fail } as unknown as KVNamespace
    const service = startService({ env: { REVOCATIONS } })
    const { refreshToken } = await signUp(service, canaryAddress, canaryPassword)
    expect((await service.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } })).status).toBe(204)
    expect(log.entries('revocation.write_failed').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    expectNoCanary(refreshToken)
  })

  it('when mail fails, from the request to the dead letter', async () => {
    const service = startService()
    await service.call('POST', '/auth/register', { body })
    const jobs = service.queued.splice(0)
    const lost = () => {
      throw new TypeError(`no route to ${canary}`)
    }
    scriptResend(refuse(429, canary), lost, refuse(500, canaryAddress), refuse(422, `no mail to ${canaryAddress}`))
    for (let attempt = 0; attempt < 4; attempt++) await consume(service, jobs)
    await register(service, canaryAddress, canaryPassword)
    service.clock.advance(minute)
    await env.DB.exec(`update emails set status = 'queued', params = '{"registrationId": ${canary}'`)
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

describe('what is said of an error', () => {
  it('is the words of D1, which hold no value: checked against the real one', async () => {
    const db = connect(env.DB)
    const user = (id: string, email: unknown) =>
      ({
        id,
        email: email as string,
        role: 'USER',
        status: 'active',
        createdAt: new Date(0),
        updatedAt: new Date(0),
      }) as const
    await db.insert(users).values(user(canary, canaryAddress))
    const failures = [
      db.insert(users).values(user(`${canary}2`, canaryAddress)),
      db.insert(users).values(user(canary, `2${canaryAddress}`)),
      db.insert(users).values(user(`${canary}3`, null)),
      db.insert(users).values(user(`${canary}4`, { toString: () => canary })),
      db
        .insert(registrations)
        .values({ id: canary, email: canaryAddress, passwordHash: null as unknown as string, createdAt: new Date(0) }),
    ]
    for (const failure of failures) {
      const error: unknown = await failure.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect((error as Error).message, 'drizzle says it all').toContain(canary)
      const said = describeError(error)
      expect(said['error_message']).toMatch(/^D1_/)
      expect(JSON.stringify(said).toLowerCase()).not.toContain(canary.toLowerCase())
    }
  })

  it('ends, for whatever is thrown', () => {
    const loop = new Error('loop')
    loop.cause = loop
    expect(describeError(loop)['error']).toBe('Error < Error < Error < Error < Error')
    expect(describeError('text')).toMatchObject({ error: 'string' })
    expect(describeError(null)).toMatchObject({ error: 'object' })
    expect(describeError(undefined)).toMatchObject({ error: 'undefined' })
  })

  it('is where it came from, and no line of its message that looks like that', () => {
    const at = describeError(new Error(`x\n    at ${canary} (file.ts:1:1)`))['error_at']
    expect(at).toContain('log.test.ts')
    expect(at).not.toContain(canary)
  })

  it('is one line, whatever it holds', () => {
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
