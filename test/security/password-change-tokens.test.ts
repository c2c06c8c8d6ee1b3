/** A new password ends what an old refresh token could follow: with the token of the session at once, without it soon. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectInvalid, expectNoContent, expectOk, expectProblem, sessionOf } from '../support/answers.ts'
import { tokenAnswer, userObject } from '../support/answers.ts'
import { day, minute, second } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { subjects } from '../support/mails.ts'
import { type Person, expectAlive, expectEnded, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import type { Answer } from '../support/service.ts'
import { nothing, observe, rowOf, write } from '../support/state.ts'

const email = 'ada@example.com'
const passwords = { old_password: goodPassword, new_password: otherPassword }

const changeWith = (person: Person, refreshToken = person.refreshToken) =>
  person.changePassword({ ...passwords, refresh_token: refreshToken })

/** The person with the tokens of a change that must succeed. */
async function changed(person: Person, refreshToken?: string): Promise<Person> {
  return person.holding(expectOk(await changeWith(person, refreshToken).answer), otherPassword)
}

describe('a change of the password with the refresh token', () => {
  it('answers new tokens of the same session, and otherwise does what one without it does', async ({
    service,
    clock,
    ada,
  }) => {
    const phone = await ada.signIn()
    clock.advance(day)
    const current = await ada.renewed()
    const now = clock.now()
    const from = { headers: { 'User-Agent': 'Lynx/2', 'CF-Connecting-IP': '198.51.100.9' } }
    const { answer, effects } = await observe(service, () => changeWith(current.from(from)))
    const tokens = expectOk(answer)
    expect(tokens).toEqual(tokenAnswer(userObject({ email, id: ada.id, updated_at: now.toISOString() })))
    expect(sessionOf(tokens.refresh_token!)).toBe(ada.sessionId)
    expect(sessionOf(tokens.access_token)).toBe(ada.sessionId)
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-1 ~1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.password_changed', actor: ada.id, user: ada.id, detail: null }],
      revoked: [phone.sessionId],
      mails: [`${email}: ${subjects.passwordChanged}`],
    })
    expect(await rowOf('sessions')).toMatchObject({
      created_at: now.getTime() - day,
      last_used_at: now.getTime(),
      expires_at: now.getTime() + 30 * day,
      ip: '198.51.100.9',
      // Nobody has signed in with it.
      user_agent: 'other',
    })
    await expectAlive(current.holding(tokens, otherPassword))
  })

  it('keeps the end of the session 90 days after its sign-in', async ({ clock, ada }) => {
    let current = ada
    for (let days = 0; days < 75; days += 25) {
      clock.advance(25 * day)
      current = await current.renewed()
    }
    const tokens = expectOk(await changeWith(current).answer)
    expect(tokens.refresh_expires_in).toBe(15 * 24 * 3600)
  })

  it('closes every older token: each is refused, ends nothing and is no theft', async ({ service, clock, ada }) => {
    const next = await ada.renewed()
    const third = await next.renewed()
    const owner = await changed(third)
    for (const wait of [0, 29 * second, minute]) {
      clock.advance(wait)
      for (const { refreshToken } of [ada, next, third]) {
        const { answer, effects } = await observe(service, () => ada.refresh(refreshToken))
        expectProblem(answer, 401, 'invalid_refresh_token')
        expect(effects).toEqual(nothing)
      }
    }
    await expectAlive(owner)
  })

  it('leaves a thief nothing who has refreshed the token in the meantime', async ({ ada }) => {
    const thief = await ada.renewed()
    const owner = await changed(ada)
    await thief.refresh().refused(401, 'invalid_refresh_token')
    await ada.refresh().refused(401, 'invalid_refresh_token')
    await expectAlive(owner)
  })

  it('begins a chain in which a lost answer can be repeated and an old token is theft', async ({ clock, ada }) => {
    const owner = await changed(ada)
    const successor = await owner.renewed()
    clock.advance(29 * second)
    expect((await owner.refresh()).refresh_token).toBe(successor.refreshToken)
    clock.advance(second)
    await owner.refresh().refused(401, 'refresh_token_reused')
    await expectEnded(successor)
  })

  it('is refused for a token that is not of this session, before a try is counted, and changes nothing', async ({
    service,
    people,
    ada,
    eve,
  }) => {
    const phone = await ada.signIn()
    const wrong: Record<string, string> = {
      'of another person': eve.refreshToken,
      'of another session': phone.refreshToken,
      'an access token': ada.accessToken,
      'a reset link': await people.resetToken(email),
      garbage: 'x',
    }
    for (const [name, token] of Object.entries(wrong)) {
      const { answer, effects } = await observe(service, () => changeWith(ada, token))
      expectProblem(answer, 401, 'invalid_refresh_token')
      expect(effects, name).toEqual(nothing)
    }
    await people.signIn(email, goodPassword)
  })

  it('is refused for a token that the session has closed or never had, and changes nothing', async ({
    service,
    people,
    ada,
  }) => {
    const owner = await changed(ada)
    const newer = await owner.renewed()
    const back = { old_password: otherPassword, new_password: goodPassword }
    for (const { state, token } of [
      { state: 'closed', token: ada.refreshToken },
      { state: 'newer than its row', token: newer.refreshToken },
    ]) {
      if (state !== 'closed') await write('update sessions set generation = generation - 1')
      const { answer, effects } = await observe(service, () => newer.changePassword({ ...back, refresh_token: token }))
      expectProblem(answer, 401, 'invalid_refresh_token')
      expect(effects, state).toEqual(nothing)
    }
    await people.signIn(email, otherPassword)
  })

  it('is refused when the session ends or the password changes meanwhile, with invalid_token', async ({ ada }) => {
    await ada.logout()
    await changeWith(ada).refused(401, 'invalid_token')
    await changeWith(ada, 'x').refused(401, 'invalid_token')
  })

  it.for([{ refresh_token: 7 }, { refresh_token: ['x'] }])(
    'refuses $refresh_token with 422 and does nothing',
    async (wrong, { service, ada }) => {
      const { answer, effects } = await observe(service, () =>
        ada.call('changePassword', { body: { ...passwords, ...wrong } }),
      )
      expectInvalid(answer, '/refresh_token')
      expect(effects).toEqual(nothing)
    },
  )
})

