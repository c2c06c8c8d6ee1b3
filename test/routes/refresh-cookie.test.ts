/** The refresh token in a cookie: who gets it, who may use it, and what is left when the session is over. */
import { decodeProtectedHeader } from 'jose'
import { describe, expect, it, vi } from 'vitest'
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
import { day, second } from '../support/clock.ts'
import { limitersThat } from '../support/limiters.ts'
import { subjects } from '../support/mails.ts'
import { goodPassword, otherPassword, register, resetToken, signIn, signUp } from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { nothing, observe, write } from '../support/state.ts'

const email = 'ada@example.com'
const home = { Origin: 'https://accounts.example.com' }
const byCookie = { transport: 'cookie' }
const cookieName = '__Host-postern-refresh'

const holding = (token: string) => ({ ...home, Cookie: `${cookieName}=${token}` })

const refresh = (service: Service, headers: Record<string, string>, body: object = byCookie) =>
  service.call('POST', '/auth/refresh', { body, headers })

const logout = (service: Service, headers: Record<string, string>, body: object = byCookie) =>
  service.call('POST', '/auth/logout', { body, headers })

/** What an answer puts into the cookie, which has every attribute that locks it up and no other. */
function cookieOf({ headers }: Answer): { value: string; maxAge: number } {
  const [, value, maxAge] =
    /^__Host-postern-refresh=([^;]*); Max-Age=(\d+); Path=\/; Secure; HttpOnly; SameSite=Strict$/.exec(
      headers.get('Set-Cookie') ?? '',
    ) ?? []
  expect(value, headers.get('Set-Cookie') ?? 'no cookie').toBeDefined()
  return { value: value!, maxAge: Number(maxAge) }
}

/** A browser that signed in: what is in its cookie. */
async function signInByCookie(service: Service): Promise<{ cookie: string; accessToken: string }> {
  const body = { email, password: goodPassword, ...byCookie }
  const answer = await service.call('POST', '/auth/login', { body, headers: home })
  return { cookie: cookieOf(answer).value, accessToken: expectOk(answer).access_token }
}

async function start(): Promise<{ service: Service; cookie: string; accessToken: string; id: string }> {
  const service = startService()
  const { id } = await signUp(service, email)
  return { service, id, ...(await signInByCookie(service)) }
}

function expectNoCookie({ headers }: Answer): void {
  expect(headers.get('Set-Cookie')).toBeNull()
  expect(headers.get('Clear-Site-Data')).toBeNull()
}

const withoutToken = ({ refresh_token: _inTheCookie, ...others }: { refresh_token: unknown }) => others

