/** A D1 that fails for a moment, is overloaded, loses an answer, or is gone. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { expectProblem } from '../support/answers.ts'
import { goodPassword, otherPassword, signIn, signUp, signUpAdmin } from '../support/people.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'

const email = 'ada@example.com'

/** As Cloudflare lists them, with what surrounds them. */
const passing = [
  'D1_ERROR: Network connection lost.',
  'D1_ERROR: Internal error in D1 DB storage caused object to be reset.',
  'D1_ERROR: D1 DB reset because its code was updated.',
  'D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.',
]
const overloads = [
  'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
  'D1_ERROR: D1 DB is overloaded. Too many requests queued.',
]
const others = [
  'D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset',
  'D1_ERROR: Exceeded maximum DB size.',
  'D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT',
]

interface Trouble {
  message: string
  /** How many round trips fail, from the first that is meant. */
  times: number
  isMeant?: (statements: string[]) => boolean
  when?: 'before' | 'after'
  /** What time each failure takes. */
  takesMs?: number
}

/** The same service with another D1, and what it was asked: round trips, and pauses between them. */
function inTrouble(service: Service, { message, times, isMeant = () => true, when = 'before', takesMs = 0 }: Trouble) {
  const asked: string[][] = []
  const pauses: number[] = []
  let left = times
  const fail = (statements: string[]) => {
    if (!isMeant(statements) || left-- <= 0) return
    service.clock.advance(takesMs)
    throw new Error(message)
  }
  const note = (statements: string[]) => void asked.push(statements)
  const DB =
    when === 'before'
      ? hookedD1(env.DB, (statements) => (note(statements), fail(statements)))
      : hookedD1(env.DB, note, fail)
  let random = 1
  const broken = startService({
    env: { DB },
    beside: service,
    platform: {
      // Never the same twice, and never as long as the whole pause.
      random: () => (random *= 0.9),
      sleep: async (ms) => {
        pauses.push(ms)
        service.clock.advance(ms)
      },
    },
  })
  return { broken, asked, pauses }
}

const isWrite = (statements: string[]) => statements.some((sql) => !/^select/i.test(sql))

describe('a read that D1 fails for a moment', () => {
  it.each(passing)('is asked again, twice at most: %s', async (message) => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    for (const times of [1, 2]) {
      const { broken, asked, pauses } = inTrouble(service, { message, times })
      expect((await broken.call('GET', '/users/me', { token })).status).toBe(200)
      expect(asked).toHaveLength(times + 1)
      expect(pauses).toHaveLength(times)
    }
    const { broken, asked } = inTrouble(service, { message, times: 3 })
    const answer = await broken.call('GET', '/users/me', { token })
    expectProblem(answer, 503, 'service_unavailable')
    expect(answer.headers.get('Retry-After')).toBe('5')
    expect(asked).toHaveLength(3)
  })

  it('is asked again after a random part of a pause that doubles', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const { broken, pauses } = inTrouble(service, { message: passing[0]!, times: 2 })
    await broken.call('GET', '/users/me', { token })
    expect(pauses).toEqual([expect.closeTo(100 * 0.9), expect.closeTo(200 * 0.9 * 0.9)])
  })

  it('is not asked again when two seconds have gone by', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const slow = inTrouble(service, { message: passing[0]!, times: 9, takesMs: 1500 })
    expect((await slow.broken.call('GET', '/users/me', { token })).status).toBe(503)
    expect(slow.asked).toHaveLength(2)
    const slower = inTrouble(service, { message: passing[0]!, times: 9, takesMs: 2000 })
    expect((await slower.broken.call('GET', '/users/me', { token })).status).toBe(503)
    expect(slower.asked).toHaveLength(1)
  })
})

it.each(overloads)(
  'sends everybody away at once when D1 cannot keep up, and says for how long: %s',
  async (message) => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const { broken, asked, pauses } = inTrouble(service, { message, times: 9 })
    const answer = await broken.call('GET', '/users/me', { token })
    expectProblem(answer, 503, 'service_unavailable')
    expect(answer.headers.get('Retry-After')).toBe('15')
    expect({ asked: asked.length, pauses }).toEqual({ asked: 1, pauses: [] })
  },
)

it.each(others)('does not repeat what would fail again: %s', async (message) => {
  const service = startService()
  const { accessToken: token } = await signUp(service, email)
  const { broken, asked } = inTrouble(service, { message, times: 9 })
  expectProblem(await broken.call('GET', '/users/me', { token }), 503, 'service_unavailable')
  expect(asked).toHaveLength(1)
})