describe('a change of the password without the refresh token', () => {
  it.for([{}, { refresh_token: null }, { refresh_token: '' }, { transport: 'bearer' }])(
    'answers 204 to %j and leaves the newest token good',
    async (more, { ada }) => {
      expectNoContent(await ada.call('changePassword', { body: { ...passwords, ...more } }).answer)
      await expectAlive(ada)
    },
  )

  it('refuses the token before, which a tab may still have in flight, and takes that for no theft', async ({
    service,
    clock,
    ada,
  }) => {
    const current = await ada.renewed()
    await ada.refresh()
    expectNoContent(await current.changePassword(passwords).answer)
    for (const wait of [0, 30 * second - 1]) {
      clock.advance(wait)
      const { answer, effects } = await observe(service, () => ada.refresh())
      expectProblem(answer, 401, 'invalid_refresh_token')
      expect(effects).toEqual(nothing)
    }
    await expectAlive(current)
  })

  it.for([
    { reason: 'late', wait: 30 * second, headers: {} },
    { reason: 'password_changed', wait: 0, headers: { 'CF-Connecting-IP': '198.51.100.9' } },
    { reason: 'user_agent', wait: 0, headers: { 'User-Agent': 'curl/8' } },
  ])(
    'takes the token before for theft when it comes later or from elsewhere: $reason',
    async ({ reason, wait, headers }, { service, clock, ada }) => {
      const current = await ada.renewed()
      await ada.refresh()
      expectNoContent(await current.changePassword(passwords).answer)
      clock.advance(wait)
      const { answer, effects } = await observe(service, () => ada.from({ headers }).refresh())
      expectProblem(answer, 401, 'refresh_token_reused')
      expect(effects).toMatchObject({
        events: [{ type: 'session.reuse_detected', detail: { reason } }],
        revoked: [ada.sessionId],
        mails: [`${email}: ${subjects.sessionReuse}`],
      })
      await expectEnded(current)
    },
  )

  it('leaves later rotations repeatable', async ({ ada }) => {
    const current = await ada.renewed()
    expectNoContent(await current.changePassword(passwords).answer)
    const successor = await current.renewed()
    expect((await current.refresh()).refresh_token).toBe(successor.refreshToken)
  })

  it.for([
    { state: 'the first one', renewals: 0 },
    { state: 'a later one', renewals: 2 },
  ])(
    'takes the token that was current for theft when it comes from elsewhere: $state',
    async ({ renewals }, { service, ada }) => {
      let owner = ada
      for (let i = 0; i < renewals; i++) owner = await owner.renewed()
      const thief = owner.from({ headers: { 'CF-Connecting-IP': '198.51.100.9' } })
      expectNoContent(await owner.changePassword(passwords).answer)
      const successor = await owner.renewed()
      const { answer, effects } = await observe(service, () => thief.refresh())
      expectProblem(answer, 401, 'refresh_token_reused')
      expect(effects).toMatchObject({
        events: [{ type: 'session.reuse_detected', detail: { reason: 'password_changed' } }],
        mails: [`${email}: ${subjects.sessionReuse}`],
      })
      await expectEnded(successor)
    },
  )

  it('lets the next token be repeated from elsewhere again', async ({ ada }) => {
    expectNoContent(await ada.changePassword(passwords).answer)
    const next = await ada.renewed()
    const newest = await next.renewed()
    const elsewhere = next.from({ headers: { 'CF-Connecting-IP': '198.51.100.9' } })
    expect((await elsewhere.refresh()).refresh_token).toBe(newest.refreshToken)
  })

  it('catches a thief who refreshed the token before: the session ends when its owner refreshes', async ({
    clock,
    ada,
  }) => {
    const thief = await ada.renewed()
    expectNoContent(await ada.changePassword(passwords).answer)
    clock.advance(minute)
    await ada.refresh().refused(401, 'refresh_token_reused')
    await expectEnded(thief)
  })
})

