import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { day } from './support/clock.ts'
import { type Cost, countCosts } from './support/counting.ts'
import { goodPassword, otherPassword, resetToken, register, signUp, signUpAdmin } from './support/people.ts'
import { startService } from './support/service.ts'

/** What is awaited before the answer, at most. */
interface Budget {
  roundTrips: number
  rowsWritten?: number
  kvReads?: number
  kvWrites?: number
  queueSends?: number
}

function startMeteredService() {
  const plain = startService()
  const meter = countCosts(env)
  const metered = startService({ env: meter.bindings, beside: plain })
  return { plain, metered, meter }
}

function expectWithin(cost: Cost, budget: Budget): void {
  const { roundTrips, rowsWritten = Infinity, kvReads = 0, kvWrites = 0, queueSends = 0 } = budget
  expect(cost.roundTrips, cost.statements.join('\n')).toBe(roundTrips)
  expect(cost.rowsWritten).toBeLessThanOrEqual(rowsWritten)
  expect(cost).toMatchObject({ kvReads, kvWrites, queueSends })
}

it('registers in one round trip, one queue send and at most 14 written rows, for a new and for a known address', async () => {
  const { metered, meter } = startMeteredService()
  const body = { email: 'ada@example.com', password: goodPassword }
  for (const attempt of ['new', 'known']) {
    const answer = await metered.call('POST', '/auth/register', { body })
    expect(answer.status, attempt).toBe(202)
    expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 14, queueSends: 1 })
  }
})

it('activates in two round trips', async () => {
  const { plain, metered, meter } = startMeteredService()
  const token = await register(plain, 'ada@example.com')
  const answer = await metered.call('POST', '/auth/activate', { body: { token, password: goodPassword } })
  expect(answer.status).toBe(200)
  expectWithin(meter.take(), { roundTrips: 2, queueSends: 1 })
})

it('signs in within two round trips and 9 written rows, and refuses in two', async () => {
  const { plain, metered, meter } = startMeteredService()
  const { email } = await signUp(plain, 'ada@example.com')
  expect((await metered.call('POST', '/auth/login', { body: { email, password: goodPassword } })).status).toBe(200)
  expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 9 })
  expect((await metered.call('POST', '/auth/login', { body: { email, password: otherPassword } })).status).toBe(401)
  expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 9 })
})

it('refreshes in one round trip, one written row and one KV read; a repetition writes nothing', async () => {
  const { plain, metered, meter } = startMeteredService()
  const { refreshToken } = await signUp(plain, 'ada@example.com')
  const body = { refresh_token: refreshToken }
  expect((await metered.call('POST', '/auth/refresh', { body })).status).toBe(200)
  expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 1, kvReads: 1 })
  expect((await metered.call('POST', '/auth/refresh', { body })).status).toBe(200)
  expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 0, kvReads: 1 })
})

it('logs out in one round trip, at most 4 written rows and one KV write', async () => {
  const { plain, metered, meter } = startMeteredService()
  const { refreshToken } = await signUp(plain, 'ada@example.com')
  expect((await metered.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } })).status).toBe(204)
  expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 4, kvWrites: 1 })
})

it('changes and resets a password in two round trips', async () => {
  const { plain, metered, meter } = startMeteredService()
  const { accessToken, email } = await signUp(plain, 'ada@example.com')
  const change = { old_password: goodPassword, new_password: otherPassword }
  expect((await metered.call('POST', '/auth/change-password', { token: accessToken, body: change })).status).toBe(204)
  expectWithin(meter.take(), { roundTrips: 2, queueSends: 1 })

  const token = await resetToken(plain, email)
  const reset = { token, new_password: goodPassword }
  expect((await metered.call('POST', '/auth/password-reset/complete', { body: reset })).status).toBe(204)
  expectWithin(meter.take(), { roundTrips: 2, queueSends: 1, kvWrites: 1 })
})

it('takes a reset request in one round trip and one queue send, whoever asks', async () => {
  const { plain, metered, meter } = startMeteredService()
  await signUp(plain, 'ada@example.com')
  // The budget of mails counts those of a day.
  plain.clock.advance(2 * day)
  const costs = []
  for (const email of ['ada@example.com', 'nobody@example.com']) {
    await metered.call('POST', '/auth/password-reset/request', { body: { email } })
    const cost = meter.take()
    expectWithin(cost, { roundTrips: 1, queueSends: 1 })
    costs.push(cost)
  }
  expect(costs[0]).toEqual(costs[1])
})

