/** Passkeys with twenty callers at once, in as many rounds as RACE_ROUNDS says, and what is stored afterwards. */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { BodyOf } from '../support/api.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import type { Caller } from '../support/caller.ts'
import { it } from '../support/fixtures.ts'
import { enrolPasskey, givePasskey } from '../support/passkeys.ts'
import type { Person } from '../support/person.ts'
import { atOnce, callers, countStatus } from '../support/race.ts'
import { startService } from '../support/service.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'

async function race(run: (email: string) => Promise<void>): Promise<void> {
  for (let round = 0; round < env.RACE_ROUNDS; round++) await run(`racer-${round}@example.com`)
}

async function assertion(caller: Caller, authenticator: Authenticator): Promise<BodyOf<'signInWithPasskey'>> {
  const { challenge_token, public_key } = await caller.passkeySignInOptions()
  return { challenge_token, credential: await authenticator.get(public_key) }
}

async function registration(person: Person, authenticator: Authenticator): Promise<BodyOf<'addPasskey'>> {
  const { challenge_token, public_key } = await person.passkeyEnrolmentOptions()
  return { challenge_token, credential: await authenticator.create(public_key) }
}

const sessionsOf = ({ id }: Person) => rowsOf('sessions', 'user_id = ?', id)

it('lets one of twenty callers with the same assertion in', async ({ people, anonymous }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const { authenticator, passkey } = await givePasskey(person)
    const body = await assertion(anonymous, authenticator)
    const before = (await sessionsOf(person)).length
    const answers = await atOnce(() => anonymous.signInWithPasskey(body).answer)
    expect(countStatus(answers, 200)).toBe(1)
    expect(countStatus(answers, 401)).toBe(callers - 1)
    expect(await sessionsOf(person)).toHaveLength(before + 1)
    const { used_challenges: used } = await rowOf('passkeys', 'id = ?', passkey.id)
    expect(JSON.parse(String(used))).toHaveLength(1)
  })
})

it('lets sixteen of twenty callers with assertions of their own in', async ({ people, anonymous }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const { authenticator, passkey } = await givePasskey(person)
    const bodies = await Promise.all(Array.from({ length: callers }, () => assertion(anonymous, authenticator)))
    const answers = await atOnce((index) => anonymous.signInWithPasskey(bodies[index]!).answer)
    expect(countStatus(answers, 200)).toBe(16)
    expect(countStatus(answers, 401)).toBe(callers - 16)
    const { used_challenges: used } = await rowOf('passkeys', 'id = ?', passkey.id)
    expect(new Set(JSON.parse(String(used)) as string[]).size).toBe(16)
  })
})

it('adds a credential once, for twenty callers of one account or of two', async ({ people }) => {
  await race(async (email) => {
    const [ada, eve] = [await people.signUp(email), await people.signUp(`other-${email}`)]
    const authenticator = createAuthenticator()
    const own = await registration(ada, authenticator)
    const foreign = await registration(eve, createAuthenticator({ keptId: authenticator.held[0]!.id }))
    const answers = await atOnce((index) => (index % 2 === 0 ? ada.addPasskey(own) : eve.addPasskey(foreign)).answer)
    expect(countStatus(answers, 201)).toBe(1)
    expect(countStatus(answers, 409)).toBe(callers - 1)
    expect(await rowsOf('passkeys', 'user_id in (?, ?)', ada.id, eve.id)).toHaveLength(1)
    const events = await rowsOf('audit_events', "type = 'user.factor_added' and user_id in (?, ?)", ada.id, eve.id)
    expect(events).toHaveLength(1)
  })
})

it('gives recovery codes once to twenty first passkeys', async ({ people }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const bodies = await Promise.all(Array.from({ length: callers }, () => registration(person, createAuthenticator())))
    const answers = await atOnce((index) => person.addPasskey(bodies[index]!).answer)
    expect(countStatus(answers, 201)).toBe(callers)
    expect(answers.filter(({ text }) => text.includes('recovery_codes'))).toHaveLength(1)
    expect(await rowsOf('recovery_codes', 'user_id = ?', person.id)).toHaveLength(8)
    expect(await rowsOf('passkeys', 'user_id = ?', person.id)).toHaveLength(callers)
  })
})

it('adds no twenty-first passkey, however many ask at once', async ({ people }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    for (let count = 0; count < 18; count++) await givePasskey(person)
    await write('update users set factors_id = null where id = ?', person.id)
    const bodies = await Promise.all(Array.from({ length: callers }, () => registration(person, createAuthenticator())))
    const answers = await atOnce((index) => person.addPasskey(bodies[index]!).answer)
    expect(countStatus(answers, 201)).toBe(2)
    expect(countStatus(answers, 409)).toBe(callers - 2)
    expect(await rowsOf('passkeys', 'user_id = ?', person.id)).toHaveLength(20)
  })
})

