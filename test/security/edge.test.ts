/** What every answer tells browsers: security headers, and the origins that may read it (CORS). */
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import headersFile from '../../public/_headers?raw'
import { readSettings } from '../../src/config/settings.ts'
import { securityHeaders } from '../../src/http/headers.ts'
import { headersFor, parseHeaderRules } from '../browser/support/header-rules.ts'
import { Caller } from '../support/caller.ts'
import { documented as operations } from '../support/api.ts'
import { type Response, resolve } from '../support/description.ts'
import { limitersThat } from '../support/limiters.ts'
import { peopleOf } from '../support/population.ts'
import { type Answer, type Call, type ServiceOptions, startService } from '../support/service.ts'

const site = 'https://app.example.com'
const corsEnv = { CORS_ORIGINS: `${site}, https://admin.example.com:8443` }
const failing = () => Promise.reject(new Error('D1_ERROR: no such luck'))
const brokenD1 = {
  DB: { prepare: () => ({ bind: () => ({ raw: failing, all: failing }) }), batch: failing } as unknown as D1Database,
}

const brokenClock = () => {
  throw new Error('what time is it?')
}

interface Kind {
  kind: string
  status: number
  ask: (caller: Caller) => Promise<Answer>
  options?: ServiceOptions
}

/** Calls something that is no documented operation, with what the caller sends along. */
const send = ({ service, defaults }: Caller, method: string, path: string, call?: Call) =>
  service.call(method, path, { ...defaults, ...call })

const wrongLogin = { email: 'ada@example.com', password: 'wrong' }

/** One of every kind of answer. */
const kinds: Kind[] = [
  { kind: 'a JSON answer', status: 200, ask: (caller) => caller.call('getHealth').answer },
  { kind: 'a document that may be cached', status: 200, ask: (caller) => caller.getKeys().answer },
  { kind: 'an answer to HEAD', status: 200, ask: (caller) => send(caller, 'HEAD', '/healthz') },
  { kind: 'an acceptance', status: 202, ask: (caller) => caller.resendActivation('ada@example.com').answer },
  { kind: 'an answer without content', status: 204, ask: (caller) => caller.logout('x').answer },
  {
    kind: 'a verified token',
    status: 204,
    ask: async (caller) =>
      (await peopleOf(caller.service).signUp('ada@example.com')).from(caller.defaults).verify().answer,
  },
  { kind: 'a redirect', status: 302, ask: (caller) => caller.call('findChangePasswordPage').answer },
  { kind: 'broken JSON', status: 400, ask: (caller) => caller.call('login', { raw: '{' }).answer },
  { kind: 'a missing token', status: 401, ask: (caller) => caller.me().answer },
  { kind: 'a wrong token', status: 401, ask: (caller) => caller.from({ token: 'x' }).verify().answer },
  { kind: 'a wrong refresh token', status: 401, ask: (caller) => caller.refresh('x').answer },
  {
    kind: 'a missing permission',
    status: 403,
    ask: async (caller) => {
      const ada = await peopleOf(caller.service).signUp('ada@example.com')
      return ada.from(caller.defaults).users().answer
    },
  },
  { kind: 'an unknown path', status: 404, ask: (caller) => send(caller, 'GET', '/nowhere') },
  { kind: 'another method', status: 405, ask: (caller) => send(caller, 'PUT', '/auth/login', { body: {} }) },
  {
    kind: 'OPTIONS that asks for no permission',
    status: 405,
    ask: (caller) => send(caller, 'OPTIONS', '/auth/login'),
  },
  {
    kind: 'another method on a file',
    status: 405,
    ask: (caller) => send(caller, 'PUT', '/openapi.json', { body: {} }),
  },
  { kind: 'OPTIONS on a file', status: 405, ask: (caller) => send(caller, 'OPTIONS', '/openapi.json') },
  { kind: 'OPTIONS of an unknown path', status: 404, ask: (caller) => send(caller, 'OPTIONS', '/nowhere') },
  {
    kind: 'a conflict',
    status: 409,
    ask: async (caller) => {
      const admin = await peopleOf(caller.service).admin()
      return admin.from(caller.defaults).deleteMe().answer
    },
  },
  {
    kind: 'a body that is too large',
    status: 413,
    ask: (caller) => caller.call('login', { raw: 'x'.repeat(17 * 1024) }).answer,
  },
  {
    kind: 'another media type',
    status: 415,
    ask: (caller) => caller.call('login', { raw: 'x', headers: { 'Content-Type': 'text/plain' } }).answer,
  },
  { kind: 'a broken rule', status: 422, ask: (caller) => caller.call('login', { body: {} }).answer },
  {
    kind: 'too many calls',
    status: 429,
    ask: (caller) => caller.call('login', { body: {} }).answer,
    options: limitersThat(() => false),
  },
  {
    kind: 'too many passwords',
    status: 429,
    ask: async (caller) => {
      for (let index = 0; index < 5; index++) await caller.login(wrongLogin).answer
      return caller.login(wrongLogin).answer
    },
  },
  {
    kind: 'an unexpected failure',
    status: 500,
    ask: (caller) => caller.from({ token: 'x' }).me().answer,
    options: { platform: { now: brokenClock } },
  },
  {
    kind: 'a failure of what counts requests',
    status: 500,
    ask: (caller) => caller.call('getHealth').answer,
    options: { env: { METRICS: { writeDataPoint: brokenClock } } },
  },
  {
    kind: 'a failing D1',
    status: 503,
    ask: (caller) => caller.resendActivation('ada@example.com').answer,
    options: { env: brokenD1 },
  },
  {
    kind: 'a service that is not ready',
    status: 503,
    ask: (caller) => caller.call('getReadiness').answer,
    options: { env: brokenD1 },
  },
]

