/** The breach check: what is refused, what leaves the Worker, and what happens when nobody answers. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, readSettings } from '../../src/config/settings.ts'
import { expectProblem, expectWeak } from '../support/answers.ts'
import { type RangeAnswer, breachListUrl, digestOf, range, serveBreachList } from '../support/breach-list.ts'
import { countCosts } from '../support/counting.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword, otherPassword, register, resetToken, signIn, signUp } from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { nothing, observe } from '../support/state.ts'

const email = 'ada@example.com'
const checking = { PWNED_PASSWORDS_URL: breachListUrl }
const required = { ...checking, PWNED_PASSWORDS_REQUIRED: 'true' }
const breached = otherPassword
const third = 'eleven paper boats argue'

afterEach(() => vi.restoreAllMocks())

type SetPassword = (password: string) => Promise<Answer>

/** Each call that sets a password, made ready for somebody who has an account with `goodPassword`. */
const ways: [name: string, pointer: string, prepare: (service: Service) => Promise<SetPassword>][] = [
  [
    'register',
    '/password',
    async (service) => (password) =>
      service.call('POST', '/auth/register', { body: { email: 'bob@example.com', password } }),
  ],
  [
    'reset',
    '/new_password',
    async (service) => {
      const token = await resetToken(service, email)
      return (password) =>
        service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: password } })
    },
  ],
  [
    'change',
    '/new_password',
    async (service) => {
      const { accessToken: token } = await signIn(service, email)
      return (password) =>
        service.call('POST', '/auth/change-password', {
          token,
          body: { old_password: goodPassword, new_password: password },
        })
    },
  ],
]

/** Somebody with an account, about to set a password in one of the ways; `answer` is what the list says then. */
async function aboutToSet(
  prepare: (service: Service) => Promise<SetPassword>,
  answer: readonly string[] | RangeAnswer,
  variables: Partial<Env> = checking,
) {
  const service = startService({ env: variables })
  serveBreachList(() => range())
  await signUp(service, email)
  const set = await prepare(service)
  const requests = serveBreachList(answer)
  return { service, set, requests }
}

describe.each(ways)('at %s, a password', (_name, pointer, prepare) => {
  it('that is in the list is refused, which changes nothing, and another one is taken', async () => {
    const { service, set, requests } = await aboutToSet(prepare, [breached])
    const { answer, effects } = await observe(service, () => set(breached))
    expectWeak(answer, pointer)
    expect(answer.json.errors[0]).toMatchObject({ code: 'breached', message: expect.stringMatching(/Choose another/) })
    // The try that a change of password claims is given back: the old password was right.
    expect(effects).toEqual(nothing)
    expect((await set(third)).status).toBeLessThan(300)
    expect(requests).toHaveLength(2)
  })

  it('that is in the list only as padding is taken', async () => {
    const { set } = await aboutToSet(prepare, () => range(`${digestOf(breached).suffix}:0`))
    expect((await set(breached)).status).toBeLessThan(300)
  })

  it('that is weak anyway is not asked about', async () => {
    const { set, requests } = await aboutToSet(prepare, [])
    for (const password of ['short', 'password1']) expectWeak(await set(password), pointer)
    expect(requests).toEqual([])
  })

  it('is taken, and that logged, while the list is away', async () => {
    const { set } = await aboutToSet(prepare, () => new Response(null, { status: 503 }))
    const log = captureLog()
    expect((await set(breached)).status).toBeLessThan(300)
    expect(log.entries('password.breach_check_failed')).toEqual([
      expect.objectContaining({ level: 'warn', accepted: true, reason: 'status_503', request_id: expect.any(String) }),
    ])
  })

  it('is refused with 503 while the list is away and required, which changes nothing', async () => {
    const { service, set } = await aboutToSet(prepare, () => new Response(null, { status: 503 }), required)
    const log = captureLog()
    const { answer, effects } = await observe(service, () => set(breached))
    expectProblem(answer, 503, 'service_unavailable')
    expect(effects).toEqual(nothing)
    expect(log.entries('password.breach_check_failed')).toEqual([expect.objectContaining({ accepted: false })])
    expect(log.entries('request.unavailable')).toEqual([expect.objectContaining({ reason: 'pwned_passwords' })])
  })
})

