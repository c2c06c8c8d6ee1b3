/** What happens when the environment is invalid, or a store or the queue fails. */
import { describe, expect, vi } from 'vitest'
import { expectNoContent, expectProblem, sessionOf } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { calls, protectedCalls } from '../support/calls.ts'
import { day, minute } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { subjects } from '../support/mails.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { nothing, observe, revokedSessions, rowsOf, snapshot, whereIs } from '../support/state.ts'

const email = 'ada@example.com'
const change = { old_password: goodPassword, new_password: otherPassword }

/** Every line that is logged during `act`, parsed. */
async function logOf(act: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const lines: string[] = []
  const spies = (['info', 'warn', 'error', 'log'] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((line: unknown) => void lines.push(String(line))),
  )
  try {
    await act()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return lines.map((line) => JSON.parse(line))
}

describe('an invalid environment', () => {
  const shortKey = JSON.stringify({ keys: [{ kty: 'oct', kid: 'a', k: 'c2hvcnQtc2VjcmV0LXZhbHVl' }] })
  const ringOf = (keys: object[]) => JSON.stringify({ keys })
  const publicOnly = { kty: 'OKP', crv: 'Ed25519', kid: 'a', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }

  /** The health checks are answered with their own findings, and the document is a static file. */
  const needNoConfiguration = new Set(['getHealth', 'getReadiness', 'getDescription'])

  it.for<{ fault: string; env: Record<string, unknown>; problems: (string | RegExp)[] }>([
    { fault: 'no database', env: { DB: undefined }, problems: ['the binding DB is missing'] },
    { fault: 'no revocation list', env: { REVOCATIONS: undefined }, problems: ['the binding REVOCATIONS is missing'] },
    { fault: 'no queue', env: { MAIL_QUEUE: undefined }, problems: ['the binding MAIL_QUEUE is missing'] },
    { fault: 'no signing keys', env: { SIGNING_KEYS: undefined }, problems: ['SIGNING_KEYS is not set'] },
    { fault: 'no token keys', env: { TOKEN_KEYS: '' }, problems: ['TOKEN_KEYS is not set'] },
    { fault: 'no pepper', env: { PASSWORD_PEPPER: ' ' }, problems: ['PASSWORD_PEPPER is not set'] },
    { fault: 'no key for Resend', env: { RESEND_API_KEY: undefined }, problems: ['RESEND_API_KEY is not set'] },
    { fault: 'no public URL', env: { PUBLIC_URL: '' }, problems: ['PUBLIC_URL is not set'] },
    {
      fault: 'a short token key',
      env: { TOKEN_KEYS: shortKey },
      problems: ['TOKEN_KEYS key "a" is shorter than 32 bytes'],
    },
    {
      fault: 'a short pepper',
      env: { PASSWORD_PEPPER: shortKey },
      problems: ['PASSWORD_PEPPER key "a" is shorter than 32 bytes'],
    },
    {
      fault: 'keys that are not JSON',
      env: { TOKEN_KEYS: 'swordfish-swordfish-swordfish' },
      problems: ['TOKEN_KEYS is not JSON'],
    },
    { fault: 'an empty set of keys', env: { TOKEN_KEYS: ringOf([]) }, problems: ['TOKEN_KEYS holds no key'] },
    {
      fault: 'a public key for signing',
      env: { SIGNING_KEYS: ringOf([publicOnly]) },
      problems: [/^SIGNING_KEYS key "a" is neither a private/],
    },
    {
      fault: 'an http URL',
      env: { ENVIRONMENT: 'production', RATE_LIMITS: 'on', PUBLIC_URL: 'http://accounts.example.com' },
      problems: [/^PUBLIC_URL must be an https origin/],
    },
    {
      fault: 'a URL with a path',
      env: { PUBLIC_URL: 'https://accounts.example.com/auth' },
      problems: [/^PUBLIC_URL must be an https origin/],
    },
    {
      fault: 'a URL without a scheme',
      env: { PUBLIC_URL: 'accounts.example.com' },
      problems: [/^PUBLIC_URL must be an https origin/],
    },
    {
      fault: 'an http URL of Resend',
      env: { ENVIRONMENT: 'production', RATE_LIMITS: 'on', RESEND_BASE_URL: 'http://resend.test' },
      problems: [/^RESEND_BASE_URL must be an https origin/],
    },
    {
      fault: 'a sender without an address',
      env: { MAIL_FROM: 'Postern' },
      problems: [/^MAIL_FROM must be an address/],
    },
    {
      fault: 'an invalid bootstrap address',
      env: { BOOTSTRAP_ADMIN_EMAIL: 'admin' },
      problems: [/^BOOTSTRAP_ADMIN_EMAIL must be/],
    },
    {
      fault: 'a short minimum length of passwords',
      env: { PASSWORD_MIN_LENGTH: '7' },
      problems: [/^PASSWORD_MIN_LENGTH must be/],
    },
    {
      fault: 'the issuer as audience',
      env: { AUDIENCE: 'https://accounts.example.com' },
      problems: ['AUDIENCE must not be the same as PUBLIC_URL'],
    },
    {
      fault: 'several faults',
      env: { DB: undefined, TOKEN_KEYS: undefined, PUBLIC_URL: undefined },
      problems: ['the binding DB is missing', 'PUBLIC_URL is not set', 'TOKEN_KEYS is not set'],
    },
  ])('with $fault leaves only health, and the log names exactly the fault', async ({ env, problems }) => {
    const service = startService({ env })
    const others = calls.filter(({ operationId }) => !needNoConfiguration.has(operationId))
    const log = await logOf(async () => {
      for (const { method, path, body } of others) {
        expectProblem(await service.call(method, path, body && { body }), 503, 'service_unavailable')
      }
    })
    const lines = log.filter(({ event }) => event === 'config.invalid')
    expect(lines).toHaveLength(others.length)
    for (const line of lines) {
      expect(line).toMatchObject({ level: 'error' })
      const named = line['problems'] as string[]
      expect(named).toHaveLength(problems.length)
      for (const [place, problem] of problems.entries()) expect(named[place]).toMatch(problem)
    }
    const text = JSON.stringify(log)
    for (const value of ['swordfish', 'c2hvcnQ', 'nWGxne', 'dGVzdC', 'cGVwcGVy', 're_test'])
      expect(text).not.toContain(value)
    const refusals = log.filter(({ event }) => event === 'request.unavailable')
    expect(refusals).toHaveLength(others.length)
    for (const line of refusals) expect(line).toMatchObject({ reason: 'config', error: 'ConfigError' })
    const caller = new Caller(service)
    await caller.call('getHealth')
    const ready = await logOf(async () => expect((await caller.call('getReadiness').answer).status).toBe(503))
    expect(ready).toContainEqual(expect.objectContaining({ event: 'request', status: 503, outcome: 'unavailable' }))
  })

  it('is not described to callers', async () => {
    const caller = new Caller(startService({ env: { TOKEN_KEYS: shortKey } }))
    for (const answer of [
      await caller.me().answer,
      await caller.call('getReadiness').answer,
      await caller.getKeys().answer,
    ]) {
      expect(answer.text).not.toMatch(/TOKEN_KEYS|32 bytes/)
    }
  })

  it('includes an http PUBLIC_URL anywhere but in development', async () => {
    const url = 'http://127.0.0.1:8787'
    const development = startService({ env: { PUBLIC_URL: url, ENVIRONMENT: 'development' } })
    await new Caller(development).getKeys()
    for (const ENVIRONMENT of ['production', '', 'Development', undefined]) {
      const service = startService({ env: { PUBLIC_URL: url, ENVIRONMENT, RATE_LIMITS: 'on' } as Partial<Env> })
      await new Caller(service).getKeys().refused(503, 'service_unavailable')
    }
  })
})

describe('links in emails', () => {
  it.override('options', { env: { PUBLIC_URL: 'https://login.example.org' } })

  it('begin with PUBLIC_URL, whatever a request says about host, scheme and origin', async ({
    service,
    inbox,
    anonymous,
  }) => {
    const attacker = anonymous.from({
      headers: {
        Host: 'evil.example',
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Proto': 'http',
        'X-Original-Host': 'evil.example',
        Forwarded: 'host=evil.example;proto=http',
        Origin: 'https://evil.example',
        Referer: 'https://evil.example/',
      },
    })
    await attacker.register({ email, password: goodPassword })
    await attacker.resendActivation(email)
    await attacker.requestPasswordReset({ email })
    await service.deliver()
    expect(inbox.subjects(email).toSorted()).toEqual(
      [subjects.activation, subjects.activation, subjects.passwordReset].toSorted(),
    )
    for (const { text, html, headers: sent } of inbox.all(email)) {
      const urls = `${text} ${html}`.match(/https?:\/\/[^\s"'<#]+/g)!
      expect(new Set(urls.map((url) => new URL(url).origin))).toEqual(new Set(['https://login.example.org']))
      expect(`${text}${html}${JSON.stringify(sent)}`).not.toContain('evil.example')
    }
    const redirect = await attacker.call('findChangePasswordPage').answer
    expect(redirect.headers.get('Location')).not.toContain('evil')
  })
})

/** D1 that fails at one call: before it does anything, or afterwards, so that only the answer is lost. */
function breaking(db: D1Database, failsAt: number, mode: 'before' | 'after' = 'before') {
  const state = { calls: 0 }
  const through = async <T>(work: () => Promise<T>): Promise<T> => {
    state.calls++
    if (state.calls !== failsAt) return work()
    if (mode === 'after') await work()
    throw new Error('D1_ERROR: D1 DB exceeded its CPU time limit and was reset. select email from users')
  }
  const inner = new WeakMap<object, D1PreparedStatement>()
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      run: () => through(() => statement.run()),
      all: () => through(() => statement.all()),
      raw: () => through(() => statement.raw()),
      first: () => through(() => statement.first()),
    } as unknown as D1PreparedStatement
    inner.set(wrapped, statement)
    return wrapped
  }
  const binding = {
    prepare: (query: string) => wrap(db.prepare(query)),
    batch: (statements: D1PreparedStatement[]) => through(() => db.batch(statements.map((each) => inner.get(each)!))),
  } as unknown as D1Database
  return { binding, state }
}

interface Actors {
  people: People
  anonymous: Caller
}

interface Flow {
  name: string
  prepare: (actors: Actors) => Promise<(service: Service) => Promise<Answer>>
}

const adminAndUser = async (people: People) => ({ admin: await people.admin(), ada: await people.signUp(email) })

/** Every operation that writes, prepared so far that one call does it. */
const flows: Flow[] = [
  {
    name: 'a registration',
    prepare:
      async ({ anonymous }) =>
      (s) =>
        anonymous.at(s).register({ email, password: goodPassword }).answer,
  },
  {
    name: 'an activation',
    prepare: async ({ people, anonymous }) => {
      const token = await people.register('admin@example.com')
      return (s) => anonymous.at(s).activate({ token, password: goodPassword }).answer
    },
  },
  {
    name: 'a resend request',
    prepare:
      async ({ anonymous }) =>
      (s) =>
        anonymous.at(s).resendActivation(email).answer,
  },
  {
    name: 'a sign-in',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).login({ email, password: goodPassword }).answer
    },
  },
  {
    name: 'a refresh',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).refresh().answer
    },
  },
  {
    name: 'a log-out',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).logout().answer
    },
  },
  {
    name: 'a log-out everywhere',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).logoutAll().answer
    },
  },
  {
    name: 'a password change',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).changePassword(change).answer
    },
  },
  {
    name: 'a reset request',
    prepare:
      async ({ anonymous }) =>
      (s) =>
        anonymous.at(s).requestPasswordReset({ email }).answer,
  },
  {
    name: 'a reset',
    prepare: async ({ people, anonymous }) => {
      await people.signUp(email)
      const token = await people.resetToken(email)
      return (s) => anonymous.at(s).completePasswordReset({ token, new_password: otherPassword }).answer
    },
  },
  {
    name: 'a profile change',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).updateMe({ bio: 'x' }).answer
    },
  },
  {
    name: 'the end of the other sessions',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).endOtherSessions().answer
    },
  },
  {
    name: 'the deletion of the own account',
    prepare: async ({ people }) => {
      const ada = await people.signUp(email)
      return (s) => ada.at(s).deleteMe().answer
    },
  },
  {
    name: 'the moderation of a profile',
    prepare: async ({ people }) => {
      const { admin, ada } = await adminAndUser(people)
      return (s) => admin.at(s).moderateProfile(ada, { bio: 'x' }).answer
    },
  },
  {
    name: 'an activation by an ADMIN',
    prepare: async ({ people }) => {
      const admin = await people.admin()
      const pending = await people.pending(email)
      return (s) => admin.at(s).activateUser(pending).answer
    },
  },
  {
    name: 'a role change',
    prepare: async ({ people }) => {
      const { admin, ada } = await adminAndUser(people)
      return (s) => admin.at(s).assignRole(ada, 'MODERATOR').answer
    },
  },
  {
    name: 'a suspension',
    prepare: async ({ people }) => {
      const { admin, ada } = await adminAndUser(people)
      return (s) => admin.at(s).suspend(ada).answer
    },
  },
  {
    name: 'a reinstatement',
    prepare: async ({ people }) => {
      const { admin, ada } = await adminAndUser(people)
      await admin.suspend(ada)
      return (s) => admin.at(s).reinstate(ada).answer
    },
  },
  {
    name: 'the end of a user’s sessions',
    prepare: async ({ people }) => {
      const { admin, ada } = await adminAndUser(people)
      return (s) => admin.at(s).endSessionsOf(ada).answer
    },
  },
  {
    name: 'a deletion by an ADMIN',
    prepare: async ({ people }) => {
      const { admin, ada } = await adminAndUser(people)
      return (s) => admin.at(s).deleteUser(ada).answer
    },
  },
]