const locks = {
  'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
}
const fileRules = parseHeaderRules(headersFile)

function start(options: ServiceOptions = {}, env: Partial<Env> = {}): Caller {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  return new Caller(startService({ ...options, env: { ...options.env, ...env } }))
}

/** The names of the headers that grant access to a page. */
function corsHeaders({ headers }: Answer): string[] {
  return Array.from(headers.keys()).filter((name) => name.startsWith('access-control-'))
}

/** The headers that pages of other origins may read: those that the answer names, and those that every page may. */
function exposedTo({ headers }: Answer): string[] {
  const named = headers.get('Access-Control-Expose-Headers')?.toLowerCase().split(', ') ?? []
  // Fetch standard, "CORS-safelisted response-header name".
  return [...named, 'cache-control', 'content-language', 'content-length', 'content-type', 'expires', 'last-modified']
}

/** Headers for browsers and caches, which mean nothing to a script. `Location` is followed before a script sees it. */
const notForScripts = new Set([...Object.keys(securityHeaders), 'Vary', 'Location'].map((name) => name.toLowerCase()))

describe('security headers', () => {
  it.each(kinds)('are on $kind ($status)', async ({ status, ask, options }) => {
    const answer = await ask(start(options))
    expect(answer.status, answer.text).toBe(status)
    for (const [name, value] of Object.entries(locks)) expect(answer.headers.get(name), name).toBe(value)
    expect(answer.headers.get('Content-Security-Policy')).toBe("default-src 'none'; frame-ancestors 'none'")
    expect(answer.headers.get('Permissions-Policy')).toBe(headersFor('/', fileRules)['Permissions-Policy'])
    expect(answer.headers.get('Cache-Control')).toMatch(/^(no-store|public, max-age=300)$/)
    expect(answer.headers.get('X-Request-Id')).toMatch(/./)
    expect(answer.headers.has('Server')).toBe(false)
    expect(answer.headers.has('X-Powered-By')).toBe(false)
  })

  it('are copied to the answer about a token, and neither looked for nor set one by one', async () => {
    const ada = await peopleOf(startService()).signUp('ada@example.com')
    const [has, set] = [vi.spyOn(Headers.prototype, 'has'), vi.spyOn(Headers.prototype, 'set')]
    await ada.verify()
    const names = [...has.mock.calls, ...set.mock.calls].map(([name]) => name)
    vi.restoreAllMocks()
    expect(names).toContain('X-Auth-User-Id')
    expect(names.filter((name) => name in securityHeaders)).toEqual([])
  })

  it('are on the answers of an unconfigured service and on a preflight', async () => {
    const answers = [
      await start({}, { PUBLIC_URL: '' }).me().answer,
      await send(start({}, corsEnv), 'OPTIONS', '/auth/login', { headers: preflightOf(site) }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([503, 204])
    for (const { headers } of answers) {
      for (const [name, value] of Object.entries(locks)) expect(headers.get(name), name).toBe(value)
      expect(headers.get('Content-Security-Policy')).toMatch(/^default-src 'none'/)
      expect(headers.get('Permissions-Policy')).toMatch(/camera=\(\)/)
      expect(headers.get('X-Request-Id')).toMatch(/./)
    }
  })

  it.each([
    '/',
    '/activate',
    '/reset-password',
    '/confirm-email',
    '/revert-email',
    '/docs',
    '/problems/not_found',
    '/openapi.json',
    '/pages/api.js',
    '/favicon.svg',
    '/robots.txt',
  ])('are on the static file %s', (path) => {
    const headers = headersFor(path, fileRules)
    expect(headers).toMatchObject({ ...locks, 'Cross-Origin-Opener-Policy': 'same-origin' })
    const policy = headers['Content-Security-Policy']!.split('; ')
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]),
    )
    expect(headers['Content-Security-Policy']).not.toMatch(/unsafe|\*|https?:/)
  })

  it.each(['camera', 'microphone', 'geolocation', 'payment', 'usb', 'display-capture'])(
    'forbid every page to use the %s',
    (feature) => expect(headersFor('/', fileRules)['Permissions-Policy']!.split(', ')).toContain(`${feature}=()`),
  )
})

