/** D1 failures: errors that pass, overload, lost answers and a database that is gone. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectProblem } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { it } from '../support/fixtures.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'

/** Messages as Cloudflare lists them, with the prefix that D1 adds. */
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
  /** How many of the selected round trips fail. */
  times: number
  /** Selects the round trips that fail; all by default. */
  isMeant?: (statements: string[]) => boolean
  /** Whether D1 fails before or after it runs the statements. */
  when?: 'before' | 'after'
  /** How long each failure takes. */
  takesMs?: number
}

/** The same service with a failing D1, its round trips and the pauses between them. */
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
      // A different value each time, always below 1.
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

describe('a read after a passing D1 error', () => {
  it.for(passing)('is retried at most twice: %s', async (message, { service, ada }) => {
    for (const times of [1, 2]) {
      const { broken, asked, pauses } = inTrouble(service, { message, times })
      await ada.at(broken).me()
      expect(asked).toHaveLength(times + 1)
      expect(pauses).toHaveLength(times)
    }
    const { broken, asked } = inTrouble(service, { message, times: 3 })
    const answer = await ada.at(broken).me().answer
    expectProblem(answer, 503, 'service_unavailable')
    expect(answer.headers.get('Retry-After')).toBe('5')
    expect(asked).toHaveLength(3)
  })

  it('is retried after a random part of a pause that doubles', async ({ service, ada }) => {
    const { broken, pauses } = inTrouble(service, { message: passing[0]!, times: 2 })
    await ada.at(broken).me()
    expect(pauses).toEqual([expect.closeTo(100 * 0.9), expect.closeTo(200 * 0.9 * 0.9)])
  })

  it('is not retried after two seconds', async ({ service, ada }) => {
    const slow = inTrouble(service, { message: passing[0]!, times: 9, takesMs: 1500 })
    await ada.at(slow.broken).me().refused(503, 'service_unavailable')
    expect(slow.asked).toHaveLength(2)
    const slower = inTrouble(service, { message: passing[0]!, times: 9, takesMs: 2000 })
    await ada.at(slower.broken).me().refused(503, 'service_unavailable')
    expect(slower.asked).toHaveLength(1)
  })
})

describe('a read that D1 refuses', () => {
  it.for(overloads)(
    'is answered at once with 503 and Retry-After: 15 if D1 is overloaded: %s',
    async (message, { service, ada }) => {
      const { broken, asked, pauses } = inTrouble(service, { message, times: 9 })
      const answer = await ada.at(broken).me().answer
      expectProblem(answer, 503, 'service_unavailable')
      expect(answer.headers.get('Retry-After')).toBe('15')
      expect({ asked: asked.length, pauses }).toEqual({ asked: 1, pauses: [] })
    },
  )

  it.for(others)('is not retried if it would fail again: %s', async (message, { service, ada }) => {
    const { broken, asked } = inTrouble(service, { message, times: 9 })
    await ada.at(broken).me().refused(503, 'service_unavailable')
    expect(asked).toHaveLength(1)
  })
})

describe('a write whose answer is lost', () => {
  const message = passing[0]!

  it('is never sent a second time, since D1 may have done it', async ({ service, admin, ada }) => {
    const session = await ada.signIn()
    const { email } = ada
    const change = { old_password: goodPassword, new_password: otherPassword }
    const acts: { act: string; callAt: (broken: Service) => Promise<Answer> }[] = [
      {
        act: 'registration',
        callAt: (broken) => new Caller(broken).register({ email: 'bob@example.com', password: goodPassword }).answer,
      },
      {
        act: 'another activation link',
        callAt: (broken) => new Caller(broken).resendActivation('bob@example.com').answer,
      },
      { act: 'sign-in', callAt: (broken) => new Caller(broken).login({ email, password: goodPassword }).answer },
      {
        act: 'sign-in with a wrong password',
        callAt: (broken) => new Caller(broken).login({ email, password: otherPassword }).answer,
      },
      {
        act: 'request of a password reset',
        callAt: (broken) => new Caller(broken).requestPasswordReset({ email }).answer,
      },
      { act: 'change of the own profile', callAt: (broken) => session.at(broken).updateMe({ bio: 'x' }).answer },
      { act: 'change of password', callAt: (broken) => session.at(broken).changePassword(change).answer },
      { act: 'end of the other sessions', callAt: (broken) => session.at(broken).endOtherSessions().answer },
      { act: 'sign-out', callAt: (broken) => session.at(broken).logout().answer },
      { act: 'assignment of a role', callAt: (broken) => admin.at(broken).assignRole(ada, 'MODERATOR').answer },
      { act: 'suspension', callAt: (broken) => admin.at(broken).suspend(ada).answer },
      { act: 'deletion by an ADMIN', callAt: (broken) => admin.at(broken).deleteUser(ada).answer },
    ]
    for (const { act, callAt } of acts) {
      for (const when of ['before', 'after'] as const) {
        const { broken, asked } = inTrouble(service, { message, times: 9, isMeant: isWrite, when })
        expectProblem(await callAt(broken), 503, 'service_unavailable')
        expect(asked.filter(isWrite), `${act}, D1 fails ${when} the write`).toHaveLength(1)
      }
    }
  })

  it('leaves one session and one event of a sign-in, and the next try signs in', async ({ service, ada }) => {
    const startsSession = (statements: string[]) => statements.some((sql) => sql.startsWith('insert into "sessions"'))
    const { broken } = inTrouble(service, { message, times: 1, isMeant: startsSession, when: 'after' })
    const credentials = { email: ada.email, password: ada.password }
    await ada.at(broken).login(credentials).refused(503, 'service_unavailable')
    expect(await rowsOf('sessions')).toHaveLength(2)
    expect(await rowsOf('audit_events', "type = 'user.signed_in'")).toHaveLength(1)
    await ada.at(broken).login(credentials)
  })

  it('is retried if it is a refresh, with the same successor', async ({ service, ada }) => {
    const { broken, asked } = inTrouble(service, { message, times: 2, when: 'after' })
    const successor = await ada.at(broken).renewed()
    expect(asked).toHaveLength(3)
    expect(await rowOf('sessions'), 'no repetition').toMatchObject({ generation: 2, repeated_generation: null })
    await successor.at(service).refresh()
    expect(await rowsOf('audit_events', "type = 'session.reuse_detected'")).toEqual([])
  })

  it('ends a refresh in a 503 after three tries, and the token stays good', async ({ service, ada }) => {
    for (const when of ['before', 'after'] as const) {
      const { broken, asked } = inTrouble(service, { message, times: 9, when })
      await ada.at(broken).refresh().refused(503, 'service_unavailable')
      expect(asked).toHaveLength(3)
    }
    await ada.refresh()
  })
})

describe('a service without D1', () => {
  it('verifies tokens, lists roles, publishes keys and is alive, without asking D1', async ({ service, ada }) => {
    const gone = () => {
      throw new Error('D1 is gone')
    }
    const DB = { prepare: gone, batch: gone } as unknown as D1Database
    const broken = ada.at(startService({ env: { DB }, beside: service }))
    expect((await broken.verify().answer).status).toBe(204)
    await broken.roles()
    await broken.getKeys()
    await broken.call('getHealth')
  })
})
