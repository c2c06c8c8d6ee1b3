/**
 * Nobody learns from an answer, or from the work that was done for it, whether an address has an account (OWASP ASVS
 * 6.3.8): for every kind of address the same status, headers and bytes, the same statements, the same calls to KV and
 * the queue, and as many password hashes.
 */
import { env } from 'cloudflare:workers'
import { beforeEach, expect, it } from 'vitest'
import { passwordAttempts } from '../../src/config/policy.ts'
import { mailBudget } from '../../src/config/policy.ts'
import { bytesOf } from '../support/answers.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword, otherPassword, register, signUp, signUpAdmin, signUpAs } from '../support/people.ts'
import { type Answer, startService } from '../support/service.ts'

/** What an address can be. Whether it is locked comes on top. */
const kinds = ['unknown', 'pending', 'active', 'suspended', 'deleted', 'administrator', 'without-password'] as const

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

async function createWorld() {
  const plain = startService()
  const admin = await signUpAdmin(plain)
  const { accessToken: token } = admin
  await register(plain, addressOf('pending'))
  await signUp(plain, addressOf('active'))
  const suspended = await signUp(plain, addressOf('suspended'))
  const deleted = await signUp(plain, addressOf('deleted'))
  await signUpAs(plain, 'ADMIN', addressOf('administrator'), admin)
  await register(plain, addressOf('without-password'))
  await register(plain, addressOf('without-password'))
  const id = await env.DB.prepare('select id from users where email = ?')
    .bind(addressOf('without-password'))
    .first<string>('id')
  expect((await plain.call('POST', `/users/${id}/activate`, { token })).json.status).toBe('active')
  await plain.call('POST', `/users/${suspended.id}/suspend`, { token, body: { reason: 'spam' } })
  await plain.call('DELETE', `/users/${deleted.id}`, { token })
  await plain.deliver()
  // The mails of getting here are not to be in the budgets.
  plain.clock.advance(61 * minute)
  const meter = countCosts(env)
  const metered = startService({ env: meter.bindings, beside: plain })

  async function observe(act: () => Promise<Answer>): Promise<Observation> {
    let answer: Answer | undefined
    meter.take()
    const hashes = await hashesDuring(async () => (answer = await act()))
    const { statements, roundTrips, kvReads, kvWrites, queueSends } = meter.take()
    return { answer: bytesOf(answer!), statements, roundTrips, kvReads, kvWrites, queueSends, hashes }
  }

  /** The same requests for each kind of address. */
  async function observeAll(path: string, body: object, times: number): Promise<Map<string, Observation[]>> {
    const seen = new Map<string, Observation[]>()
    for (const kind of kinds) {
      const observations: Observation[] = []
      for (let index = 0; index < times; index++) {
        const headers = { 'X-Request-Id': `same-${index}` }
        const call = { body: { email: addressOf(kind), ...body }, headers }
        observations.push(await observe(() => metered.call('POST', path, call)))
      }
      seen.set(kind, observations)
    }
    return seen
  }

  async function lockAll(count: number): Promise<void> {
    const until = plain.clock.now().getTime() + 10 * minute
    const lock = env.DB.prepare('insert or replace into attempt_counters values (?, ?, ?, ?)')
    await env.DB.batch(kinds.map((kind) => lock.bind(`account:${addressOf(kind)}`, count, until, until)))
  }

  return { observeAll, lockAll }
}

/** Every kind of address gives what `unknown` gives, at each of the requests. */
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

it('is not learned at registration', async () => {
  const { observeAll } = await createWorld()
  const body = { password: otherPassword, first_name: 'Ada' }
  expectAlike(await observeAll('/auth/register', body, mails), ...times(mails, 202))
})

it('is not learned at registration with a password that is refused', async () => {
  const { observeAll } = await createWorld()
  const observed = await observeAll('/auth/register', { password: 'password1' }, 1)
  for (const [, [observation]] of observed) expect(observation!.answer).toEqual(observed.get('unknown')![0]!.answer)
  expect([...observed.values()].map(([observation]) => observation!.statements)).toEqual(kinds.map(() => []))
})

it('is not learned by asking for another activation mail', async () => {
  const { observeAll } = await createWorld()
  expectAlike(await observeAll('/auth/resend-activation', {}, mails), ...times(mails, 202))
})

it('is not learned by asking for a reset', async () => {
  const { observeAll } = await createWorld()
  expectAlike(await observeAll('/auth/password-reset/request', {}, mails), ...times(mails, 202))
})

it('is not learned by a wrong password, or by what comes after many', async () => {
  const { observeAll } = await createWorld()
  const { free } = passwordAttempts
  const tries = free + 2
  expectAlike(await observeAll('/auth/login', { password: 'wrong' }, tries), ...times(free, 401), ...times(2, 429))
})

it.each([
  ['a long one', 'x'.repeat(128)],
  ['the right one of somebody else', goodPassword.toUpperCase()],
  ['one with other characters', 'пароль ☂ 𝒳'],
])('is not learned by a wrong password: %s', async (_, password) => {
  const { observeAll } = await createWorld()
  expectAlike(await observeAll('/auth/login', { password }, 1), 401)
})

it.each([10, passwordAttempts.max])('is not learned at try %i in a row, of which the owner is told', async (count) => {
  const { observeAll, lockAll } = await createWorld()
  await lockAll(count - 1)
  await env.DB.prepare('update attempt_counters set allowed_at = 0').run()
  expectAlike(await observeAll('/auth/login', { password: 'wrong' }, 2), 401, 429)
})

it.each([
  ['waiting', passwordAttempts.free],
  ['exhausted', passwordAttempts.max],
])('is not learned of an address that is locked: %s', async (_, count) => {
  const { observeAll, lockAll } = await createWorld()
  await lockAll(count)
  expectAlike(await observeAll('/auth/login', { password: 'wrong' }, 2), 429, 429)
  // Even with the password that some of them have.
  expectAlike(await observeAll('/auth/login', { password: goodPassword }, 1), 429)
  expectAlike(await observeAll('/auth/register', { password: otherPassword }, 1), 202)
  expectAlike(await observeAll('/auth/resend-activation', {}, 1), 202)
  expectAlike(await observeAll('/auth/password-reset/request', {}, 1), 202)
})

it('is not learned from a link or a token that is not good', async () => {
  const { observeAll } = await createWorld()
  const token = 'eyJhbGciOiJIUzI1NiJ9.e30.AAAA'
  for (const [path, body] of [
    ['/auth/activate', { token, password: goodPassword }],
    ['/auth/password-reset/complete', { token, new_password: otherPassword }],
  ] as const) {
    for (const [, [observation]] of await observeAll(path, body, 1)) {
      expect(observation).toMatchObject({ answer: { status: 400 }, statements: [], hashes: 0 })
    }
  }
})
