/** Twenty callers at once at the second step of a sign-in: each factor and each factor token counts once. */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { Caller } from '../support/caller.ts'
import { minute, second } from '../support/clock.ts'
import { factorTokenIn, giveFactors } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { afterAttempt } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { atOnce, callers, tally } from '../support/race.ts'
import { type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'

/** Runs a race per round, each with a person of its own who has second factors. */
async function race(
  { service, people }: { service: Service; people: People },
  run: (person: Person, factors: Awaited<ReturnType<typeof giveFactors>>) => Promise<void>,
): Promise<void> {
  captureLog()
  for (let round = 0; round < env.RACE_ROUNDS; round++) {
    const person = await people.signUp(`racer-${round}@example.com`)
    await run(person, await giveFactors(person.id, service.clock))
  }
}

async function ask(caller: Caller, { email }: Person): Promise<string> {
  const asked = await caller.login({ email, password: goodPassword }).refused(403, 'second_factor_required')
  return factorTokenIn(asked)
}

async function askOften(caller: Caller, person: Person): Promise<string[]> {
  const tokens: string[] = []
  for (let index = 0; index < callers; index++) tokens.push(await ask(caller, person))
  return tokens
}

/** The session of the sign-up, and those of the race. */
async function expectSessions({ id }: Person, ofRace: number): Promise<void> {
  expect(await rowsOf('sessions', 'user_id = ?', id)).toHaveLength(1 + ofRace)
  expect(await rowsOf('audit_events', "user_id = ? and type = 'user.signed_in'", id)).toHaveLength(ofRace)
}

it('lets one of twenty callers in with one factor token and one code', async ({ service, people, anonymous }) => {
  await race({ service, people }, async (person, { app }) => {
    const body = { factor_token: await ask(anonymous, person), totp: app.code() }
    const answers = await atOnce(() => anonymous.secondFactor(body).answer)
    const { 200: signedIn, ...others } = tally(answers)
    expect(signedIn, JSON.stringify(tally(answers))).toBe(1)
    // Whoever comes later, or comes with the token that was used meanwhile.
    for (const outcome of Object.keys(others)) {
      expect(['invalid_factor_token', 'wrong_second_factor', 'rate_limited']).toContain(outcome)
    }
    await expectSessions(person, 1)
  })
})

it('lets one of twenty callers in with one code and twenty factor tokens', async ({ service, people, anonymous }) => {
  await race({ service, people }, async (person, { app }) => {
    const tokens = await askOften(anonymous, person)
    const totp = app.code()
    const answers = await atOnce((index) => anonymous.secondFactor({ factor_token: tokens[index]!, totp }).answer)
    expect(tally(answers)['200'], JSON.stringify(tally(answers))).toBe(1)
    await expectSessions(person, 1)
  })
})

it('lets one of twenty callers in with one recovery code and twenty factor tokens', async ({
  service,
  inbox,
  people,
  anonymous,
}) => {
  await race({ service, people }, async (person, { recoveryCodes: [code] }) => {
    const tokens = await askOften(anonymous, person)
    const answers = await atOnce(
      (index) => anonymous.secondFactor({ factor_token: tokens[index]!, recovery_code: code! }).answer,
    )
    expect(tally(answers)['200'], JSON.stringify(tally(answers))).toBe(1)
    await expectSessions(person, 1)
    expect(await rowsOf('recovery_codes', 'user_id = ?', person.id)).toHaveLength(7)
    await service.deliver()
    const mails = inbox.all(person.email).filter(({ subject }) => subject.startsWith('A recovery code'))
    expect(mails).toHaveLength(1)
  })
})

it('lets one of eight recovery codes in with one factor token', async ({ service, people, anonymous }) => {
  await race({ service, people }, async (person, { recoveryCodes }) => {
    const factorToken = await ask(anonymous, person)
    const answers = await Promise.all(
      recoveryCodes.map((code) => anonymous.secondFactor({ factor_token: factorToken, recovery_code: code }).answer),
    )
    expect(tally(answers)).toEqual({ 200: 1, invalid_factor_token: 7 })
    await expectSessions(person, 1)
    expect(await rowsOf('recovery_codes', 'user_id = ?', person.id)).toHaveLength(7)
  })
})

it('looks at five of fifty codes at once', async ({ service, people, anonymous }) => {
  await race({ service, people }, async (person, { app }) => {
    const tokens = [...(await askOften(anonymous, person)), await ask(anonymous, person)]
    const answers = await Promise.all(
      Array.from(
        { length: 50 },
        (_, index) =>
          anonymous.secondFactor({ factor_token: tokens[index % tokens.length]!, totp: app.wrongCode() }).answer,
      ),
    )
    expect(tally(answers)).toEqual({ wrong_second_factor: 5, rate_limited: 45 })
    expect(await rowOf('attempt_counters', 'key = ?', `factor:${person.id}`)).toMatchObject({ count: 5, in_flight: 0 })
    await expectSessions(person, 0)
  })
})

it.for<{ meanwhile: string; act: (person: Person) => Promise<unknown> }>([
  { meanwhile: 'the trust in the device ends', act: (person) => person.endOtherSessions() },
  {
    meanwhile: 'the user becomes staff',
    act: ({ id }) => write(`update users set role = 'MODERATOR' where id = ?`, id),
  },
])(
  'asks for the factor when $meanwhile while the password is verified',
  async ({ act }, { service, people, anonymous }) => {
    await race({ service, people }, async (person, { app }) => {
      const body = { factor_token: await ask(anonymous, person), totp: app.code(), trust_device: true }
      const { trust_token } = await anonymous.secondFactor(body)
      const DB = afterAttempt(async () => {
        await act(person)
      })
      const hooked = anonymous.at(startService({ beside: service, env: { DB } }))
      const login = { email: person.email, password: goodPassword, trust_token: trust_token ?? null }
      await hooked.login(login).refused(403, 'second_factor_required')
    })
  },
)

it('leaves a password alone that is new when the old one is due for another hash', async ({
  service,
  people,
  anonymous,
  clock,
}) => {
  const person = await people.signUp('owner@example.com')
  const { app } = await giveFactors(person.id, clock)
  const body = { factor_token: await ask(anonymous, person), totp: app.code() }
  const strong = person.holding(await anonymous.secondFactor(body))
  const passwords = { old_password: goodPassword, new_password: otherPassword }
  const DB = afterAttempt(async () => void (await strong.changePassword(passwords)))
  const work = { rounds: 2, iterations: 1000 }
  const costlier = anonymous.at(startService({ beside: service, env: { DB }, platform: { work } }))
  const login = { email: person.email, password: goodPassword }
  expect([401, 403]).toContain((await costlier.login(login).answer).status)
  await anonymous.login(login).refused(401, 'invalid_credentials')
  await anonymous.login({ ...login, password: otherPassword }).refused(403, 'second_factor_required')
})

it('starts no session when the factor is removed, or the password changed, while the code is verified', async ({
  service,
  people,
  anonymous,
  clock,
}) => {
  const changes: ((person: Person) => Promise<unknown>)[] = [
    (person) => person.removeTotp(),
    (person) => person.changePassword({ old_password: goodPassword, new_password: otherPassword }),
  ]
  captureLog()
  for (const [index, change] of changes.entries()) {
    const person = await people.signUp(`owner-${index}@example.com`)
    const { app } = await giveFactors(person.id, clock)
    const asked = await ask(anonymous, person)
    const body = { factor_token: asked, totp: app.code() }
    const strong = person.holding(await anonymous.secondFactor(body))
    clock.advance(30 * second)
    const factorToken = await ask(anonymous, person)
    const sessions = (await rowsOf('sessions', 'user_id = ?', person.id)).length
    const DB = afterAttempt(async () => void (await change(strong)))
    const hooked = startService({ beside: service, env: { DB } })
    const late = { factor_token: factorToken, totp: app.code() }
    await anonymous.at(hooked).secondFactor(late).refused(401, 'invalid_factor_token')
    expect((await rowsOf('sessions', 'user_id = ?', person.id)).length).toBeLessThanOrEqual(sessions)
    clock.advance(minute)
  }
})