it('runs the same statements for every kind of address at registration and at a refused sign-in', async () => {
  const { plain, metered, meter } = startMeteredService()
  await register(plain, 'pending@example.com')
  await signUp(plain, 'active@example.com')
  const addresses = ['unknown@example.com', 'pending@example.com', 'active@example.com']
  const registrations = []
  const refusals = []
  for (const email of addresses) {
    await metered.call('POST', '/auth/login', { body: { email, password: otherPassword } })
    refusals.push(meter.take().statements)
  }
  for (const email of addresses) {
    await metered.call('POST', '/auth/register', { body: { email, password: goodPassword } })
    registrations.push(meter.take().statements)
  }
  expect(new Set(refusals.map((statements) => statements.join(';'))).size).toBe(1)
  expect(new Set(registrations.map((statements) => statements.join(';'))).size).toBe(1)
})

it('answers who I am in one round trip', async () => {
  const { plain, metered, meter } = startMeteredService()
  const { accessToken } = await signUp(plain, 'ada@example.com')
  expect((await metered.call('GET', '/users/me', { token: accessToken })).status).toBe(200)
  expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 0 })
})

it('verifies at the edge with one KV read and without D1', async () => {
  const { plain, metered, meter } = startMeteredService()
  const { accessToken } = await signUp(plain, 'ada@example.com')
  expect((await metered.call('GET', '/auth/verify', { token: accessToken })).status).toBe(204)
  expectWithin(meter.take(), { roundTrips: 0, kvReads: 1 })
})

it('administers in two round trips', async () => {
  const { plain, metered, meter } = startMeteredService()
  const { accessToken: token } = await signUpAdmin(plain)
  const { id } = await signUp(plain, 'ada@example.com')
  const acts: [method: string, path: string, body: unknown, expected: Partial<Budget>][] = [
    ['GET', '/users', undefined, {}],
    ['GET', '/audit-events', undefined, {}],
    ['GET', '/emails', undefined, {}],
    ['GET', `/users/${id}/sessions`, undefined, {}],
    ['GET', `/emails?user_id=${id}`, undefined, {}],
    ['DELETE', `/users/${id}/email-suppression`, undefined, {}],
    ['GET', `/users/${id}`, undefined, {}],
    ['PATCH', `/users/${id}/profile`, { bio: 'x' }, {}],
    ['PUT', `/users/${id}/role`, { role: 'MODERATOR' }, { queueSends: 1, kvWrites: 1 }],
    ['POST', `/users/${id}/suspend`, { reason: 'x' }, { queueSends: 1 }],
    ['POST', `/users/${id}/suspend`, { reason: 'again' }, {}],
    ['POST', `/users/${id}/reinstate`, undefined, { queueSends: 1 }],
    ['POST', `/users/${id}/activate`, undefined, {}],
    ['POST', `/users/${id}/password-reset`, undefined, { queueSends: 1 }],
    ['DELETE', `/users/${id}/sessions`, undefined, {}],
    ['DELETE', `/users/${id}`, undefined, { queueSends: 1 }],
  ]
  for (const [method, path, body, expected] of acts) {
    const answer = await metered.call(method, path, { token, body })
    expect(answer.status, `${method} ${path}`).toBeLessThan(300)
    expectWithin(meter.take(), { roundTrips: 2, ...expected })
  }
})

it('ends no answer before D1 has committed, and begins none after KV or the queue', async () => {
  const never = () => new Promise<never>(() => undefined)
  const service = startService()
  const { refreshToken } = await signUp(service, 'ada@example.com')
  const stuck = startService({
    beside: service,
    env: {
      REVOCATIONS: { get: async () => null, put: never } as unknown as KVNamespace,
      MAIL_QUEUE: { send: never } as unknown as Env['MAIL_QUEUE'],
    },
  })
  expect(await stuck.answer('POST', '/auth/logout', { body: { refresh_token: refreshToken } })).toMatchObject({
    status: 204,
  })
  const body = { email: 'bob@example.com', password: goodPassword }
  expect(await stuck.answer('POST', '/auth/register', { body })).toMatchObject({ status: 202 })
})
