/** Twenty callers at once, in as many rounds as RACE_ROUNDS says: how many succeed, and what is stored afterwards. */
import { env } from 'cloudflare:workers'
import { decodeJwt } from 'jose'
import { expect, onTestFinished } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { expectProblem } from '../support/answers.ts'
import type { Success } from '../support/api.ts'
import type { Caller } from '../support/caller.ts'
import { minute } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { afterAttempt } from '../support/hooked-d1.ts'
import { linkTokenIn } from '../support/inbox.ts'
import { subjects } from '../support/mails.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { atOnce, callers, countStatus } from '../support/race.ts'
import { setAttempts } from '../support/rows.ts'
import { type Answer, startService } from '../support/service.ts'
import { revokedSessions, rowOf, rowsOf } from '../support/state.ts'

type Sent = Promise<Answer>
type Tokens = Success<'refresh'>

/** Runs a race per round, each with people of its own. */
async function race(run: (email: string) => Promise<void>): Promise<void> {
  for (let round = 0; round < env.RACE_ROUNDS; round++) await run(`racer-${round}@example.com`)
}

/** Like `atOnce`, but each caller starts one D1 query later, so that some meet an act of several queries between two of them. */
function inARow(send: (index: number) => Sent): Promise<Answer[]> {
  return atOnce(async (index) => {
    for (let queries = 0; queries < index; queries++) await env.DB.prepare('select 1').run()
    return send(index)
  })
}

function countCode(answers: Answer[], code: string): number {
  return answers.filter(({ json }) => (json as { code?: string } | undefined)?.code === code).length
}

/** The tokens that were given to the callers. */
function tokensIn(answers: Answer[]): Tokens[] {
  const isTokens = (json: unknown): json is Tokens =>
    typeof json === 'object' && json !== null && 'access_token' in json
  return answers.map(({ json }) => json).filter(isTokens)
}

/** Expects the tokens to be refused by D1 and by the revocation list, and the refresh tokens with them. */
async function expectDead(anonymous: Caller, given: Tokens[]): Promise<void> {
  for (const token of new Set(given.map(({ access_token }) => access_token))) {
    await anonymous.from({ token }).me().refused(401, 'invalid_token')
    await anonymous.from({ token }).verify().refused(401, 'invalid_token')
  }
  for (const token of new Set(given.map(({ refresh_token }) => refresh_token!))) {
    expect((await anonymous.refresh(token).answer).status).toBe(401)
  }
}

/** Enough tries for all callers, so that the budget for wrong passwords does not decide the race. */
const grantTries = (email: string) => setAttempts(email, -1000)

const ofEmail = 'user_id = (select id from users where email = ?)'
const countSessions = async (email: string) => (await rowsOf('sessions', ofEmail, email)).length
const countRegistrations = async (email: string) => (await rowsOf('registrations', 'email = ?', email)).length

it('lets one of twenty callers with the same activation link in', async ({ service, inbox, people, anonymous }) => {
  await race(async (email) => {
    const token = await people.register(email)
    await grantTries(email)
    const answers = await atOnce(() => anonymous.activate({ token, password: goodPassword }).answer)
    expect(countStatus(answers, 200)).toBe(1)
    expect(countCode(answers, 'invalid_link')).toBe(callers - 1)
    expect(await countSessions(email)).toBe(1)
    expect(await rowsOf('audit_events', `type = 'user.activated' and ${ofEmail}`, email)).toHaveLength(1)
    await service.deliver()
    expect(inbox.all(email)).toHaveLength(2)
  })
})

