/** Twenty callers at once, ten rounds: how many succeed, and what is there afterwards. */
import { env } from 'cloudflare:workers'
import { decodeJwt } from 'jose'
import { expect, it } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { expectProblem } from '../support/answers.ts'
import { minute } from '../support/clock.ts'
import {
  type SignedIn,
  goodPassword,
  mailsTo,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
  tokenIn,
} from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'

const callers = 20
const rounds = 10

/** Runs a race per round, each with people of its own. */
async function race(service: Service, run: (service: Service, email: string) => Promise<void>): Promise<void> {
  for (let round = 0; round < rounds; round++) await run(service, `racer-${round}@example.com`)
}

function atOnce(call: (index: number) => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: callers }, (_, index) => call(index)))
}

/** The same, but each comes one question to D1 later: what takes several is met by others between any two of them. */
function inARow(call: (index: number) => Promise<Answer>): Promise<Answer[]> {
  return atOnce(async (index) => {
    for (let questions = 0; questions < index; questions++) await env.DB.prepare('select 1').run()
    return call(index)
  })
}

function countStatus(answers: Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length
}

async function count(sql: string, ...values: unknown[]): Promise<number> {
  return (
    (await env.DB.prepare(sql)
      .bind(...values)
      .first<number>('n')) ?? 0
  )
}

/** Nothing that anybody was given lets anybody in: not in D1, not by the revocation list, and no refresh token. */
async function expectDead(service: Service, answers: Answer[]): Promise<void> {
  const given = answers.filter(({ json }) => json?.access_token !== undefined)
  for (const token of new Set(given.map(({ json }) => json.access_token))) {
    for (const path of ['/users/me', '/auth/verify']) {
      expect((await service.call('GET', path, { token })).status, path).toBe(401)
    }
  }
  for (const refresh_token of new Set(given.map(({ json }) => json.refresh_token))) {
    expect((await service.call('POST', '/auth/refresh', { body: { refresh_token } })).status).toBe(401)
  }
}

/** So many tries at once are over everybody's budget; here it is not the budget that is to decide. */
async function grantTries(email: string): Promise<void> {
  await env.DB.prepare('insert or replace into attempt_counters values (?, -1000, 0, 0)').bind(`account:${email}`).run()
}

const sessionsOf = (email: string) =>
  count('select count(*) as n from sessions where user_id = (select id from users where email = ?)', email)

it('lets one of twenty callers with the same activation link in', async () => {
  await race(startService(), async (service, email) => {
    const token = await register(service, email)
    await grantTries(email)
    const answers = await atOnce(() =>
      service.call('POST', '/auth/activate', { body: { token, password: goodPassword } }),
    )
    expect(countStatus(answers, 200)).toBe(1)
    expect(answers.filter(({ json }) => json.code === 'invalid_link')).toHaveLength(callers - 1)
    expect(await sessionsOf(email)).toBe(1)
    expect(
      await count(
        "select count(*) as n from audit_events where type = 'user.activated' and user_id = (select id from users where email = ?)",
        email,
      ),
    ).toBe(1)
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(2)
  })
})

it('makes one account of twenty registrations of one address in several spellings, and each link leads to its own password', async () => {
  await race(startService(), async (service, email) => {
    const [local, domain] = email.split('@') as [string, string]
    const spellings = [
      email,
      email.toUpperCase(),
      ` ${email}\t`,
      `${local}@EXAMPLE.com`,
      `${local.toUpperCase()}@${domain}`,
    ]
    const passwordOf = (index: number) => `${goodPassword} ${index}`
    const answers = await atOnce((index) =>
      service.call('POST', '/auth/register', {
        body: { email: spellings[index % spellings.length], password: passwordOf(index) },
      }),
    )
    expect(countStatus(answers, 202)).toBe(callers)
    expect(await count('select count(*) as n from users where email = ?', email)).toBe(1)
    expect(await count('select count(*) as n from registrations where email = ?', email)).toBe(mailBudget.perHour)

    await service.deliver()
    const tokens = mailsTo(service, email).map(tokenIn)
    expect(new Set(tokens).size).toBe(mailBudget.perHour)
    // Every link with every password at once: only a link with the password of its own attempt fits, and one of those wins.
    await grantTries(email)
    const activations = await Promise.all(
      tokens.flatMap((token) =>
        Array.from({ length: callers }, (_, index) =>
          service.call('POST', '/auth/activate', { body: { token, password: passwordOf(index) } }),
        ),
      ),
    )
    expect(countStatus(activations, 200)).toBe(1)
    expect(await sessionsOf(email)).toBe(1)
    expect(await count('select count(*) as n from registrations where email = ?', email)).toBe(0)
  })
})

