/** What a request may cost before its answer: round trips to D1, rows written, KV operations and messages to the queue. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import type { components } from '../client/src/api.ts'
import { day, minute } from './support/clock.ts'
import { type Cost, countCosts } from './support/counting.ts'
import { factorTokenIn, giveFactors } from './support/factors.ts'
import { it as base } from './support/fixtures.ts'
import { givePasskey } from './support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from './support/person.ts'
import { type Answer, startService } from './support/service.ts'
import { write } from './support/state.ts'
import { proveIn, strengths } from './support/strength.ts'

/** What is awaited before the answer, at most. */
interface Budget {
  roundTrips: number
  rowsWritten?: number
  kvReads?: number
  kvWrites?: number
  queueSends?: number
}

type FactorQuestion = components['schemas']['SecondFactorProblem']

const email = 'ada@example.com'
const right = { email, password: goodPassword }
const wrong = { email, password: otherPassword }

/** People sign up at `service`. What is asked of `metered` is counted. */
const it = base
  .extend('meter', async () => countCosts(env))
  .extend('metered', async ({ service, meter }) => startService({ env: meter.bindings, beside: service }))

function expectWithin(cost: Cost, budget: Budget): void {
  const { roundTrips, rowsWritten = Infinity, kvReads = 0, kvWrites = 0, queueSends = 0 } = budget
  expect(cost.roundTrips, cost.statements.join('\n')).toBe(roundTrips)
  expect(cost.rowsWritten).toBeLessThanOrEqual(rowsWritten)
  expect(cost).toMatchObject({ kvReads, kvWrites, queueSends })
}

