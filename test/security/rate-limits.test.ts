/** The outer ring: who calls too often is turned away before anything costs anything. */
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import securityPage from '../../docs/security.md?raw'
import wranglerToml from '../../wrangler.toml?raw'
import { createApp } from '../../src/app.ts'
import { readSettings } from '../../src/config/settings.ts'
import { production } from '../../src/context.ts'
import { clientKey } from '../../src/http/client-address.ts'
import { limits } from '../../src/http/limit-rate.ts'
import { ratePeriodSeconds, rateLimits } from '../../src/config/rate-limits.ts'
import { expectProblem } from '../support/answers.ts'
import { countCosts } from '../support/counting.ts'
import { limitedCalls, limitersThat } from '../support/limiters.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword, signIn, signUp } from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'

const email = 'ada@example.com'

function login(service: Service, headers: Record<string, string>) {
  return service.call('POST', '/auth/login', { body: { email, password: goodPassword }, headers })
}

describe('a client that calls too often', () => {
  it.each(limitedCalls)('is told to wait a minute by %s %s', async (method, path, limit) => {
    const { env, asked } = limitersThat(() => false)
    const answer = await startService({ env }).call(method, path, { body: {} })
    expectProblem(answer, 429, 'rate_limited')
    expect(answer.headers.get('Retry-After')).toBe('60')
    expect(asked).toEqual([{ binding: rateLimits[limit].binding, key: '203.0.113.7' }])
  })

  it.each(limitedCalls)('costs no look at the body, no password and no store at %s %s', async (method, path) => {
    const meter = countCosts(env)
    const service = startService({ env: { ...limitersThat(() => false).env, ...meter.bindings } })
    const calls = [
      { raw: '{"email":' },
      { raw: 'x', headers: { 'Content-Type': 'text/plain' } },
      { body: { email, password: goodPassword, token: 'x', refresh_token: 'x', new_password: goodPassword } },
      { token: 'x' },
    ]
    const hashes = await hashesDuring(async () => {
      for (const call of calls) expect((await service.call(method, path, call)).status).toBe(429)
    })
    expect(hashes).toBe(0)
    expect(meter.take()).toEqual({
      roundTrips: 0,
      rowsRead: 0,
      rowsWritten: 0,
      kvReads: 0,
      kvWrites: 0,
      queueSends: 0,
      statements: [],
    })
  })

  it('is turned away at every route that is marked, and no other route is', () => {
    const marked = createApp(production)
      .routes.filter(({ handler }) => limits in handler)
      .map(({ method, path, handler }) => [method, path, (handler as { [limits]?: string })[limits]])
    expect(new Set(marked.map(String))).toEqual(new Set(limitedCalls.map(String)))
  })

  it.each(Object.entries(rateLimits))(
    'gets what the table says through the real binding: %s',
    async (name, { perMinute }) => {
      const service = startService({ env: { RATE_LIMITS: 'on' } })
      const [method, path] = limitedCalls.find(([, , limit]) => limit === name)!
      const call = { raw: '{', headers: { 'CF-Connecting-IP': '198.51.100.1' } }
      let passed = 0
      // The binding counts in windows by the clock, and the next one may begin meanwhile; not two of them.
      while (passed <= 2 * perMinute && (await service.call(method, path, call)).status !== 429) passed++
      expect(passed).toBeGreaterThanOrEqual(perMinute)
      expect(passed).toBeLessThanOrEqual(2 * perMinute)
      const other = { ...call, headers: { 'CF-Connecting-IP': '198.51.100.2' } }
      expect((await service.call(method, path, other)).status, 'another client').not.toBe(429)
    },
  )

  it('who sprays one password over many accounts is one client', async () => {
    const service = startService({ env: { RATE_LIMITS: 'on' } })
    const answers = await Promise.all(
      Array.from({ length: 2 * rateLimits.login.perMinute + 1 }, (_, index) =>
        service.call('POST', '/auth/login', {
          body: { email: `victim-${index}@example.com`, password: 'Winter2026!' },
        }),
      ),
    )
    const statuses = new Set(answers.map(({ status }) => status))
    expect(statuses).toEqual(new Set([401, 429]))
    expect(answers.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(2 * rateLimits.login.perMinute)
  })
})

describe('the client', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['0:0:0:0:0:ffff:CB00:7107', '203.0.113.7'],
    ['0000:0000:0000:0000:0000:ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:FFFF:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:0:0:192.0.2.1', '2001:db8:1:2::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['2001:db8::1:2:3:4', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
    ['1:0:0:4:5:6:7:8', '1:0:0:4::/64'],
    ['unknown', 'unreadable'],
    ['203.0.113.7, 198.51.100.1', 'unreadable'],
    ['x]/@[::1', 'unreadable'],
    ['', 'unreadable'],
  ])('%j is counted as %s', (address, key) => {
    expect(clientKey(address)).toBe(key)
  })

  it('has one budget for a whole /64, whatever the spelling, and the neighbour another', async () => {
    const { env, asked } = limitersThat(() => true)
    const service = startService({ env })
    const addresses = ['2001:db8:0:1::1', '2001:DB8::1:0:0:0:2', '2001:0db8:0000:0001:ffff:ffff:ffff:ffff']
    for (const address of addresses) await login(service, { 'CF-Connecting-IP': address })
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1)
    await login(service, { 'CF-Connecting-IP': '2001:db8:0:2::1' })
    expect(new Set(asked.map(({ key }) => key)).size).toBe(2)
  })

  it.each([
    ['X-Forwarded-For', '198.51.100.9'],
    ['X-Real-IP', '198.51.100.9'],
    ['True-Client-IP', '198.51.100.9'],
    ['Forwarded', 'for=198.51.100.9'],
    ['X-Client-IP', '198.51.100.9'],
    ['Cf-Connecting-IPv6', '2001:db8::9'],
    ['CF-Pseudo-IPv4', '240.0.0.9'],
    ['User-Agent', 'another'],
  ])('cannot choose its budget, or the address that is recorded, by %s', async (name, value) => {
    const { env: limiters, asked } = limitersThat(() => true)
    const service = startService({ env: limiters })
    await signUp(service, email)
    await login(service, { [name]: value })
    expect(new Set(asked.map(({ key }) => key))).toEqual(new Set(['203.0.113.7']))
    const { results } = await env.DB.prepare('select distinct ip from audit_events').all()
    expect(results).toEqual([{ ip: '203.0.113.7' }])
  })

  it('without an address is not counted: only what does not come over the internet has none', async () => {
    const { env, asked } = limitersThat(() => false)
    const service = startService({ env })
    const answer = await service.call('POST', '/auth/refresh', { raw: '{', withoutAddress: true })
    expect(answer.status).toBe(400)
    expect(asked).toEqual([])
  })
})

