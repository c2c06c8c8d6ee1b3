/** The refresh token in a cookie: who gets it, who may use it, and what remains after the session. */
import { decodeProtectedHeader } from 'jose'
import { describe, expect, vi } from 'vitest'
import {
  expectInvalid,
  expectNoContent,
  expectOk,
  expectProblem,
  sessionOf,
  signInAnswer,
  tokenAnswer,
  userObject,
} from '../support/answers.ts'
import type { Caller } from '../support/caller.ts'
import { day, second } from '../support/clock.ts'
import { it as plainIt } from '../support/fixtures.ts'
import { limitersThat } from '../support/limiters.ts'
import { subjects } from '../support/mails.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { type Answer, startService } from '../support/service.ts'
import { nothing, observe, write } from '../support/state.ts'

const email = 'ada@example.com'
const credentials = { email, password: goodPassword }
const home = { Origin: 'https://accounts.example.com' }
const byCookie = { transport: 'cookie' } as const
const cookieName = '__Host-postern-refresh'

const holding = (token: string) => ({ ...home, Cookie: `${cookieName}=${token}` })

const refresh = (caller: Caller, headers: Record<string, string>, body: object = byCookie) =>
  caller.call('refresh', { body, headers })

const logout = (caller: Caller, headers: Record<string, string>, body: object = byCookie) =>
  caller.call('logout', { body, headers })

/** The value and lifetime of the cookie that an answer sets. It must have every protecting attribute and no other. */
function cookieOf({ headers }: Answer): { value: string; maxAge: number } {
  const [, value, maxAge] =
    /^__Host-postern-refresh=([^;]*); Max-Age=(\d+); Path=\/; Secure; HttpOnly; SameSite=Strict$/.exec(
      headers.get('Set-Cookie') ?? '',
    ) ?? []
  expect(value, headers.get('Set-Cookie') ?? 'no cookie').toBeDefined()
  return { value: value!, maxAge: Number(maxAge) }
}

async function signInByCookie(caller: Caller): Promise<{ cookie: string; accessToken: string }> {
  const answer = await caller.from({ headers: home }).login({ ...credentials, ...byCookie }).answer
  return { cookie: cookieOf(answer).value, accessToken: expectOk(answer).access_token }
}

/** `browser` is where Ada signed in by cookie. */
const it = plainIt.extend('browser', async ({ anonymous, ada }) => ({
  id: ada.id,
  ...(await signInByCookie(anonymous)),
}))

function expectNoCookie({ headers }: Answer): void {
  expect(headers.get('Set-Cookie')).toBeNull()
  expect(headers.get('Clear-Site-Data')).toBeNull()
}

const withoutToken = ({ refresh_token: _inTheCookie, ...others }: { refresh_token: unknown }) => others