function preflightOf(origin: string): Record<string, string> {
  return {
    Origin: origin,
    'Access-Control-Request-Method': 'PATCH',
    'Access-Control-Request-Headers': 'authorization,content-type',
  }
}

describe('a page of a listed origin', () => {
  it.each(kinds)('may read $kind ($status)', async ({ kind, status, ask, options }) => {
    const answer = await ask(start(options, corsEnv).from({ headers: { Origin: site } }))
    expect(answer.status, answer.text).toBe(status)
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(site)
    const told = [...answer.headers.keys()].filter(
      (name) => !name.startsWith('access-control-') && !notForScripts.has(name),
    )
    expect(exposedTo(answer)).toEqual(expect.arrayContaining(told))
    expect(answer.headers.get('Access-Control-Expose-Headers')).not.toContain('*')
    expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
    expect(answer.headers.get('Vary')).toBe(kind === 'an unknown path' ? 'Accept, Origin' : 'Origin')
  })

  it('leaves no header in the answer to the next caller', async () => {
    const service = startService({ env: corsEnv })
    const people = peopleOf(service)
    const [ada, eve] = [await people.signUp('ada@example.com'), await people.signUp('eve@example.com')]
    await ada.from({ headers: { Origin: site } }).verify()
    for (const person of [eve, ada]) {
      const answer = await person.verify().answer
      expect(corsHeaders(answer)).toEqual([])
      expect([answer.headers.get('Vary'), answer.headers.get('X-Auth-User-Id')]).toEqual(['Origin', person.id])
    }
  })

  it('may read every header of the OpenAPI document', async () => {
    const exposed = exposedTo(await start({}, corsEnv).call('getHealth', { headers: { Origin: site } }).answer)
    const responses = [...operations.values()].flatMap(({ responses }) =>
      Object.values(responses).map((response) => resolve<Response>(response)),
    )
    const named = new Set(responses.flatMap(({ headers = {} }) => Object.keys(headers)))
    named.delete('Location')
    expect(named.size).toBeGreaterThan(7)
    expect(exposed).toEqual(expect.arrayContaining([...named].map((name) => name.toLowerCase())))
  })

  it.each([site, 'https://admin.example.com:8443'])('gets its preflight answered: %s', async (origin) => {
    const answer = await send(start({}, corsEnv), 'OPTIONS', '/users/me', { headers: preflightOf(origin) })
    expect(answer.status).toBe(204)
    expect(Object.fromEntries(corsHeaders(answer).map((name) => [name, answer.headers.get(name)]))).toEqual({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': 'Authorization, Cache-Control, Content-Type, X-Request-Id',
      'access-control-max-age': '600',
    })
    expect(answer.headers.get('Vary')).toBe('Origin')
  })

  it('gets an ordinary answer to a GET with the headers of a preflight', async () => {
    const answer = await start({}, corsEnv).call('getHealth', { headers: preflightOf(site) }).answer
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Access-Control-Allow-Methods')).toBeNull()
  })

  it('ends no session by the preflight of a log-out, which is not counted either', async () => {
    const { env, asked } = limitersThat(() => true)
    const ada = await peopleOf(start({}, { ...env, ...corsEnv }).service).signUp('ada@example.com')
    asked.length = 0
    const headers = { ...preflightOf(site), 'Access-Control-Request-Method': 'POST' }
    for (const path of ['/auth/logout-all', '/auth/login']) {
      expect((await send(ada, 'OPTIONS', path, { headers })).status).toBe(204)
    }
    await ada.me()
    expect(asked).toEqual([])
  })
})

