/** The breach check: what it refuses, what leaves the Worker, and what happens without an answer. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { afterEach, describe, expect, vi } from 'vitest'
import { ConfigError, readSettings } from '../../src/config/settings.ts'
import { expectProblem, expectWeak } from '../support/answers.ts'
import { type RangeAnswer, breachListUrl, digestOf, range, serveBreachList } from '../support/breach-list.ts'
import type { Caller } from '../support/caller.ts'
import { countCosts } from '../support/counting.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { nothing, observe } from '../support/state.ts'

const email = 'ada@example.com'
const checking = { PWNED_PASSWORDS_URL: breachListUrl }
const required = { ...checking, PWNED_PASSWORDS_REQUIRED: 'true' }
const breached = otherPassword
const third = 'eleven paper boats argue'
const registration = { email, password: breached }

afterEach(() => vi.restoreAllMocks())

/** A service with the list, beside the one without it where people signed up. */
function checkedBy(answer: readonly string[] | RangeAnswer, service: Service, variables: Partial<Env> = checking) {
  const checked = startService({ env: variables, beside: service })
  return { checked, requests: serveBreachList(answer) }
}

interface Actors {
  ada: Person
  people: People
  anonymous: Caller
}

/** An operation that sets a password, made ready for ada or for a newcomer. */
interface Way {
  way: string
  pointer: string
  prepare: (actors: Actors) => Promise<(service: Service, password: string) => Promise<Answer>>
}

const ways: Way[] = [
  {
    way: 'registration',
    pointer: '/password',
    prepare:
      async ({ anonymous }) =>
      (service, password) =>
        anonymous.at(service).register({ email: 'bob@example.com', password }).answer,
  },
  {
    way: 'a reset',
    pointer: '/new_password',
    prepare: async ({ people, anonymous }) => {
      const token = await people.resetToken(email)
      return (service, password) =>
        anonymous.at(service).completePasswordReset({ token, new_password: password }).answer
    },
  },
  {
    way: 'a change',
    pointer: '/new_password',
    prepare:
      async ({ ada }) =>
      (service, password) =>
        ada.at(service).changePassword({ old_password: goodPassword, new_password: password }).answer,
  },
]

const unavailable = () => new Response(null, { status: 503 })

describe.each(ways)('a password at $way', ({ pointer, prepare }) => {
  it('is refused when the list has it, without any effect, and another is taken', async ({
    service,
    people,
    anonymous,
    ada,
  }) => {
    const set = await prepare({ ada, people, anonymous })
    const { checked, requests } = checkedBy([breached], service)
    const { answer, effects } = await observe(checked, () => set(checked, breached))
    expectWeak(answer, pointer)
    expect(answer.json).toMatchObject({
      errors: [{ code: 'breached', message: expect.stringMatching(/Choose another/) }],
    })
    // The attempt that a change of password claims is given back, because the old password was right.
    expect(effects).toEqual(nothing)
    expect((await set(checked, third)).status).toBeLessThan(300)
    expect(requests).toHaveLength(2)
  })

  it('is taken when the list has it only as padding', async ({ service, people, anonymous, ada }) => {
    const set = await prepare({ ada, people, anonymous })
    const { checked } = checkedBy(() => range(`${digestOf(breached).suffix}:0`), service)
    expect((await set(checked, breached)).status).toBeLessThan(300)
  })

  it('is not looked up when it is too weak anyway', async ({ service, people, anonymous, ada }) => {
    const set = await prepare({ ada, people, anonymous })
    const { checked, requests } = checkedBy([], service)
    for (const password of ['short', 'password1']) expectWeak(await set(checked, password), pointer)
    expect(requests).toEqual([])
  })

  it('is taken while the list is unavailable, and that is logged', async ({ service, people, anonymous, ada }) => {
    const set = await prepare({ ada, people, anonymous })
    const { checked } = checkedBy(unavailable, service)
    const log = captureLog()
    expect((await set(checked, breached)).status).toBeLessThan(300)
    expect(log.entries('password.breach_check_failed')).toEqual([
      expect.objectContaining({ level: 'warn', accepted: true, reason: 'status_503', request_id: expect.any(String) }),
    ])
  })

  it('is refused with 503 while a required list is unavailable, without any effect', async ({
    service,
    people,
    anonymous,
    ada,
  }) => {
    const set = await prepare({ ada, people, anonymous })
    const { checked } = checkedBy(unavailable, service, required)
    const log = captureLog()
    const { answer, effects } = await observe(checked, () => set(checked, breached))
    expectProblem(answer, 503, 'service_unavailable')
    expect(effects).toEqual(nothing)
    expect(log.entries('password.breach_check_failed')).toEqual([expect.objectContaining({ accepted: false })])
    expect(log.entries('request.unavailable')).toEqual([expect.objectContaining({ reason: 'pwned_passwords' })])
  })
})