it('makes one account of twenty registrations, and each link takes only its own password', async ({
  service,
  inbox,
  anonymous,
}) => {
  await race(async (email) => {
    const [local, domain] = email.split('@') as [string, string]
    const spellings = [
      email,
      email.toUpperCase(),
      ` ${email}\t`,
      `${local}@EXAMPLE.com`,
      `${local.toUpperCase()}@${domain}`,
    ]
    const passwordOf = (index: number) => `${goodPassword} ${index}`
    const answers = await atOnce(
      (index) =>
        anonymous.register({ email: spellings[index % spellings.length]!, password: passwordOf(index) }).answer,
    )
    expect(countStatus(answers, 202)).toBe(callers)
    expect(await rowsOf('users', 'email = ?', email)).toHaveLength(1)
    expect(await countRegistrations(email)).toBe(mailBudget.perHour)

    await service.deliver()
    const tokens = inbox.all(email).map(linkTokenIn)
    expect(new Set(tokens).size).toBe(mailBudget.perHour)
    // Every link with every password at once: a link fits only with the password of its own registration, and one of
    // those wins.
    await grantTries(email)
    const activations = await Promise.all(
      tokens.map((token) => atOnce((index) => anonymous.activate({ token, password: passwordOf(index) }).answer)),
    )
    expect(countStatus(activations.flat(), 200)).toBe(1)
    expect(await countSessions(email)).toBe(1)
    expect(await countRegistrations(email)).toBe(0)
  })
})

it('sets one password when twenty callers use the same reset link, and ends every session', async ({
  people,
  anonymous,
}) => {
  await race(async (email) => {
    await people.signUp(email)
    const token = await people.resetToken(email)
    const passwordOf = (index: number) => `${otherPassword} ${index}`
    const answers = await atOnce(
      (index) => anonymous.completePasswordReset({ token, new_password: passwordOf(index) }).answer,
    )
    expect(countStatus(answers, 204)).toBe(1)
    expect(countStatus(answers, 400)).toBe(callers - 1)
    expect(await countSessions(email)).toBe(0)
    const winner = answers.findIndex(({ status }) => status === 204)
    await people.signIn(email, passwordOf(winner))
  })
})

it('sets one password when twenty callers use two reset links of one account, and uses up both', async ({
  people,
  anonymous,
}) => {
  await race(async (email) => {
    const { id } = await people.signUp(email)
    const links = [await people.resetToken(email), await people.resetToken(email)]
    const passwordOf = (index: number) => `${otherPassword} ${index}`
    const answers = await atOnce(
      (index) => anonymous.completePasswordReset({ token: links[index % 2]!, new_password: passwordOf(index) }).answer,
    )
    expect(countStatus(answers, 204)).toBe(1)
    expect(countCode(answers, 'invalid_link')).toBe(callers - 1)
    expect(await countSessions(email)).toBe(0)
    expect(await rowsOf('one_time_links', 'user_id = ?', id)).toEqual([])
    const winner = answers.findIndex(({ status }) => status === 204)
    await people.signIn(email, passwordOf(winner))
  })
})

it('keeps the password of a reset that races the activation of the same account', async ({ people, anonymous }) => {
  await race(async (email) => {
    const activation = await people.register(email)
    const reset = await people.resetToken(email)
    await grantTries(email)
    const answers = await atOnce((index) =>
      index % 2 === 0
        ? anonymous.activate({ token: activation, password: goodPassword }).answer
        : anonymous.completePasswordReset({ token: reset, new_password: otherPassword }).answer,
    )
    expect(countStatus(answers, 204)).toBe(1)
    expect(countStatus(answers, 200)).toBeLessThanOrEqual(1)
    expect(countCode(answers, 'invalid_link')).toBeGreaterThanOrEqual(callers - 2)
    expect(await countSessions(email)).toBe(0)
    await expectDead(anonymous, tokensIn(answers))
    expect(await countRegistrations(email)).toBe(0)
    await people.signIn(email, otherPassword)
  })
})