describe('a request', () => {
  it('to register a new or a known address costs 1 round trip, 14 written rows and 1 queue send', async ({
    anonymous,
    metered,
    meter,
  }) => {
    for (let attempt = 0; attempt < 2; attempt++) {
      await anonymous.at(metered).register(right)
      expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 14, queueSends: 1 })
    }
  })

  it('to activate costs 2 round trips', async ({ people, anonymous, metered, meter }) => {
    const token = await people.register(email)
    await anonymous.at(metered).activate({ token, password: goodPassword })
    expectWithin(meter.take(), { roundTrips: 2, queueSends: 1 })
  })

  it('to sign in costs 2 round trips and 9 written rows, granted or refused', async ({ ada, metered, meter }) => {
    await ada.at(metered).login(right)
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 9 })
    await ada.at(metered).login(wrong).refused(401, 'invalid_credentials')
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 9 })
  })

  it('for the options of a passkey asks and writes nothing', async ({ anonymous, metered, meter }) => {
    await anonymous.at(metered).passkeySignInOptions()
    expectWithin(meter.take(), { roundTrips: 0, rowsWritten: 0 })
  })

  it('to sign in with a passkey costs 2 round trips and 7 written rows', async ({ anonymous, ada, metered, meter }) => {
    const { authenticator } = await givePasskey(ada)
    for (let round = 0; round < 3; round++) {
      const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
      const credential = await authenticator.get(public_key)
      await anonymous.at(metered).signInWithPasskey({ challenge_token, credential })
      expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 7 })
    }
  })

  it('with a wrong passkey costs at most 1 round trip and writes nothing', async ({
    anonymous,
    ada,
    metered,
    meter,
  }) => {
    const { authenticator } = await givePasskey(ada)
    const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
    const credential = await authenticator.get(public_key, { flags: 1 })
    const stranger = anonymous.at(metered)
    await stranger.signInWithPasskey({ challenge_token, credential }).refused(401, 'invalid_passkey')
    expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 0 })
    await stranger.signInWithPasskey({ challenge_token: 'x', credential }).refused(401, 'invalid_passkey')
    expectWithin(meter.take(), { roundTrips: 0, rowsWritten: 0 })
  })

  it('to be asked for a second factor costs 2 round trips and 6 written rows, however often', async ({
    clock,
    ada,
    metered,
    meter,
  }) => {
    await giveFactors(ada.id, clock)
    for (let round = 0; round < 3; round++) {
      await ada.at(metered).login(right).refused(403, 'second_factor_required')
      expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 6 })
    }
  })

  it('to sign in with a second factor costs 2 round trips and 9 written rows, granted or refused', async ({
    clock,
    ada,
    metered,
    meter,
  }) => {
    const { app, recoveryCodes } = await giveFactors(ada.id, clock)
    const { authenticator } = await givePasskey(ada)
    async function costOf(status: number, show: (asked: FactorQuestion) => Promise<object> | object): Promise<Cost> {
      clock.advance(minute)
      const asked = (await ada.login(right).refused(403, 'second_factor_required')) as FactorQuestion
      const body = { factor_token: asked.factor_token, ...(await show(asked)) }
      meter.take()
      const answer = await ada.at(metered).secondFactor(body).answer
      expect(answer.status, answer.text).toBe(status)
      return meter.take()
    }
    const passkey = async ({ passkey: options }: FactorQuestion) => {
      const { challenge_token, public_key } = options!
      return { passkey: { challenge_token, credential: await authenticator.get(public_key) } }
    }
    for (const show of [() => ({ totp: app.code() }), () => ({ totp: app.code() }), passkey, passkey]) {
      expectWithin(await costOf(200, show), { roundTrips: 2, rowsWritten: 9 })
    }
    expectWithin(await costOf(403, () => ({ totp: app.wrongCode() })), { roundTrips: 2, rowsWritten: 9 })
    // Its use is an event of its own, and mailed.
    const recovery = await costOf(200, () => ({ recovery_code: recoveryCodes[0]! }))
    expectWithin(recovery, { roundTrips: 2, rowsWritten: 16, queueSends: 1 })
    const wrongRecovery = await costOf(403, () => ({ recovery_code: '0'.repeat(24) }))
    expectWithin(wrongRecovery, { roundTrips: 2, rowsWritten: 9 })
  })

  it('to ask how to step up costs 2 round trips and writes nothing', async ({ clock, ada, metered, meter }) => {
    await giveFactors(ada.id, clock)
    await ada.at(metered).stepUpOptions()
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 0 })
  })

  it('to step up with a password costs 2 round trips and 5 written rows, refused 6', async ({
    ada,
    metered,
    meter,
  }) => {
    const session = ada.at(metered)
    for (let round = 0; round < 3; round++) {
      await session.stepUp({ password: goodPassword })
      expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 5 })
    }
    await session.stepUp({ password: otherPassword }).refused(403, 'wrong_password')
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 6 })
  })

  it('to step up with a factor costs 2 round trips and 5 written rows, refused 3 and 6', async ({
    clock,
    ada,
    metered,
    meter,
  }) => {
    const { app, recoveryCodes } = await giveFactors(ada.id, clock)
    const { authenticator } = await givePasskey(ada)
    // It leaves a counter of tries that counts none.
    const asked = await ada.login({ email: ada.email, password: goodPassword }).refused(403, 'second_factor_required')
    await ada.secondFactor({ factor_token: factorTokenIn(asked), totp: app.code() })
    const session = ada.at(metered)
    for (let round = 0; round < 3; round++) {
      clock.advance(minute)
      await session.stepUp({ totp: app.code() })
      expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 5 })
    }
    for (let round = 0; round < 3; round++) {
      const { challenge_token, public_key } = await ada.stepUpOptions()
      const credential = await authenticator.get(public_key)
      await session.stepUp({ passkey: { challenge_token, credential } })
      expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 5 })
    }
    // Its use is an event of its own, and mailed.
    await session.stepUp({ recovery_code: recoveryCodes[0]! })
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 12, queueSends: 1 })
    await session.stepUp({ totp: app.wrongCode() }).refused(403, 'wrong_second_factor')
    expectWithin(meter.take(), { roundTrips: 3, rowsWritten: 6 })
  })

  it('to rename a passkey costs 2 round trips, 9 written rows and 1 queue send, to its own name no row', async ({
    ada,
    metered,
    meter,
  }) => {
    const { id } = (await givePasskey(ada)).passkey
    await proveIn(ada, strengths.passkey)
    const session = ada.at(metered)
    await session.renamePasskey(id, 'Laptop')
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 9, queueSends: 1 })
    await session.renamePasskey(id, 'Laptop')
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 0 })
  })

  it('to refresh costs 1 round trip of 3 statements, 1 written row and 1 KV read', async ({ ada, metered, meter }) => {
    await ada.at(metered).refresh()
    const cost = meter.take()
    expectWithin(cost, { roundTrips: 1, rowsWritten: 1, kvReads: 1 })
    expect(cost.statements).toHaveLength(3)
  })

  it('to repeat a refresh costs 2 round trips and 1 written row, and repeating it again 1 and none', async ({
    ada,
    metered,
    meter,
  }) => {
    await ada.refresh()
    await ada.at(metered).refresh()
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 1, kvReads: 1 })
    await ada.at(metered).refresh()
    expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 0, kvReads: 1 })
  })

  it('to repeat a refresh from another network costs 2 round trips and 4 written rows', async ({
    ada,
    metered,
    meter,
  }) => {
    await ada.refresh()
    await ada
      .at(metered)
      .from({ headers: { 'CF-Connecting-IP': '198.51.100.9' } })
      .refresh()
    expectWithin(meter.take(), { roundTrips: 2, rowsWritten: 4, kvReads: 1 })
  })

  it('to log out costs 1 round trip, 4 written rows and 1 KV write', async ({ ada, metered, meter }) => {
    await ada.at(metered).logout()
    expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 4, kvWrites: 1 })
  })

  it('to change or reset a password costs 2 round trips', async ({ people, anonymous, ada, metered, meter }) => {
    await ada.at(metered).changePassword({ old_password: goodPassword, new_password: otherPassword })
    expectWithin(meter.take(), { roundTrips: 2, queueSends: 1 })

    const token = await people.resetToken(email)
    await anonymous.at(metered).completePasswordReset({ token, new_password: goodPassword })
    expectWithin(meter.take(), { roundTrips: 2, queueSends: 1, kvWrites: 1 })
  })

  it('to send a reset link costs 1 round trip and 1 queue send, the same for every address', async ({
    clock,
    ada,
    metered,
    meter,
  }) => {
    // The budget of emails counts those of the last day.
    clock.advance(2 * day)
    const costs = []
    for (const address of [ada.email, 'nobody@example.com']) {
      await ada.at(metered).requestPasswordReset({ email: address })
      const cost = meter.take()
      expectWithin(cost, { roundTrips: 1, queueSends: 1 })
      costs.push(cost)
    }
    expect(costs[0]).toEqual(costs[1])
  })

  it('to register or a refused sign-in runs the same statements for every kind of address', async ({
    people,
    anonymous,
    metered,
    meter,
  }) => {
    await people.register('pending@example.com')
    await people.signUp('active@example.com')
    const addresses = ['unknown@example.com', 'pending@example.com', 'active@example.com']
    const registrations = []
    const refusals = []
    for (const address of addresses) {
      await anonymous.at(metered).login({ ...wrong, email: address }).answer
      refusals.push(meter.take().statements)
    }
    for (const address of addresses) {
      await anonymous.at(metered).register({ ...right, email: address })
      registrations.push(meter.take().statements)
    }
    expect(new Set(refusals.map((statements) => statements.join(';'))).size).toBe(1)
    expect(new Set(registrations.map((statements) => statements.join(';'))).size).toBe(1)
  })

  it('for the own account costs 1 round trip and writes nothing', async ({ ada, metered, meter }) => {
    await ada.at(metered).me()
    expectWithin(meter.take(), { roundTrips: 1, rowsWritten: 0 })
  })

  it('to verify at the edge costs 1 KV read and no call to D1, and again within 5 seconds neither', async ({
    ada,
    metered,
    meter,
  }) => {
    await ada.at(metered).verify()
    expectWithin(meter.take(), { roundTrips: 0, kvReads: 1 })
    await ada.at(metered).verify()
    expectWithin(meter.take(), { roundTrips: 0 })
  })

  // In this order, as the later operations need what the earlier ones did.
  const acts: { act: (admin: Person, ada: Person) => { answer: Promise<Answer> }; cost?: Partial<Budget> }[] = [
    { act: (admin, ada) => admin.liftEmailSuppression(ada) },
    { act: (admin) => admin.users() },
    { act: (admin) => admin.auditEvents() },
    { act: (admin) => admin.emails() },
    { act: (admin, ada) => admin.sessionsOf(ada) },
    { act: (admin, ada) => admin.emails({ user_id: ada.id }) },
    { act: (admin, ada) => admin.user(ada) },
    { act: (admin, ada) => admin.moderateProfile(ada, { bio: 'x' }) },
    { act: (admin, ada) => admin.assignRole(ada, 'MODERATOR'), cost: { queueSends: 1, kvWrites: 1 } },
    { act: (admin, ada) => admin.suspend(ada), cost: { queueSends: 1 } },
    { act: (admin, ada) => admin.reinstate(ada), cost: { queueSends: 1 } },
    { act: (admin, ada) => admin.activateUser(ada) },
    { act: (admin, ada) => admin.startPasswordReset(ada), cost: { queueSends: 1 } },
    { act: (admin, ada) => admin.resetFactors(ada) },
    { act: (admin, ada) => admin.endSessionsOf(ada) },
    { act: (admin, ada) => admin.deleteUser(ada), cost: { queueSends: 1 } },
  ]

  it('to administer costs 2 round trips', async ({ admin, ada, metered, meter }) => {
    await write("update users set email_problem = 'bounced' where id = ?", ada.id)
    for (const { act, cost } of acts) {
      const answer = await act(admin.at(metered), ada).answer
      expect(answer.status, act.toString()).toBeLessThan(300)
      expectWithin(meter.take(), { roundTrips: 2, ...cost })
    }
  })

  it('is answered after D1 has committed, and without waiting for KV or the queue', async ({ service, ada }) => {
    const never = () => new Promise<never>(() => undefined)
    const stuck = startService({
      beside: service,
      env: {
        REVOCATIONS: { get: async () => null, put: never } as unknown as KVNamespace,
        MAIL_QUEUE: { send: never } as unknown as Env['MAIL_QUEUE'],
      },
    })
    const logout = { body: { refresh_token: ada.refreshToken } }
    expect(await stuck.answer('POST', '/auth/logout', logout)).toMatchObject({ status: 204 })
    const registration = { body: { email: 'bob@example.com', password: goodPassword } }
    expect(await stuck.answer('POST', '/auth/register', registration)).toMatchObject({ status: 202 })
  })
})