describe('a limiter that fails', () => {
  it('ends nobody’s sign-in: the call goes on, and the log says so without an address', async () => {
    const { env } = limitersThat(() => Promise.reject(new Error('no counter for 203.0.113.7')))
    const service = startService({ env })
    await signUp(service, email)
    const log = captureLog()
    await signIn(service, email)
    expect(log.entries('rate_limit.failed')).toEqual([
      expect.objectContaining({ level: 'error', limit: 'login', error: 'Error', request_id: expect.any(String) }),
    ])
    expect(log.lines.join('\n')).not.toContain('203.0.113.7')
  })
})

describe('the limits', () => {
  it('in wrangler.toml are those of the table, each with a counter of its own', () => {
    const blocks = wranglerToml.split(/^\[\[ratelimits\]\]$/m).slice(1)
    const read = blocks.map((block) => {
      const [, name, namespaceId, limit, period] =
        /^\s*name = "(\w+)"\nnamespace_id = "([1-9]\d*)"\nsimple = \{ limit = (\d+), period = (\d+) \}\n/.exec(block)!
      return { name, namespaceId, limit: Number(limit), period: Number(period) }
    })
    expect(new Set(read.map(({ namespaceId }) => namespaceId)).size).toBe(read.length)
    expect(read.map(({ name, limit, period }) => ({ name, limit, period }))).toEqual(
      Object.values(rateLimits).map(({ binding, perMinute }) => ({
        name: binding,
        limit: perMinute,
        period: ratePeriodSeconds,
      })),
    )
  })

  it('in docs/security.md are those of the table, for every call that has one', () => {
    const section = /^## Rate limits by client address$[^#]*/m.exec(securityPage)![0]
    const documented = [...section.matchAll(/^\| (`.*`) \| (\d+)(?:, together)? \|/gm)].flatMap(
      ([, calls, perMinute]) => Array.from(calls!.matchAll(/`([A-Z]+ \S+)`/g), ([, call]) => `${call}: ${perMinute}`),
    )
    expect(documented.toSorted()).toEqual(
      limitedCalls.map(([method, path, limit]) => `${method} ${path}: ${rateLimits[limit].perMinute}`).toSorted(),
    )
  })

  it.each(Object.values(rateLimits))('are not served without: the binding $binding', async ({ binding }) => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const service = startService({ env: { [binding]: undefined } as unknown as Partial<Env> })
    expectProblem(await service.call('POST', '/auth/login', { body: {} }), 503, 'service_unavailable')
    await expect(readSettings({ ...service.env })).rejects.toThrow(`the binding ${binding} is missing`)
  })

  it.each<[ENVIRONMENT: string, RATE_LIMITS: string | undefined, isOn: boolean | RegExp]>([
    ['production', undefined, true],
    ['production', '', true],
    ['production', 'on', true],
    ['production', 'off', /^RATE_LIMITS must be "on"/],
    ['', 'off', /^RATE_LIMITS must be "on"/],
    ['development', undefined, true],
    ['development', 'on', true],
    ['development', 'off', false],
    ['development', 'no', /^RATE_LIMITS must be "on"/],
  ])('in %j with RATE_LIMITS = %j are on: %s', async (ENVIRONMENT, RATE_LIMITS, isOn) => {
    const settings = readSettings({ ...env, ENVIRONMENT, RATE_LIMITS } as Env)
    if (isOn instanceof RegExp) await expect(settings).rejects.toThrow(isOn)
    else expect((await settings).config.limitsRates).toBe(isOn)
  })

  it('are off where everybody has one address: in the other tests', async () => {
    const { env, asked } = limitersThat(() => false)
    const service = startService({ env: { ...env, RATE_LIMITS: 'off' } })
    await signUp(service, email)
    expect(asked).toEqual([])
  })
})