it('sets one password when twenty callers use the same reset link, and ends every session', async () => {
  await race(startService(), async (service, email) => {
    await signUp(service, email)
    const token = await resetToken(service, email)
    const passwordOf = (index: number) => `${otherPassword} ${index}`
    const answers = await atOnce((index) =>
      service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: passwordOf(index) } }),
    )
    expect(countStatus(answers, 204)).toBe(1)
    expect(countStatus(answers, 400)).toBe(callers - 1)
    expect(await sessionsOf(email)).toBe(0)
    const winner = answers.findIndex(({ status }) => status === 204)
    await signIn(service, email, passwordOf(winner))
  })
})

it('sets one password when twenty callers use two reset links of one account, and both are used up', async () => {
  await race(startService(), async (service, email) => {
    const { id } = await signUp(service, email)
    const links = [await resetToken(service, email), await resetToken(service, email)]
    const passwordOf = (index: number) => `${otherPassword} ${index}`
    const complete = (index: number) =>
      service.call('POST', '/auth/password-reset/complete', {
        body: { token: links[index % 2], new_password: passwordOf(index) },
      })
    const answers = await atOnce(complete)
    expect(countStatus(answers, 204)).toBe(1)
    expect(answers.filter(({ json }) => json?.code === 'invalid_link')).toHaveLength(callers - 1)
    expect(await sessionsOf(email)).toBe(0)
    expect(await count('select count(*) as n from one_time_links where user_id = ?', id)).toBe(0)
    const winner = answers.findIndex(({ status }) => status === 204)
    await signIn(service, email, passwordOf(winner))
  })
})

it('lets a reset have the last word when it races the activation of the same account', async () => {
  await race(startService(), async (service, email) => {
    const activation = await register(service, email)
    const reset = await resetToken(service, email)
    await grantTries(email)
    const answers = await atOnce((index) =>
      index % 2 === 0
        ? service.call('POST', '/auth/activate', { body: { token: activation, password: goodPassword } })
        : service.call('POST', '/auth/password-reset/complete', {
            body: { token: reset, new_password: otherPassword },
          }),
    )
    expect(countStatus(answers, 204)).toBe(1)
    expect(countStatus(answers, 200)).toBeLessThanOrEqual(1)
    expect(answers.filter(({ json }) => json?.code === 'invalid_link').length).toBeGreaterThanOrEqual(callers - 2)
    expect(await sessionsOf(email)).toBe(0)
    await expectDead(service, answers)
    expect(await count('select count(*) as n from registrations where email = ?', email)).toBe(0)
    await signIn(service, email, otherPassword)
  })
})

it('keeps nothing of twenty registrations that race an activation of their address', async () => {
  await race(startService(), async (service, email) => {
    const token = await register(service, email)
    await grantTries(email)
    const passwordOf = (index: number) => `${otherPassword} ${index}`
    const answers = await inARow((index) =>
      index === 1
        ? service.call('POST', '/auth/activate', { body: { token, password: goodPassword } })
        : service.call('POST', '/auth/register', { body: { email, password: passwordOf(index) } }),
    )
    expect(answers[1]!.status).toBe(200)
    expect(countStatus(answers, 202)).toBe(callers - 1)
    expect(await count('select count(*) as n from users where email = ?', email)).toBe(1)
    expect(await count('select count(*) as n from registrations where email = ?', email)).toBe(0)
    // Their mails were asked for before it, and say what is true after it.
    await service.deliver()
    const links = mailsTo(service, email).filter(({ text }) => text?.includes('#token='))
    expect(links.map(tokenIn)).toEqual([token])
    expect(await sessionsOf(email)).toBe(1)
    await signIn(service, email, goodPassword)
  })
})