describe('"transport": "cookie"', () => {
  it('puts the refresh token of a sign-in into a cookie for this site only, and not into the body', async ({
    anonymous,
    ada,
  }) => {
    const answer = await anonymous.from({ headers: home }).login({ ...credentials, ...byCookie }).answer
    const tokens = expectOk(answer)
    expect(tokens).toEqual(withoutToken(signInAnswer(userObject({ id: ada.id, email }))))
    const { value, maxAge } = cookieOf(answer)
    expect(maxAge).toBe(tokens.refresh_expires_in)
    expect(decodeProtectedHeader(value).typ).toBe('rt+jwt')
    expect(sessionOf(value)).toBe(sessionOf(tokens.access_token))
  })

  it('puts the refresh token of an activation into the cookie, and not into the body', async ({
    anonymous,
    people,
  }) => {
    const body = { token: await people.register(email), password: goodPassword, ...byCookie }
    const answer = await anonymous.from({ headers: home }).activate(body).answer
    expect(expectOk(answer)).toEqual(withoutToken(signInAnswer(userObject({ email }))))
    expectOk(await refresh(anonymous, holding(cookieOf(answer).value)).answer)
  })

  it('replaces the cookie at a refresh, for the lifetime of the new token', async ({ clock, anonymous, browser }) => {
    clock.advance(29 * day)
    const second = await refresh(anonymous, holding(browser.cookie)).answer
    clock.advance(29 * day)
    const third = await refresh(anonymous, holding(cookieOf(second).value)).answer
    clock.advance(10 * day)
    const fourth = await refresh(anonymous, holding(cookieOf(third).value)).answer
    const tokens = [second, third, fourth].map((answer) => expectOk(answer))
    expect(tokens[0]).toEqual(withoutToken(tokenAnswer(userObject({ id: browser.id, email }))))
    expect(new Set([second, third, fourth].map((answer) => cookieOf(answer).value)).size).toBe(3)
    expect([second, third, fourth].map((answer) => cookieOf(answer).maxAge)).toEqual(
      tokens.map((answer) => answer.refresh_expires_in),
    )
    expect(cookieOf(fourth).maxAge, '90 days from the sign-in').toBe(22 * 24 * 3600)
    await anonymous.from({ token: tokens[2]!.access_token }).me()
  })

  it('finds the cookie among others', async ({ anonymous, browser }) => {
    const among = `theme=dark; x${cookieName}=no; ${cookieName}2=no; ${cookieName}=${browser.cookie}; last=1`
    expectOk(await refresh(anonymous, { ...home, Cookie: among }).answer)
  })

  it.for(['Cookie', '', 0, 1, true, ['cookie'], { cookie: true }])(
    'is refused in any other spelling or type: %j',
    async (transport, { service, anonymous, browser }) => {
      const bodies = {
        login: credentials,
        activate: { token: 'x', password: goodPassword },
        refresh: {},
        logout: {},
        changePassword: { old_password: goodPassword, new_password: otherPassword },
      }
      const { accessToken: token } = browser
      for (const [operation, body] of Object.entries(bodies)) {
        const { answer, effects } = await observe<Answer>(
          service,
          () =>
            anonymous.from({ token }).call(operation as keyof typeof bodies, {
              body: { refresh_token: browser.cookie, ...body, transport },
              headers: holding(browser.cookie),
            }).answer,
        )
        expectInvalid(answer, '/transport')
        expect(effects).toEqual(nothing)
      }
    },
  )

  it('gives no access to the API or to a change of password without an access token', async ({
    service,
    anonymous,
    browser,
  }) => {
    const body = { old_password: goodPassword, new_password: otherPassword, ...byCookie }
    const headers = holding(browser.cookie)
    for (const { operation, input } of [
      { operation: 'getMe', input: { headers } },
      { operation: 'verify', input: { headers } },
      { operation: 'logoutAll', input: { headers, body } },
      { operation: 'changePassword', input: { headers, body } },
    ] as const) {
      const { answer, effects } = await observe<Answer>(service, () => anonymous.call(operation, input).answer)
      expectProblem(answer, 401, 'invalid_token')
      expect(effects).toEqual(nothing)
    }
  })

  it('replaces the cookie at a change of the password, and the old one is closed', async ({ anonymous, browser }) => {
    const { accessToken: token, cookie, id } = browser
    const body = { old_password: goodPassword, new_password: otherPassword, ...byCookie }
    const changed = await anonymous.call('changePassword', { token, body, headers: holding(cookie) }).answer
    const tokens = expectOk(changed)
    expect(tokens).toEqual(withoutToken(tokenAnswer(userObject({ id, email }))))
    const { value, maxAge } = cookieOf(changed)
    expect(maxAge).toBe(tokens.refresh_expires_in)
    expectProblem(await refresh(anonymous, holding(cookie)).answer, 401, 'invalid_refresh_token')
    expectOk(await refresh(anonymous, holding(value)).answer)
  })

  it('leaves the cookie alone at a change of the password that does not ask for it', async ({ anonymous, browser }) => {
    const { accessToken: token, cookie } = browser
    const body = { old_password: goodPassword, new_password: otherPassword }
    const changed = await anonymous.call('changePassword', { token, body, headers: holding(cookie) }).answer
    expectNoContent(changed)
    expectNoCookie(changed)
    expectOk(await refresh(anonymous, holding(cookie)).answer)
  })

  it.for([{ refresh_token: 'x' }, {}])(
    'refuses a change of the password without the cookie of its session, and changes nothing: %j',
    async (more, { service, anonymous, ada, browser }) => {
      const { accessToken: token } = browser
      const body = { old_password: goodPassword, new_password: otherPassword, ...more, ...byCookie }
      for (const headers of [home, holding(''), holding(ada.refreshToken)]) {
        const { answer, effects } = await observe(service, () =>
          anonymous.call('changePassword', { token, body, headers }),
        )
        expectProblem(answer, 401, 'invalid_refresh_token')
        expectNoCookie(answer)
        expect(effects).toEqual(nothing)
      }
    },
  )
})