it('keeps nothing of twenty registrations that race an activation of their address', async ({
  service,
  inbox,
  people,
  anonymous,
}) => {
  await race(async (email) => {
    const token = await people.register(email)
    await grantTries(email)
    const passwordOf = (index: number) => `${otherPassword} ${index}`
    const answers = await inARow((index) =>
      index === 1
        ? anonymous.activate({ token, password: goodPassword }).answer
        : anonymous.register({ email, password: passwordOf(index) }).answer,
    )
    expect(answers[1]!.status).toBe(200)
    expect(countStatus(answers, 202)).toBe(callers - 1)
    expect(await rowsOf('users', 'email = ?', email)).toHaveLength(1)
    expect(await countRegistrations(email)).toBe(0)
    // Their emails were queued before the activation, and are composed after it.
    await service.deliver()
    const links = inbox.all(email).filter(({ text }) => text?.includes('#token='))
    expect(links.map(linkTokenIn)).toEqual([token])
    expect(await countSessions(email)).toBe(1)
    await people.signIn(email, goodPassword)
  })
})

it('gives twenty callers with the same refresh token the same successor, and keeps the session', async ({
  people,
  anonymous,
}) => {
  await race(async (email) => {
    const ada = await people.signUp(email)
    const answers = await atOnce(() => ada.refresh().answer)
    expect(countStatus(answers, 200)).toBe(callers)
    const successors = new Set(tokensIn(answers).map(({ refresh_token }) => refresh_token!))
    expect(successors.size).toBe(1)
    expect(await rowOf('sessions', ofEmail, email)).toMatchObject({ generation: 2 })

    const [successor] = successors
    await anonymous.refresh(successor!)
    // The first token is two generations old now: theft.
    await ada.refresh().refused(401, 'refresh_token_reused')
    expect(await countSessions(email)).toBe(0)
  })
})

it('ends a stolen session once, with one email, however often the old token is presented', async ({
  service,
  clock,
  inbox,
  people,
}) => {
  await race(async (email) => {
    const ada = await people.signUp(email)
    await ada.refresh()
    clock.advance(minute)
    const before = inbox.all(email).length
    const answers = await atOnce(() => ada.refresh().answer)
    expect(countStatus(answers, 200)).toBe(0)
    expect(countCode(answers, 'refresh_token_reused')).toBeGreaterThan(0)
    await service.deliver()
    expect(inbox.all(email)).toHaveLength(before + 1)
    expect(await countSessions(email)).toBe(0)
  })
})

it('leaves no live session when refreshes race a log-out', async ({ people }) => {
  await race(async (email) => {
    const ada = await people.signUp(email)
    await atOnce((index) => (index === 7 ? ada.logout().answer : ada.refresh().answer))
    expect(await countSessions(email)).toBe(0)
    await ada.me().refused(401, 'invalid_token')
    await ada.refresh().refused(401, 'invalid_refresh_token')
  })
})

/** Signs somebody up and has an ADMIN make them one, too. */
async function signUpAdmin(people: People, giver: Person, email: string): Promise<Person> {
  await giver.assignRole(await people.signUp(email), 'ADMIN')
  return people.signIn(email)
}

const activeAdmin = () => rowOf('users', "role = 'ADMIN' and status = 'active'")

it('never lets the last two administrators remove each other', async ({ people, admin: first }) => {
  let admin = first
  await race(async (email) => {
    const other = await signUpAdmin(people, admin, email)
    const acts: ((actor: Person, target: Person) => Sent)[] = [
      (actor, target) => actor.assignRole(target, 'USER').answer,
      (actor, target) => actor.suspend(target).answer,
      (actor, target) => actor.deleteUser(target).answer,
    ]
    await atOnce((index) => {
      const [actor, target] = index % 2 === 0 ? [admin, other] : [other, admin]
      return acts[index % 3]!(actor, target)
    })
    admin = await people.signIn(String((await activeAdmin())['email']))
  })
})

