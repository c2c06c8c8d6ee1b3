/** Requests that wait for their turn to hash: who is served, and what is left of those whose turn does not come. */
import { env } from 'cloudflare:workers'
import { describe, expect, onTestFinished } from 'vitest'
import { hashQueue } from '../../src/config/policy.ts'
import { inTurn } from '../../src/services/passwords/hash-queue.ts'
import { bytesOf } from '../support/answers.ts'
import type { Caller } from '../support/caller.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { setAttempts } from '../support/rows.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { rowsOf, snapshot, write } from '../support/state.ts'

const email = 'ada@example.com'
const right = { email, password: goodPassword }
const change = { old_password: goodPassword, new_password: otherPassword }

/** What goes on when time passes. */
const waiting: (() => void)[] = []

/** Takes the turn, and keeps it until it is told to end. */
function occupy({ clock }: Service) {
  const over = new AbortController()
  const letOthersRun = () => new Promise<void>((resolve) => waiting.push(resolve))
  const ended = inTurn({ now: clock.now, letOthersRun }, async (pause) => {
    while (!over.signal.aborted) await pause()
  })
  const end = async () => {
    over.abort()
    await passing(clock)(0)
    await ended
  }
  onTestFinished(end)
  return end
}

/** Waiting takes time, and others go on meanwhile. */
function passing(clock: Service['clock']) {
  return async (ms: number) => {
    clock.advance(ms)
    for (const goOn of waiting.splice(0)) goOn()
  }
}

/** The same service, on which waiting takes time. */
const it = base.extend('crowded', async ({ service }) =>
  startService({ beside: service, platform: { letOthersRun: passing(service.clock) } }),
)

/** What is stored, but for the times in the budgets. */
async function stored() {
  const tables = await snapshot()
  tables.set('attempt_counters', new Map())
  return { tables, counters: await rowsOf('attempt_counters').then((rows) => rows.map(withoutTimes)) }
}

function withoutTimes({ allowed_at: _allowed, updated_at: _updated, ...row }: Record<string, unknown>) {
  return row
}

async function expectRefused(answer: Answer): Promise<void> {
  expect({ status: answer.status, retryAfter: answer.headers.get('Retry-After') }).toEqual({
    status: 503,
    retryAfter: '5',
  })
  expect(answer.json).toMatchObject({ code: 'service_unavailable' })
}

interface Case {
  call: string
  /** Makes ready, and gives the call. */
  prepare: (cast: { service: Service; anonymous: Caller; ada: Person }) => Promise<(at: Service) => Promise<Answer>>
  status: number
}

const cases: Case[] = [
  {
    call: 'a sign-in',
    prepare:
      async ({ anonymous }) =>
      async (at) =>
        anonymous.at(at).login(right).answer,
    status: 200,
  },
  {
    call: 'a sign-in with a wrong password',
    prepare:
      async ({ anonymous }) =>
      async (at) =>
        anonymous.at(at).login({ ...right, password: 'wrong' }).answer,
    status: 401,
  },
  {
    call: 'a sign-in on a known device',
    prepare: async ({ ada }) => {
      const { device_token } = await ada.login(right)
      return async (at) => ada.at(at).login({ ...right, device_token }).answer
    },
    status: 200,
  },
  {
    call: 'a registration',
    prepare:
      async ({ anonymous }) =>
      async (at) =>
        anonymous.at(at).register({ email: 'bob@example.com', password: goodPassword }).answer,
    status: 202,
  },
  {
    call: 'an activation',
    prepare: async ({ service, anonymous }) => {
      const token = await peopleOf(service).register('bob@example.com')
      return async (at) => anonymous.at(at).activate({ token, password: goodPassword }).answer
    },
    status: 200,
  },
  {
    call: 'a password change',
    prepare:
      async ({ ada }) =>
      async (at) =>
        ada.at(at).changePassword(change).answer,
    status: 204,
  },
  {
    call: 'a deletion',
    prepare:
      async ({ ada }) =>
      async (at) =>
        ada.at(at).deleteMe().answer,
    status: 204,
  },
  {
    call: 'a reset',
    prepare: async ({ service, anonymous }) => {
      const token = await peopleOf(service).resetToken(email)
      return async (at) => anonymous.at(at).completePasswordReset({ token, new_password: otherPassword }).answer
    },
    status: 204,
  },
]

