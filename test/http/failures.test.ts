/** What happens when the environment is not fit to serve, or a store or the queue fails. */
import { describe, expect, it, vi } from 'vitest'
import { expectNoContent, expectOk, expectProblem, sessionOf } from '../support/answers.ts'
import { calls, protectedCalls } from '../support/calls.ts'
import { day, minute } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import {
  type SignedIn,
  goodPassword,
  mailsTo,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signUp,
  signUpAdmin,
  tokenIn,
} from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { nothing, observe, revokedSessions, rowOf, rowsOf, snapshot, whereIs } from '../support/state.ts'

const email = 'ada@example.com'

/** The log while something happens: every line, parsed. */
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

describe('an environment that is not fit to serve', () => {
  const shortKey = JSON.stringify({ keys: [{ kty: 'oct', kid: 'a', k: 'c2hvcnQtc2VjcmV0LXZhbHVl' }] })
  const ringOf = (keys: object[]) => JSON.stringify({ keys })
  const publicOnly = { kty: 'OKP', crv: 'Ed25519', kid: 'a', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }

  it.each<[string, Record<string, unknown>, (string | RegExp)[]]>([
    ['no database', { DB: undefined }, ['the binding DB is missing']],
    ['no revocation list', { REVOCATIONS: undefined }, ['the binding REVOCATIONS is missing']],
    ['no queue', { MAIL_QUEUE: undefined }, ['the binding MAIL_QUEUE is missing']],
    ['no signing keys', { SIGNING_KEYS: undefined }, ['SIGNING_KEYS is not set']],
    ['no token keys', { TOKEN_KEYS: '' }, ['TOKEN_KEYS is not set']],
    ['no pepper', { PASSWORD_PEPPER: ' ' }, ['PASSWORD_PEPPER is not set']],
    ['no key for the mail', { RESEND_API_KEY: undefined }, ['RESEND_API_KEY is not set']],
    ['no public URL', { PUBLIC_URL: '' }, ['PUBLIC_URL is not set']],
    ['a short token key', { TOKEN_KEYS: shortKey }, ['TOKEN_KEYS key "a" is shorter than 32 bytes']],
    ['a short pepper', { PASSWORD_PEPPER: shortKey }, ['PASSWORD_PEPPER key "a" is shorter than 32 bytes']],
    ['keys that are no JSON', { TOKEN_KEYS: 'swordfish-swordfish-swordfish' }, ['TOKEN_KEYS is not JSON']],
    ['an empty set of keys', { TOKEN_KEYS: ringOf([]) }, ['TOKEN_KEYS holds no key']],
    [
      'a public key to sign with',
      { SIGNING_KEYS: ringOf([publicOnly]) },
      [/^SIGNING_KEYS key "a" is neither a private/],
    ],
    [
      'an http URL',
      { ENVIRONMENT: 'production', RATE_LIMITS: 'on', PUBLIC_URL: 'http://accounts.example.com' },
      [/^PUBLIC_URL must be an https origin/],
    ],
    ['a URL with a path', { PUBLIC_URL: 'https://accounts.example.com/auth' }, [/^PUBLIC_URL must be an https origin/]],
    ['a URL that is none', { PUBLIC_URL: 'accounts.example.com' }, [/^PUBLIC_URL must be an https origin/]],
    [
      'http to the mail provider',
      { ENVIRONMENT: 'production', RATE_LIMITS: 'on', RESEND_BASE_URL: 'http://resend.test' },
      [/^RESEND_BASE_URL must be an https origin/],
    ],
    ['a sender that is no address', { MAIL_FROM: 'Postern' }, [/^MAIL_FROM must be an address/]],
    ['a bootstrap address that is none', { BOOTSTRAP_ADMIN_EMAIL: 'admin' }, [/^BOOTSTRAP_ADMIN_EMAIL must be/]],
    ['a short password length', { PASSWORD_MIN_LENGTH: '7' }, [/^PASSWORD_MIN_LENGTH must be/]],
    [
      'the issuer as audience',
      { AUDIENCE: 'https://accounts.example.com' },
      ['AUDIENCE must not be the same as PUBLIC_URL'],
    ],
    [
      'several things',
      { DB: undefined, TOKEN_KEYS: undefined, PUBLIC_URL: undefined },
      ['the binding DB is missing', 'PUBLIC_URL is not set', 'TOKEN_KEYS is not set'],
    ],
  ])('with %s answers nothing but health, and the log says exactly that', async (_, env, problems) => {
    const service = startService({ env })
    const others = calls.filter(({ path }) => path !== '/healthz' && path !== '/readyz')
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
    expectOk(await service.call('GET', '/healthz'))
    const ready = await logOf(async () => expect((await service.call('GET', '/readyz')).status).toBe(503))
    expect(ready).toContainEqual(expect.objectContaining({ event: 'request', status: 503, outcome: 'unavailable' }))
  })

  it('says nothing of what is wrong to who asks', async () => {
    const service = startService({ env: { TOKEN_KEYS: shortKey } })
    for (const path of ['/users/me', '/readyz', '/.well-known/jwks.json']) {
      expect((await service.call('GET', path)).text).not.toMatch(/TOKEN_KEYS|32 bytes/)
    }
  })

  it('takes http for a public URL in development alone', async () => {
    const url = 'http://127.0.0.1:8787'
    const development = startService({ env: { PUBLIC_URL: url, ENVIRONMENT: 'development' } })
    expectOk(await development.call('GET', '/.well-known/jwks.json'))
    for (const ENVIRONMENT of ['production', '', 'Development', undefined]) {
      const service = startService({ env: { PUBLIC_URL: url, ENVIRONMENT, RATE_LIMITS: 'on' } as Partial<Env> })
      expectProblem(await service.call('GET', '/.well-known/jwks.json'), 503, 'service_unavailable')
    }
  })
})