describe('"transport": "cookie"', () => {
  it('keeps the refresh token of a sign-in out of the answer and in a cookie that no script and no other site can use', async () => {
    const service = startService()
    await signUp(service, email)
    const body = { email, password: goodPassword, ...byCookie }
    const answer = await service.call('POST', '/auth/login', { body, headers: home })
    const tokens = expectOk(answer)
    expect(tokens).toEqual(withoutToken(signInAnswer(userObject({ email }))))
    const { value, maxAge } = cookieOf(answer)
    expect(maxAge).toBe(tokens.refresh_expires_in)
    expect(decodeProtectedHeader(value).typ).toBe('rt+jwt')
    expect(sessionOf(value)).toBe(sessionOf(tokens.access_token))
  })

  it('does the same at activation', async () => {
    const service = startService()
    const body = { token: await register(service, email), password: goodPassword, ...byCookie }
    const answer = await service.call('POST', '/auth/activate', { body, headers: home })
    const tokens = expectOk(answer)
    expect(tokens).toEqual(withoutToken(signInAnswer(userObject({ email }))))
    expectOk(await refresh(service, holding(cookieOf(answer).value)))
  })

  it('refreshes what is in the cookie, which has the successor then, for as long as that is good', async () => {
    const { service, cookie, id } = await start()
    service.clock.advance(29 * day)
    const second = await refresh(service, holding(cookie))
    service.clock.advance(29 * day)
    const third = await refresh(service, holding(cookieOf(second).value))
    service.clock.advance(10 * day)
    const fourth = await refresh(service, holding(cookieOf(third).value))
    const tokens = [second, third, fourth].map(expectOk)
    expect(tokens[0]).toEqual(withoutToken(tokenAnswer(userObject({ id, email }))))
    expect(new Set([second, third, fourth].map((answer) => cookieOf(answer).value)).size).toBe(3)
    expect([second, third, fourth].map((answer) => cookieOf(answer).maxAge)).toEqual(
      tokens.map((answer) => answer.refresh_expires_in),
    )
    expect(cookieOf(fourth).maxAge, '90 days from the sign-in').toBe(22 * 24 * 3600)
    expectOk(await service.call('GET', '/users/me', { token: tokens[2].access_token }))
  })

  it('finds its cookie among others', async () => {
    const { service, cookie } = await start()
    const among = `theme=dark; x${cookieName}=no; ${cookieName}2=no; ${cookieName}=${cookie}; last=1`
    expectOk(await refresh(service, { ...home, Cookie: among }))
  })

  it.each(['Cookie', '', null, 1, true, ['cookie'], { cookie: true }])(
    'is no other than that: %j',
    async (transport) => {
      const { service, cookie } = await start()
      const password = goodPassword
      const bodies = { login: { email, password }, activate: { token: 'x', password }, refresh: {}, logout: {} }
      for (const [call, body] of Object.entries(bodies)) {
        const { answer, effects } = await observe(service, () =>
          service.call('POST', `/auth/${call}`, {
            body: { refresh_token: cookie, ...body, transport },
            headers: holding(cookie),
          }),
        )
        expectInvalid(answer, '/transport')
        expect(effects).toEqual(nothing)
      }
    },
  )

  it('is not for passwords or the API: a cookie alone opens nothing', async () => {
    const { service, cookie, accessToken: token } = await start()
    const body = { old_password: goodPassword, new_password: otherPassword, ...byCookie }
    for (const [method, path] of [
      ['GET', '/users/me'],
      ['GET', '/auth/verify'],
      ['POST', '/auth/logout-all'],
      ['POST', '/auth/change-password'],
    ] as const) {
      const { answer, effects } = await observe(service, () =>
        service.call(method, path, { headers: holding(cookie), ...(method === 'POST' && { body }) }),
      )
      expectProblem(answer, 401, 'invalid_token')
      expect(effects).toEqual(nothing)
    }
    const changed = await service.call('POST', '/auth/change-password', { token, body, headers: holding(cookie) })
    expectNoContent(changed)
    expectNoCookie(changed)
    expectOk(await refresh(service, holding(cookie)))
  })
})

describe('the bearer transport', () => {
  it('is the same said or unsaid, with a cookie at hand or without: the token in the body counts', async () => {
    const { service, cookie } = await start()
    const { refreshToken } = await signIn(service, email)
    for (const said of [{}, { transport: 'bearer' }]) {
      for (const headers of [holding(cookie), home, {}]) {
        const answer = await refresh(service, headers, {
          refresh_token: refreshToken,
          ...said,
        })
        expect(expectOk(answer)).toEqual(tokenAnswer(userObject({ email })))
        expect(sessionOf(answer.json.refresh_token)).toBe(sessionOf(refreshToken))
        expectNoCookie(answer)
      }
      const answer = await service.call('POST', '/auth/login', { body: { email, password: goodPassword, ...said } })
      expect(expectOk(answer)).toEqual(signInAnswer(userObject({ email })))
      expectNoCookie(answer)
    }
    const answer = await logout(service, holding(cookie), { refresh_token: refreshToken })
    expectNoContent(answer)
    expectNoCookie(answer)
    expectOk(await refresh(service, holding(cookie)))
  })

  it('needs the token in the body, whatever cookie there is', async () => {
    const { service, cookie } = await start()
    for (const call of [refresh, logout]) {
      for (const body of [{}, { transport: 'bearer' }]) {
        const { answer, effects } = await observe(service, () => call(service, holding(cookie), body))
        expectInvalid(answer, '/refresh_token')
        expect(answer.json.errors).toEqual([
          {
            pointer: '/refresh_token',
            code: 'required',
            message: 'Invalid input: expected string, received undefined',
          },
        ])
        expect(effects).toEqual(nothing)
      }
    }
  })
})