it('never lets the last two administrators delete themselves together', async ({ people, admin: first }) => {
  let admin = first
  await race(async (email) => {
    const other = await signUpAdmin(people, admin, email)
    await grantTries(admin.email)
    await grantTries(other.email)
    const answers = await atOnce((index) => (index % 2 === 0 ? admin : other).deleteMe().answer)
    expect(countStatus(answers, 204)).toBe(1)
    expect(countCode(answers, 'last_admin')).toBeGreaterThan(0)
    admin = await people.signIn(String((await activeAdmin())['email']))
  })
})

/** Something that ends sessions while somebody begins one or refreshes one. */
interface End {
  name: string
  prepare: (person: Person, admin: Person, people: People) => Promise<() => Sent>
  /** How many sessions there are afterwards. */
  left: number
  /** The answer to a sign-in whose password was right. */
  refusal: readonly [401, 'invalid_credentials'] | readonly [403, 'account_suspended']
}

const ends: End[] = [
  {
    name: 'reset',
    async prepare(person, _, people) {
      const token = await people.resetToken(person.email)
      return () => person.completePasswordReset({ token, new_password: otherPassword }).answer
    },
    left: 0,
    refusal: [401, 'invalid_credentials'],
  },
  {
    name: 'suspension',
    prepare: async (person, admin) => () => admin.suspend(person).answer,
    left: 0,
    refusal: [403, 'account_suspended'],
  },
  {
    name: 'deletion',
    prepare: async (person, admin) => () => admin.deleteUser(person).answer,
    left: 0,
    refusal: [401, 'invalid_credentials'],
  },
  {
    name: 'change of the password',
    prepare: async (person) => () =>
      person.changePassword({ old_password: goodPassword, new_password: otherPassword }).answer,
    // The session that changed the password.
    left: 1,
    refusal: [401, 'invalid_credentials'],
  },
]

it.for(ends)(
  'leaves no session when sign-ins race a $name',
  async ({ prepare, left }, { people, anonymous, admin }) => {
    await race(async (email) => {
      const person = await people.signUp(email)
      const end = await prepare(person, admin, people)
      await grantTries(email)
      const answers = await inARow((index) =>
        index === 3 ? end() : anonymous.login({ email, password: goodPassword }).answer,
      )
      expect(answers[3]!.status).toBeLessThan(300)
      expect(await rowsOf('sessions', 'user_id = ?', person.id)).toHaveLength(left)
      await expectDead(anonymous, tokensIn(answers))
    })
  },
)

it.for(ends)(
  'refuses a sign-in with the right password when a $name commits while it is hashed',
  async ({ prepare, left, refusal: [status, code] }, { service, people, ada, admin }) => {
    const end = await prepare(ada, admin, people)
    // A sign-in waits longest for the hash of its password, which comes after its attempt is counted.
    const db = afterAttempt(async () => expect((await end()).status).toBeLessThan(300))
    const slow = startService({ beside: service, env: { DB: db } })
    expectProblem(await ada.at(slow).login({ email: ada.email, password: goodPassword }).answer, status, code)
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toHaveLength(left)
  },
)

it.for(ends.filter(({ left }) => left === 0))(
  'leaves no session when refreshes race a $name',
  async ({ prepare }, { people, anonymous, admin }) => {
    await race(async (email) => {
      const person = await people.signUp(email)
      const phone = await person.signIn()
      const end = await prepare(person, admin, people)
      const answers = await atOnce((index) => (index === 9 ? end() : phone.refresh().answer))
      expect(answers[9]!.status).toBeLessThan(300)
      expect(await rowsOf('sessions', 'user_id = ?', person.id)).toEqual([])
      await expectDead(anonymous, tokensIn(answers))
      await phone.verify().refused(401, 'invalid_token')
    })
  },
)