describe('a write whose answer is lost', () => {
  const message = passing[0]!

  it('is never sent a second time: it may have been done', async () => {
    const service = startService()
    const { accessToken: admin } = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    const session = await signIn(service, email)
    const token = session.accessToken
    const change = { old_password: goodPassword, new_password: otherPassword }
    const acts: [method: string, path: string, call: { token?: string; body?: unknown }][] = [
      ['POST', '/auth/register', { body: { email: 'bob@example.com', password: goodPassword } }],
      ['POST', '/auth/resend-activation', { body: { email: 'bob@example.com' } }],
      ['POST', '/auth/login', { body: { email, password: goodPassword } }],
      ['POST', '/auth/login', { body: { email, password: otherPassword } }],
      ['POST', '/auth/password-reset/request', { body: { email } }],
      ['PATCH', '/users/me', { token, body: { bio: 'x' } }],
      ['POST', '/auth/change-password', { token, body: change }],
      ['DELETE', '/users/me/sessions', { token }],
      ['POST', '/auth/logout', { body: { refresh_token: session.refreshToken } }],
      ['PUT', `/users/${id}/role`, { token: admin, body: { role: 'MODERATOR' } }],
      ['POST', `/users/${id}/suspend`, { token: admin, body: { reason: 'x' } }],
      ['DELETE', `/users/${id}`, { token: admin }],
    ]
    for (const [method, path, call] of acts) {
      for (const when of ['before', 'after'] as const) {
        const { broken, asked } = inTrouble(service, { message, times: 9, isMeant: isWrite, when })
        expectProblem(await broken.call(method, path, call), 503, 'service_unavailable')
        expect(asked.filter(isWrite), `${method} ${path} ${when}`).toHaveLength(1)
      }
    }
  })

  it('leaves one session and one event of a sign-in, and the next try signs in', async () => {
    const service = startService()
    await signUp(service, email)
    const startsSession = (statements: string[]) => statements.some((sql) => sql.startsWith('insert into "sessions"'))
    const { broken } = inTrouble(service, { message, times: 1, isMeant: startsSession, when: 'after' })
    const call = { body: { email, password: goodPassword } }
    expectProblem(await broken.call('POST', '/auth/login', call), 503, 'service_unavailable')
    expect(await rowsOf('sessions')).toHaveLength(2)
    expect(await rowsOf('audit_events', "type = 'user.signed_in'")).toHaveLength(1)
    expect((await broken.call('POST', '/auth/login', call)).status).toBe(200)
  })

  it('is no failure of a refresh: it is repeated, and gives the same successor', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    const { broken, asked } = inTrouble(service, { message, times: 2, when: 'after' })
    const answer = await broken.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
    expect(answer.status).toBe(200)
    expect(asked).toHaveLength(3)
    expect(await rowOf('sessions')).toMatchObject({ generation: 2 })
    const next = await service.call('POST', '/auth/refresh', { body: { refresh_token: answer.json.refresh_token } })
    expect(next.status).toBe(200)
    expect(await rowsOf('audit_events', "type = 'session.reuse_detected'")).toEqual([])
  })

  it('ends a refresh that fails for longer in a 503, and the same token is good afterwards', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    const call = { body: { refresh_token: refreshToken } }
    for (const when of ['before', 'after'] as const) {
      const { broken, asked } = inTrouble(service, { message, times: 9, when })
      expectProblem(await broken.call('POST', '/auth/refresh', call), 503, 'service_unavailable')
      expect(asked).toHaveLength(3)
    }
    expect((await service.call('POST', '/auth/refresh', call)).status).toBe(200)
  })
})

it('verifies tokens, tells the roles and publishes the keys with D1 gone, and asks it nothing', async () => {
  const service = startService()
  const { accessToken: token } = await signUp(service, email)
  const gone = () => {
    throw new Error('D1 is gone')
  }
  const broken = startService({ env: { DB: { prepare: gone, batch: gone } as unknown as D1Database }, beside: service })
  expect((await broken.call('GET', '/auth/verify', { token })).status).toBe(204)
  expect((await broken.call('GET', '/roles', { token })).status).toBe(200)
  expect((await broken.call('GET', '/.well-known/jwks.json')).status).toBe(200)
  expect((await broken.call('GET', '/healthz')).status).toBe(200)
})