describe('any other page', () => {
  it.each([
    'https://evil.example',
    'null',
    'https://app.example.com.evil.example',
    'https://evilapp.example.com',
    'https://evil.app.example.com',
    'https://example.com',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://app.example.com/',
    'https://APP.example.com',
    'https://admin.example.com',
    'https://app.example.com, https://evil.example',
    'https://accounts.example.com',
    '*',
    '',
  ])('gets no CORS header: %j', async (origin) => {
    const caller = start({}, corsEnv)
    const answers = [
      await caller.call('getHealth', { headers: { Origin: origin } }).answer,
      await caller.call('login', { body: {}, headers: { Origin: origin } }).answer,
      await send(caller, 'OPTIONS', '/auth/login', { headers: preflightOf(origin) }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 405])
    for (const answer of answers) {
      expect(corsHeaders(answer)).toEqual([])
      expect(answer.headers.get('Vary')).toBe('Origin')
    }
  })

  it('gets nothing that a cache kept for a listed one: Vary is the same without an origin', async () => {
    const answer = await start({}, corsEnv).getKeys().answer
    expect(answer.headers.get('Cache-Control')).toMatch(/^public/)
    expect(answer.headers.get('Vary')).toBe('Origin')
    expect(corsHeaders(answer)).toEqual([])
  })

  it.each([undefined, '', '  '])('is every page when CORS_ORIGINS is %j', async (CORS_ORIGINS) => {
    const caller = start({}, { CORS_ORIGINS } as Partial<Env>)
    for (const origin of [site, 'null', '']) {
      const answer = await send(caller, 'OPTIONS', '/auth/login', { headers: preflightOf(origin) })
      expect(answer.status).toBe(405)
      expect(corsHeaders(answer)).toEqual([])
      expect(answer.headers.get('Vary')).toBeNull()
    }
  })
})

describe('the list of origins', () => {
  const listed = ' https://app.example.com ,https://APP2.example.com/'

  it.each([
    { environment: 'production', origins: '', list: [] },
    { environment: 'production', origins: listed, list: [site, 'https://app2.example.com'] },
    { environment: 'production', origins: 'https://app.example.com:443', list: [site] },
    { environment: 'production', origins: 'https://bücher.example', list: ['https://xn--bcher-kva.example'] },
    { environment: 'development', origins: 'http://localhost:5173', list: ['http://localhost:5173'] },
  ])('is read from "$origins" in $environment', async ({ environment, origins, list }) => {
    const settings = { ...env, ENVIRONMENT: environment, CORS_ORIGINS: origins, RATE_LIMITS: 'on' }
    expect((await readSettings(settings)).config.corsOrigins).toEqual(list)
  })

  it.each([
    '*',
    'null',
    'https://*.example.com',
    'app.example.com',
    'http://app.example.com',
    'https://app.example.com/login',
    'https://app.example.com?x',
    'https://user@app.example.com',
    'https://app.example.com https://other.example.com',
    'https://app.example.com,',
    ',',
    'data:text/html,x',
  ])('stops the service when it is %j', async (CORS_ORIGINS) => {
    const settings = readSettings({ ...env, ENVIRONMENT: 'production', CORS_ORIGINS, RATE_LIMITS: 'on' })
    await expect(settings).rejects.toThrow(/^CORS_ORIGINS must be https origins/)
  })
})