/** Attempts are left out: one that was claimed stays claimed, or a failure would give an attacker more of them. */
async function snapshotWithoutAttempts() {
  const tables = await snapshot()
  tables.delete('attempt_counters')
  return tables
}

/** A service whose D1 fails at one call. */
const withBrokenD1 = (service: Service, failsAt: number, mode?: 'after') =>
  startService({ env: { DB: breaking(service.env.DB, failsAt, mode).binding }, beside: service })

describe('a failing D1', () => {
  it.for(flows)(
    'answers 503 to $name without any effect, whichever call fails, and then lets it succeed',
    async ({ prepare }, { service, people, anonymous }) => {
      const act = await prepare({ people, anonymous })
      await service.deliver()
      const before = [await snapshotWithoutAttempts(), await revokedSessions()]
      for (let failsAt = 1; ; failsAt++) {
        const { binding, state } = breaking(service.env.DB, failsAt)
        const broken = startService({ env: { DB: binding }, beside: service })
        const answer = await act(broken)
        if (state.calls < failsAt) {
          expect(failsAt, 'it failed at least once').toBeGreaterThan(1)
          expect(answer.status, answer.text).toBeLessThan(300)
          break
        }
        expectProblem(answer, 503, 'service_unavailable')
        expect(answer.text).not.toMatch(/D1|select|email/)
        expect([await snapshotWithoutAttempts(), await revokedSessions()]).toEqual(before)
        expect(broken.queued).toEqual([])
      }
    },
  )

  it('answers 503, and never 401, to every call that needs it, and affects no other call', async ({
    service,
    anonymous,
    admin,
  }) => {
    for (const { method, path, protection } of protectedCalls) {
      const broken = withBrokenD1(service, 1)
      const body = { password: goodPassword, ...change }
      const answer = await broken.call(method, path, { token: admin.accessToken, ...(method !== 'GET' && { body }) })
      if (protection === 'bearer') expectProblem(answer, 503, 'service_unavailable')
      else expect(answer.status, path).toBeLessThan(300)
    }
    await anonymous.at(withBrokenD1(service, 1)).getKeys()
  })

  it('loses no session when only its answer is lost, since the refresh can be repeated', async ({ service, ada }) => {
    await ada
      .at(withBrokenD1(service, 1, 'after'))
      .refresh()
      .refused(503, 'service_unavailable')
    const successor = await ada.renewed()
    await successor.refresh()
  })

  it('is logged without the parameters of a statement', async ({ service, ada }) => {
    const caller = ada.at(withBrokenD1(service, 1)).from({ headers: { 'X-Request-Id': 'down-1' } })
    const log = await logOf(() => caller.login({ email, password: goodPassword }).answer)
    expect(log).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'request.unavailable', request_id: 'down-1' }),
    )
    expect(JSON.stringify(log)).not.toContain(email)
    expect(JSON.stringify(log)).not.toContain(goodPassword)
  })
})

