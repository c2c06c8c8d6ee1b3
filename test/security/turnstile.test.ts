/** The optional challenge: a machine gets no further, a person hardly meets it, and its failure opens nothing. */
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { readSettings } from '../../src/config/settings.ts'
import { passwordAttempts } from '../../src/config/policy.ts'
import { expectProblem } from '../support/answers.ts'
import { second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword, mailsTo, otherPassword, resetToken, signUp } from '../support/people.ts'
import { type Answer, type Service, type ServiceOptions, startService } from '../support/service.ts'
import { nothing, observe } from '../support/state.ts'
import { scriptTurnstile, startTurnstile, turnstileEnv } from '../support/turnstile.ts'

const email = 'ada@example.com'
const site = 'https://app.example.com'

/** A service that asks for it, and beside it one that does not, for what must have happened before. */
function startChallenging(options: ServiceOptions = {}): { service: Service; plain: Service } {
  const plain = startService()
  const service = startService({ ...options, beside: plain, env: { ...turnstileEnv, ...options.env } })
  return { service, plain }
}

const guarded: [name: string, action: string, ask: (service: Service, token?: unknown) => Promise<Answer>][] = [
  [
    'registration',
    'register',
    (service, token) =>
      service.call('POST', '/auth/register', { body: { email, password: goodPassword, turnstile_token: token } }),
  ],
  [
    'a reset request',
    'password_reset',
    (service, token) =>
      service.call('POST', '/auth/password-reset/request', { body: { email, turnstile_token: token } }),
  ],
]

function login(service: Service, password: string, more: Record<string, unknown> = {}): Promise<Answer> {
  return service.call('POST', '/auth/login', { body: { email, password, ...more } })
}

function expectNotHuman(answer: Answer, code: 'turnstile_required' | 'turnstile_failed'): void {
  expectProblem(answer, 422, 'validation_failed')
  expect(answer.json.errors).toEqual([{ pointer: '/turnstile_token', code, message: expect.any(String) }])
}