describe('the bearer transport', () => {
  it('is the default and uses the token in the body, with or without a cookie', async ({ anonymous, ada, browser }) => {
    const { refreshToken } = await ada.signIn()
    for (const said of [{}, { transport: 'bearer' }] as const) {
      for (const headers of [holding(browser.cookie), home, {}]) {
        const answer = await refresh(anonymous, headers, { refresh_token: refreshToken, ...said }).answer
        const tokens = expectOk(answer)
        expect(tokens).toEqual(tokenAnswer(userObject({ email })))
        expect(sessionOf(tokens.refresh_token!)).toBe(sessionOf(refreshToken))
        expectNoCookie(answer)
      }
      const answer = await anonymous.login({ ...credentials, ...said }).answer
      expect(expectOk(answer)).toEqual(signInAnswer(userObject({ email })))
      expectNoCookie(answer)
    }
    const answer = await logout(anonymous, holding(browser.cookie), { refresh_token: refreshToken }).answer
    expectNoContent(answer)
    expectNoCookie(answer)
    expectOk(await refresh(anonymous, holding(browser.cookie)).answer)
  })

  it('needs the token in the body, even if there is a cookie', async ({ service, anonymous, browser }) => {
    for (const operation of ['refresh', 'logout'] as const) {
      for (const body of [{}, { transport: 'bearer' }]) {
        const { answer, effects } = await observe<Answer>(
          service,
          () => anonymous.call(operation, { body, headers: holding(browser.cookie) }).answer,
        )
        expectInvalid(answer, '/refresh_token')
        expect(answer.json).toMatchObject({
          errors: [
            {
              pointer: '/refresh_token',
              code: 'required',
              message: 'Invalid input: expected string, received undefined',
            },
          ],
        })
        expect(effects).toEqual(nothing)
      }
    }
  })
})

it('transport decides between the cookie and a token in the body', async ({ service, anonymous, ada, browser }) => {
  const { refreshToken } = await ada.signIn()
  const both = { refresh_token: refreshToken, ...byCookie }
  const answer = await refresh(anonymous, holding(browser.cookie), both).answer
  expect(sessionOf(expectOk(answer).access_token)).toBe(sessionOf(browser.cookie))
  const { effects } = await observe(service, () => logout(anonymous, holding(browser.cookie), both))
  expect(effects.revoked).toEqual([sessionOf(browser.cookie)])
  expectOk(await refresh(anonymous, {}, { refresh_token: refreshToken }).answer)
})

const foreign: { origin: string; headers: Record<string, string> }[] = [
  { origin: 'no origin', headers: {} },
  { origin: 'no origin but Sec-Fetch-Site: same-origin', headers: { 'Sec-Fetch-Site': 'same-origin' } },
  { origin: 'an opaque origin', headers: { Origin: 'null' } },
  { origin: 'an empty origin', headers: { Origin: '' } },
  { origin: 'the origin of another site', headers: { Origin: 'https://evil.example' } },
  { origin: 'the origin of another host of the same site', headers: { Origin: 'https://www.example.com' } },
  { origin: 'the origin of a subdomain', headers: { Origin: 'https://x.accounts.example.com' } },
  { origin: 'a host that begins like ours', headers: { Origin: 'https://accounts.example.com.evil.example' } },
  { origin: 'our host without TLS', headers: { Origin: 'http://accounts.example.com' } },
  { origin: 'another port of our host', headers: { Origin: 'https://accounts.example.com:8443' } },
  { origin: 'our origin and another', headers: { Origin: 'https://accounts.example.com https://evil.example' } },
  { origin: 'an origin listed for CORS, which gets no cookies', headers: { Origin: 'https://app.example.com' } },
]