describe('a failing KV', () => {
  const failing = () => Promise.reject(new Error('KV GET failed: 500 Internal Server Error'))

  const withBrokenKv = (service: Service, broken: Partial<Record<'get' | 'put', unknown>>) => {
    const kv = service.env.REVOCATIONS
    const REVOCATIONS = { get: kv.get.bind(kv), put: kv.put.bind(kv), ...broken } as unknown as KVNamespace
    return startService({ env: { REVOCATIONS }, beside: service })
  }

  it('answers 503 where the revocation list alone decides', async ({ service, ada }) => {
    const broken = withBrokenKv(service, { get: failing })
    for (const { method, path } of protectedCalls.filter(({ protection }) => protection === 'edge')) {
      const answer = await broken.call(method, path, { token: ada.accessToken })
      expectProblem(answer, 503, 'service_unavailable')
      expect([...answer.headers.keys()].filter((name) => name.startsWith('x-auth'))).toEqual([])
      expectProblem(await broken.call(method, path, { token: 'x' }), 401, 'invalid_token')
    }
  })

  it('prevents no refresh, and nothing else that the database decides', async ({ service, ada }) => {
    const session = await ada.at(withBrokenKv(service, { get: failing, put: failing })).renewed()
    await session.me()
    expectNoContent(await session.logout().answer)
    await session.refresh().refused(401, 'invalid_refresh_token')
    await session.me().refused(401, 'invalid_token')
  })

  it('is hidden from the caller at a write, which is tried three times and then logged', async ({ service, ada }) => {
    const put = vi.fn<() => Promise<void>>(failing)
    const session = ada.at(withBrokenKv(service, { put }))
    const log = await logOf(async () => {
      expectNoContent(await session.logout().answer)
    })
    expect(put).toHaveBeenCalledTimes(3)
    expect(log.filter(({ event }) => event === 'revocation.write_failed')).toHaveLength(3)
    expect(JSON.stringify(log), 'the session can be found').toContain(ada.sessionId)
    await session.me().refused(401, 'invalid_token')
  })

  it('loses no revocation when only one write fails', async ({ service, ada }) => {
    const kv = service.env.REVOCATIONS
    const put = vi.fn<KVNamespace['put']>(kv.put.bind(kv)).mockImplementationOnce(failing)
    await ada.at(withBrokenKv(service, { put })).logout()
    expect(await revokedSessions()).toEqual([ada.sessionId])
  })
})

