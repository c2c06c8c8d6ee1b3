/** The optional Turnstile challenge: machines stop at it, people hardly meet it, and its failure opens nothing. */
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, vi } from 'vitest'
import { readSettings } from '../../src/config/settings.ts'
import { passwordAttempts } from '../../src/config/policy.ts'
import { expectInvalid, expectProblem } from '../support/answers.ts'
import type { BodyOf } from '../support/api.ts'
import { Caller } from '../support/caller.ts'
import { second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { type Answer, startService } from '../support/service.ts'
import { nothing, observe } from '../support/state.ts'
import { scriptTurnstile, startTurnstile, turnstileEnv } from '../support/turnstile.ts'

const email = 'ada@example.com'
const site = 'https://app.example.com'

/** `service` requires no challenge. `challenging` does, on the same stores. */
const it = base
  .extend('challenging', async ({ service }) => startService({ beside: service, env: turnstileEnv }))
  .extend('client', async ({ challenging }) => new Caller(challenging))
  .extend('turnstile', async ({ challenging: _challenging }) => startTurnstile())

interface Guarded {
  name: string
  action: string
  ask: (caller: Caller, token?: unknown) => Promise<Answer>
}

const guarded: Guarded[] = [
  {
    name: 'a registration',
    action: 'register',
    ask: (caller, token) =>
      caller.call('register', { body: { email, password: goodPassword, turnstile_token: token } }).answer,
  },
  {
    name: 'a reset request',
    action: 'password_reset',
    ask: (caller, token) => caller.call('requestPasswordReset', { body: { email, turnstile_token: token } }).answer,
  },
]

function login(caller: Caller, password: string, more: Partial<BodyOf<'login'>> = {}) {
  return caller.login({ email, password, ...more })
}

async function failThreeTimes(caller: Caller, more: Partial<BodyOf<'login'>> = {}): Promise<void> {
  for (let index = 0; index < 3; index++) await login(caller, 'wrong', more).refused(401, 'invalid_credentials')
}

function expectNotHuman(answer: Answer, code: 'turnstile_required' | 'turnstile_failed'): void {
  expectProblem(answer, 422, 'validation_failed')
  expect(answer.json).toMatchObject({ errors: [{ pointer: '/turnstile_token', code, message: expect.any(String) }] })
}

beforeEach(() => {
  vi.restoreAllMocks()
  vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

describe('a service without a Turnstile secret', () => {
  it.for([{ secret: undefined }, { secret: '' }, { secret: ' ' }])(
    'needs no challenge and asks nobody with TURNSTILE_SECRET = "$secret"',
    async ({ secret }) => {
      const caller = new Caller(startService({ env: { ...turnstileEnv, TURNSTILE_SECRET: secret } }))
      const { questions } = startTurnstile()
      for (const { ask } of guarded) {
        for (const token of [undefined, null, '', 'x']) expect((await ask(caller, token)).status).toBe(202)
      }
      for (let index = 0; index < 5; index++) await login(caller, 'wrong').refused(401, 'invalid_credentials')
      expect(questions).toEqual([])
    },
  )
})

describe.for(guarded)('$name', ({ action, ask }) => {
  it.for([
    { kind: 'no token', token: undefined, code: 'turnstile_required' },
    { kind: 'null', token: null, code: 'turnstile_required' },
    { kind: 'an empty token', token: '', code: 'turnstile_required' },
    { kind: 'a forged token', token: 'XXXX.DUMMY.TOKEN.XXXX', code: 'turnstile_failed' },
  ] as const)('does nothing with $kind', async ({ token, code }, { challenging, client, turnstile: _turnstile }) => {
    const hashes = await hashesDuring(async () => {
      const { answer, effects } = await observe(challenging, () => ask(client, token))
      expectNotHuman(answer, code)
      expect(effects).toEqual(nothing)
    })
    expect(hashes).toBe(0)
    expect(challenging.queued).toEqual([])
  })

  it('goes on with a good token, once', async ({ client, turnstile: { solve, questions } }) => {
    const token = solve()
    expect((await ask(client, token)).status).toBe(202)
    expectNotHuman(await ask(client, token), 'turnstile_failed')
    expect(questions).toHaveLength(2)
  })

  it('tells siteverify the token and the address, and nothing about the account', async ({
    client,
    turnstile: { solve, questions },
  }) => {
    const token = solve()
    await ask(client, token)
    expect(questions).toEqual([
      {
        method: 'POST',
        url: turnstileEnv.TURNSTILE_URL,
        redirect: 'manual',
        body: { secret: turnstileEnv.TURNSTILE_SECRET, response: token, remoteip: '203.0.113.7' },
      },
    ])
  })

  it.for([
    { solved: { hostname: 'app.example.com' }, isAccepted: true },
    { solved: { action }, isAccepted: true },
    { solved: { action: '' }, isAccepted: true },
    { solved: { action: action === 'register' ? 'password_reset' : 'register' }, isAccepted: false },
    { solved: { action: 'login' }, isAccepted: false },
    { solved: { hostname: 'evil.example' }, isAccepted: false },
    { solved: { hostname: 'accounts.example.com.evil.example' }, isAccepted: false },
    { solved: { hostname: 'example.com' }, isAccepted: false },
    { solved: { hostname: '' }, isAccepted: false },
    { solved: { hostname: 'evil.example', action }, isAccepted: false },
  ])('accepts a challenge solved as $solved: $isAccepted', async ({ solved, isAccepted }, { service }) => {
    const env = { ...turnstileEnv, CORS_ORIGINS: site }
    const client = new Caller(startService({ beside: service, env }))
    const { solve } = startTurnstile()
    const answer = await ask(client, solve(solved))
    if (isAccepted) expect(answer.status).toBe(202)
    else expectNotHuman(answer, 'turnstile_failed')
  })

  const yes = { success: true, hostname: 'accounts.example.com' }
  const no = (...codes: unknown[]) => ({ success: false, 'error-codes': codes })
  it.for<{ answered: string; respond: () => Response | Promise<Response>; status: 422 | 503 }>([
    { answered: 'that the token is forged', respond: () => Response.json(no('invalid-input-response')), status: 422 },
    { answered: 'that the token is spent', respond: () => Response.json(no('timeout-or-duplicate')), status: 422 },
    {
      answered: 'no, with another status',
      respond: () => Response.json(no('invalid-input-response'), { status: 400 }),
      status: 422,
    },
    { answered: 'no, without error codes', respond: () => Response.json({ success: false }), status: 422 },
    {
      answered: 'no, with unknown error codes',
      respond: () => Response.json(no('no-such-code', { x: 1 })),
      status: 422,
    },
    { answered: 'that it failed itself', respond: () => Response.json(no('internal-error')), status: 503 },
    { answered: 'that our secret is wrong', respond: () => Response.json(no('invalid-input-secret')), status: 503 },
    { answered: 'yes, with another status', respond: () => Response.json(yes, { status: 500 }), status: 503 },
    {
      answered: 'yes, from elsewhere',
      respond: () => Response.json(yes, { status: 302, headers: { Location: 'https://x.test' } }),
      status: 503,
    },
    { answered: 'yes, in another spelling', respond: () => Response.json({ ...yes, success: 'true' }), status: 503 },
    { answered: 'nothing', respond: () => new Response(null), status: 503 },
    { answered: 'null', respond: () => Response.json(null), status: 503 },
    { answered: 'a page', respond: () => new Response('<!doctype html>'), status: 503 },
    {
      answered: 'by hanging up',
      respond: () => Promise.reject(new TypeError('Network connection lost.')),
      status: 503,
    },
  ])('is refused when siteverify answers $answered', async ({ respond, status }, { challenging, client }) => {
    scriptTurnstile(respond)
    const { answer, effects } = await observe(challenging, () => ask(client, 'a token'))
    if (status === 422) expectNotHuman(answer, 'turnstile_failed')
    else expectProblem(answer, 503, 'service_unavailable')
    expect(effects).toEqual(nothing)
  })

  it('is refused when siteverify does not answer within three seconds', async ({ client }) => {
    scriptTurnstile(
      (_token, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
    )
    const start = Date.now()
    expectProblem(await ask(client, 'a token'), 503, 'service_unavailable')
    expect(Date.now() - start).toBeLessThan(10 * second)
  })

  it.for([
    { form: '2,049 characters', token: 'a'.repeat(2049) },
    { form: 'a number', token: 7 },
    { form: 'an array', token: ['a'] },
    { form: 'an object', token: {} },
    { form: 'a NUL character', token: 'a\0' },
  ])('asks nobody about a malformed token: $form', async ({ token }, { client, turnstile: { questions } }) => {
    expectInvalid(await ask(client, token), '/turnstile_token')
    expect(questions).toEqual([])
  })

  it('leaves neither token nor secret in the log, which says what was wrong', async ({ client }) => {
    const respond = [
      () => Response.json(no('invalid-input-secret')),
      () => Response.json(no('timeout-or-duplicate')),
      () => Response.json({ ...yes, hostname: 'evil-canary.example' }),
      () => Promise.reject(new TypeError('no route with canary-token')),
    ]
    scriptTurnstile(() => respond.shift()!())
    const { lines, entries } = captureLog()
    for (let left = respond.length; left > 0; left--) await ask(client, 'canary-token')
    expect(lines.join('\n')).not.toContain('canary')
    expect(entries('turnstile.unavailable').map(({ reason }) => reason)).toEqual(['invalid-input-secret', 'no_answer'])
    expect(entries('turnstile.refused').map(({ reason }) => reason)).toEqual(['timeout-or-duplicate', 'hostname'])
  })
})

describe('a sign-in', () => {
  const countAttempts = () => env.DB.prepare('select count from attempt_counters').first<number>('count')

  it('needs no challenge for the first three tries, and then one, without which no try is counted', async ({
    client,
    ada: _ada,
    turnstile: { solve },
  }) => {
    await failThreeTimes(client)
    const hashes = await hashesDuring(async () => {
      for (const token of [undefined, 'forged', 'forged', 'forged']) {
        const { answer } = login(client, goodPassword, token === undefined ? {} : { turnstile_token: token })
        expectNotHuman(await answer, token ? 'turnstile_failed' : 'turnstile_required')
      }
    })
    expect(hashes).toBe(0)
    expect(await countAttempts()).toBe(3)
    const solved = login(client, goodPassword, { turnstile_token: solve({ action: 'register' }) })
    expectNotHuman(await solved.answer, 'turnstile_failed')
    await login(client, goodPassword, { turnstile_token: solve({ action: 'login' }) })
    expect((await login(client, goodPassword).answer).status, 'a successful sign-in ends the series').toBe(200)
  })

  it('is compared three times when fifty come at once without a token', async ({
    client,
    ada: _ada,
    turnstile: _turnstile,
  }) => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => login(client, 'wrong').answer))
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(47)
  })

  it('is counted with a token, too: five in a row, then a pause that no challenge shortens', async ({
    clock,
    client,
    ada: _ada,
    turnstile: { solve },
  }) => {
    for (let index = 0; index < passwordAttempts.free; index++) {
      await login(client, 'wrong', { turnstile_token: solve() }).refused(401, 'invalid_credentials')
    }
    for (const more of [{ turnstile_token: solve() }, { turnstile_token: 'forged' }, {}]) {
      await login(client, goodPassword, more).refused(429, 'rate_limited')
    }
    clock.advance(second)
    expectNotHuman(await login(client, goodPassword).answer, 'turnstile_required')
    await login(client, goodPassword, { turnstile_token: solve() })
  })

  it('needs the same challenges for an address without an account', async ({ client, ada, turnstile: _turnstile }) => {
    const patterns = await Promise.all(
      [ada.email, 'nobody@example.com'].map(async (address) => {
        const pattern: string[] = []
        for (const token of [undefined, undefined, 'forged', undefined, 'forged']) {
          const body = { email: address, password: 'wrong', ...(token !== undefined && { turnstile_token: token }) }
          const { status, json } = await client.login(body).answer
          pattern.push(`${status} ${JSON.stringify('errors' in json ? json.errors : undefined)}`)
        }
        return pattern
      }),
    )
    expect(patterns[0]).toEqual(patterns[1])
    expect(patterns[0]!.map((text) => text.slice(0, 3))).toEqual(['401', '401', '401', '422', '422'])
  })

  it('needs no challenge from a known device, so a stranger cannot make the owner solve one', async ({
    client,
    ada: _ada,
    turnstile: { questions },
  }) => {
    const { device_token } = await login(client, goodPassword)
    await failThreeTimes(client)
    expectNotHuman(await login(client, goodPassword).answer, 'turnstile_required')
    await login(client, goodPassword, { device_token })
    expect(questions).toEqual([])
    // With a token all the same, a known device gets in whatever siteverify says.
    await login(client, goodPassword, { device_token, turnstile_token: 'x' })
    scriptTurnstile(() => Promise.reject(new TypeError('Network connection lost.')))
    await login(client, goodPassword, { device_token, turnstile_token: 'x' })
  })

  it('needs a challenge from a device that knew an earlier password', async ({
    people,
    anonymous,
    client,
    ada,
    turnstile: _turnstile,
  }) => {
    const { device_token } = await login(client, goodPassword)
    const token = await people.resetToken(ada.email)
    await anonymous.completePasswordReset({ token, new_password: otherPassword })
    await failThreeTimes(client, { device_token })
    expectNotHuman(await login(client, otherPassword, { device_token }).answer, 'turnstile_required')
  })

  it('goes on while siteverify is down, but not after three wrong passwords', async ({ client, ada: _ada }) => {
    scriptTurnstile(() => Promise.reject(new TypeError('Network connection lost.')))
    await login(client, goodPassword, { turnstile_token: 'x' })
    await failThreeTimes(client)
    const hashes = await hashesDuring(async () => {
      await login(client, goodPassword, { turnstile_token: 'x' }).refused(503, 'service_unavailable')
    })
    expect(hashes).toBe(0)
    expect(await countAttempts()).toBe(3)
  })

  it('takes two round trips to the database with its challenge, and one when it is refused', async ({
    service,
    ada: _ada,
  }) => {
    const meter = countCosts(env)
    const client = new Caller(startService({ beside: service, env: { ...turnstileEnv, ...meter.bindings } }))
    const { solve } = startTurnstile()
    await failThreeTimes(client)
    meter.take()
    expectNotHuman(await login(client, goodPassword).answer, 'turnstile_required')
    expect(meter.take()).toMatchObject({ roundTrips: 1, rowsWritten: 0 })
    await login(client, goodPassword, { turnstile_token: solve() })
    expect(meter.take().roundTrips).toBe(2)
  })
})

it('requires no challenge for a refresh, a new activation link or the own profile', async ({
  inbox,
  challenging,
  ada,
  turnstile: { questions },
}) => {
  const caller = ada.at(challenging)
  await caller.refresh()
  await caller.resendActivation(email)
  await caller.me()
  expect(inbox.all(ada).length).toBeGreaterThan(0)
  expect(questions).toEqual([])
})

describe('the address of siteverify', () => {
  it.for([
    { environment: 'production', url: 'http://challenges.cloudflare.com/turnstile/v0/siteverify' },
    { environment: 'production', url: 'challenges.cloudflare.com' },
    { environment: 'production', url: 'https://user:password@challenges.cloudflare.com/' },
    { environment: 'production', url: '' },
    { environment: 'development', url: 'ftp://127.0.0.1/' },
  ])('cannot be "$url" in $environment', async ({ environment, url }) => {
    const settings = readSettings({ ...env, ENVIRONMENT: environment, TURNSTILE_URL: url, RATE_LIMITS: 'on' })
    await expect(settings).rejects.toThrow(/^TURNSTILE_URL /)
  })

  it('is Cloudflare’s by default, and may be local in development', async () => {
    const { config } = await readSettings({ ...env })
    expect(config.turnstileUrl).toBe('https://challenges.cloudflare.com/turnstile/v0/siteverify')
    const local = await readSettings({ ...env, TURNSTILE_URL: 'http://127.0.0.1:9000/siteverify' })
    expect(local.config.turnstileUrl).toBe('http://127.0.0.1:9000/siteverify')
  })
})