const lostConnection = () => Promise.reject(new TypeError('Network connection lost.'))

describe('a failed look-up', () => {
  it.for<{ got: string; answer: RangeAnswer; reason: string }>([
    { got: 'a lost connection', answer: lostConnection, reason: 'no_answer' },
    { got: 'a body that breaks off', answer: () => new Response(brokenBody()), reason: 'no_answer' },
    { got: 'too many requests', answer: () => new Response('slow down', { status: 429 }), reason: 'status_429' },
    { got: 'an unknown path', answer: () => new Response('', { status: 404 }), reason: 'status_404' },
    {
      got: 'a redirect',
      answer: () => new Response(null, { status: 302, headers: { Location: 'https://elsewhere.test/' } }),
      reason: 'status_302',
    },
    {
      got: 'a sign-in page',
      answer: () => new Response('<html>\r\nWelcome to the hotel\r\n</html>'),
      reason: 'unreadable',
    },
    { got: 'JSON', answer: () => Response.json({ [digestOf(breached).suffix]: 3 }), reason: 'unreadable' },
    {
      got: 'whole digests',
      answer: () => range(`${digestOf(breached).prefix}${digestOf(breached).suffix}:3`),
      reason: 'unreadable',
    },
    { got: 'no entries, which every range has', answer: () => new Response(''), reason: 'empty' },
    { got: 'suffixes without counts', answer: () => range(digestOf(breached).suffix), reason: 'unreadable' },
  ])(
    'lets a password pass, or refuses it where the check is required: $got',
    async ({ answer, reason }, { service, anonymous }) => {
      for (const { variables, status } of [
        { variables: checking, status: 202 },
        { variables: required, status: 503 },
      ]) {
        const { checked } = checkedBy(answer, service, variables)
        const log = captureLog()
        expect((await anonymous.at(checked).register(registration).answer).status).toBe(status)
        expect(log.entries('password.breach_check_failed')).toEqual([expect.objectContaining({ reason })])
        vi.restoreAllMocks()
      }
    },
  )

  it('is given up after one second', async ({ service, anonymous }) => {
    const deadline = new AbortController()
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(deadline.signal)
    const hanging: RangeAnswer = ({ signal }) => {
      const never = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
      deadline.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
      return never
    }
    const { checked } = checkedBy(hanging, service, required)
    const log = captureLog()
    await anonymous.at(checked).register(registration).refused(503, 'service_unavailable')
    expect(timeout.mock.calls).toEqual([[1000]])
    expect(log.entries('password.breach_check_failed')).toEqual([
      expect.objectContaining({ reason: 'no_answer', error: 'TimeoutError' }),
    ])
  })

  it('is not cached', async ({ service, anonymous }) => {
    const { checked } = checkedBy(() => new Response('', { status: 500 }), service)
    await anonymous.at(checked).register(registration)
    serveBreachList([breached])
    expectWeak(await anonymous.at(checked).register(registration).answer, '/password')
  })
})

describe('an answer of the list', () => {
  it('is cached for a day in the location, for everybody', async ({ service, anonymous }) => {
    const { checked, requests } = checkedBy([breached], service)
    const put = vi.spyOn(caches.default, 'put')
    const log = captureLog()
    for (const address of [email, 'bob@example.com', 'carla@example.com']) {
      expectWeak(await anonymous.at(checked).register({ ...registration, email: address }).answer, '/password')
    }
    expect(requests).toHaveLength(1)
    expect(put).toHaveBeenCalledTimes(1)
    const [key, stored] = put.mock.calls[0]!
    expect(key).toBe(`https://accounts.example.com/${breachListUrl}/range/${digestOf(breached).prefix}`)
    expect(stored.headers.get('Cache-Control')).toBe('max-age=86400')
    // A cache without an entry has not failed.
    expect(log.entries('password.breach_cache_failed')).toEqual([])
  })

  it.for([{ method: 'match' }, { method: 'put' }] as const)(
    'counts even when the cache fails at $method',
    async ({ method }, { service, anonymous }) => {
      const { checked, requests } = checkedBy([breached], service, required)
      vi.spyOn(caches.default, method).mockRejectedValue(new Error('no cache here'))
      const log = captureLog()
      for (let index = 0; index < 2; index++) {
        expectWeak(await anonymous.at(checked).register(registration).answer, '/password')
      }
      expect(requests).toHaveLength(2)
      expect(log.entries('password.breach_cache_failed')).not.toEqual([])
    },
  )

  it('is understood in lower case and with LF line ends', async ({ service, anonymous }) => {
    const { suffix } = digestOf(breached)
    const { checked } = checkedBy(() => new Response(`${suffix.toLowerCase()}:1\n`), service, required)
    expectWeak(await anonymous.at(checked).register(registration).answer, '/password')
  })
})