beforeEach(() => {
  vi.restoreAllMocks()
  vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

describe('where nobody asks for a challenge', () => {
  it.each([undefined, '', ' '])('with TURNSTILE_SECRET = %j, none is needed and nobody is asked', async (secret) => {
    const service = startService({ env: { ...turnstileEnv, TURNSTILE_SECRET: secret } })
    const { questions } = startTurnstile()
    for (const [, , ask] of guarded) {
      for (const token of [undefined, null, '', 'x']) expect((await ask(service, token)).status).toBe(202)
    }
    for (let index = 0; index < 5; index++) expect((await login(service, 'wrong')).status).toBe(401)
    expect(questions).toEqual([])
  })
})

describe.each(guarded)('%s', (_name, action, ask) => {
  it.each([
    ['none', undefined, 'turnstile_required'],
    ['null', null, 'turnstile_required'],
    ['nothing', '', 'turnstile_required'],
    ['a forged one', 'XXXX.DUMMY.TOKEN.XXXX', 'turnstile_failed'],
  ] as const)('with %s for a token does nothing at all', async (_token, token, code) => {
    const { service } = startChallenging()
    startTurnstile()
    const hashes = await hashesDuring(async () => {
      const { answer, effects } = await observe(service, () => ask(service, token))
      expectNotHuman(answer, code)
      expect(effects).toEqual(nothing)
    })
    expect(hashes).toBe(0)
    expect(service.queued).toEqual([])
  })

  it('with a good token goes on, once', async () => {
    const { service } = startChallenging()
    const { solve, questions } = startTurnstile()
    const token = solve()
    expect((await ask(service, token)).status).toBe(202)
    expectNotHuman(await ask(service, token), 'turnstile_failed')
    expect(questions).toHaveLength(2)
  })

  it('tells siteverify the token and the address, and nothing about the account', async () => {
    const { service } = startChallenging()
    const { solve, questions } = startTurnstile()
    const token = solve()
    await ask(service, token)
    expect(questions).toEqual([
      {
        method: 'POST',
        url: turnstileEnv.TURNSTILE_URL,
        redirect: 'manual',
        body: { secret: turnstileEnv.TURNSTILE_SECRET, response: token, remoteip: '203.0.113.7' },
      },
    ])
  })

  it.each([
    [{ hostname: 'app.example.com' }, true],
    [{ action }, true],
    [{ action: '' }, true],
    [{ action: action === 'register' ? 'password_reset' : 'register' }, false],
    [{ action: 'login' }, false],
    [{ hostname: 'evil.example' }, false],
    [{ hostname: 'accounts.example.com.evil.example' }, false],
    [{ hostname: 'example.com' }, false],
    [{ hostname: '' }, false],
    [{ hostname: 'evil.example', action }, false],
  ])('solved as %j is taken: %s', async (solved, isTaken) => {
    const { service } = startChallenging({ env: { CORS_ORIGINS: site } })
    const { solve } = startTurnstile()
    const answer = await ask(service, solve(solved))
    if (isTaken) expect(answer.status).toBe(202)
    else expectNotHuman(answer, 'turnstile_failed')
  })

  const yes = { success: true, hostname: 'accounts.example.com' }
  const no = (...codes: unknown[]) => ({ success: false, 'error-codes': codes })
  it.each<[name: string, respond: () => Response | Promise<Response>, status: number]>([
    ['that the token is forged', () => Response.json(no('invalid-input-response')), 422],
    ['that the token is spent', () => Response.json(no('timeout-or-duplicate')), 422],
    ['no, with another status', () => Response.json(no('invalid-input-response'), { status: 400 }), 422],
    ['no, without a word', () => Response.json({ success: false }), 422],
    ['no, with words nobody knows', () => Response.json(no('no-such-code', { x: 1 })), 422],
    ['that it failed itself', () => Response.json(no('internal-error')), 503],
    ['that our secret is wrong', () => Response.json(no('invalid-input-secret')), 503],
    ['yes, with another status', () => Response.json(yes, { status: 500 }), 503],
    ['yes, from elsewhere', () => Response.json(yes, { status: 302, headers: { Location: 'https://x.test' } }), 503],
    ['yes, in another spelling', () => Response.json({ ...yes, success: 'true' }), 503],
    ['nothing', () => new Response(null), 503],
    ['null', () => Response.json(null), 503],
    ['a page', () => new Response('<!doctype html>'), 503],
    ['by hanging up', () => Promise.reject(new TypeError('Network connection lost.')), 503],
  ])('is refused when siteverify answers %s', async (_what, respond, status) => {
    const { service } = startChallenging()
    scriptTurnstile(respond)
    const { answer, effects } = await observe(service, () => ask(service, 'a token'))
    if (status === 422) expectNotHuman(answer, 'turnstile_failed')
    else expectProblem(answer, 503, 'service_unavailable')
    expect(effects).toEqual(nothing)
  })

  it('is refused when siteverify does not answer within three seconds', async () => {
    const { service } = startChallenging()
    scriptTurnstile(
      (_token, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
    )
    const start = Date.now()
    expectProblem(await ask(service, 'a token'), 503, 'service_unavailable')
    expect(Date.now() - start).toBeLessThan(10 * second)
  })

  it.each([['a'.repeat(2049)], [7], [['a']], [{}], ['a\0']])(
    'asks nobody about what is no token: %j',
    async (token) => {
      const { service } = startChallenging()
      const { questions } = startTurnstile()
      const answer = await ask(service, token)
      expectProblem(answer, 422, 'validation_failed')
      expect(answer.json.errors[0].pointer).toBe('/turnstile_token')
      expect(questions).toEqual([])
    },
  )

  it('leaves neither token nor secret in the log, and says there what was wrong', async () => {
    const { service } = startChallenging()
    const respond = [
      () => Response.json(no('invalid-input-secret')),
      () => Response.json(no('timeout-or-duplicate')),
      () => Response.json({ ...yes, hostname: 'evil-canary.example' }),
      () => Promise.reject(new TypeError('no route with canary-token')),
    ]
    scriptTurnstile(() => respond.shift()!())
    const { lines, entries } = captureLog()
    for (let left = respond.length; left > 0; left--) await ask(service, 'canary-token')
    expect(lines.join('\n')).not.toContain('canary')
    expect(entries('turnstile.unavailable').map(({ reason }) => reason)).toEqual(['invalid-input-secret', 'no_answer'])
    expect(entries('turnstile.refused').map(({ reason }) => reason)).toEqual(['timeout-or-duplicate', 'hostname'])
  })
})

describe('signing in', () => {
  const count = () => env.DB.prepare('select count from attempt_counters').first<number>('count')

  it('needs no challenge for the first three tries, and one from then on, which is not even counted', async () => {
    const { service, plain } = startChallenging()
    await signUp(plain, email)
    const { solve } = startTurnstile()
    for (let index = 0; index < 3; index++) expect((await login(service, 'wrong')).status).toBe(401)
    const hashes = await hashesDuring(async () => {
      for (const token of [undefined, 'forged', 'forged', 'forged']) {
        const answer = await login(service, goodPassword, { turnstile_token: token })
        expectNotHuman(answer, token ? 'turnstile_failed' : 'turnstile_required')
      }
    })
    expect(hashes).toBe(0)
    expect(await count()).toBe(3)
    expectNotHuman(
      await login(service, goodPassword, { turnstile_token: solve({ action: 'register' }) }),
      'turnstile_failed',
    )
    expect((await login(service, goodPassword, { turnstile_token: solve({ action: 'login' }) })).status).toBe(200)
    expect((await login(service, goodPassword)).status, 'a good sign-in ends the series').toBe(200)
  })

  it('looks at three of fifty that come at once without a token', async () => {
    const { service, plain } = startChallenging()
    await signUp(plain, email)
    startTurnstile()
    const answers = await Promise.all(Array.from({ length: 50 }, () => login(service, 'wrong')))
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(47)
  })

  it('goes on counting with a token: five in a row, then a pause, which no challenge shortens', async () => {
    const { service, plain } = startChallenging()
    await signUp(plain, email)
    const { solve } = startTurnstile()
    for (let index = 0; index < passwordAttempts.free; index++) {
      expect((await login(service, 'wrong', { turnstile_token: solve() })).status).toBe(401)
    }
    for (const token of [solve(), 'forged', undefined]) {
      expectProblem(await login(service, goodPassword, { turnstile_token: token }), 429, 'rate_limited')
    }
    service.clock.advance(second)
    expectNotHuman(await login(service, goodPassword), 'turnstile_required')
    expect((await login(service, goodPassword, { turnstile_token: solve() })).status).toBe(200)
  })

  it('asks the same of an address without an account', async () => {
    const { service, plain } = startChallenging()
    await signUp(plain, email)
    startTurnstile()
    const patterns = await Promise.all(
      [email, 'nobody@example.com'].map(async (address) => {
        const pattern: string[] = []
        for (const token of [undefined, undefined, 'forged', undefined, 'forged']) {
          const answer = await login(service, 'wrong', { email: address, turnstile_token: token })
          pattern.push(`${answer.status} ${JSON.stringify(answer.json.errors)}`)
        }
        return pattern
      }),
    )
    expect(patterns[0]).toEqual(patterns[1])
    expect(patterns[0]!.map((text) => text.slice(0, 3))).toEqual(['401', '401', '401', '422', '422'])
  })

  it('asks nothing of a device that is known, so a stranger cannot put a challenge in the way of the owner', async () => {
    const { service, plain } = startChallenging()
    await signUp(plain, email)
    const { device_token: device } = (await login(service, goodPassword)).json
    for (let index = 0; index < 3; index++) await login(service, 'wrong')
    const { questions } = startTurnstile()
    expectNotHuman(await login(service, goodPassword), 'turnstile_required')
    expect((await login(service, goodPassword, { device_token: device })).status).toBe(200)
    expect(questions).toEqual([])
    // One that brings a token all the same is in whatever siteverify says of it.
    expect((await login(service, goodPassword, { device_token: device, turnstile_token: 'x' })).status).toBe(200)
    scriptTurnstile(() => Promise.reject(new TypeError('Network connection lost.')))
    expect((await login(service, goodPassword, { device_token: device, turnstile_token: 'x' })).status).toBe(200)
  })

  it('asks a device that knew the password before the last one, like any stranger', async () => {
    const { service, plain } = startChallenging()
    await signUp(plain, email)
    const { device_token: device } = (await login(service, goodPassword)).json
    const token = await resetToken(plain, email)
    await plain.call('POST', '/auth/password-reset/complete', { body: { token, new_password: otherPassword } })
    startTurnstile()
    for (let index = 0; index < 3; index++) await login(service, 'wrong', { device_token: device })
    expectNotHuman(await login(service, otherPassword, { device_token: device }), 'turnstile_required')
  })

  it('goes on while siteverify is down, but after three wrong passwords it is refused', async () => {
    const { service, plain } = startChallenging()
    await signUp(plain, email)
    scriptTurnstile(() => Promise.reject(new TypeError('Network connection lost.')))
    expect((await login(service, goodPassword, { turnstile_token: 'x' })).status).toBe(200)
    for (let index = 0; index < 3; index++) await login(service, 'wrong')
    const hashes = await hashesDuring(async () => {
      expectProblem(await login(service, goodPassword, { turnstile_token: 'x' }), 503, 'service_unavailable')
    })
    expect(hashes).toBe(0)
    expect(await count()).toBe(3)
  })

  it('is decided in the round trip that reads the account: two in all, one for a refusal', async () => {
    const meter = countCosts(env)
    const { service, plain } = startChallenging({ env: meter.bindings })
    await signUp(plain, email)
    const { solve } = startTurnstile()
    for (let index = 0; index < 3; index++) await login(service, 'wrong')
    meter.take()
    expectNotHuman(await login(service, goodPassword), 'turnstile_required')
    expect(meter.take()).toMatchObject({ roundTrips: 1, rowsWritten: 0 })
    expect((await login(service, goodPassword, { turnstile_token: solve() })).status).toBe(200)
    expect(meter.take().roundTrips).toBe(2)
  })
})

it('is no part of what a link or a session allows: those calls ask for no challenge', async () => {
  const { service, plain } = startChallenging()
  const { accessToken, refreshToken } = await signUp(plain, email)
  const { questions } = startTurnstile()
  const calls = [
    await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } }),
    await service.call('POST', '/auth/resend-activation', { body: { email } }),
    await service.call('GET', '/users/me', { token: accessToken }),
  ]
  expect(calls.map(({ status }) => status)).toEqual([200, 202, 200])
  expect(mailsTo(service, email).length).toBeGreaterThan(0)
  expect(questions).toEqual([])
})

describe('the address of siteverify', () => {
  it.each([
    ['production', 'http://challenges.cloudflare.com/turnstile/v0/siteverify'],
    ['production', 'challenges.cloudflare.com'],
    ['production', 'https://user:password@challenges.cloudflare.com/'],
    ['production', ''],
    ['development', 'ftp://127.0.0.1/'],
  ])('in %s is never %j', async (ENVIRONMENT, TURNSTILE_URL) => {
    const settings = readSettings({ ...env, ENVIRONMENT, TURNSTILE_URL, RATE_LIMITS: 'on' })
    await expect(settings).rejects.toThrow(/^TURNSTILE_URL /)
  })

  it('is Cloudflare’s unless said otherwise, and may be local in development', async () => {
    const { config } = await readSettings({ ...env })
    expect(config.turnstileUrl).toBe('https://challenges.cloudflare.com/turnstile/v0/siteverify')
    const local = await readSettings({ ...env, TURNSTILE_URL: 'http://127.0.0.1:9000/siteverify' })
    expect(local.config.turnstileUrl).toBe('http://127.0.0.1:9000/siteverify')
  })
})
