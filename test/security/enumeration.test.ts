/**
 * Neither an answer nor the work behind it tells whether an address has an account (OWASP ASVS 6.3.8): for every kind of
 * address there are the same status, headers and bytes, statements, calls to KV and the queue, and password hashes.
 */
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect } from 'vitest'
import { mailBudget, passwordAttempts } from '../../src/config/policy.ts'
import { bytesOf } from '../support/answers.ts'
import { type OperationId, callOperation } from '../support/api.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { signUpPasskeyOnly } from '../support/passkey-only.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { setAttempts } from '../support/rows.ts'
import { type Answer, startService } from '../support/service.ts'
import { write } from '../support/state.ts'

/** The kinds of addresses. Each may be locked, too. */
const kinds = [
  'unknown',
  'pending',
  'active',
  'factored',
  'suspended',
  'deleted',
  'administrator',
  'without-password',
  'passkey-only',
] as const

interface Observation {
  answer: ReturnType<typeof bytesOf>
  statements: string[]
  roundTrips: number
  kvReads: number
  kvWrites: number
  queueSends: number
  hashes: number
}

const addressOf = (kind: string) => `${kind}@example.com`

const it = base.extend('world', async ({ service, people }) => {
  // Takes two days.
  await signUpPasskeyOnly(service, addressOf('passkey-only'))
  const admin = await people.admin()
  await people.register(addressOf('pending'))
  await people.signUp(addressOf('active'))
  const suspended = await people.signUp(addressOf('suspended'))
  const deleted = await people.signUp(addressOf('deleted'))
  await people.signUpAs('ADMIN', addressOf('administrator'))
  const factored = await people.signUp(addressOf('factored'))
  await giveFactors(factored.id, service.clock)
  // After a second registration nobody can tell whose password is right, so the account is activated without one.
  await people.register(addressOf('without-password'))
  const withoutPassword = await people.pending(addressOf('without-password'))
  expect((await admin.activateUser(withoutPassword)).status).toBe('active')
  await admin.suspend(suspended)
  await admin.deleteUser(deleted)
  await service.deliver()
  // So that the emails up to here are in no budget of an hour.
  service.clock.advance(61 * minute)
  const meter = countCosts(env)
  const metered = startService({ env: meter.bindings, beside: service })

  async function observe(act: () => Promise<Answer>): Promise<Observation> {
    let answer: Answer | undefined
    meter.take()
    const hashes = await hashesDuring(async () => (answer = await act()))
    const { statements, roundTrips, kvReads, kvWrites, queueSends } = meter.take()
    return { answer: bytesOf(answer!), statements, roundTrips, kvReads, kvWrites, queueSends, hashes }
  }

  /** The same requests for each kind of address. */
  async function observeAll(operation: OperationId, body: object, times: number): Promise<Map<string, Observation[]>> {
    const seen = new Map<string, Observation[]>()
    for (const kind of kinds) {
      const observations: Observation[] = []
      for (let index = 0; index < times; index++) {
        const headers = { 'X-Request-Id': `same-${index}` }
        const call = { body: { email: addressOf(kind), ...body }, headers }
        observations.push(await observe(() => callOperation(metered, operation, call).answer))
      }
      seen.set(kind, observations)
    }
    return seen
  }

  async function lockAll(count: number): Promise<void> {
    const until = new Date(service.clock.now().getTime() + 10 * minute)
    for (const kind of kinds) await setAttempts(addressOf(kind), count, until)
  }

  return { observeAll, lockAll }
})

/** At each request, every kind of address gives what `unknown` gives. */
function expectAlike(seen: Map<string, Observation[]>, ...statuses: number[]): void {
  const reference = seen.get('unknown')!
  expect(reference.map(({ answer }) => answer.status)).toEqual(statuses)
  expect(reference.every(({ statements }) => statements.length > 0)).toBe(true)
  for (const [kind, observations] of seen) {
    for (const [index, observation] of observations.entries()) {
      expect(observation, `request ${index + 1} for ${kind}`).toEqual(reference[index])
    }
  }
}

const times = (count: number, status: number): number[] => Array.from({ length: count }, () => status)

beforeEach(() => void captureLog())

// One request more than the budget of mails has.
const mails = mailBudget.perHour + 1

describe('the existence of an account', () => {
  it('is not revealed by a registration', async ({ world: { observeAll } }) => {
    const body = { password: otherPassword, first_name: 'Ada' }
    expectAlike(await observeAll('register', body, mails), ...times(mails, 202))
  })

  it('is not revealed by a registration whose password is refused', async ({ world: { observeAll } }) => {
    const observed = await observeAll('register', { password: 'password1' }, 1)
    for (const [, [observation]] of observed) expect(observation!.answer).toEqual(observed.get('unknown')![0]!.answer)
    expect([...observed.values()].map(([observation]) => observation!.statements)).toEqual(kinds.map(() => []))
  })

  it('is not revealed by a request for another activation email', async ({ world: { observeAll } }) => {
    expectAlike(await observeAll('resendActivation', {}, mails), ...times(mails, 202))
  })

  it('is not revealed by a request for a reset', async ({ world: { observeAll } }) => {
    expectAlike(await observeAll('requestPasswordReset', {}, mails), ...times(mails, 202))
  })

  it('is not revealed by wrong passwords, or by the waits after many', async ({ world: { observeAll } }) => {
    const { free } = passwordAttempts
    const tries = free + 2
    expectAlike(await observeAll('login', { password: 'wrong' }, tries), ...times(free, 401), ...times(2, 429))
  })

  it.for([
    { given: 'a long one', password: 'x'.repeat(128) },
    { given: 'one in another case', password: goodPassword.toUpperCase() },
    { given: 'one with other characters', password: 'пароль ☂ 𝒳' },
  ])('is not revealed by a wrong password: $given', async ({ password }, { world: { observeAll } }) => {
    expectAlike(await observeAll('login', { password }, 1), 401)
  })

  it.for([{ count: 10 }, { count: passwordAttempts.max }])(
    'is not revealed by try $count in a row, which is reported to the owner',
    async ({ count }, { world: { observeAll, lockAll } }) => {
      await lockAll(count - 1)
      await write('update attempt_counters set allowed_at = 0')
      expectAlike(await observeAll('login', { password: 'wrong' }, 2), 401, 429)
    },
  )

  it.for([
    { lock: 'a waiting', count: passwordAttempts.free },
    { lock: 'an exhausted', count: passwordAttempts.max },
  ])('is not revealed by $lock address', async ({ count }, { world: { observeAll, lockAll } }) => {
    await lockAll(count)
    expectAlike(await observeAll('login', { password: 'wrong' }, 2), 429, 429)
    // Even with the password that some of them have.
    expectAlike(await observeAll('login', { password: goodPassword }, 1), 429)
    expectAlike(await observeAll('register', { password: otherPassword }, 1), 202)
    expectAlike(await observeAll('resendActivation', {}, 1), 202)
    expectAlike(await observeAll('requestPasswordReset', {}, 1), 202)
  })

  it('is not revealed by an invalid link', async ({ world: { observeAll } }) => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.e30.AAAA'
    for (const { operation, body } of [
      { operation: 'activate', body: { token, password: goodPassword } },
      { operation: 'completePasswordReset', body: { token, new_password: otherPassword } },
    ] as const) {
      for (const [, [observation]] of await observeAll(operation, body, 1)) {
        expect(observation).toMatchObject({ answer: { status: 400 }, statements: [], hashes: 0 })
      }
    }
  })
})