describe('a cookie request from another origin', () => {
  it.for(foreign)(
    'gets no cookie, uses none and has no effect: $origin',
    async ({ headers }, { service, people, anonymous, browser }) => {
      const listing = startService({ beside: service, env: { CORS_ORIGINS: 'https://app.example.com' } })
      const token = await people.register('bob@example.com')
      const changePassword = { old_password: goodPassword, new_password: otherPassword }
      const activate = { token, password: goodPassword }
      const bodies = { login: credentials, activate, refresh: {}, logout: {}, changePassword }
      const caller = anonymous.at(listing).from({ token: browser.accessToken })
      for (const [operation, body] of Object.entries(bodies)) {
        const { answer, effects } = await observe<Answer>(
          service,
          () =>
            caller.call(operation as keyof typeof bodies, {
              body: { ...body, ...byCookie },
              headers: { Cookie: `${cookieName}=${browser.cookie}`, ...headers },
            }).answer,
        )
        expectProblem(answer, 403, 'origin_not_allowed')
        expectNoCookie(answer)
        expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
        expect(effects, operation).toEqual(nothing)
      }
      expectOk(await refresh(caller, holding(browser.cookie)).answer)
    },
  )
})

describe('a page of a developer machine', () => {
  const both = ['http://localhost:8787', 'http://127.0.0.1:8787']

  it.for(both)(
    'may use the cookie under both names of the machine, with PUBLIC_URL %s',
    async (url, { service, people, anonymous }) => {
      await people.signUp(email)
      const caller = anonymous.at(startService({ beside: service, env: { PUBLIC_URL: url } }))
      for (const Origin of both) {
        expectOk(await caller.from({ headers: { Origin } }).login({ ...credentials, ...byCookie }).answer)
      }
      for (const Origin of [
        'http://localhost:8788',
        'https://localhost:8787',
        'http://[::1]:8787',
        'http://localhost',
      ]) {
        const answer = await caller.from({ headers: { Origin } }).login({ ...credentials, ...byCookie }).answer
        expectProblem(answer, 403, 'origin_not_allowed')
      }
    },
  )
})

describe('a form', () => {
  it.for(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'is refused even from our own origin, and has no effect: %s',
    async (type, { service, anonymous, browser }) => {
      for (const operation of ['login', 'activate', 'refresh', 'logout'] as const) {
        const raw = `{"email":"${email}","password":"${goodPassword}","token":"x","transport":"cookie"}`
        const headers = { ...holding(browser.cookie), 'Content-Type': type }
        const { answer, effects } = await observe<Answer>(
          service,
          () => anonymous.call(operation, { raw, headers }).answer,
        )
        expectProblem(answer, 415, 'unsupported_media_type')
        expectNoCookie(answer)
        expect(effects).toEqual(nothing)
      }
    },
  )
})

describe('a bad cookie', () => {
  const badIt = it.extend('cookies', async ({ anonymous, people, browser }) => {
    const ended = await signInByCookie(anonymous)
    await logout(anonymous, holding(ended.cookie))
    const { device_token: deviceToken } = await anonymous.login(credentials)
    expect(deviceToken).toBeDefined()
    return [
      { flaw: 'none', headers: home },
      { flaw: 'empty', headers: holding('') },
      { flaw: 'garbage', headers: holding('x') },
      { flaw: 'quoted', headers: holding(`"${browser.cookie}"`) },
      { flaw: 'an access token', headers: holding(browser.accessToken) },
      { flaw: 'a device token', headers: holding(deviceToken) },
      { flaw: 'an activation link', headers: holding(await people.register('bob@example.com')) },
      { flaw: 'a reset link', headers: holding(await people.resetToken(email)) },
      { flaw: 'of an ended session', headers: holding(ended.cookie) },
      { flaw: 'under another name', headers: { ...home, Cookie: `postern-refresh=${browser.cookie}` } },
      { flaw: 'under a name that only ends like it', headers: { ...home, Cookie: `x${cookieName}=${browser.cookie}` } },
      {
        flaw: 'under its name in lower case',
        headers: { ...home, Cookie: `__host-postern-refresh=${browser.cookie}` },
      },
    ]
  })

  badIt('refreshes nothing and is left unchanged', async ({ service, anonymous, cookies }) => {
    for (const { flaw, headers } of cookies) {
      const { answer, effects } = await observe(service, () => refresh(anonymous, headers))
      expectProblem(answer, 401, 'invalid_refresh_token')
      expectNoCookie(answer)
      expect(effects, flaw).toEqual(nothing)
    }
  })

  badIt('is deleted at sign-out, which succeeds and ends no session', async ({ service, anonymous, cookies }) => {
    for (const { flaw, headers } of cookies) {
      const { answer, effects } = await observe(service, () => logout(anonymous, headers))
      expectNoContent(answer)
      expect(cookieOf(answer)).toEqual({ value: '', maxAge: 0 })
      expect(effects, flaw).toEqual(nothing)
    }
  })
})

