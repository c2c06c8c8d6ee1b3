/** Attempts at addresses without an account: a bounded number of rows, and nothing that tells them from accounts. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { describe, expect } from 'vitest'
import { ceilings, passwordAttempts } from '../../src/config/policy.ts'
import { addressSlot } from '../../src/crypto/address-slot.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { bytesOf } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { day, minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { afterAttempt } from '../support/hooked-d1.ts'
import { limitersThat } from '../support/limiters.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { counterKeyOf } from '../support/rows.ts'
import { type Answer, startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'
import { scriptTurnstile, turnstileEnv } from '../support/turnstile.ts'

const limits = limitersThat(() => true).env
const email = 'ada@example.com'
const nobody = 'nobody@example.com'

const it = base
  .extend('meter', async () => countCosts(env))
  .extend('limited', async ({ service, meter }) =>
    startService({ beside: service, env: { ...limits, ...meter.bindings } }),
  )
  .extend('stranger', async ({ limited }) => new Caller(limited))

/** Sets how many acts a network has done today. */
async function setActs(now: Date, network: number[], count: number): Promise<void> {
  const period = now.getTime() - (now.getTime() % day)
  await env.DB.prepare('insert or replace into ceilings values (?, ?, ?, ?)')
    .bind(period, Uint8Array.from(network).buffer, count, new ArrayBuffer(16))
    .run()
}

const { networkActsPerDay: max } = ceilings
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ act: fc.constant('sign in' as const), network: fc.constantFrom(0, 1) }) },
    {
      weight: 2,
      arbitrary: fc.record({ act: fc.constant('ask for an email' as const), network: fc.constantFrom(0, 1) }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.constantFrom(second, minute) }) },
  ),
  { minLength: 8, maxLength: 24 },
)

describe('whatever is called from two networks, below, at and above their ceilings', () => {
  it.for([
    { given: 'an active account', kind: 'active' },
    { given: 'a pending account', kind: 'pending' },
    { given: 'a suspended account', kind: 'suspended' },
  ])(
    'an address without an account is answered, costs and leaves as much as $given',
    { timeout: 120_000 },
    async ({ kind }, { stranger, people, service, meter, clock }) => {
      captureLog()
      if (kind === 'pending') await people.register(email)
      else if (kind === 'active') await people.signUp(email)
      else await (await people.admin()).suspend(await people.signUp(email))
      await service.deliver()
      let run = 0
      const property = fc.asyncProperty(
        steps,
        fc.tuple(fc.constantFrom(0, max - 2, max - 1, max, 9 * max), fc.constantFrom(0, max - 1, max)),
        async (list, counts) => {
          run++
          await write('delete from attempt_counters')
          clock.advance(day)
          const twins = [
            { address: email, site: 1 },
            { address: nobody, site: 2 },
          ]
          for (const { site } of twins) {
            for (const [network, count] of counts.entries()) {
              await setActs(clock.now(), [198, site, network], count)
            }
          }
          for (const [index, step] of list.entries()) {
            if (step.act === 'wait') {
              clock.advance(step.ms)
              continue
            }
            const seen = []
            for (const { address, site } of twins) {
              const headers = {
                'CF-Connecting-IP': `198.${site}.${step.network}.7`,
                'X-Request-Id': `same-${index}`,
              }
              const caller = stranger.from({ headers })
              let answer: Answer
              meter.take()
              const hashes = await hashesDuring(async () => {
                answer =
                  step.act === 'sign in'
                    ? await caller.login({ email: address, password: 'wrong' }).answer
                    : await caller.resendActivation(`${run}-${index}-${site}@example.com`).answer
              })
              const { statements, roundTrips, queueSends } = meter.take()
              const counters = await rowsOf('attempt_counters', 'key = ?', await counterKeyOf(address))
              const counted = counters.map(({ count, in_flight }) => ({ count, in_flight }))
              seen.push({ answer: bytesOf(answer!), hashes, statements, roundTrips, queueSends, counted })
            }
            expect(seen[0]).toEqual(seen[1])
          }
        },
      )
      await fc.assert(property, { numRuns: 12, seed: 7 })
    },
  )
})