/** Whatever can come instead of a range, and how the log names it. */
const failures: [what: string, answer: RangeAnswer, reason: string][] = [
  ['a lost connection', () => Promise.reject(new TypeError('Network connection lost.')), 'no_answer'],
  ['a body that breaks off', () => new Response(brokenBody()), 'no_answer'],
  ['too many requests', () => new Response('slow down', { status: 429 }), 'status_429'],
  ['an unknown path', () => new Response('', { status: 404 }), 'status_404'],
  [
    'a redirect',
    () => new Response(null, { status: 302, headers: { Location: 'https://elsewhere.test/' } }),
    'status_302',
  ],
  ['a sign-in page', () => new Response('<html>\r\nWelcome to the hotel\r\n</html>'), 'unreadable'],
  ['JSON', () => Response.json({ [digestOf(breached).suffix]: 3 }), 'unreadable'],
  ['whole digests', () => range(`${digestOf(breached).prefix}${digestOf(breached).suffix}:3`), 'unreadable'],
  ['nothing, where every range has entries', () => new Response(''), 'empty'],
  ['suffixes without counts', () => range(digestOf(breached).suffix), 'unreadable'],
]

describe('what is no answer', () => {
  const registration = { body: { email, password: breached } }

  it.each(failures)(
    '%s lets the password pass, or stops it when the check is required',
    async (_what, answer, reason) => {
      for (const [variables, status] of [
        [checking, 202],
        [required, 503],
      ] as const) {
        const service = startService({ env: variables })
        serveBreachList(answer)
        const log = captureLog()
        expect((await service.call('POST', '/auth/register', registration)).status).toBe(status)
        expect(log.entries('password.breach_check_failed')).toEqual([expect.objectContaining({ reason })])
        vi.restoreAllMocks()
      }
    },
  )

  it('is waited for one second', async () => {
    const service = startService({ env: required })
    const deadline = new AbortController()
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(deadline.signal)
    serveBreachList(({ signal }) => {
      const never = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
      deadline.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
      return never
    })
    const log = captureLog()
    expectProblem(await service.call('POST', '/auth/register', registration), 503, 'service_unavailable')
    expect(timeout.mock.calls).toEqual([[1000]])
    expect(log.entries('password.breach_check_failed')).toEqual([
      expect.objectContaining({ reason: 'no_answer', error: 'TimeoutError' }),
    ])
  })

  it('is asked for again the next time', async () => {
    const service = startService({ env: checking })
    serveBreachList(() => new Response('', { status: 500 }))
    expect((await service.call('POST', '/auth/register', registration)).status).toBe(202)
    serveBreachList([breached])
    expectWeak(await service.call('POST', '/auth/register', registration), '/password')
  })
})

describe('an answer', () => {
  const registration = { body: { email, password: breached } }

  it('serves everybody for a day, from the cache of the location', async () => {
    const service = startService({ env: checking })
    const requests = serveBreachList([breached])
    const put = vi.spyOn(caches.default, 'put')
    const log = captureLog()
    for (const address of [email, 'bob@example.com', 'carla@example.com']) {
      const answer = await service.call('POST', '/auth/register', { body: { email: address, password: breached } })
      expectWeak(answer, '/password')
    }
    expect(requests).toHaveLength(1)
    expect(put).toHaveBeenCalledTimes(1)
    const [key, stored] = put.mock.calls[0]!
    expect(key).toBe(`https://accounts.example.com/${breachListUrl}/range/${digestOf(breached).prefix}`)
    expect(stored.headers.get('Cache-Control')).toBe('max-age=86400')
    // That it has nothing yet is no failure.
    expect(log.entries('password.breach_cache_failed')).toEqual([])
  })

  it.each(['match', 'put'] as const)('is as good when the cache fails at %s', async (method) => {
    const service = startService({ env: required })
    const requests = serveBreachList([breached])
    vi.spyOn(caches.default, method).mockRejectedValue(new Error('no cache here'))
    const log = captureLog()
    for (let index = 0; index < 2; index++) {
      expectWeak(await service.call('POST', '/auth/register', registration), '/password')
    }
    expect(requests).toHaveLength(2)
    expect(log.entries('password.breach_cache_failed')).not.toEqual([])
  })

  it('may be in lower case, with plain line ends', async () => {
    const service = startService({ env: required })
    const { suffix } = digestOf(breached)
    serveBreachList(() => new Response(`${suffix.toLowerCase()}:1\n`))
    expectWeak(await service.call('POST', '/auth/register', registration), '/password')
  })
})

