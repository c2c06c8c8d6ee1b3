/** Twenty callers at once who add, remove and renew second factors, and what is stored afterwards. */
import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import type { AppError } from '../../src/errors.ts'
import { problems } from '../../src/problems.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { digestsOfCode } from '../../src/crypto/recovery-code.ts'
import { removeFactor } from '../../src/services/factors/enrolment.ts'
import { connect } from '../../src/store/db.ts'
import { passkeys } from '../../src/store/schema/passkeys.ts'
import { findSignedIn } from '../../src/services/sessions/signed-in.ts'
import { hour } from '../support/clock.ts'
import { contextOf } from '../support/context.ts'
import { App, enrolApp } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { givePasskey } from '../support/passkeys.ts'
import type { Person } from '../support/person.ts'
import { atOnce, callers, countStatus } from '../support/race.ts'
import type { Answer, Service } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'

/** Runs a race as often as RACE_ROUNDS says, each round more than a step of a code later. */
async function race(service: Service, run: () => Promise<void>): Promise<void> {
  for (let round = 0; round < env.RACE_ROUNDS; round++) {
    await run()
    service.clock.advance(hour)
  }
}

/** What holds after every race: an account has a number of its factors exactly while it has a factor, and codes only then. */
async function expectSound({ id }: Person): Promise<void> {
  const [totps, keys, codes] = await Promise.all(
    ['totps', 'passkeys', 'recovery_codes'].map((table) => rowsOf(table, 'user_id = ?', id)),
  )
  const { factors_id: factorsId } = await rowOf('users', 'id = ?', id)
  const hasFactor = totps!.length + keys!.length > 0
  expect({ hasNumber: factorsId !== null, codes: codes!.length }).toEqual({
    hasNumber: hasFactor,
    codes: hasFactor ? 8 : 0,
  })
}

async function digestsOf({ id }: Person, codes: string[]): Promise<string[]> {
  const keys = parseSecretKeys(env.DATA_KEYS)
  return (await Promise.all(codes.map((code) => digestsOfCode(keys, id, code)))).flat().toSorted()
}

const storedDigests = async ({ id }: Person) =>
  (await rowsOf('recovery_codes', 'user_id = ?', id)).map(({ digest }) => String(digest)).toSorted()

/** The codes that the callers were shown. */
const codesIn = (answers: Answer[]): string[][] =>
  answers.flatMap(({ json }) => {
    const { recovery_codes: codes } = (json ?? {}) as { recovery_codes?: string[] }
    return codes ? [codes] : []
  })

it('adds one app for twenty confirmations of one setup, and shows the codes that count', async ({ service, ada }) => {
  await race(service, async () => {
    const person = await ada.signIn()
    const { setup_token, secret } = await person.startTotp()
    const code = new App(secret, service.clock).code()
    const answers = await atOnce(() => person.confirmTotp({ setup_token, code }).answer)
    expect([countStatus(answers, 201), countStatus(answers, 400)]).toEqual([1, callers - 1])
    const shown = codesIn(answers)
    expect(shown).toHaveLength(1)
    expect(await storedDigests(person)).toEqual(await digestsOf(person, shown[0]!))
    expect(await rowsOf('emails', "template = 'factor_added'")).not.toHaveLength(0)
    await expectSound(person)
    await person.removeTotp()
    await expectSound(person)
  })
})

it('adds one app for twenty setups that are confirmed at once, in two sessions', async ({ service, ada }) => {
  await race(service, async () => {
    const sessions = [await ada.signIn(), await ada.signIn()]
    const setups = await atOnce(async (index) => {
      const person = sessions[index % 2]!
      const { setup_token, secret } = await person.startTotp()
      return { person, secret, body: { setup_token, code: new App(secret, service.clock).code() } }
    })
    const answers = await Promise.all(setups.map(({ person, body }) => person.confirmTotp(body).answer))
    // The other session has not shown the factor that the account now has.
    const refused = countStatus(answers, 400) + countStatus(answers, 401)
    expect([countStatus(answers, 201), refused]).toEqual([1, callers - 1])
    expect(await storedDigests(ada)).toEqual(await digestsOf(ada, codesIn(answers)[0]!))
    await expectSound(ada)
    await sessions[answers.findIndex(({ status }) => status === 201) % 2]!.removeTotp()
  })
})

it('removes an app once, and leaves no code behind', async ({ service, ada }) => {
  await race(service, async () => {
    const person = await ada.signIn()
    await enrolApp(person)
    const answers = await atOnce(() => person.removeTotp().answer)
    expect([countStatus(answers, 204), countStatus(answers, 404)]).toEqual([1, callers - 1])
    await expectSound(person)
  })
})

it('keeps the codes of one of twenty renewals, all eight of them', async ({ service, ada }) => {
  await race(service, async () => {
    const person = await ada.signIn()
    await enrolApp(person)
    const answers = await atOnce(() => person.renewRecoveryCodes().answer)
    expect(countStatus(answers, 200)).toBe(callers)
    const stored = await storedDigests(person)
    const shown = await Promise.all(codesIn(answers).map((codes) => digestsOf(person, codes)))
    expect(shown).toContainEqual(stored)
    await expectSound(person)
    await person.removeTotp()
  })
})

it('leaves a sound account when a reset races a removal, a renewal and a new app', async ({ service, admin, ada }) => {
  await race(service, async () => {
    const actor = await admin.signIn()
    const person = await ada.signIn()
    await enrolApp(person)
    const { setup_token, secret } = await person.startTotp()
    const code = new App(secret, service.clock).code()
    await Promise.all([
      person.confirmTotp({ setup_token, code }).answer,
      actor.resetFactors(ada).answer,
      person.renewRecoveryCodes().answer,
      person.removeTotp().answer,
      actor.resetFactors(ada).answer,
    ])
    await expectSound(person)
    await actor.resetFactors(ada)
    await expectSound(person)
  })
})

const strict = it.extend('options', { env: { SECOND_FACTOR: 'all' } })

strict('keeps one of the last two factors when both are removed at once', async ({ service, ada }) => {
  const db = connect(env.DB)
  const { clock } = service
  const ctx = await contextOf(service)
  await enrolApp(ada)
  for (let round = 0; round < env.RACE_ROUNDS; round++) {
    await db.delete(passkeys)
    await givePasskey(ada)
    if ((await rowsOf('totps')).length === 0) {
      await proveIn(ada, strengths.passkey)
      await enrolApp(ada)
      clock.advance(60_000)
    }
    const principal = (await findSignedIn(ctx, ada.sessionId, ada.id))!
    const removePasskey = () =>
      removeFactor(ctx, principal, {
        kind: 'passkey',
        guard: sql`exists (select 1 from passkeys)`,
        erase: (ifDone) => ({ passkey: db.delete(passkeys).where(ifDone) }),
      }).then(
        () => 204,
        ({ code }: AppError) => problems[code].status,
      )
    const removals = await atOnce(async (index) =>
      index % 2 === 0 ? (await ada.removeTotp().answer).status : removePasskey(),
    )
    expect(removals.filter((status) => status === 204)).toHaveLength(1)
    expect(removals.filter((status) => status === 409).length).toBeGreaterThan(0)
    await expectSound(ada)
  }
})