describe('a network above its ceiling', () => {
  it('has a wrong password told from a right one, and is told to wait by the lock-out alone', async ({
    stranger,
    clock,
    ada,
  }) => {
    captureLog()
    await setActs(clock.now(), [203, 0, 113], 9 * max)
    const caller = stranger.from({ headers: { 'CF-Connecting-IP': '203.0.113.7' } })
    for (const address of [ada.email, nobody]) {
      for (let attempt = 0; attempt < passwordAttempts.free; attempt++) {
        await caller.login({ email: address, password: otherPassword }).refused(401, 'invalid_credentials')
      }
      const { status, headers } = await caller.login({ email: address, password: otherPassword }).answer
      expect([status, headers.get('Retry-After')]).toEqual([429, '1'])
      clock.advance(second)
    }
    await caller.login({ email: ada.email, password: goodPassword })
  })

  it('signs in with the right password while siteverify is down', async ({ service, clock, ada }) => {
    captureLog()
    const guarded = new Caller(startService({ beside: service, env: { ...limits, ...turnstileEnv } }))
    scriptTurnstile(() => {
      throw new Error('down')
    })
    await setActs(clock.now(), [203, 0, 113], 9 * max)
    const caller = guarded.from({ headers: { 'CF-Connecting-IP': '203.0.113.7' } })
    await caller.login({ email: ada.email, password: otherPassword }).refused(401, 'invalid_credentials')
    await caller.login({ email: ada.email, password: goodPassword, turnstile_token: 'x' })
  })
})

describe('a slot', () => {
  /** Two addresses of one slot. Nobody finds them without the key. */
  async function twinAddresses(): Promise<[string, string]> {
    const [key] = parseSecretKeys(env.TOKEN_KEYS)
    const found = new Map<number, string>()
    for (let n = 0; ; n++) {
      const address = `somebody-${n}@example.com`
      const slot = await addressSlot(address, key)
      const twin = found.get(slot)
      if (twin !== undefined) return [twin, address]
      found.set(slot, address)
    }
  }

  it('counts the attempts at all its addresses in one row, which names none of them', async ({ stranger }) => {
    captureLog()
    const twins = await twinAddresses()
    for (const address of [...twins, ...twins, twins[0]]) {
      await stranger.login({ email: address, password: 'wrong' }).refused(401, 'invalid_credentials')
    }
    await stranger.login({ email: twins[1], password: 'wrong' }).refused(429, 'rate_limited')
    const rows = await rowsOf('attempt_counters')
    expect(rows).toMatchObject([{ key: expect.stringMatching(/^slot:\d{1,6}$/), count: 5, in_flight: 0 }])
  })

  it('grants five of twenty attempts at the same moment', async ({ stranger }) => {
    captureLog()
    const twins = await twinAddresses()
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      await write('delete from attempt_counters')
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => stranger.login({ email: twins[n % 2]!, password: 'wrong' }).answer),
      )
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(passwordAttempts.free)
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(20 - passwordAttempts.free)
      expect(await rowsOf('attempt_counters')).toMatchObject([{ count: passwordAttempts.free, in_flight: 0 }])
    }
  })

  it('is left by an address that gets an account', async ({ stranger, people }) => {
    captureLog()
    for (let attempt = 0; attempt < passwordAttempts.free; attempt++) {
      await stranger.login({ email, password: 'wrong' }).refused(401, 'invalid_credentials')
    }
    await stranger.login({ email, password: 'wrong' }).refused(429, 'rate_limited')
    await people.signUp(email)
    await stranger.login({ email, password: 'wrong' }).refused(401, 'invalid_credentials')
    await stranger.login({ email, password: goodPassword })
    expect(await rowsOf('attempt_counters')).toMatchObject([{ key: expect.stringMatching(/^slot:/), count: 5 }])
  })

  it('is judged although its address gets an account meanwhile', async ({ service, stranger, people }) => {
    captureLog()
    const db = afterAttempt(async () => void (await people.register(email)))
    const slow = startService({ beside: service, env: { ...limits, DB: db } })
    await stranger.at(slow).login({ email, password: 'wrong' }).refused(401, 'invalid_credentials')
    expect(await rowsOf('attempt_counters')).toMatchObject([{ count: 1, in_flight: 0 }])
  })
})