describe('the links in mails', () => {
  it('begin with PUBLIC_URL, whatever a request says about host, scheme and origin', async () => {
    const service = startService({ env: { PUBLIC_URL: 'https://login.example.org' } })
    const headers = {
      Host: 'evil.example',
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Proto': 'http',
      'X-Original-Host': 'evil.example',
      Forwarded: 'host=evil.example;proto=http',
      Origin: 'https://evil.example',
      Referer: 'https://evil.example/',
    }
    await service.call('POST', '/auth/register', { body: { email, password: goodPassword }, headers })
    await service.call('POST', '/auth/resend-activation', { body: { email }, headers })
    await service.call('POST', '/auth/password-reset/request', { body: { email }, headers })
    await service.deliver()
    const mails = mailsTo(service, email)
    expect(mails.map(({ subject }) => subject).toSorted()).toEqual(
      [subjects.activation, subjects.activation, subjects.passwordReset].toSorted(),
    )
    for (const { text, html, headers: sent } of mails) {
      const urls = `${text} ${html}`.match(/https?:\/\/[^\s"'<#]+/g)!
      expect(new Set(urls.map((url) => new URL(url).origin))).toEqual(new Set(['https://login.example.org']))
      expect(`${text}${html}${JSON.stringify(sent)}`).not.toContain('evil.example')
    }
    const redirect = await service.call('GET', '/.well-known/change-password', { headers })
    expect(redirect.headers.get('Location')).not.toContain('evil')
  })
})

/** D1 that fails at one call: before it does anything, or after, when only the answer is lost. */
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

interface Flow {
  name: string
  prepare: (service: Service) => Promise<(service: Service) => Promise<Answer>>
}

const target = async (service: Service) => {
  const admin = await signUpAdmin(service)
  return { token: admin.accessToken, ada: await signUp(service, email) }
}

/** Everything that writes, set up so far that one call does it. */
const flows: Flow[] = [
  {
    name: 'register',
    prepare: async () => (s) => s.call('POST', '/auth/register', { body: { email, password: goodPassword } }),
  },
  {
    name: 'activate',
    prepare: async (service) => {
      const token = await register(service, 'admin@example.com')
      return (s) => s.call('POST', '/auth/activate', { body: { token, password: goodPassword } })
    },
  },
  { name: 'resend', prepare: async () => (s) => s.call('POST', '/auth/resend-activation', { body: { email } }) },
  {
    name: 'login',
    prepare: async (service) => {
      await signUp(service, email)
      return (s) => s.call('POST', '/auth/login', { body: { email, password: goodPassword } })
    },
  },
  {
    name: 'refresh',
    prepare: async (service) => {
      const { refreshToken } = await signUp(service, email)
      return (s) => s.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
    },
  },
  {
    name: 'log-out',
    prepare: async (service) => {
      const { refreshToken } = await signUp(service, email)
      return (s) => s.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } })
    },
  },
  {
    name: 'log-out everywhere',
    prepare: async (service) => {
      const { accessToken: token } = await signUp(service, email)
      return (s) => s.call('POST', '/auth/logout-all', { token })
    },
  },
  {
    name: 'change of password',
    prepare: async (service) => {
      const { accessToken: token } = await signUp(service, email)
      const body = { old_password: goodPassword, new_password: otherPassword }
      return (s) => s.call('POST', '/auth/change-password', { token, body })
    },
  },
  {
    name: 'request of a reset',
    prepare: async () => (s) => s.call('POST', '/auth/password-reset/request', { body: { email } }),
  },
  {
    name: 'reset',
    prepare: async (service) => {
      await signUp(service, email)
      const body = { token: await resetToken(service, email), new_password: otherPassword }
      return (s) => s.call('POST', '/auth/password-reset/complete', { body })
    },
  },
  {
    name: 'change of the profile',
    prepare: async (service) => {
      const { accessToken: token } = await signUp(service, email)
      return (s) => s.call('PATCH', '/users/me', { token, body: { bio: 'x' } })
    },
  },
  {
    name: 'end of the other sessions',
    prepare: async (service) => {
      const { accessToken: token } = await signUp(service, email)
      return (s) => s.call('DELETE', '/users/me/sessions', { token })
    },
  },
  {
    name: 'deletion of the own account',
    prepare: async (service) => {
      const { accessToken: token } = await signUp(service, email)
      return (s) => s.call('DELETE', '/users/me', { token, body: { password: goodPassword } })
    },
  },
  {
    name: 'moderation',
    prepare: async (service) => {
      const { token, ada } = await target(service)
      return (s) => s.call('PATCH', `/users/${ada.id}/profile`, { token, body: { bio: 'x' } })
    },
  },
  {
    name: 'activation by hand',
    prepare: async (service) => {
      const { accessToken: token } = await signUpAdmin(service)
      await register(service, email)
      const { id } = await rowOf('users', 'email = ?', email)
      return (s) => s.call('POST', `/users/${id}/activate`, { token })
    },
  },
  {
    name: 'change of a role',
    prepare: async (service) => {
      const { token, ada } = await target(service)
      return (s) => s.call('PUT', `/users/${ada.id}/role`, { token, body: { role: 'MODERATOR' } })
    },
  },
  {
    name: 'suspension',
    prepare: async (service) => {
      const { token, ada } = await target(service)
      return (s) => s.call('POST', `/users/${ada.id}/suspend`, { token, body: { reason: 'spam' } })
    },
  },
  {
    name: 'reinstatement',
    prepare: async (service) => {
      const { token, ada } = await target(service)
      expectOk(await service.call('POST', `/users/${ada.id}/suspend`, { token, body: { reason: 'spam' } }))
      return (s) => s.call('POST', `/users/${ada.id}/reinstate`, { token })
    },
  },
  {
    name: 'end of a user’s sessions',
    prepare: async (service) => {
      const { token, ada } = await target(service)
      return (s) => s.call('DELETE', `/users/${ada.id}/sessions`, { token })
    },
  },
  {
    name: 'deletion by an ADMIN',
    prepare: async (service) => {
      const { token, ada } = await target(service)
      return (s) => s.call('DELETE', `/users/${ada.id}`, { token })
    },
  },
]