it('gives twenty callers with the same refresh token the same successor, and the family lives on', async () => {
  await race(startService(), async (service, email) => {
    const { refreshToken } = await signUp(service, email)
    const answers = await atOnce(() => service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } }))
    expect(countStatus(answers, 200)).toBe(callers)
    const successors = new Set(answers.map(({ json }) => json.refresh_token))
    expect(successors.size).toBe(1)
    expect(
      await count('select generation as n from sessions where user_id = (select id from users where email = ?)', email),
    ).toBe(2)

    const [successor] = successors
    expect((await service.call('POST', '/auth/refresh', { body: { refresh_token: successor } })).status).toBe(200)
    // The first one is two generations old now: theft.
    const theft = await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
    expect(theft.json.code).toBe('refresh_token_reused')
    expect(await sessionsOf(email)).toBe(0)
  })
})

it('ends a stolen session once, with one mail, however often the old token is presented', async () => {
  await race(startService(), async (service, email) => {
    const { refreshToken } = await signUp(service, email)
    await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
    service.clock.advance(minute)
    const before = mailsTo(service, email).length
    const answers = await atOnce(() => service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } }))
    expect(countStatus(answers, 200)).toBe(0)
    expect(answers.some(({ json }) => json.code === 'refresh_token_reused')).toBe(true)
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(before + 1)
    expect(await sessionsOf(email)).toBe(0)
  })
})

it('leaves no live session when refreshes race a log-out', async () => {
  await race(startService(), async (service, email) => {
    const { refreshToken, accessToken } = await signUp(service, email)
    const body = { refresh_token: refreshToken }
    await atOnce((index) => service.call('POST', index === 7 ? '/auth/logout' : '/auth/refresh', { body }))
    expect(await sessionsOf(email)).toBe(0)
    expect((await service.call('GET', '/users/me', { token: accessToken })).status).toBe(401)
    expect((await service.call('POST', '/auth/refresh', { body })).json.code).toBe('invalid_refresh_token')
  })
})

it('never lets the last two administrators remove each other', async () => {
  const service = startService()
  let admin = await signUpAdmin(service)
  for (let round = 0; round < rounds; round++) {
    let other: SignedIn = await signUpAs(service, 'ADMIN', `other-${round}@example.com`, admin)
    const acts = [
      (id: string) => ['PUT', `/users/${id}/role`, { role: 'USER' }] as const,
      (id: string) => ['POST', `/users/${id}/suspend`, { reason: 'race' }] as const,
      (id: string) => ['DELETE', `/users/${id}`, undefined] as const,
    ]
    await atOnce((index) => {
      const [actor, target] = index % 2 === 0 ? [admin, other] : [other, admin]
      const [method, path, body] = acts[index % 3]!(target.id)
      return service.call(method, path, { token: actor.accessToken, body })
    })
    const survivors = await env.DB.prepare("select email from users where role = 'ADMIN' and status = 'active'").all<{
      email: string
    }>()
    expect(survivors.results).toHaveLength(1)
    admin = await signIn(service, survivors.results[0]!.email)
    other = admin
  }
})

it('never lets the last two administrators delete themselves together', async () => {
  const service = startService()
  let admin = await signUpAdmin(service)
  for (let round = 0; round < rounds; round++) {
    const other = await signUpAs(service, 'ADMIN', `other-${round}@example.com`, admin)
    await grantTries(admin.email)
    await grantTries(other.email)
    const answers = await atOnce((index) => {
      const { accessToken: token, password } = index % 2 === 0 ? admin : other
      return service.call('DELETE', '/users/me', { token, body: { password } })
    })
    expect(countStatus(answers, 204)).toBe(1)
    expect(answers.some(({ json }) => json?.code === 'last_admin')).toBe(true)
    const survivors = await env.DB.prepare("select email from users where role = 'ADMIN' and status = 'active'").all<{
      email: string
    }>()
    expect(survivors.results).toHaveLength(1)
    admin = await signIn(service, survivors.results[0]!.email)
  }
})

/** What ends sessions while somebody begins one or goes on with one. */
interface End {
  prepare: (service: Service, person: SignedIn, admin: SignedIn) => Promise<() => Promise<Answer>>
  /** How many sessions there are afterwards. */
  left: number
  /** What a sign-in is answered whose password was right. */
  refusal: string
}