describe('the revocation of a session', () => {
  it('lasts as long as the last access token when the session is about to end', async ({ service, clock, ada }) => {
    let session = ada
    for (const days of [29, 29, 29]) {
      clock.advance(days * day)
      session = await session.renewed()
    }
    clock.advance(3 * day - minute)
    const last = await session.refresh()
    expect(last).toMatchObject({ refresh_expires_in: 60, expires_in: 600 })
    const put = vi.spyOn(service.env.REVOCATIONS, 'put')
    await session.holding(last).logout()
    expect(put.mock.calls).toEqual([[`session:${sessionOf(last.access_token)}`, '1', { expirationTtl: 600 }]])
  })
})

describe('a failing queue', () => {
  const broken = { send: () => Promise.reject(new Error('Queue send failed')) } as unknown as Env['MAIL_QUEUE']

  it('does not fail a registration, whose email the cron job sends five minutes later', async ({
    service: healthy,
    clock,
    inbox,
    anonymous,
  }) => {
    const failing = startService({ env: { MAIL_QUEUE: broken }, beside: healthy })
    await anonymous.at(failing).register({ email, password: goodPassword })
    expect(await rowsOf('emails')).toMatchObject([{ status: 'queued', attempts: 0 }])
    await healthy.runCron('*/5 * * * *')
    expect(healthy.queued, 'it is not stranded yet').toEqual([])
    clock.advance(5 * minute)
    await healthy.runCron('*/5 * * * *')
    expect(healthy.queued).toHaveLength(1)
    await healthy.deliver()
    await anonymous.activate({ token: inbox.linkToken(email), password: goodPassword })
    expect(inbox.all(email)).toHaveLength(1)
  })

  it.for(flows)('does not fail $name', async ({ prepare }, { service, people, anonymous }) => {
    const act = await prepare({ people, anonymous })
    const failing = startService({ env: { MAIL_QUEUE: broken }, beside: service })
    expect((await act(failing)).status).toBeLessThan(300)
  })
})