/** A try that was claimed stays claimed: else a failure would be a way to more of them. */
async function snapshotBesideAttempts() {
  const tables = await snapshot()
  tables.delete('attempt_counters')
  return tables
}

describe('a failing D1', () => {
  it.each(flows)(
    'in a $name, at whichever call, is a 503 with nothing done, and the next try succeeds',
    async ({ prepare }) => {
      const service = startService()
      const act = await prepare(service)
      await service.deliver()
      const before = [await snapshotBesideAttempts(), await revokedSessions()]
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
        expect([await snapshotBesideAttempts(), await revokedSessions()]).toEqual(before)
        expect(broken.queued).toEqual([])
      }
    },
  )

  it('is a 503 for every call that needs it, never a 401, and no concern of those that do not', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const { binding } = breaking(service.env.DB, 1)
    for (const { method, path, protection } of protectedCalls) {
      const broken = startService({ env: { DB: breaking(binding, 1).binding }, beside: service })
      const body = { password: goodPassword, old_password: goodPassword, new_password: otherPassword }
      const answer = await broken.call(method, path, { token, ...(method !== 'GET' && { body }) })
      if (protection === 'bearer') expectProblem(answer, 503, 'service_unavailable')
      else expect(answer.status, path).toBeLessThan(300)
    }
    const broken = startService({ env: { DB: breaking(service.env.DB, 1).binding }, beside: service })
    expectOk(await broken.call('GET', '/.well-known/jwks.json'))
  })

  it('loses no session when only its answer is lost: the same refresh token gets the successor', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    const call = { body: { refresh_token: refreshToken } }
    const broken = startService({ env: { DB: breaking(service.env.DB, 1, 'after').binding }, beside: service })
    expectProblem(await broken.call('POST', '/auth/refresh', call), 503, 'service_unavailable')
    const { refresh_token } = expectOk(await service.call('POST', '/auth/refresh', call))
    expectOk(await service.call('POST', '/auth/refresh', { body: { refresh_token } }))
  })

  it('is logged without a statement’s parameters', async () => {
    const service = startService()
    await signUp(service, email)
    const broken = startService({ env: { DB: breaking(service.env.DB, 1).binding }, beside: service })
    const body = { email, password: goodPassword }
    const log = await logOf(() => broken.call('POST', '/auth/login', { body, headers: { 'X-Request-Id': 'down-1' } }))
    expect(log).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'request.unavailable', request_id: 'down-1' }),
    )
    expect(JSON.stringify(log)).not.toContain(email)
    expect(JSON.stringify(log)).not.toContain(goodPassword)
  })
})