describe('a request to the list', () => {
  it('holds five hex digits of the SHA-1 of any password, and nothing more of it', async ({ service, anonymous }) => {
    const { checked, requests } = checkedBy([], service)
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
        const headers = { 'CF-Connecting-IP': `2001:db8:${(++run).toString(16)}::1`, 'X-Canary': 'Canary' }
        const caller = anonymous.at(checked).from({ headers })
        await caller.register({ email: `person-${run}@example.com`, password, first_name: 'Canary' })
        const { prefix, suffix } = digestOf(password)
        expect(requests).toHaveLength(1)
        const { method, url, headers: sent, body, redirect } = requests[0]!
        expect({ method, url, headers: Object.fromEntries(sent), body, redirect }).toEqual({
          method: 'GET',
          url: `${breachListUrl}/range/${prefix}`,
          headers: { 'add-padding': 'true', 'user-agent': 'Postern' },
          body: null,
          redirect: 'manual',
        })
        for (const part of [password, goodPassword, suffix, suffix.toLowerCase()]) {
          expect(log.lines.join()).not.toContain(part)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('is the same for two Unicode spellings of one password', async ({ service, anonymous }) => {
    const composed = 'sept lanternes brûlées dérivent'
    const { checked } = checkedBy([composed], service)
    for (const password of [composed, composed.normalize('NFD')]) {
      expectWeak(await anonymous.at(checked).register({ email, password }).answer, '/password')
    }
  })

  it('is the same for an unknown, a pending and an active address, as are the statements', async ({
    service,
    people,
    anonymous,
  }) => {
    await people.register('pending@example.com')
    await people.signUp('active@example.com')
    const meter = countCosts(env)
    const seen: unknown[] = []
    for (const address of ['unknown@example.com', 'pending@example.com', 'active@example.com']) {
      for (const { password, answer } of [
        { password: breached, answer: [breached] },
        { password: third, answer: [] },
        { password: third, answer: lostConnection },
      ]) {
        const { checked, requests } = checkedBy(answer, service, { ...meter.bindings, ...checking })
        vi.spyOn(caches.default, 'match').mockResolvedValue(undefined)
        meter.take()
        const caller = anonymous.at(checked).from({ headers: { 'X-Request-Id': 'one' } })
        const { status, text } = await caller.register({ email: address, password }).answer
        seen.push({ password, status, text, urls: requests.map(({ url }) => url), statements: meter.take().statements })
        vi.restoreAllMocks()
      }
    }
    expect(seen.slice(3, 6)).toEqual(seen.slice(0, 3))
    expect(seen.slice(6)).toEqual(seen.slice(0, 3))
  })

  it('is not made without a configured list', async ({ service, anonymous }) => {
    const { checked, requests } = checkedBy([breached], service, { PWNED_PASSWORDS_URL: '' })
    const log = captureLog()
    await anonymous.at(checked).register(registration)
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

  it.for<{ variables: Partial<Env>; problem: RegExp }>([
    {
      variables: { ...production, PWNED_PASSWORDS_URL: 'http://pwned.test' },
      problem: /^PWNED_PASSWORDS_URL must be an https origin/,
    },
    { variables: { PWNED_PASSWORDS_URL: 'pwned.test' }, problem: /^PWNED_PASSWORDS_URL must be/ },
    { variables: { PWNED_PASSWORDS_URL: 'https://user:secret@pwned.test' }, problem: /^PWNED_PASSWORDS_URL must be/ },
    {
      variables: { ...checking, PWNED_PASSWORDS_REQUIRED: 'yes' },
      problem: /^PWNED_PASSWORDS_REQUIRED must be "true" or "false"/,
    },
    {
      variables: { PWNED_PASSWORDS_URL: '', PWNED_PASSWORDS_REQUIRED: 'true' },
      problem: /without a PWNED_PASSWORDS_URL/,
    },
  ])('is refused with $variables', async ({ variables, problem }) => {
    expect(await problemsWith(variables)).toEqual([expect.stringMatching(problem)])
  })

  it.for<{ variables: Partial<Env> }>([
    { variables: { ...production, PWNED_PASSWORDS_URL: 'https://api.pwnedpasswords.com' } },
    { variables: { PWNED_PASSWORDS_URL: 'http://127.0.0.1:9000', PWNED_PASSWORDS_REQUIRED: 'true' } },
    { variables: { PWNED_PASSWORDS_URL: '', PWNED_PASSWORDS_REQUIRED: '' } },
    { variables: { PWNED_PASSWORDS_REQUIRED: 'false' } },
  ])('is accepted with $variables', async ({ variables }) => {
    expect(await problemsWith(variables)).toEqual([])
  })
})

function brokenBody(): ReadableStream {
  return new ReadableStream({ start: (controller) => controller.error(new TypeError('Network connection lost.')) })
}