describe('a session that ends during its own request', () => {
  /** D1 in which something happens before its first batch, after the request was authenticated. */
  function meanwhile(service: Service, happens: () => Promise<unknown>): Service {
    const { binding } = breaking(service.env.DB, 0)
    let calls = 0
    const DB = {
      prepare: binding.prepare.bind(binding),
      batch: async (statements: D1PreparedStatement[]) => {
        calls++
        if (calls === 1) await happens()
        return binding.batch(statements)
      },
    } as unknown as D1Database
    return startService({ env: { DB }, beside: service })
  }

  it.for<{ operation: string; act: (admin: Person, ada: Person) => Promise<Answer> }>([
    { operation: 'PATCH /users/me', act: (admin) => admin.updateMe({ bio: 'x' }).answer },
    { operation: 'POST /auth/change-password', act: (admin) => admin.changePassword(change).answer },
    { operation: 'DELETE /users/me', act: (admin) => admin.deleteMe().answer },
    { operation: 'PUT /users/{id}/role', act: (admin, ada) => admin.assignRole(ada, 'ADMIN').answer },
    { operation: 'POST /users/{id}/suspend', act: (admin, ada) => admin.suspend(ada).answer },
    { operation: 'DELETE /users/{id}', act: (admin, ada) => admin.deleteUser(ada).answer },
    { operation: 'DELETE /users/{id}/sessions', act: (admin, ada) => admin.endSessionsOf(ada).answer },
  ])('is refused $operation with 401, and nothing is done', async ({ act }, { service, admin, ada }) => {
    const racing = admin.at(meanwhile(service, () => admin.logout()))
    const { answer, effects } = await observe(service, () => act(racing, ada))
    expectProblem(answer, 401, 'invalid_token')
    expect(effects).toEqual({
      ...nothing,
      rows: { sessions: '-1', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: admin.id, user: admin.id, detail: expect.anything() }],
      revoked: [admin.sessionId],
    })
    expect(await whereIs('"bio":"x"')).toEqual([])
  })
})