const ends: Record<string, End> = {
  reset: {
    async prepare(service, { email }) {
      const body = { token: await resetToken(service, email), new_password: otherPassword }
      return () => service.call('POST', '/auth/password-reset/complete', { body })
    },
    left: 0,
    refusal: 'invalid_credentials',
  },
  suspension: {
    prepare:
      async (service, { id }, { accessToken: token }) =>
      () =>
        service.call('POST', `/users/${id}/suspend`, { token, body: { reason: 'race' } }),
    left: 0,
    refusal: 'account_suspended',
  },
  deletion: {
    prepare:
      async (service, { id }, { accessToken: token }) =>
      () =>
        service.call('DELETE', `/users/${id}`, { token }),
    left: 0,
    refusal: 'invalid_credentials',
  },
  'change of the password': {
    prepare:
      async (service, { accessToken: token }) =>
      () =>
        service.call('POST', '/auth/change-password', {
          token,
          body: { old_password: goodPassword, new_password: otherPassword },
        }),
    // The one that asked for it.
    left: 1,
    refusal: 'invalid_credentials',
  },
}

const sessionsOfUser = (id: string) => count('select count(*) as n from sessions where user_id = ?', id)

for (const [name, { prepare, left, refusal }] of Object.entries(ends)) {
  it(`leaves no session when sign-ins race a ${name}`, async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    await race(service, async (_, email) => {
      const person = await signUp(service, email)
      const end = await prepare(service, person, admin)
      await grantTries(email)
      const answers = await inARow((index) =>
        index === 3 ? end() : service.call('POST', '/auth/login', { body: { email, password: goodPassword } }),
      )
      expect(answers[3]!.status).toBeLessThan(300)
      expect(await sessionsOfUser(person.id)).toBe(left)
      await expectDead(service, answers)
    })
  })

  it(`refuses a sign-in whose password was right when a ${name} commits while it is being hashed`, async () => {
    // The password work is where a sign-in waits longest: end the account exactly there.
    const plain = startService()
    const admin = await signUpAdmin(plain)
    const person = await signUp(plain, 'slow@example.com')
    const { email, id } = person
    const end = await prepare(plain, person, admin)
    const deriveBits = crypto.subtle.deriveBits.bind(crypto.subtle)
    let isEnding = false
    crypto.subtle.deriveBits = async (...parameters) => {
      if (!isEnding) {
        isEnding = true
        expect((await end()).status).toBeLessThan(300)
      }
      return deriveBits(...parameters)
    }
    try {
      const answer = await plain.call('POST', '/auth/login', { body: { email, password: goodPassword } })
      expectProblem(answer, refusal === 'account_suspended' ? 403 : 401, refusal)
    } finally {
      crypto.subtle.deriveBits = deriveBits
    }
    expect(await sessionsOfUser(id)).toBe(left)
  })
}

it.each(['reset', 'suspension', 'deletion'])('leaves no session when refreshes race a %s', async (name) => {
  const service = startService()
  const admin = await signUpAdmin(service)
  await race(service, async (_, email) => {
    const person = await signUp(service, email)
    const phone = await signIn(service, email)
    const end = await ends[name]!.prepare(service, person, admin)
    const answers = await atOnce((index) =>
      index === 9 ? end() : service.call('POST', '/auth/refresh', { body: { refresh_token: phone.refreshToken } }),
    )
    expect(answers[9]!.status).toBeLessThan(300)
    expect(await sessionsOfUser(person.id)).toBe(0)
    await expectDead(service, answers)
    expect((await service.call('GET', '/auth/verify', { token: phone.accessToken })).status).toBe(401)
  })
})

