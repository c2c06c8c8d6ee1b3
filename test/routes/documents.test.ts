/** The documents and the health checks. */
import { describe, expect } from 'vitest'
import { expectOk, expectProblem } from '../support/answers.ts'
import { day } from '../support/clock.ts'
import { description } from '../support/description.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { startService } from '../support/service.ts'
import { nothing, observe } from '../support/state.ts'

const failing = () => Promise.reject(new Error('D1_ERROR: no such table: secret_table'))

describe('GET /.well-known/jwks.json', () => {
  it('publishes every public key and no private part, and may be cached for five minutes', async ({
    service,
    anonymous,
  }) => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const jwk = (await crypto.subtle.exportKey('jwk', (pair as CryptoKeyPair).privateKey)) as JsonWebKey
    const [present] = JSON.parse(service.env.SIGNING_KEYS).keys
    const keys = JSON.stringify({ keys: [{ ...jwk, kid: 'new' }, present] })
    const rotated = startService({ env: { SIGNING_KEYS: keys }, beside: service })
    const { answer, effects } = await observe(service, () => anonymous.at(rotated).getKeys())
    expect(expectOk(answer)).toEqual({
      keys: [
        { kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y, kid: 'new', alg: 'ES256', use: 'sig' },
        { kty: 'OKP', crv: 'Ed25519', x: present.x, kid: present.kid, alg: 'EdDSA', use: 'sig' },
      ],
    })
    expect(answer.headers.get('Cache-Control')).toBe('public, max-age=300')
    expect(answer.text).not.toContain(present.d)
    expect(answer.text).not.toContain(JSON.parse(service.env.TOKEN_KEYS).keys[0].k)
    expect(effects).toEqual(nothing)
  })
})

describe('GET /openapi.json', () => {
  it('hands on the request and the file as they are, and needs neither a store nor a fit configuration', async () => {
    const asked: (string | null)[] = []
    const headers = { ETag: '"of the file"', 'Cache-Control': 'public, max-age=0, must-revalidate' }
    const ASSETS = {
      fetch: async (request: Request) => {
        asked.push(request.headers.get('If-None-Match'))
        return Response.json(description, { headers })
      },
    } as unknown as Fetcher
    const service = startService({ env: { ASSETS, TOKEN_KEYS: '', DB: undefined! } })
    const answer = await service.call('GET', '/openapi.json', { headers: { 'If-None-Match': '"of another"' } })
    expect(expectOk(answer)).toEqual(description)
    for (const [name, value] of Object.entries(headers)) expect(answer.headers.get(name)).toBe(value)
    expect(asked).toEqual(['"of another"'])
  })

  it.for(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'answers %s with 405 and Allow',
    async (method, { service }) => {
      const answer = await service.call(method, '/openapi.json')
      expectProblem(answer, 405, 'method_not_allowed')
      expect(answer.headers.get('Allow')).toBe('HEAD, GET')
    },
  )

  it('is not for pages of other origins, on the list or not', async () => {
    const site = 'https://app.example.com'
    const service = startService({ env: { CORS_ORIGINS: site } })
    const answer = await service.call('GET', '/openapi.json', { headers: { Origin: site } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBeNull()
  })
})

describe('GET /.well-known/security.txt', () => {
  const path = '/.well-known/security.txt'

  it('names a contact, expires in the future, and says where it is (RFC 9116)', async ({ service, clock }) => {
    const answer = await service.call('GET', path)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Content-Type')?.toLowerCase()).toBe('text/plain; charset=utf-8')
    expect(answer.headers.get('Cache-Control')).toBe('public, max-age=300')
    const fields = answer.text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(': '))
    expect(fields.map(([name]) => name)).toEqual(['Contact', 'Expires', 'Canonical'])
    const { Contact, Expires, Canonical } = Object.fromEntries(fields)
    expect([Contact, Canonical]).toEqual(['mailto:security@example.com', `https://accounts.example.com${path}`])
    const days = (Date.parse(Expires) - clock.now().getTime()) / day
    expect(days).toBeGreaterThan(180)
    expect(days).toBeLessThan(182)
  })

  it('is a 404 without a contact', async ({ service }) => {
    const silent = startService({ beside: service, env: { SECURITY_CONTACT: '' } })
    expectProblem(await silent.call('GET', path), 404, 'not_found')
  })
})

describe('GET /.well-known/change-password', () => {
  it('leads to the page where a password is changed', async ({ service }) => {
    const answer = await service.call('GET', '/.well-known/change-password')
    expect(answer.status).toBe(302)
    const target = new URL(answer.headers.get('Location')!, 'https://accounts.example.com')
    expect(target.href).toBe('https://accounts.example.com/reset-password')
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
  })

  it('is not what every path under /.well-known/ answers', async ({ service }) => {
    const path = '/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200'
    expect((await service.call('GET', path)).status).toBe(404)
  })
})

describe('GET /healthz', () => {
  it('answers without touching a store', async () => {
    const untouched = new Proxy({}, { get: () => expect.unreachable('a store was touched') })
    const service = startService({ env: { DB: untouched as D1Database, REVOCATIONS: untouched as KVNamespace } })
    const answer = await service.call('GET', '/healthz')
    expect(expectOk(answer)).toEqual({ status: 'ok', version: expect.stringMatching(/^\d+\.\d+\.\d+/) })
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
  })
})

describe('GET /readyz', () => {
  it('is ready when both stores answer, and changes nothing in them', async ({ service }) => {
    const { answer, effects } = await observe(service, () => service.call('GET', '/readyz'))
    expect(expectOk(answer)).toEqual({ status: 'ok', checks: { config: 'ok', d1: 'ok', kv: 'ok' } })
    expect(effects).toEqual(nothing)
  })

  it.for([
    { what: 'D1 fails', env: { DB: { prepare: () => ({ all: failing }) } }, checks: { d1: 'unavailable' } },
    { what: 'KV fails', env: { REVOCATIONS: { get: failing } }, checks: { kv: 'unavailable' } },
    {
      what: 'both fail',
      env: { DB: undefined, REVOCATIONS: { get: failing } },
      checks: { config: 'unavailable', d1: 'unavailable', kv: 'unavailable' },
    },
    { what: 'the configuration is not fit to serve', env: { TOKEN_KEYS: '' }, checks: { config: 'unavailable' } },
  ])('is not when $what, says which check failed and not why', async ({ env, checks }) => {
    const service = startService({ env: env as unknown as Partial<Env> })
    const log = captureLog()
    const answer = await service.call('GET', '/readyz')
    expect(answer.status).toBe(503)
    expect(answer.json).toEqual({ status: 'unavailable', checks: { config: 'ok', d1: 'ok', kv: 'ok', ...checks } })
    const failed = new Set(log.entries('readiness.failed').map(({ check }) => check))
    expect(failed).toEqual(new Set(Object.keys(checks)))
  })
})
