/** Attempts in flight at the same moment: right ones wait for each other, wrong ones gain nothing, and no clock decides. */
import { env } from 'cloudflare:workers'
import { describe, expect, onTestFinished } from 'vitest'
import { attemptWaitsMs, passwordAttempts } from '../../src/config/policy.ts'
import { second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { setAttempts } from '../support/rows.ts'
import { type Answer, startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'
const nobody = 'nobody@example.com'
const right = { email, password: goodPassword }
const wrong = { email, password: 'a wrong password' }

/** How long callers were asked to wait. */
const waits: number[] = []

/** The callers that wait, and how many others are neither answered nor waiting. */
let waiting: (() => void)[] = []
let running = 0

function wake(): void {
  running += waiting.length
  for (const goOn of waiting.splice(0)) goOn()
}

/** Instead of time, something happens: the callers that wait go on when nobody else is running. */
async function sleep(ms: number): Promise<void> {
  waits.push(ms)
  running--
  const { promise, resolve } = Promise.withResolvers<void>()
  waiting.push(resolve)
  if (running <= 0) wake()
  await promise
}

const it = base.extend('options', async () => ({ platform: { sleep } }))

async function atOnce(count: number, send: (index: number) => Promise<Answer>): Promise<Answer[]> {
  running = count
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const answer = await send(index)
      running--
      if (running <= 0) wake()
      return answer
    }),
  )
}

const counters = async () => {
  const { results } = await env.DB.prepare('select count, in_flight from attempt_counters').all()
  return results
}

/** The answers by status and code, each with its number. */
function tally(answers: Answer[]): Record<string, number> {
  const names = answers.map(({ status, json }) => [status, (json as { code?: string })?.code].filter(Boolean).join(' '))
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, { length }]) => [name, length]))
}

describe('right passwords at the same moment', () => {
  it.for([{ callers: 10 }, { callers: 20 }])(
    'all sign in: $callers of them',
    async ({ callers }, { people, anonymous }) => {
      for (let round = 0; round < env.RACE_ROUNDS; round++) {
        const racer = await people.signUp(`racer-${round}@example.com`)
        const login = { email: racer.email, password: goodPassword }
        expect(tally(await atOnce(callers, () => anonymous.login(login).answer))).toEqual({ '200': callers })
        expect(await counters()).toEqual([])
        expect(await rowsOf('sessions', 'user_id = ?', racer.id)).toHaveLength(callers + 1)
      }
    },
  )

  it('all sign in on one known device', async ({ anonymous, ada }) => {
    const { device_token } = await ada.login(right)
    expect(tally(await atOnce(20, () => anonymous.login({ ...right, device_token }).answer))).toEqual({ '200': 20 })
    expect(await counters()).toEqual([])
  })

  it('all sign in among four wrong ones', async ({ anonymous, ada: _ada }) => {
    const answers = await atOnce(16, (index) => anonymous.login(index % 4 === 1 ? wrong : right).answer)
    expect(tally(answers)).toEqual({ '200': 12, '401 invalid_credentials': 4 })
  })

  it.for<{ refusal: string; change: string; send: (ada: Person) => Promise<Answer> }>([
    {
      refusal: '403 account_suspended',
      change: "status = 'suspended'",
      send: (ada) => ada.login(right).answer,
    },
    {
      refusal: '422 weak_password',
      change: "bio = 'x'",
      send: (ada) => ada.changePassword({ old_password: goodPassword, new_password: 'password1' }).answer,
    },
    {
      refusal: '409 last_admin',
      change: "role = 'ADMIN'",
      send: (ada) => ada.deleteMe().answer,
    },
  ])('are all told the truth, and leave nothing counted: $refusal', async ({ refusal, change, send }, { ada }) => {
    await write(`update users set ${change} where email = ?`, email)
    expect(tally(await atOnce(20, () => send(ada)))).toEqual({ [refusal]: 20 })
    expect(await counters()).toEqual([])
  })

  it('are all told that the account is pending, and leave nothing counted', async ({ people, anonymous }) => {
    await people.register(email)
    expect(tally(await atOnce(20, () => anonymous.login(right).answer))).toEqual({ '403 account_pending': 20 })
    expect(await counters()).toEqual([])
  })

  it('change the password once, and the old one is wrong from then on', async ({ ada }) => {
    const change = { old_password: goodPassword, new_password: otherPassword }
    const counts = tally(await atOnce(20, () => ada.changePassword(change).answer))
    expect(counts['204']).toBe(1)
    expect(counts['403 wrong_password']).toBe(passwordAttempts.free)
  })

  it('activate once, and the others are told that the link was used', async ({ people, anonymous }) => {
    const token = await people.register(email)
    const counts = tally(await atOnce(20, () => anonymous.activate({ token, password: goodPassword }).answer))
    expect(counts).toEqual({ '200': 1, '400 invalid_link': 19 })
    expect(await counters()).toEqual([])
  })
})