it('transport decides between a cookie and a token in the body', async () => {
  const { service, cookie } = await start()
  const { refreshToken } = await signIn(service, email)
  const both = { refresh_token: refreshToken, ...byCookie }
  const answer = await refresh(service, holding(cookie), both)
  expect(sessionOf(expectOk(answer).access_token)).toBe(sessionOf(cookie))
  const { effects } = await observe(service, () => logout(service, holding(cookie), both))
  expect(effects.revoked).toEqual([sessionOf(cookie)])
  expectOk(await refresh(service, {}, { refresh_token: refreshToken }))
})

const foreign: [name: string, headers: Record<string, string>][] = [
  ['no origin at all', {}],
  ['no origin, but the word of a browser', { 'Sec-Fetch-Site': 'same-origin' }],
  ['an opaque origin', { Origin: 'null' }],
  ['an empty origin', { Origin: '' }],
  ['another site', { Origin: 'https://evil.example' }],
  ['another host of the same site', { Origin: 'https://www.example.com' }],
  ['a subdomain', { Origin: 'https://x.accounts.example.com' }],
  ['a host that begins like ours', { Origin: 'https://accounts.example.com.evil.example' }],
  ['our host without TLS', { Origin: 'http://accounts.example.com' }],
  ['another port of our host', { Origin: 'https://accounts.example.com:8443' }],
  ['our origin and more', { Origin: 'https://accounts.example.com https://evil.example' }],
  ['a listed origin, which has no cookies', { Origin: 'https://app.example.com' }],
]

describe.each(foreign)('a request from %s', (_, headers) => {
  it('gets no cookie, uses none, and does nothing', async () => {
    const plain = await start()
    const service = startService({ beside: plain.service, env: { CORS_ORIGINS: 'https://app.example.com' } })
    const token = await register(plain.service, 'bob@example.com')
    const password = goodPassword
    const calls = { login: { email, password }, activate: { token, password }, refresh: {}, logout: {} }
    for (const [call, body] of Object.entries(calls)) {
      const { answer, effects } = await observe(plain.service, () =>
        service.call('POST', `/auth/${call}`, {
          body: { ...body, ...byCookie },
          headers: { Cookie: `${cookieName}=${plain.cookie}`, ...headers },
        }),
      )
      expectProblem(answer, 403, 'origin_not_allowed')
      expectNoCookie(answer)
      expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
      expect(effects, call).toEqual(nothing)
    }
    expectOk(await refresh(service, holding(plain.cookie)))
  })
})

it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
  'a form (%s) is refused even from our own origin, and does nothing',
  async (type) => {
    const { service, cookie } = await start()
    for (const path of ['/auth/login', '/auth/activate', '/auth/refresh', '/auth/logout']) {
      const raw = `{"email":"${email}","password":"${goodPassword}","token":"x","transport":"cookie"}`
      const { answer, effects } = await observe(service, () =>
        service.call('POST', path, { raw, headers: { ...holding(cookie), 'Content-Type': type } }),
      )
      expectProblem(answer, 415, 'unsupported_media_type')
      expectNoCookie(answer)
      expect(effects).toEqual(nothing)
    }
  },
)