describe('tabs that share the cookie', () => {
  it('get one successor from twenty refreshes at once and for 30 seconds after', async ({
    clock,
    anonymous,
    browser,
  }) => {
    const answers: Answer[] = await Promise.all(
      Array.from({ length: 20 }, () => refresh(anonymous, holding(browser.cookie)).answer),
    )
    clock.advance(30 * second - 1)
    answers.push(await refresh(anonymous, holding(browser.cookie)).answer)
    const successors = new Set(answers.map((answer) => cookieOf(answer).value))
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(21).fill(200))
    expect(successors.size).toBe(1)
    expectOk(await refresh(anonymous, holding([...successors][0]!)).answer)
  })

  it('are signed out by a replay, which warns the user and sets no cookie', async ({
    service,
    clock,
    anonymous,
    browser,
  }) => {
    const { value: successor } = cookieOf(await refresh(anonymous, holding(browser.cookie)).answer)
    clock.advance(30 * second)
    const { answer, effects } = await observe(service, () => refresh(anonymous, holding(browser.cookie)))
    expectProblem(answer, 401, 'refresh_token_reused')
    expectNoCookie(answer)
    const mails = [`${email}: ${subjects.sessionReuse}`]
    expect(effects).toMatchObject({ revoked: [sessionOf(browser.cookie)], mails })
    const after = await refresh(anonymous, holding(successor)).answer
    expectProblem(after, 401, 'invalid_refresh_token')
    expectNoCookie(after)
  })
})

it('a failed refresh or sign-out sets no cookie, since another tab may have a newer one', async ({
  service,
  anonymous,
  browser,
}) => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const headers = holding(browser.cookie)
  const failing = () => Promise.reject(new Error('D1_ERROR: no such luck'))
  const DB = { prepare: () => ({ bind: () => ({ raw: failing, all: failing }) }), batch: failing }
  const withoutD1 = anonymous.at(startService({ beside: service, env: { DB: DB as unknown as D1Database } }))
  const limited = anonymous.at(startService({ beside: service, ...limitersThat(() => false) }))
  const failures: { status: number; answer: Answer }[] = [
    { status: 503, answer: await refresh(withoutD1, headers).answer },
    { status: 503, answer: await logout(withoutD1, headers).answer },
    { status: 429, answer: await refresh(limited, headers).answer },
    { status: 422, answer: await refresh(anonymous, headers, { transport: 'x' }).answer },
    { status: 400, answer: await anonymous.call('refresh', { raw: '{', headers }).answer },
  ]
  await write("update users set status = 'suspended'")
  failures.push({ status: 401, answer: await refresh(anonymous, headers).answer })
  for (const { status, answer } of failures) {
    expect(answer.status).toBe(status)
    expectNoCookie(answer)
  }
})

describe('a sign-out by cookie', () => {
  it('ends the session, deletes the cookie and clears the cache of the browser', async ({
    service,
    anonymous,
    browser,
  }) => {
    const { answer, effects } = await observe(service, () => logout(anonymous, holding(browser.cookie)))
    expectNoContent(answer)
    expect(cookieOf(answer)).toEqual({ value: '', maxAge: 0 })
    expect(answer.headers.get('Clear-Site-Data')).toBe('"cache"')
    const { id, cookie } = browser
    expect(effects).toEqual({
      rows: { sessions: '-1', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: id, user: id, detail: { session_id: sessionOf(cookie) } }],
      revoked: [sessionOf(cookie)],
      mails: [],
    })
    expectProblem(await refresh(anonymous, holding(cookie)).answer, 401, 'invalid_refresh_token')
  })
})
