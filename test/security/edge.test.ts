/** What browsers are told about every answer: the headers that lock it up, and the origins that may read it. */
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import headersFile from '../../public/_headers?raw'
import { readSettings } from '../../src/config/settings.ts'
import { headersFor, parseHeaderRules } from '../browser/support/header-rules.ts'
import { limitersThat } from '../support/limiters.ts'
import { goodPassword, signUp, signUpAdmin } from '../support/people.ts'
import { type Answer, type Call, type Service, type ServiceOptions, startService } from '../support/service.ts'

const site = 'https://app.example.com'
const corsEnv = { CORS_ORIGINS: `${site}, https://admin.example.com:8443` }
const failing = () => Promise.reject(new Error('D1_ERROR: no such luck'))
const brokenD1 = {
  DB: { prepare: () => ({ bind: () => ({ raw: failing, all: failing }) }), batch: failing } as unknown as D1Database,
}

const brokenClock = () => {
  throw new Error('what time is it?')
}

type Ask = (method: string, path: string, call?: Call) => Promise<Answer>
type Kind = [
  name: string,
  status: number,
  ask: (ask: Ask, service: Service) => Promise<Answer>,
  options?: ServiceOptions,
]

/** One of every kind of answer that there is. */
const kinds: Kind[] = [
  ['a JSON answer', 200, (ask) => ask('GET', '/healthz')],
  ['a document that may be cached', 200, (ask) => ask('GET', '/.well-known/jwks.json')],
  ['an answer to HEAD', 200, (ask) => ask('HEAD', '/healthz')],
  ['an acceptance', 202, (ask) => ask('POST', '/auth/resend-activation', { body: { email: 'ada@example.com' } })],
  ['an answer without content', 204, (ask) => ask('POST', '/auth/logout', { body: { refresh_token: 'x' } })],
  ['a redirect', 302, (ask) => ask('GET', '/.well-known/change-password')],
  ['broken JSON', 400, (ask) => ask('POST', '/auth/login', { raw: '{' })],
  ['no token', 401, (ask) => ask('GET', '/users/me')],
  ['a token that is not good', 401, (ask) => ask('GET', '/auth/verify', { token: 'x' })],
  ['a refresh token that is not good', 401, (ask) => ask('POST', '/auth/refresh', { body: { refresh_token: 'x' } })],
  [
    'a permission that is missing',
    403,
    async (ask, service) => ask('GET', '/users', { token: (await signUp(service, 'ada@example.com')).accessToken }),
  ],
  ['an unknown path', 404, (ask) => ask('GET', '/nowhere')],
  ['another method', 405, (ask) => ask('PUT', '/auth/login', { body: {} })],
  ['OPTIONS that asks for no permission', 405, (ask) => ask('OPTIONS', '/auth/login')],
  ['another method on a file', 405, (ask) => ask('PUT', '/openapi.json', { body: {} })],
  ['OPTIONS on a file', 405, (ask) => ask('OPTIONS', '/openapi.json')],
  ['OPTIONS of an unknown path', 404, (ask) => ask('OPTIONS', '/nowhere')],
  [
    'a conflict',
    409,
    async (ask, service) => {
      const { accessToken } = await signUpAdmin(service)
      return ask('DELETE', '/users/me', { token: accessToken, body: { password: goodPassword } })
    },
  ],
  ['a body that is too large', 413, (ask) => ask('POST', '/auth/login', { raw: 'x'.repeat(17 * 1024) })],
  [
    'another media type',
    415,
    (ask) => ask('POST', '/auth/login', { raw: 'x', headers: { 'Content-Type': 'text/plain' } }),
  ],
  ['a broken rule', 422, (ask) => ask('POST', '/auth/login', { body: {} })],
  ['too many calls', 429, (ask) => ask('POST', '/auth/login', { body: {} }), limitersThat(() => false)],
  [
    'too many passwords',
    429,
    async (ask) => {
      const body = { email: 'ada@example.com', password: 'wrong' }
      for (let index = 0; index < 5; index++) await ask('POST', '/auth/login', { body })
      return ask('POST', '/auth/login', { body })
    },
  ],
  ['an unexpected failure', 500, (ask) => ask('GET', '/users/me', { token: 'x' }), { platform: { now: brokenClock } }],
  [
    'a failing D1',
    503,
    (ask) => ask('POST', '/auth/resend-activation', { body: { email: 'ada@example.com' } }),
    { env: brokenD1 },
  ],
  ['a service that is not ready', 503, (ask) => ask('GET', '/readyz'), { env: brokenD1 }],
]