it('lets nobody guess at a registration for ever by giving tries back with the password of another', async () => {
  const service = startService()
  const email = 'pending@example.com'
  const token = await register(service, email)
  service.clock.advance(minute)
  await service.call('POST', '/auth/register', { body: { email, password: otherPassword } })
  const guesses: Answer[] = []
  for (let round = 0; round < rounds; round++) {
    const answers = await atOnce((index) =>
      index % 7 === round % 7
        ? service.call('POST', '/auth/login', { body: { email, password: otherPassword } })
        : service.call('POST', '/auth/activate', { body: { token, password: `wrong ${index}` } }),
    )
    guesses.push(...answers.filter((_, index) => index % 7 !== round % 7))
  }
  const looked = countStatus(guesses, 401)
  expect(looked).toBeGreaterThan(0)
  expect(looked).toBeLessThanOrEqual(5)
  expect(countStatus(guesses, 429)).toBe(guesses.length - looked)
  expect(await count('select count as n from attempt_counters')).toBeGreaterThanOrEqual(looked)
})

it('lets nobody act in the old role, or keep a session of it, once the role has changed', async () => {
  const service = startService()
  const admin = await signUpAdmin(service)
  const other = await signUp(service, 'other@example.com')
  // Only the database knows what was committed after what.
  await env.DB.exec(
    "create trigger late before insert on audit_events when new.type = 'user.profile_updated' and (select role from users where id = new.actor_id) <> 'MODERATOR' begin select raise(abort, 'an act in the old role'); end",
  )
  await race(service, async (_, email) => {
    const { id, accessToken: token, refreshToken } = await signUpAs(service, 'MODERATOR', email, admin)
    await grantTries(email)
    const uses = [
      (index: number) => service.call('PATCH', `/users/${other.id}/profile`, { token, body: { bio: `${index}` } }),
      () => service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } }),
      () => service.call('POST', '/auth/login', { body: { email, password: goodPassword } }),
    ]
    const answers = await atOnce((index) =>
      index === 10
        ? service.call('PUT', `/users/${id}/role`, { token: admin.accessToken, body: { role: 'USER' } })
        : uses[index % 3]!(index),
    )
    expect(answers[10]!.status).toBe(200)
    expect(answers.filter(({ status }) => status !== 200 && status !== 401)).toEqual([])
    const acts = answers.filter((_answer, index) => index % 3 === 0)
    expect(
      await count("select count(*) as n from audit_events where type = 'user.profile_updated' and actor_id = ?", id),
    ).toBe(countStatus(acts, 200))

    // Whoever signed in after it is in the new role.
    const given = answers.filter(({ json }) => json.access_token !== undefined)
    const isOld = ({ json }: Answer) => decodeJwt(json.access_token)['role'] === 'MODERATOR'
    await expectDead(service, given.filter(isOld))
    expect(await sessionsOf(email)).toBe(given.filter((answer) => !isOld(answer)).length)
    expect((await service.call('GET', '/users', { token })).status).toBe(401)
  })
})

it('keeps at most fifty sessions of a user, however many sign in at once, and lists the others as ended', async () => {
  const service = startService()
  const { email } = await signUp(service, 'busy@example.com')
  for (let round = 0; round < 3; round++) {
    await grantTries(email)
    const answers = await atOnce(() => service.call('POST', '/auth/login', { body: { email, password: goodPassword } }))
    expect(countStatus(answers, 200)).toBe(callers)
  }
  expect(await sessionsOf(email)).toBe(50)
  const { keys } = await env.REVOCATIONS.list({ prefix: 'session:' })
  expect(keys).toHaveLength(11)
})

it('lets a password change and its refreshes end in one living session', async () => {
  await race(startService(), async (service, email) => {
    const { accessToken, refreshToken } = await signUp(service, email)
    const other = await signIn(service, email)
    const answers = await atOnce((index) =>
      index === 5
        ? service.call('POST', '/auth/change-password', {
            token: accessToken,
            body: { old_password: goodPassword, new_password: otherPassword },
          })
        : service.call('POST', '/auth/refresh', {
            body: { refresh_token: index % 2 === 0 ? refreshToken : other.refreshToken },
          }),
    )
    expect(answers[5]!.status).toBe(204)
    expect(await sessionsOf(email)).toBe(1)
    await expectDead(
      service,
      answers.filter((_answer, index) => index % 2 === 1),
    )
    expect((await service.call('GET', '/users/me', { token: other.accessToken })).status).toBe(401)
    expect((await service.call('GET', '/users/me', { token: accessToken })).status).toBe(200)
    expect(newestMail(service, email)).toBeDefined()
  })
})