it('lets nobody in with a passkey after its removal has been answered', async ({ people, anonymous }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const { authenticator, id } = await enrolPasskey(person)
    const bodies = await Promise.all(Array.from({ length: callers }, () => assertion(anonymous, authenticator)))
    let isRemoved = false
    const answers = await atOnce(async (index) => {
      if (index !== callers / 2) {
        const wasRemoved = isRemoved
        const answer = await anonymous.signInWithPasskey(bodies[index]!).answer
        if (wasRemoved) expect(answer.status).toBe(401)
        return answer
      }
      const answer = await person.removePasskey(id).answer
      isRemoved = true
      return answer
    })
    expect(countStatus(answers, 204)).toBe(1)
    expect(countStatus(answers, 200) + countStatus(answers, 401)).toBe(callers - 1)
    expect(await rowsOf('passkeys', 'user_id = ?', person.id)).toEqual([])
    expect(await sessionsOf(person)).toHaveLength(1 + countStatus(answers, 200))
    await anonymous.signInWithPasskey(bodies[0]!).refused(401, 'invalid_passkey')
  })
})

it('keeps one of two passkeys that twenty callers remove where a factor is required', async ({ service, people }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const ids = [(await enrolPasskey(person)).id, (await enrolPasskey(person)).id]
    const strict = person.at(startService({ beside: service, env: { SECOND_FACTOR: 'all' } }))
    const answers = await atOnce((index) => strict.removePasskey(ids[index % 2]!).answer)
    expect(countStatus(answers, 204)).toBe(1)
    expect(await rowsOf('passkeys', 'user_id = ?', person.id)).toHaveLength(1)
  })
})

it('records each of twenty renames at once that changes the name, mails five, and keeps one of the names', async ({
  people,
}) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const { passkey } = await givePasskey(person)
    await proveIn(person, strengths.passkey)
    // Two callers for each name.
    const answers = await atOnce((index) => person.renamePasskey(passkey.id, `Key ${index >> 1}`).answer)
    expect(countStatus(answers, 200)).toBe(callers)
    const names = answers.map(({ json }) => (json as { name: string }).name)
    expect(names).toEqual(answers.map((_, index) => `Key ${index >> 1}`))
    const renames = await rowsOf('audit_events', "type = 'user.passkey_renamed' and user_id = ?", person.id)
    expect(renames.length).toBeGreaterThanOrEqual(callers / 2)
    expect(renames.length).toBeLessThanOrEqual(callers)
    // Five of a kind an hour.
    expect(await rowsOf('emails', "template = 'passkey_renamed' and recipient = ?", email)).toHaveLength(5)
    expect(names).toContain((await rowOf('passkeys', 'id = ?', passkey.id))['name'])
  })
})

it('renames a passkey once for twenty callers with one name', async ({ people }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const { passkey } = await givePasskey(person)
    await proveIn(person, strengths.passkey)
    const answers = await atOnce(() => person.renamePasskey(passkey.id, 'Laptop').answer)
    expect(countStatus(answers, 200)).toBe(callers)
    expect(await rowsOf('audit_events', "type = 'user.passkey_renamed' and user_id = ?", person.id)).toHaveLength(1)
    expect(await rowsOf('emails', "template = 'passkey_renamed' and recipient = ?", email)).toHaveLength(1)
  })
})

it('records no rename that comes after the removal of the passkey', async ({ people }) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const [{ passkey }, kept] = [await givePasskey(person), await givePasskey(person)]
    await proveIn(person, strengths.passkey)
    const answers = await atOnce((index) =>
      index === callers / 2
        ? person.removePasskey(passkey.id).answer
        : person.renamePasskey(passkey.id, `Key ${index}`).answer,
    )
    const renamed = countStatus(answers, 200)
    expect([countStatus(answers, 204), renamed + countStatus(answers, 404)]).toEqual([1, callers - 1])
    const renames = await rowsOf('audit_events', "type = 'user.passkey_renamed' and user_id = ?", person.id)
    expect(renames).toHaveLength(renamed)
    expect(await rowsOf('passkeys', 'user_id = ?', person.id)).toEqual([
      await rowOf('passkeys', 'id = ? and name = ?', kept.passkey.id, 'Passkey'),
    ])
  })
})