const locks = {
  'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
}
const fileRules = parseHeaderRules(headersFile)

function start(options: ServiceOptions = {}, env: Partial<Env> = {}): Service {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  return startService({ ...options, env: { ...options.env, ...env } })
}

/** The names of the headers by which a page is let in. */
function corsHeaders({ headers }: Answer): string[] {
  return Array.from(headers.keys()).filter((name) => name.startsWith('access-control-'))
}

describe('every answer is locked up:', () => {
  it.each(kinds)('%s (%i)', async (_name, status, ask, options) => {
    const service = start(options)
    const answer = await ask(service.call, service)
    expect(answer.status, answer.text).toBe(status)
    for (const [name, value] of Object.entries(locks)) expect(answer.headers.get(name), name).toBe(value)
    expect(answer.headers.get('Content-Security-Policy')).toBe("default-src 'none'; frame-ancestors 'none'")
    expect(answer.headers.get('Permissions-Policy')).toBe(headersFor('/', fileRules)['Permissions-Policy'])
    expect(answer.headers.get('Cache-Control')).toMatch(/^(no-store|public, max-age=300)$/)
    expect(answer.headers.get('X-Request-Id')).toMatch(/./)
    expect(answer.headers.has('Server')).toBe(false)
    expect(answer.headers.has('X-Powered-By')).toBe(false)
  })

  it('also of a service that has no configuration, and of a preflight', async () => {
    const answers = [
      await start({}, { PUBLIC_URL: '' }).call('GET', '/users/me'),
      await start({}, corsEnv).call('OPTIONS', '/auth/login', { headers: preflightOf(site) }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([503, 204])
    for (const { headers } of answers) {
      for (const [name, value] of Object.entries(locks)) expect(headers.get(name), name).toBe(value)
      expect(headers.get('Content-Security-Policy')).toMatch(/^default-src 'none'/)
      expect(headers.get('Permissions-Policy')).toMatch(/camera=\(\)/)
      expect(headers.get('X-Request-Id')).toMatch(/./)
    }
  })

  it.each(['/', '/activate', '/reset-password', '/openapi.json', '/pages/api.js', '/favicon.svg', '/robots.txt'])(
    'the static file %s',
    (path) => {
      const headers = headersFor(path, fileRules)
      expect(headers).toMatchObject({ ...locks, 'Cross-Origin-Opener-Policy': 'same-origin' })
      const policy = headers['Content-Security-Policy']!.split('; ')
      expect(policy).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "base-uri 'none'",
          "form-action 'none'",
          "frame-ancestors 'none'",
        ]),
      )
      expect(headers['Content-Security-Policy']).not.toMatch(/unsafe|\*|https?:/)
    },
  )

  it.each(['camera', 'microphone', 'geolocation', 'payment', 'usb', 'display-capture'])(
    'no page may use the %s',
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
  it.each(kinds)('may read every answer: %s (%i)', async (_name, status, ask, options) => {
    const service = start(options, corsEnv)
    const withOrigin: Ask = (method, path, call = {}) =>
      service.call(method, path, { ...call, headers: { ...call.headers, Origin: site } })
    const answer = await ask(withOrigin, service)
    expect(answer.status, answer.text).toBe(status)
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(site)
    expect(answer.headers.get('Access-Control-Expose-Headers')).toBe('X-Request-Id, Retry-After, WWW-Authenticate')
    expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
    expect(answer.headers.get('Vary')).toBe('Origin')
  })

  it.each([site, 'https://admin.example.com:8443'])('asks before it calls: %s', async (origin) => {
    const answer = await start({}, corsEnv).call('OPTIONS', '/users/me', { headers: preflightOf(origin) })
    expect(answer.status).toBe(204)
    expect(Object.fromEntries(corsHeaders(answer).map((name) => [name, answer.headers.get(name)]))).toEqual({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': 'Authorization, Content-Type, X-Request-Id',
      'access-control-max-age': '600',
    })
    expect(answer.headers.get('Vary')).toBe('Origin')
  })

  it('calls as anybody does with the headers of a preflight', async () => {
    const service = start({}, corsEnv)
    const answer = await service.call('GET', '/healthz', { headers: preflightOf(site) })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Access-Control-Allow-Methods')).toBeNull()
  })

  it('asks without an effect: a preflight of a sign-out ends nothing and is not counted', async () => {
    const { env, asked } = limitersThat(() => true)
    const service = start({}, { ...env, ...corsEnv })
    const { accessToken } = await signUp(service, 'ada@example.com')
    asked.length = 0
    const headers = { ...preflightOf(site), 'Access-Control-Request-Method': 'POST' }
    for (const path of ['/auth/logout-all', '/auth/login']) {
      expect((await service.call('OPTIONS', path, { token: accessToken, headers })).status).toBe(204)
    }
    expect((await service.call('GET', '/users/me', { token: accessToken })).status).toBe(200)
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
  ])('is let in by no header: %j', async (origin) => {
    const service = start({}, corsEnv)
    const answers = [
      await service.call('GET', '/healthz', { headers: { Origin: origin } }),
      await service.call('POST', '/auth/login', { body: {}, headers: { Origin: origin } }),
      await service.call('OPTIONS', '/auth/login', { headers: preflightOf(origin) }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 405])
    for (const answer of answers) {
      expect(corsHeaders(answer)).toEqual([])
      expect(answer.headers.get('Vary')).toBe('Origin')
    }
  })

  it('cannot be served what a cache kept for a listed one: who sends no origin gets the same Vary', async () => {
    const answer = await start({}, corsEnv).call('GET', '/.well-known/jwks.json')
    expect(answer.headers.get('Cache-Control')).toMatch(/^public/)
    expect(answer.headers.get('Vary')).toBe('Origin')
    expect(corsHeaders(answer)).toEqual([])
  })

  it.each([undefined, '', '  '])('is every page where nothing is listed: CORS_ORIGINS = %j', async (CORS_ORIGINS) => {
    const service = start({}, { CORS_ORIGINS } as Partial<Env>)
    for (const origin of [site, 'null', '']) {
      const answer = await service.call('OPTIONS', '/auth/login', { headers: preflightOf(origin) })
      expect(answer.status).toBe(405)
      expect(corsHeaders(answer)).toEqual([])
      expect(answer.headers.get('Vary')).toBeNull()
    }
  })
})

describe('the list of origins', () => {
  it.each<[ENVIRONMENT: string, CORS_ORIGINS: string, list: string[]]>([
    ['production', '', []],
    ['production', ' https://app.example.com ,https://APP2.example.com/', [site, 'https://app2.example.com']],
    ['production', 'https://app.example.com:443', [site]],
    ['production', 'https://bücher.example', ['https://xn--bcher-kva.example']],
    ['development', 'http://localhost:5173', ['http://localhost:5173']],
  ])('in %s: %j', async (ENVIRONMENT, CORS_ORIGINS, list) => {
    const { config } = await readSettings({ ...env, ENVIRONMENT, CORS_ORIGINS, RATE_LIMITS: 'on' })
    expect(config.corsOrigins).toEqual(list)
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
  ])('refuses to serve with %j', async (CORS_ORIGINS) => {
    const settings = readSettings({ ...env, ENVIRONMENT: 'production', CORS_ORIGINS, RATE_LIMITS: 'on' })
    await expect(settings).rejects.toThrow(/^CORS_ORIGINS must be https origins/)
  })
})