describe('fifty wrong passwords at the same moment', () => {
  it.for([{ address: email }, { address: nobody }])(
    'are looked at five times: $address',
    async ({ address }, { anonymous, ada: _ada }) => {
      for (let round = 0; round < env.RACE_ROUNDS; round++) {
        await write('delete from attempt_counters')
        const answers = await atOnce(50, () => anonymous.login({ ...wrong, email: address }).answer)
        expect(tally(answers)).toEqual({ '401 invalid_credentials': 5, '429 rate_limited': 45 })
        const { free } = passwordAttempts
        expect(await counters()).toEqual([{ count: free, in_flight: 0 }])
      }
    },
  )

  it.for([{ kind: 'activation' }, { kind: 'password change' }, { kind: 'deletion' }])(
    'are looked at five times: $kind',
    async ({ kind }, { people, anonymous, ada }) => {
      const token = kind === 'activation' ? await people.register('bob@example.com') : ''
      const send = () => {
        if (kind === 'activation') return anonymous.activate({ token, password: 'wrong' }).answer
        if (kind === 'deletion') return ada.deleteMe('wrong').answer
        return ada.changePassword({ old_password: 'wrong', new_password: otherPassword }).answer
      }
      const counts = tally(await atOnce(50, send))
      expect(counts['429 rate_limited']).toBe(45)
      expect(await counters()).toEqual([{ count: 5, in_flight: 0 }])
    },
  )

  it('get the five that were free, in whatever order the clocks of two machines stamp them', async ({
    service,
    anonymous,
    ada: _ada,
  }) => {
    for (const skewsMs of [
      [0, -3],
      [0, -2 * second],
      [0, 2 * second, -2 * second],
      [500, 0, 20, -20],
      [0, -60 * second],
    ]) {
      await write('delete from attempt_counters')
      const statuses: number[] = []
      for (let index = 0; index < 6; index++) {
        const skewMs = skewsMs[index % skewsMs.length]!
        const now = () => new Date(service.clock.now().getTime() + skewMs)
        const machine = startService({ beside: service, platform: { now, sleep } })
        statuses.push((await anonymous.at(machine).login(wrong).answer).status)
      }
      expect(statuses, skewsMs.join()).toEqual([401, 401, 401, 401, 401, 429])
    }
  })
})

describe('an attempt that is not granted', () => {
  it('does not wait for a pause after wrong passwords', async ({ anonymous, ada: _ada }) => {
    for (let index = 0; index < passwordAttempts.free; index++)
      await anonymous.login(wrong).refused(401, 'invalid_credentials')
    waits.length = 0
    await anonymous.login(right).refused(429, 'rate_limited')
    expect(waits).toEqual([])
  })

  it('waits five seconds at most, with one statement for each look, the same for an unknown address', async ({
    service,
    anonymous,
    ada: _ada,
  }) => {
    const costs: unknown[] = []
    for (const address of [email, nobody]) {
      await setAttempts(address, passwordAttempts.free, new Date(service.clock.now().getTime() + second))
      // Five requests that broke off a moment ago.
      await write('update attempt_counters set in_flight = 5, updated_at = ?', service.clock.now().getTime())
      const meter = countCosts(env)
      const metered = startService({ beside: service, env: meter.bindings, platform: { sleep } })
      waits.length = 0
      await anonymous
        .at(metered)
        .login({ ...right, email: address })
        .refused(429, 'rate_limited')
      const { roundTrips, rowsWritten } = meter.take()
      costs.push({ roundTrips, rowsWritten, waits: [...waits] })
      expect(waits.reduce((sum, ms) => sum + ms, 0)).toBe(5000)
      expect(roundTrips).toBe(1 + attemptWaitsMs.length)
    }
    expect(costs[0]).toEqual(costs[1])
  })

  it('is not granted because a pause ended while it waited', async ({ service, clock, anonymous, ada: _ada }) => {
    await setAttempts(email, passwordAttempts.free, new Date(clock.now().getTime() + second))
    await write('update attempt_counters set in_flight = 1, updated_at = ?', clock.now().getTime())
    const untilWrong = async () => {
      clock.advance(2 * second)
      await write('update attempt_counters set in_flight = 0')
    }
    const machine = startService({ beside: service, platform: { sleep: untilWrong } })
    await anonymous.at(machine).login(right).refused(429, 'rate_limited')
    await anonymous.at(machine).login(right)
  })

  it('does not wait for requests that broke off long ago', async ({ service, clock, anonymous, ada: _ada }) => {
    await setAttempts(email, passwordAttempts.free, new Date(service.clock.now().getTime() + 60 * second))
    await write('update attempt_counters set in_flight = 5, updated_at = ?', clock.now().getTime())
    clock.advance(passwordAttempts.inFlightMs)
    waits.length = 0
    await anonymous.login(right).refused(429, 'rate_limited')
    expect(waits).toEqual([])
  })

  it.for([
    { why: 'used', end: 'delete from one_time_links' },
    { why: 'expired', end: 'update one_time_links set expires_at = 0' },
    { why: 'without its registration', end: 'delete from registrations' },
    { why: 'of a suspended account', end: "update users set status = 'suspended'" },
  ])('does not wait for a link that has ended: $why', async ({ end }, { service, people, anonymous }) => {
    const token = await people.register(email)
    await setAttempts(email, passwordAttempts.free, new Date(service.clock.now().getTime() + second))
    await write('update attempt_counters set in_flight = 1, updated_at = ?', service.clock.now().getTime())
    await write(end)
    waits.length = 0
    await anonymous.activate({ token, password: goodPassword }).refused(400, 'invalid_link')
    expect(waits).toEqual([])
  })

  it('does not give an attempt of an ended series back to the next one', async ({ people, anonymous }) => {
    await people.register(email)
    await setAttempts(email, 2)
    // Between the claim and the answer somebody else begins a new series.
    const original = crypto.subtle.deriveBits.bind(crypto.subtle)
    onTestFinished(() => void (crypto.subtle.deriveBits = original))
    crypto.subtle.deriveBits = async (...input) => {
      await write("update attempt_counters set series = 'another', count = 4, in_flight = 1")
      return original(...input)
    }
    await anonymous.login(right).refused(403, 'account_pending')
    expect(await counters()).toEqual([{ count: 4, in_flight: 1 }])
  })
})