describe('a request whose turn does not come', () => {
  it.for(cases)(
    'is a 503 that leaves everything as it was, and succeeds later: $call',
    async ({ prepare, status }, { service, crowded, anonymous, ada }) => {
      const send = await prepare({ service, anonymous, ada })
      await service.deliver()
      const before = await stored()
      const end = occupy(service)
      const startedMs = service.clock.now().getTime()
      await expectRefused(await send(crowded))
      const waitedMs = service.clock.now().getTime() - startedMs
      expect(waitedMs).toBeGreaterThanOrEqual(hashQueue.maxWaitMs)
      expect(waitedMs).toBeLessThanOrEqual(hashQueue.maxWaitMs + hashQueue.lookMs)
      expect(await stored()).toEqual(before)
      await end()
      expect((await send(crowded)).status).toBe(status)
    },
  )

  it.for([1, 3, 4, 7])(
    'has the tries that it had before: after %i wrong ones',
    async (wrong, { service, crowded, anonymous, ada: _ada }) => {
      await setAttempts(email, wrong)
      const end = occupy(service)
      for (let attempt = 0; attempt < 5; attempt++) await expectRefused(await anonymous.at(crowded).login(right).answer)
      expect(await rowsOf('attempt_counters')).toMatchObject([{ count: wrong, in_flight: 0 }])
      await end()
      await anonymous.at(crowded).login(right)
    },
  )

  it('does not count the old password as a wrong one when the new one has no turn', async ({
    crowded,
    service,
    ada,
  }) => {
    const original = crypto.subtle.deriveBits.bind(crypto.subtle)
    onTestFinished(() => void (crypto.subtle.deriveBits = original))
    // The hash of the old password; whoever comes then is before that of the new one.
    crypto.subtle.deriveBits = async (...input) => {
      crypto.subtle.deriveBits = original
      occupy(service)
      return original(...input)
    }
    const before = await stored()
    await expectRefused(await ada.at(crowded).changePassword(change).answer)
    expect(await stored()).toEqual(before)
  })

  it('says so in the log', async ({ service, crowded, anonymous }) => {
    occupy(service)
    const log = captureLog()
    await expectRefused(await anonymous.at(crowded).login(right).answer)
    expect(log.entries('request.unavailable')).toMatchObject([{ reason: 'hash_queue' }])
  })

  it('is answered in the same way, at the same cost, for every kind of address', async ({ service, people, admin }) => {
    await people.signUp('active@example.com')
    await people.register('pending@example.com')
    await admin.suspend(await people.signUp('suspended@example.com'))
    const meter = countCosts(env)
    const metered = startService({
      env: meter.bindings,
      beside: service,
      platform: { letOthersRun: passing(service.clock) },
    })
    occupy(service)
    const seen = []
    for (const kind of ['unknown', 'active', 'pending', 'suspended']) {
      for (const password of [goodPassword, 'wrong']) {
        const startedMs = service.clock.now().getTime()
        const headers = { 'X-Request-Id': 'same' }
        const call = { body: { email: `${kind}@example.com`, password }, headers }
        const answer = await metered.call('POST', '/auth/login', call)
        await expectRefused(answer)
        seen.push({
          ...bytesOf(answer),
          ...meter.take(),
          waitedMs: service.clock.now().getTime() - startedMs,
          rowsRead: 0,
        })
      }
    }
    for (const other of seen) expect(other).toEqual(seen[0])
  })
})

describe('hashes at the same moment, at two services of one isolate', () => {
  const work = { rounds: 4, iterations: 100 }

  it('are made one after the other, each for the right person', async ({ service, people, anonymous }) => {
    const services = [startService({ beside: service, platform: { work } })]
    services.push(startService({ beside: service, platform: { work } }))
    for (let index = 0; index < 20; index++) await people.signUp(`racer-${index}@example.com`)
    // Made anew with the work of today.
    for (let index = 0; index < 20; index++)
      await anonymous.at(services[0]!).login({ email: `racer-${index}@example.com`, password: goodPassword })
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      const keys = await keysDuring(async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, index) => {
            const password = index % 4 === 0 ? 'wrong' : goodPassword
            return anonymous.at(services[index % 2]!).login({ email: `racer-${index}@example.com`, password }).answer
          }),
        )
        expect(answers.map(({ status }) => status)).toEqual(answers.map((_, index) => (index % 4 === 0 ? 401 : 200)))
      })
      const turns = keys.filter((key, place) => key !== keys[place - 1])
      expect(turns).toHaveLength(20)
      expect(keys).toHaveLength(20 * work.rounds)
      await write('delete from attempt_counters')
    }
    expect(await rowsOf('attempt_counters')).toEqual([])
    expect(await rowsOf('sessions')).toHaveLength(20 * 2 + env.RACE_ROUNDS * 15)
  })
})

/** The keys of the rounds, in their order: each hash has its own. */
async function keysDuring(act: () => Promise<void>): Promise<unknown[]> {
  const original = crypto.subtle.deriveBits.bind(crypto.subtle)
  const keys: unknown[] = []
  crypto.subtle.deriveBits = (algorithm, key, length) => {
    keys.push(key)
    return original(algorithm, key, length)
  }
  try {
    await act()
  } finally {
    crypto.subtle.deriveBits = original
  }
  return keys
}
