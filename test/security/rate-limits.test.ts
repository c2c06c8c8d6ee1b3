/** Limits by client address: a client that calls too often is refused before the call costs anything. */
import { env } from 'cloudflare:workers'
import { describe, expect, vi } from 'vitest'
import securityPage from '../../docs/security.md?raw'
import wranglerToml from '../../wrangler.toml?raw'
import { createApp } from '../../src/app.ts'
import { readSettings } from '../../src/config/settings.ts'
import { production } from '../../src/context.ts'
import { clientKey } from '../../src/http/client-address.ts'
import { limits } from '../../src/http/limit-rate.ts'
import { ratePeriodSeconds, rateLimits, userLimit } from '../../src/config/rate-limits.ts'
import { expectProblem } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { countCosts } from '../support/counting.ts'
import { limitedCalls, limitersThat } from '../support/limiters.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { type Call, type Service, startService } from '../support/service.ts'
import { select } from '../support/state.ts'

const email = 'ada@example.com'
/** In the paths that name something. */
const id = 'x'

function login(service: Service, headers: Record<string, string>) {
  return new Caller(service).from({ headers }).login({ email, password: goodPassword }).answer
}

describe('a client that calls too often', () => {
  it.for(limitedCalls)('is told to wait a minute by $method $path', async ({ operation, method, limit }) => {
    const { env, asked } = limitersThat(() => false)
    const answer = await new Caller(startService({ env })).call(operation, method === 'GET' ? {} : { id, body: {} })
      .answer
    expectProblem(answer, 429, 'rate_limited')
    expect(answer.headers.get('Retry-After')).toBe('60')
    expect(asked).toEqual([{ binding: rateLimits[limit].binding, key: '203.0.113.7' }])
  })

  it.for(limitedCalls)('causes no parsing, hashing or query at $method $path', async ({ operation, method }) => {
    const meter = countCosts(env)
    const caller = new Caller(startService({ env: { ...limitersThat(() => false).env, ...meter.bindings } }))
    const calls: Call[] = [
      { raw: '{"email":' },
      { raw: 'x', headers: { 'Content-Type': 'text/plain' } },
      { body: { email, password: goodPassword, token: 'x', refresh_token: 'x', new_password: goodPassword } },
      { token: 'x' },
    ]
    const hashes = await hashesDuring(async () => {
      // A GET has no body.
      for (const call of method === 'GET' ? calls.slice(-1) : calls)
        expect((await caller.call(operation, { id, ...call }).answer).status).toBe(429)
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

  it('is limited at exactly the routes that are marked', () => {
    const marked = createApp(production)
      .routes.filter(({ handler }) => limits in handler)
      .map(({ method, path, handler }) => [
        method,
        path.replace(':id', '{id}'),
        (handler as { [limits]?: string })[limits],
      ])
    expect(new Set(marked.map(String))).toEqual(
      new Set(limitedCalls.map(({ method, path, limit }) => `${method},${path},${limit}`)),
    )
  })

  it.for(Object.entries(rateLimits).map(([limit, { perMinute }]) => ({ limit, perMinute })))(
    'gets what the table says through the real binding: $limit',
    async ({ limit: name, perMinute }) => {
      const { operation, method } = limitedCalls.find(({ limit }) => limit === name)!
      const caller = new Caller(startService({ env: { RATE_LIMITS: 'on' } }), method === 'GET' ? {} : { raw: '{' })
      const statusFrom = async (address: string) =>
        (await caller.call(operation, { headers: { 'CF-Connecting-IP': address } }).answer).status
      let passed = 0
      // The binding counts in windows of the clock, and one more may start meanwhile, but not two.
      while (passed <= 2 * perMinute && (await statusFrom('198.51.100.1')) !== 429) passed++
      expect(passed).toBeGreaterThanOrEqual(perMinute)
      expect(passed).toBeLessThanOrEqual(2 * perMinute)
      expect(await statusFrom('198.51.100.2'), 'another client').not.toBe(429)
    },
  )

  it('is one client when it sprays one password over many accounts', async () => {
    const caller = new Caller(startService({ env: { RATE_LIMITS: 'on' } }))
    const answers = await Promise.all(
      Array.from(
        { length: 2 * rateLimits.login.perMinute + 1 },
        (_, index) => caller.login({ email: `victim-${index}@example.com`, password: 'Winter2026!' }).answer,
      ),
    )
    const statuses = new Set(answers.map(({ status }) => status))
    expect(statuses).toEqual(new Set([401, 429]))
    expect(answers.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(2 * rateLimits.login.perMinute)
  })
})

describe('the client', () => {
  it.for([
    { address: '203.0.113.7', key: '203.0.113.7' },
    { address: '::ffff:203.0.113.7', key: '203.0.113.7' },
    { address: '::FFFF:203.0.113.7', key: '203.0.113.7' },
    { address: '::ffff:cb00:7107', key: '203.0.113.7' },
    { address: '0:0:0:0:0:ffff:CB00:7107', key: '203.0.113.7' },
    { address: '0000:0000:0000:0000:0000:ffff:203.0.113.7', key: '203.0.113.7' },
    { address: '2001:db8:1:2::1', key: '2001:db8:1:2::/64' },
    { address: '2001:0DB8:0001:0002:ffff:FFFF:ffff:ffff', key: '2001:db8:1:2::/64' },
    { address: '2001:db8:1:2:0:0:192.0.2.1', key: '2001:db8:1:2::/64' },
    { address: '2001:db8::', key: '2001:db8:0:0::/64' },
    { address: '2001:db8::1:2:3:4', key: '2001:db8:0:0::/64' },
    { address: '2001:db8:0:1::', key: '2001:db8:0:1::/64' },
    { address: '::1', key: '0:0:0:0::/64' },
    { address: '::', key: '0:0:0:0::/64' },
    { address: '1:2:3:4:5:6:7::', key: '1:2:3:4::/64' },
    { address: '::2:3:4:5:6:7:8', key: '0:2:3:4::/64' },
    { address: '1:0:0:4:5:6:7:8', key: '1:0:0:4::/64' },
    { address: 'unknown', key: 'unreadable' },
    { address: '203.0.113.7, 198.51.100.1', key: 'unreadable' },
    { address: 'x]/@[::1', key: 'unreadable' },
    { address: '', key: 'unreadable' },
  ])('with the address "$address" is counted as $key', ({ address, key }) => {
    expect(clientKey(address)).toBe(key)
  })

  it('has one budget for a whole /64, however it is spelled, and the next /64 another', async () => {
    const { env, asked } = limitersThat(() => true)
    const service = startService({ env })
    const addresses = ['2001:db8:0:1::1', '2001:DB8::1:0:0:0:2', '2001:0db8:0000:0001:ffff:ffff:ffff:ffff']
    for (const address of addresses) await login(service, { 'CF-Connecting-IP': address })
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1)
    await login(service, { 'CF-Connecting-IP': '2001:db8:0:2::1' })
    expect(new Set(asked.map(({ key }) => key)).size).toBe(2)
  })

  it.for([
    { name: 'X-Forwarded-For', value: '198.51.100.9' },
    { name: 'X-Real-IP', value: '198.51.100.9' },
    { name: 'True-Client-IP', value: '198.51.100.9' },
    { name: 'Forwarded', value: 'for=198.51.100.9' },
    { name: 'X-Client-IP', value: '198.51.100.9' },
    { name: 'Cf-Connecting-IPv6', value: '2001:db8::9' },
    { name: 'CF-Pseudo-IPv4', value: '240.0.0.9' },
    { name: 'User-Agent', value: 'another' },
  ])('cannot choose its budget, or the address that is recorded, by $name', async ({ name, value }) => {
    const { env: limiters, asked } = limitersThat(() => true)
    const service = startService({ env: limiters })
    await peopleOf(service).signUp(email)
    await login(service, { [name]: value })
    expect(new Set(asked.map(({ key }) => key))).toEqual(new Set(['203.0.113.7']))
    expect(await select('select distinct ip from audit_events')).toEqual([{ ip: '203.0.113.7' }])
  })

  it('is not counted without an address, which only calls inside Cloudflare lack', async () => {
    const { env, asked } = limitersThat(() => false)
    const caller = new Caller(startService({ env }), { raw: '{', withoutAddress: true })
    expect((await caller.call('refresh').answer).status).toBe(400)
    expect(asked).toEqual([])
  })
})

describe('a limiter that fails', () => {
  it('refuses no sign-in: the call goes on, and the log says so without an address', async () => {
    const { env } = limitersThat(() => Promise.reject(new Error('no counter for 203.0.113.7')))
    const people = peopleOf(startService({ env }))
    await people.signUp(email)
    const log = captureLog()
    const person = await people.signIn(email)
    await person.call('updateMe', { body: { first_name: 'Ada' } }).answer
    const failed = { level: 'error', error: 'Error', request_id: expect.any(String) }
    expect(log.entries('rate_limit.failed')).toEqual([
      expect.objectContaining({ ...failed, limit: 'login' }),
      expect.objectContaining({ ...failed, limit: 'userWrites' }),
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
      [...Object.values(rateLimits), userLimit].map(({ binding, perMinute }) => ({
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
      limitedCalls.map(({ method, path, limit }) => `${method} ${path}: ${rateLimits[limit].perMinute}`).toSorted(),
    )
  })

  it.for([...Object.values(rateLimits), userLimit])(
    'are required: without the binding $binding nothing is served',
    async ({ binding }) => {
      vi.spyOn(console, 'error').mockImplementation(() => undefined)
      const service = startService({ env: { [binding]: undefined } as unknown as Partial<Env> })
      await new Caller(service).call('login', { body: {} }).refused(503, 'service_unavailable')
      await expect(readSettings({ ...service.env })).rejects.toThrow(`the binding ${binding} is missing`)
    },
  )

  it.for<{ environment: string; setting: string | undefined; isOn: boolean | RegExp }>([
    { environment: 'production', setting: undefined, isOn: true },
    { environment: 'production', setting: '', isOn: true },
    { environment: 'production', setting: 'on', isOn: true },
    { environment: 'production', setting: 'off', isOn: /^RATE_LIMITS must be "on"/ },
    { environment: '', setting: 'off', isOn: /^RATE_LIMITS must be "on"/ },
    { environment: 'development', setting: undefined, isOn: true },
    { environment: 'development', setting: 'on', isOn: true },
    { environment: 'development', setting: 'off', isOn: false },
    { environment: 'development', setting: 'no', isOn: /^RATE_LIMITS must be "on"/ },
  ])('in "$environment" with RATE_LIMITS = $setting are on: $isOn', async ({ environment, setting, isOn }) => {
    const settings = readSettings({ ...env, ENVIRONMENT: environment, RATE_LIMITS: setting } as Env)
    if (isOn instanceof RegExp) await expect(settings).rejects.toThrow(isOn)
    else expect((await settings).config.limitsRates).toBe(isOn)
  })

  it('are off in other tests, where everybody has one address', async () => {
    const { env, asked } = limitersThat(() => false)
    const service = startService({ env: { ...env, RATE_LIMITS: 'off' } })
    await peopleOf(service).signUp(email)
    expect(asked).toEqual([])
  })
})