describe('a failing KV', () => {
  const failing = () => Promise.reject(new Error('KV GET failed: 500 Internal Server Error'))

  const without = (service: Service, broken: Partial<Record<'get' | 'put', unknown>>) => {
    const kv = service.env.REVOCATIONS
    const REVOCATIONS = { get: kv.get.bind(kv), put: kv.put.bind(kv), ...broken } as unknown as KVNamespace
    return startService({ env: { REVOCATIONS }, beside: service })
  }

  it('is a 503 where the list alone decides: no answer is not a yes', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const broken = without(service, { get: failing })
    for (const { method, path } of protectedCalls.filter(({ protection }) => protection === 'edge')) {
      const answer = await broken.call(method, path, { token })
      expectProblem(answer, 503, 'service_unavailable')
      expect([...answer.headers.keys()].filter((name) => name.startsWith('x-auth'))).toEqual([])
      expectProblem(await broken.call(method, path, { token: 'x' }), 401, 'invalid_token')
    }
  })

  it('keeps nobody from refreshing or from anything the database decides', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    const broken = without(service, { get: failing, put: failing })
    const refreshed = await broken.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
    const { access_token: token, refresh_token } = expectOk(refreshed)
    expectOk(await broken.call('GET', '/users/me', { token }))
    expectNoContent(await broken.call('POST', '/auth/logout', { body: { refresh_token } }))
    const again = await broken.call('POST', '/auth/refresh', { body: { refresh_token } })
    expectProblem(again, 401, 'invalid_refresh_token')
    expectProblem(await broken.call('GET', '/users/me', { token }), 401, 'invalid_token')
  })

  it('at a write is no failure for the caller; the write is tried three times and then logged by session id', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const put = vi.fn<() => Promise<void>>(failing)
    const broken = without(service, { put })
    const log = await logOf(async () => {
      expectNoContent(await broken.call('POST', '/auth/logout', { body: { refresh_token: ada.refreshToken } }))
    })
    expect(put).toHaveBeenCalledTimes(3)
    expect(log.filter(({ event }) => event === 'revocation.write_failed')).toHaveLength(3)
    expect(JSON.stringify(log)).toContain(sessionOf(ada.accessToken))
    expectProblem(await broken.call('GET', '/users/me', { token: ada.accessToken }), 401, 'invalid_token')
  })

  it('at one write is made good by the next try', async () => {
    const service = startService()
    const { accessToken, refreshToken } = await signUp(service, email)
    const kv = service.env.REVOCATIONS
    const put = vi.fn<KVNamespace['put']>(kv.put.bind(kv)).mockImplementationOnce(failing)
    const broken = without(service, { put })
    await broken.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } })
    expect(await revokedSessions()).toEqual([sessionOf(accessToken)])
  })
})