/** Twenty refreshes with the tokens of a session, by its owner and by a thief, around a change of its password. */
async function raceChange(people: People, round: number, withToken: boolean) {
  const address = `racer-${round}@example.com`
  const stolen = await people.signUp(address)
  const owner = await stolen.renewed()
  const answers: Answer[] = await Promise.all(
    Array.from({ length: 20 }, (_, index) => {
      if (index !== 7) return (index % 2 === 0 ? owner : stolen).refresh().answer
      return withToken ? changeWith(owner).answer : owner.changePassword(passwords).answer
    }),
  )
  return { stolen, owner, answers, change: answers[7]! }
}

const rounds = Array.from({ length: env.RACE_ROUNDS }, (_, round) => ({ round }))

it.for(rounds)(
  'a change with the token leaves only its own tokens, whatever races it ($round)',
  async ({ round }, { people }) => {
    // A thief's token may be theft before the change, and then everything has ended.
    const { stolen, owner, answers, change } = await raceChange(people, round, true)
    const given = answers.filter(({ status }, index) => status === 200 && index !== 7)
    for (const { json } of given) {
      const answer = await owner.refresh((json as { refresh_token: string }).refresh_token).answer
      expectProblem(answer, 401, 'invalid_refresh_token')
    }
    for (const { refreshToken } of [stolen, owner]) {
      await owner.refresh(refreshToken).refused(401, 'invalid_refresh_token')
    }
    if (change.status === 200) await expectAlive(owner.holding(change.json as never, otherPassword))
    else expectProblem(change, 401, 'invalid_token')
  },
)
