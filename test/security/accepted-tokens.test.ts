/** What an isolate remembers of the tokens that it accepted: for how long, and what ends it at once. */
import { env } from 'cloudflare:workers'
import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, vi } from 'vitest'
import { maxRememberedTokens } from '../../src/config/policy.ts'
import type { Claims, TokenSettings } from '../../src/crypto/tokens.ts'
import { AcceptedTokens } from '../../src/services/sessions/accepted-tokens.ts'
import { bytesOf, expectProblem } from '../support/answers.ts'
import { minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { type Service, type ServiceOptions, startService } from '../support/service.ts'
import { respellings, signingKeys, wrongTokens } from '../support/wrong-tokens.ts'

const remembered = 5 * second

/** A service with a memory of its own, as in another isolate, and how often it asked the revocation list. */
function startIsolate(beside: Service, options: ServiceOptions = {}) {
  const meter = countCosts(env)
  const { REVOCATIONS } = meter.bindings
  const service = startService({ ...options, beside, env: { REVOCATIONS, ...options.env } })
  return { service, reads: () => meter.take().kvReads }
}

const it = base.extend('isolate', async ({ service }) => startIsolate(service))

beforeEach(() => void captureLog())

describe('a token that was accepted', () => {
  it('is accepted again for five seconds without the list, and then with it', async ({ isolate, clock, ada }) => {
    const here = ada.at(isolate.service)
    for (const [ms, reads] of [
      [0, 1],
      [0, 0],
      [remembered - 1, 0],
      [1, 1],
      [remembered - 1, 0],
    ] as const) {
      clock.advance(ms)
      await here.verify()
      expect(isolate.reads()).toBe(reads)
    }
    await here.roles()
    expect(isolate.reads()).toBe(0)
  })

  it('gets the same answer, byte for byte, and the same line in the log', async ({ isolate, ada }) => {
    const here = ada.at(isolate.service).from({ headers: { 'X-Request-Id': 'same' } })
    const log = captureLog()
    const answers = [bytesOf(await here.verify().answer), bytesOf(await here.verify().answer)]
    expect(isolate.reads()).toBe(1)
    expect(answers[1]).toEqual(answers[0])
    const [first, second] = log.entries('request').map((line) => JSON.stringify({ ...line, time: 0, duration_ms: 0 }))
    expect(second).toBe(first)
  })

  it('is refused from the second of its expiry', async ({ isolate, clock, ada }) => {
    const here = ada.at(isolate.service)
    const { exp } = decodeJwt(ada.accessToken)
    clock.advance(exp! * 1000 - clock.now().getTime() - 2 * second)
    await here.verify()
    clock.advance(2 * second - 1)
    await here.verify()
    expect(isolate.reads()).toBe(1)
    clock.advance(1)
    await here.verify().refused(401, 'invalid_token')
  })

  it('is looked at again when the clock was set back, also to a time at which it was known', async ({
    isolate,
    clock,
    ada,
  }) => {
    const here = ada.at(isolate.service)
    for (const [ms, reads] of [
      [0, 1],
      [4 * second, 0],
      [-1, 1],
      [-minute / 2, 1],
      [1, 0],
    ] as const) {
      clock.advance(ms)
      await here.verify()
      expect(isolate.reads(), `${ms} ms`).toBe(reads)
    }
    clock.advance(-second)
    await env.REVOCATIONS.put(`session:${ada.sessionId}`, '1')
    await here.verify().refused(401, 'invalid_token')
    clock.advance(second)
    await here.verify().refused(401, 'invalid_token')
  })

  it('is verified by each environment for itself', async ({ isolate, service, ada }) => {
    await ada.at(isolate.service).verify()
    isolate.reads()
    const { REVOCATIONS } = isolate.service.env
    const elsewhere = (variables: Partial<Env>) => startService({ beside: service, env: { REVOCATIONS, ...variables } })
    await ada
      .at(elsewhere({ SIGNING_KEYS: signingKeys }))
      .verify()
      .refused(401, 'invalid_token')
    await ada
      .at(elsewhere({ AUDIENCE: 'another' }))
      .verify()
      .refused(401, 'invalid_token')
    await ada
      .at(elsewhere({ PUBLIC_URL: 'https://other.example' }))
      .verify()
      .refused(401, 'invalid_token')
    expect(isolate.reads()).toBe(0)
    await ada.at(elsewhere({})).verify()
    expect(isolate.reads()).toBe(1)
  })
})

interface End {
  name: string
  /** Ends the session of `person`, who acts at the service that accepted the token. */
  end: (person: Person, world: { admin: Person; people: People }) => Promise<unknown>
}

const credentials = ({ email }: Person) => ({ email, password: goodPassword })

/** Every act that puts a session on the revocation list. */
const ends: End[] = [
  { name: 'a log-out', end: (person) => person.logout() },
  { name: 'a log-out everywhere', end: (person) => person.logoutAll() },
  { name: 'the list of sessions', end: async (person) => (await person.signIn()).endSession(person) },
  { name: 'the end of the other sessions', end: async (person) => (await person.signIn()).endOtherSessions() },
  {
    name: 'a change of the password elsewhere',
    end: async (person) =>
      (await person.signIn()).changePassword({ old_password: goodPassword, new_password: otherPassword }),
  },
  {
    name: 'a reset of the password',
    end: async (person, { people }) =>
      person.completePasswordReset({ token: await people.resetToken(person.email), new_password: otherPassword }),
  },
  { name: 'the deletion of the account', end: (person) => person.deleteMe() },
  { name: 'a deletion by an ADMIN', end: (person, { admin }) => admin.deleteUser(person) },
  { name: 'a suspension', end: (person, { admin }) => admin.suspend(person) },
  { name: 'another role', end: (person, { admin }) => admin.assignRole(person, 'MODERATOR') },
  { name: 'an ADMIN', end: (person, { admin }) => admin.endSessionsOf(person) },
  {
    name: 'a stolen refresh token',
    end: async (person) => {
      await (await person.renewed()).renewed()
      await person.refresh().refused(401, 'refresh_token_reused')
    },
  },
  {
    name: 'the session limit',
    end: async (person) => {
      for (let started = 1; started <= 50; started++) {
        person.service.clock.advance(1)
        await person.login(credentials(person))
      }
    },
  },
]

describe('a session that ended', () => {
  it.for(ends)(
    'is refused at once where it was accepted and ended: $name',
    async ({ end }, { isolate, ada, admin, people }) => {
      const person = ada.at(isolate.service)
      await person.verify()
      isolate.reads()
      await person.verify()
      expect(isolate.reads(), 'remembered').toBe(0)
      await end(person, { admin: admin.at(isolate.service), people })
      await person.verify().refused(401, 'invalid_token')
      await person.roles().refused(401, 'invalid_token')
    },
  )

  it('is refused at once when the next sign-in of its device replaced it', async ({ isolate, ada }) => {
    const device = await ada.at(isolate.service).login(credentials(ada))
    const laptop = ada.at(isolate.service).holding(device)
    await laptop.verify()
    await laptop.login({ ...credentials(ada), device_token: device.device_token })
    await laptop.verify().refused(401, 'invalid_token')
  })

  it('is refused elsewhere when five seconds have passed', async ({ isolate, service, clock, ada }) => {
    const elsewhere = ada.at(startIsolate(service).service)
    await elsewhere.verify()
    clock.advance(second)
    await ada.at(isolate.service).logout()
    clock.advance(remembered - second - 1)
    await elsewhere.verify()
    clock.advance(1)
    await elsewhere.verify().refused(401, 'invalid_token')
  })

  it('is refused in every spelling of its token, and no other session is', async ({ isolate, ada, eve }) => {
    const tokens = [ada.accessToken, ...respellings(ada.accessToken).map(([, token]) => token)]
    const callers = tokens.map((token) => ada.at(isolate.service).from({ token }))
    const statuses = async () => Promise.all(callers.map(async (caller) => (await caller.verify().answer).status))
    const before = await statuses()
    expect(before.filter((status) => status === 204).length).toBeGreaterThan(1)
    await eve.at(isolate.service).verify()
    await ada.at(isolate.service).logout()
    expect(new Set(await statuses())).toEqual(new Set([401]))
    isolate.reads()
    await eve.at(isolate.service).verify()
    expect(isolate.reads()).toBe(0)
  })

  it('is not remembered by a call that read the list before and answers after', async ({ service, ada }) => {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const kv = env.REVOCATIONS
    let waits = true
    const get = async (key: string) => {
      const value = await kv.get(key)
      if (waits) await ended
      return value
    }
    const REVOCATIONS = { get, put: kv.put.bind(kv) } as unknown as KVNamespace
    const slow = ada.at(startService({ beside: service, env: { REVOCATIONS } }))
    const before = slow.verify().answer
    await vi.waitFor(async () => expect(await kv.get('ready')).toBeNull())
    await slow.logout()
    waits = false
    end()
    expect((await before).status).toBe(204)
    await slow.verify().refused(401, 'invalid_token')
  })

  it('is refused after a write to the list that got there and failed', async ({ service, ada }) => {
    const kv = env.REVOCATIONS
    const put = async (...entry: Parameters<KVNamespace['put']>) => {
      await kv.put(...entry)
      throw new Error('KV PUT failed: 500')
    }
    const REVOCATIONS = { get: kv.get.bind(kv), put } as unknown as KVNamespace
    const statuses: number[] = []
    const sleep = async () => void statuses.push((await here.verify().answer).status)
    const here = ada.at(startService({ beside: service, env: { REVOCATIONS }, platform: { sleep } }))
    await here.verify()
    await here.logout()
    expect(statuses).toEqual([401, 401])
  })
})

describe('a refusal', () => {
  it('is never remembered', async ({ isolate, ada }) => {
    const here = ada.at(isolate.service)
    await env.REVOCATIONS.put(`session:${ada.sessionId}`, '1')
    await here.verify().refused(401, 'invalid_token')
    await env.REVOCATIONS.delete(`session:${ada.sessionId}`)
    await here.verify()
    expect(isolate.reads()).toBe(2)
  })

  it('stays one for every wrong token, also after the right one', async ({ isolate, ada }) => {
    const here = ada.at(isolate.service)
    await here.verify()
    const wrong = await wrongTokens(ada.accessToken)
    const accepted: string[] = []
    for (const [name, token] of [...wrong, ...wrong]) {
      if ((await here.from({ token }).verify().answer).status !== 401) accepted.push(name)
    }
    expect(accepted).toEqual([])
    expect(isolate.reads()).toBe(1)
  })

  it('is that of a list that cannot be read, until it can', async ({ service, ada }) => {
    const get = vi.fn<KVNamespace['get']>(async () => null as never).mockRejectedValueOnce(new Error('KV GET failed'))
    const REVOCATIONS = { get } as unknown as KVNamespace
    const here = ada.at(startService({ beside: service, env: { REVOCATIONS } }))
    expectProblem(await here.verify().answer, 503, 'service_unavailable')
    await here.verify()
    await here.verify()
    expect(get).toHaveBeenCalledTimes(2)
  })
})

describe('the memory', () => {
  const settings = {} as TokenSettings
  const later = new Date(minute)
  const claims = (sid: string) => ({ sid }) as Claims<'at+jwt'>

  it('holds a thousand tokens, and the newest of a flood', () => {
    const memory = new AcceptedTokens()
    const flood = 3 * maxRememberedTokens
    for (let index = 0; index < flood; index++) memory.keep(`token ${index}`, settings, claims(`${index}`), later, 0)
    const known = Array.from({ length: flood }, (_, index) => index).filter((index) =>
      memory.recall(`token ${index}`, settings, 0),
    )
    expect(known).toEqual(Array.from({ length: maxRememberedTokens }, (_, index) => 2 * maxRememberedTokens + index))
  })

  it('does not keep a header that is long for a token', async ({ isolate, ada }) => {
    const padded = (spaces: number) => ({ Authorization: `Bearer ${' '.repeat(spaces)}${ada.accessToken}` })
    const here = ada.at(isolate.service)
    for (const [spaces, reads] of [
      [100, 1],
      [100, 0],
      [3000, 1],
      [3000, 1],
    ] as const) {
      const { status } = await here.service.call('GET', '/auth/verify', { headers: padded(spaces) })
      expect([status, isolate.reads()]).toEqual([204, reads])
    }
  })
})