describe('what leaves the Worker', () => {
  it('is five hex digits of a SHA-1, whatever the password, and nothing else of it', async () => {
    const service = startService({ env: checking })
    const requests = serveBreachList([])
    const log = captureLog()
    // Two runs may share a range.
    vi.spyOn(caches.default, 'match').mockResolvedValue(undefined)
    const anything = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('\0'))
    let run = 0
    await fc.assert(
      fc.asyncProperty(anything, async (end) => {
        const password = `${goodPassword}${end}`
        requests.length = 0
        log.lines.length = 0
        const answer = await service.call('POST', '/auth/register', {
          body: { email: `person-${run}@example.com`, password, first_name: 'Canary' },
          headers: { 'CF-Connecting-IP': `2001:db8:${(run++).toString(16)}::1`, 'X-Canary': 'Canary' },
        })
        expect(answer.status).toBe(202)
        const { prefix, suffix } = digestOf(password)
        expect(requests).toHaveLength(1)
        const { method, url, headers, body, redirect } = requests[0]!
        expect({ method, url, headers: Object.fromEntries(headers), body, redirect }).toEqual({
          method: 'GET',
          url: `${breachListUrl}/range/${prefix}`,
          headers: { 'add-padding': 'true', 'user-agent': 'Postern' },
          body: null,
          redirect: 'manual',
        })
        for (const part of [password, goodPassword, suffix, suffix.toLowerCase()])
          expect(log.lines.join()).not.toContain(part)
      }),
      { numRuns: 40 },
    )
  })

  it('is the same for two spellings of one password', async () => {
    const service = startService({ env: checking })
    const composed = 'sept lanternes brûlées dérivent'
    serveBreachList([composed])
    for (const password of [composed, composed.normalize('NFD')]) {
      expectWeak(await service.call('POST', '/auth/register', { body: { email, password } }), '/password')
    }
  })

  it('is the same, with the same statements, for an unknown, a pending and an active address', async () => {
    const plain = startService()
    await register(plain, 'pending@example.com')
    await signUp(plain, 'active@example.com')
    const meter = countCosts(env)
    const seen: unknown[] = []
    for (const address of ['unknown@example.com', 'pending@example.com', 'active@example.com']) {
      for (const [password, answers] of [
        [breached, [breached]],
        [third, []],
        [third, failures[0]![1]],
      ] as const) {
        const service = startService({ env: { ...meter.bindings, ...checking }, beside: plain })
        const requests = serveBreachList(answers)
        vi.spyOn(caches.default, 'match').mockResolvedValue(undefined)
        meter.take()
        const headers = { 'X-Request-Id': 'one' }
        const { status, text } = await service.call('POST', '/auth/register', {
          headers,
          body: { email: address, password },
        })
        seen.push({ password, status, text, urls: requests.map(({ url }) => url), statements: meter.take().statements })
        vi.restoreAllMocks()
      }
    }
    expect(seen.slice(3, 6)).toEqual(seen.slice(0, 3))
    expect(seen.slice(6)).toEqual(seen.slice(0, 3))
  })

  it('is nothing at all where no list is configured', async () => {
    const service = startService({ env: { PWNED_PASSWORDS_URL: '' } })
    const requests = serveBreachList([breached])
    const log = captureLog()
    expect((await service.call('POST', '/auth/register', { body: { email, password: breached } })).status).toBe(202)
    expect(requests).toEqual([])
    expect(log.entries('password.breach_check_failed')).toEqual([])
  })
})

describe('the configuration', () => {
  async function problemsWith(variables: Partial<Env>): Promise<readonly string[]> {
    try {
      await readSettings({ ...env, ...variables })
      return []
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      return error.problems
    }
  }
  const production = { ENVIRONMENT: 'production', RATE_LIMITS: 'on' }

  it.each<[Partial<Env>, RegExp]>([
    [{ ...production, PWNED_PASSWORDS_URL: 'http://pwned.test' }, /^PWNED_PASSWORDS_URL must be an https origin/],
    [{ PWNED_PASSWORDS_URL: 'pwned.test' }, /^PWNED_PASSWORDS_URL must be/],
    [{ PWNED_PASSWORDS_URL: 'https://user:secret@pwned.test' }, /^PWNED_PASSWORDS_URL must be/],
    [{ ...checking, PWNED_PASSWORDS_REQUIRED: 'yes' }, /^PWNED_PASSWORDS_REQUIRED must be "true" or "false"/],
    [{ PWNED_PASSWORDS_URL: '', PWNED_PASSWORDS_REQUIRED: 'true' }, /without a PWNED_PASSWORDS_URL/],
  ])('%j is refused', async (variables, problem) => {
    expect(await problemsWith(variables)).toEqual([expect.stringMatching(problem)])
  })

  it.each<Partial<Env>>([
    { ...production, PWNED_PASSWORDS_URL: 'https://api.pwnedpasswords.com' },
    { PWNED_PASSWORDS_URL: 'http://127.0.0.1:9000', PWNED_PASSWORDS_REQUIRED: 'true' },
    { PWNED_PASSWORDS_URL: '', PWNED_PASSWORDS_REQUIRED: '' },
    { PWNED_PASSWORDS_REQUIRED: 'false' },
  ])('%j is taken', async (variables) => {
    expect(await problemsWith(variables)).toEqual([])
  })
})

function brokenBody(): ReadableStream {
  return new ReadableStream({ start: (controller) => controller.error(new TypeError('Network connection lost.')) })
}