describe('a cookie that is not good', () => {
  async function badCookies(): Promise<{ service: Service; cookies: [string, Record<string, string>][] }> {
    const { service, cookie, accessToken } = await start()
    const ended = await signInByCookie(service)
    await logout(service, holding(ended.cookie))
    const { json } = await service.call('POST', '/auth/login', { body: { email, password: goodPassword } })
    return {
      service,
      cookies: [
        ['none', home],
        ['empty', holding('')],
        ['garbage', holding('x')],
        ['quoted', holding(`"${cookie}"`)],
        ['an access token', holding(accessToken)],
        ['a device token', holding(json.device_token)],
        ['an activation link', holding(await register(service, 'bob@example.com'))],
        ['a reset link', holding(await resetToken(service, email))],
        ['of an ended session', holding(ended.cookie)],
        ['under another name', { ...home, Cookie: `postern-refresh=${cookie}` }],
        ['under a name that only ends like it', { ...home, Cookie: `x${cookieName}=${cookie}` }],
        ['in other letters', { ...home, Cookie: `__host-postern-refresh=${cookie}` }],
      ],
    }
  }

  it('refreshes nothing, and is left as it is', async () => {
    const { service, cookies } = await badCookies()
    for (const [name, headers] of cookies) {
      const { answer, effects } = await observe(service, () => refresh(service, headers))
      expectProblem(answer, 401, 'invalid_refresh_token')
      expectNoCookie(answer)
      expect(effects, name).toEqual(nothing)
    }
  })

  it('is no failure at sign-out: nothing ends, and it is taken away', async () => {
    const { service, cookies } = await badCookies()
    for (const [name, headers] of cookies) {
      const { answer, effects } = await observe(service, () => logout(service, headers))
      expectNoContent(answer)
      expect(cookieOf(answer)).toEqual({ value: '', maxAge: 0 })
      expect(effects, name).toEqual(nothing)
    }
  })
})

describe('tabs that share the cookie', () => {
  it('get the same successor when twenty of them refresh at once, and for 30 seconds from then', async () => {
    const { service, cookie } = await start()
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(service, holding(cookie))))
    service.clock.advance(30 * second - 1)
    answers.push(await refresh(service, holding(cookie)))
    const successors = new Set(answers.map((answer) => cookieOf(answer).value))
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(21).fill(200))
    expect(successors.size).toBe(1)
    expectOk(await refresh(service, holding([...successors][0]!)))
  })

  it('are signed out by a theft, which warns the user and sets no cookie', async () => {
    const { service, cookie } = await start()
    const { value: successor } = cookieOf(await refresh(service, holding(cookie)))
    service.clock.advance(30 * second)
    const { answer, effects } = await observe(service, () => refresh(service, holding(cookie)))
    expectProblem(answer, 401, 'refresh_token_reused')
    expectNoCookie(answer)
    expect(effects).toMatchObject({ revoked: [sessionOf(cookie)], mails: [`${email}: ${subjects.sessionReuse}`] })
    const after = await refresh(service, holding(successor))
    expectProblem(after, 401, 'invalid_refresh_token')
    expectNoCookie(after)
  })
})

it('a refresh that fails sets no cookie, whatever it fails of: another tab may have got a newer one', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const { service, cookie } = await start()
  const failing = () => Promise.reject(new Error('D1_ERROR: no such luck'))
  const DB = { prepare: () => ({ bind: () => ({ raw: failing, all: failing }) }), batch: failing }
  const d1 = startService({ beside: service, env: { DB: DB as unknown as D1Database } })
  const flooded = startService({ beside: service, ...limitersThat(() => false) })
  const failures = [
    [503, await refresh(d1, holding(cookie))],
    [503, await logout(d1, holding(cookie))],
    [429, await refresh(flooded, holding(cookie))],
    [422, await refresh(service, holding(cookie), { transport: 'x' })],
    [400, await service.call('POST', '/auth/refresh', { raw: '{', headers: holding(cookie) })],
  ] as const
  await write("update users set status = 'suspended'")
  for (const [status, answer] of [...failures, [401, await refresh(service, holding(cookie))] as const]) {
    expect(answer.status).toBe(status)
    expectNoCookie(answer)
  }
})

describe('signing out by cookie', () => {
  it('ends the session, takes the cookie away and has the browser forget what it kept', async () => {
    const { service, cookie, id } = await start()
    const { answer, effects } = await observe(service, () => logout(service, holding(cookie)))
    expectNoContent(answer)
    expect(cookieOf(answer)).toEqual({ value: '', maxAge: 0 })
    expect(answer.headers.get('Clear-Site-Data')).toBe('"cache"')
    expect(effects).toEqual({
      rows: { sessions: '-1', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: id, user: id, detail: { session_id: sessionOf(cookie) } }],
      revoked: [sessionOf(cookie)],
      mails: [],
    })
    expectProblem(await refresh(service, holding(cookie)), 401, 'invalid_refresh_token')
  })
})