it('the revocation of a session that is near its end lasts as long as its last access token', async () => {
  const service = startService()
  let { refreshToken } = await signUp(service, email)
  const refresh = async () =>
    expectOk(await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } }))
  for (const days of [29, 29, 29]) {
    service.clock.advance(days * day)
    refreshToken = (await refresh()).refresh_token
  }
  service.clock.advance(3 * day - minute)
  const last = await refresh()
  expect(last).toMatchObject({ refresh_expires_in: 60, expires_in: 600 })
  const put = vi.spyOn(service.env.REVOCATIONS, 'put')
  await service.call('POST', '/auth/logout', { body: { refresh_token: last.refresh_token } })
  expect(put.mock.calls).toEqual([[`session:${sessionOf(last.access_token)}`, '1', { expirationTtl: 600 }]])
})

describe('a failing queue', () => {
  const broken = { send: () => Promise.reject(new Error('Queue send failed')) } as unknown as Env['MAIL_QUEUE']

  it('is no failure for the caller, and loses no mail: the cron job finds the row after five minutes', async () => {
    const failing = startService({ env: { MAIL_QUEUE: broken } })
    const body = { email, password: goodPassword }
    const answer = await failing.call('POST', '/auth/register', { body })
    expect(answer.status).toBe(202)
    expect(await rowsOf('emails')).toMatchObject([{ status: 'queued', attempts: 0 }])
    const healthy = startService({ beside: failing })
    await healthy.runCron('*/5 * * * *')
    expect(healthy.queued, 'it is not stranded yet').toEqual([])
    healthy.clock.advance(5 * minute)
    await healthy.runCron('*/5 * * * *')
    expect(healthy.queued).toHaveLength(1)
    await healthy.deliver()
    const token = tokenIn(newestMail(healthy, email))
    expectOk(await healthy.call('POST', '/auth/activate', { body: { token, password: goodPassword } }))
    expect(mailsTo(healthy, email)).toHaveLength(1)
  })

  it.each(flows)('in a $name is no failure for the caller', async ({ prepare }) => {
    const service = startService()
    const act = await prepare(service)
    const failing = startService({ env: { MAIL_QUEUE: broken }, beside: service })
    expect((await act(failing)).status).toBeLessThan(300)
  })
})

describe('a session that ends while its own request is under way', () => {
  /** D1 in which something happens before the second call: between who is asking and what is asked. */
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

  const acts: [string, (service: Service, actor: SignedIn, id: string) => Promise<Answer>][] = [
    ['PATCH /users/me', (s, { accessToken: token }) => s.call('PATCH', '/users/me', { token, body: { bio: 'x' } })],
    [
      'POST /auth/change-password',
      (s, { accessToken: token }) =>
        s.call('POST', '/auth/change-password', {
          token,
          body: { old_password: goodPassword, new_password: otherPassword },
        }),
    ],
    [
      'DELETE /users/me',
      (s, { accessToken: token }) => s.call('DELETE', '/users/me', { token, body: { password: goodPassword } }),
    ],
    [
      'PUT /users/{id}/role',
      (s, { accessToken: token }, id) => s.call('PUT', `/users/${id}/role`, { token, body: { role: 'ADMIN' } }),
    ],
    [
      'POST /users/{id}/suspend',
      (s, { accessToken: token }, id) => s.call('POST', `/users/${id}/suspend`, { token, body: { reason: 'x' } }),
    ],
    ['DELETE /users/{id}', (s, { accessToken: token }, id) => s.call('DELETE', `/users/${id}`, { token })],
    [
      'DELETE /users/{id}/sessions',
      (s, { accessToken: token }, id) => s.call('DELETE', `/users/${id}/sessions`, { token }),
    ],
  ]

  it.each(acts)('is refused %s with 401 and a challenge, and nothing is done', async (_, act) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    const logout = () => service.call('POST', '/auth/logout', { body: { refresh_token: admin.refreshToken } })
    const racing = meanwhile(service, logout)
    const { answer, effects } = await observe(service, () => act(racing, admin, id))
    expectProblem(answer, 401, 'invalid_token')
    expect(effects).toEqual({
      ...nothing,
      rows: { sessions: '-1', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: admin.id, user: admin.id, detail: expect.anything() }],
      revoked: [sessionOf(admin.accessToken)],
    })
    expect(await whereIs('"bio":"x"')).toEqual([])
  })
})