it('counts guesses at a registration although the password of another one gives tries back', async ({
  clock,
  people,
  anonymous,
}) => {
  const email = 'pending@example.com'
  const token = await people.register(email)
  clock.advance(minute)
  await anonymous.register({ email, password: otherPassword })
  const guesses: Answer[] = []
  // Not a race repeated, but one long attack.
  for (let round = 0; round < 10; round++) {
    const answers = await atOnce((index) =>
      index % 7 === round % 7
        ? anonymous.login({ email, password: otherPassword }).answer
        : anonymous.activate({ token, password: `wrong ${index}` }).answer,
    )
    guesses.push(...answers.filter((_, index) => index % 7 !== round % 7))
  }
  const compared = countStatus(guesses, 401)
  expect(compared).toBeGreaterThan(0)
  expect(compared).toBeLessThanOrEqual(5)
  expect(countStatus(guesses, 429)).toBe(guesses.length - compared)
  const counted = await env.DB.prepare('select count from attempt_counters').first<number>('count')
  expect(counted).toBeGreaterThanOrEqual(compared)
})

it('refuses acts and sessions of the old role once the role has changed', async ({ people, anonymous, admin, eve }) => {
  // Only the database knows the order of commits.
  onTestFinished(async () => void (await env.DB.exec('drop trigger late')))
  await env.DB.exec(
    "create trigger late before insert on audit_events when new.type = 'user.profile_updated' and (select role from users where id = new.actor_id) <> 'MODERATOR' begin select raise(abort, 'an act in the old role'); end",
  )
  await race(async (email) => {
    const moderator = await people.signUpAs('MODERATOR', email)
    await grantTries(email)
    const uses: ((index: number) => Sent)[] = [
      (index) => moderator.moderateProfile(eve, { bio: `${index}` }).answer,
      () => moderator.refresh().answer,
      () => anonymous.login({ email, password: goodPassword }).answer,
    ]
    const answers = await atOnce((index) =>
      index === 10 ? admin.assignRole(moderator, 'USER').answer : uses[index % 3]!(index),
    )
    expect(answers[10]!.status).toBe(200)
    expect(answers.filter(({ status }) => status !== 200 && status !== 401)).toEqual([])
    const acts = answers.filter((_, index) => index % 3 === 0)
    expect(await rowsOf('audit_events', "type = 'user.profile_updated' and actor_id = ?", moderator.id)).toHaveLength(
      countStatus(acts, 200),
    )

    // A sign-in after the change gets the new role.
    const given = tokensIn(answers)
    const isOld = ({ access_token }: Tokens) => decodeJwt(access_token)['role'] === 'MODERATOR'
    await expectDead(anonymous, given.filter(isOld))
    expect(await countSessions(email)).toBe(given.filter((tokens) => !isOld(tokens)).length)
    await moderator.users().refused(401, 'invalid_token')
  })
})

it('keeps at most 50 sessions of a user, and lists the others as revoked', async ({ ada }) => {
  for (let round = 0; round < 3; round++) {
    await grantTries(ada.email)
    const answers = await atOnce(() => ada.login({ email: ada.email, password: goodPassword }).answer)
    expect(countStatus(answers, 200)).toBe(callers)
  }
  expect(await countSessions(ada.email)).toBe(50)
  expect(await revokedSessions()).toHaveLength(11)
})

it('leaves only the session that changed the password when refreshes race the change', async ({
  service,
  inbox,
  people,
  anonymous,
}) => {
  await race(async (email) => {
    const person = await people.signUp(email)
    const other = await person.signIn()
    const answers = await atOnce((index) =>
      index === 5
        ? person.changePassword({ old_password: goodPassword, new_password: otherPassword }).answer
        : (index % 2 === 0 ? person : other).refresh().answer,
    )
    expect(answers[5]!.status).toBe(204)
    expect(await countSessions(email)).toBe(1)
    await expectDead(anonymous, tokensIn(answers.filter((_, index) => index % 2 === 1)))
    await other.me().refused(401, 'invalid_token')
    await person.me()
    await service.deliver()
    expect(inbox.newest(email).subject).toBe(subjects.passwordChanged)
  })
})
