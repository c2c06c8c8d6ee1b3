/**
 * Every way into an account that has a second factor: none of them goes past it (OWASP ASVS 6.3.3, 6.4.4). A new way to
 * sign in, or to come back to an account, is a new row of `ways`.
 */
import { beforeEach, describe, expect } from 'vitest'
import { expectProblem, sessionOf } from '../support/answers.ts'
import { day, minute } from '../support/clock.ts'
import { type GivenFactors, giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { inboxOf } from '../support/inbox.ts'
import { captureLog } from '../support/log-lines.ts'
import { givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import type { Answer } from '../support/service.ts'
import { rowOf, write } from '../support/state.ts'
import { proveIn, strengths, takePassword } from '../support/strength.ts'

/** Where the answer puts the refresh token, and what a page of ours sends along. */
const transports = [
  { transport: 'bearer', headers: {} },
  { transport: 'cookie', headers: { Origin: 'https://accounts.example.com' } },
] as const
type Transport = (typeof transports)[number]

/** An ADMIN with an authenticator app. `old` is a session from before there was a factor. */
interface Cast {
  people: People
  old: Person
  factors: GivenFactors
}

const it = base.extend('cast', async ({ people, clock }): Promise<Cast> => {
  const old = await people.signUpAs('ADMIN', 'guarded@example.com')
  const factors = await giveFactors(old.id, clock)
  return { people, old, factors }
})

interface Way {
  way: string
  go: (cast: Cast, by: Transport) => Promise<Answer>
  /** What it leads to: a question for the factor, a session that has only shown one, or one that has shown the factor. */
  leadsTo: 'question' | 'one factor' | 'factor'
}

const login = (cast: Cast, by: Transport, more: object = {}) =>
  cast.old
    .from({ headers: by.headers })
    .call('login', { body: { email: cast.old.email, password: goodPassword, transport: by.transport, ...more } }).answer

/** The code of the app, for a sign-in that asked. */
async function showCode(cast: Cast, by: Transport, asked: Answer, more: object = {}): Promise<Answer> {
  const { factor_token } = asked.json as { factor_token: string }
  const body = { factor_token, totp: cast.factors.app.code(), transport: by.transport, ...more }
  return cast.old.from({ headers: by.headers }).call('secondFactor', { body }).answer
}

const cookieOf = ({ headers }: Answer) =>
  headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ')

const ways: Way[] = [
  { way: 'the password', go: login, leadsTo: 'question' },
  {
    way: 'the password on a known device',
    async go(cast, by) {
      const first = await showCode(cast, by, await login(cast, by))
      const { device_token } = first.json as { device_token: string }
      return login(cast, by, { device_token })
    },
    leadsTo: 'question',
  },
  {
    way: 'a new password after a reset by email',
    async go(cast, by) {
      const token = await cast.people.resetToken(cast.old.email)
      await cast.old.completePasswordReset({ token, new_password: otherPassword })
      return login(cast, by, { password: otherPassword })
    },
    leadsTo: 'question',
  },
  {
    way: 'a first password by email, for an account without one',
    async go(cast, by) {
      await takePassword(cast.old)
      const token = await cast.people.resetToken(cast.old.email)
      await cast.old.completePasswordReset({ token, new_password: otherPassword })
      return login(cast, by, { password: otherPassword })
    },
    leadsTo: 'question',
  },
  {
    way: 'an activation on a device that was trusted, as staff',
    async go(cast, by) {
      const trusted = await showCode(cast, by, await login(cast, by), { trust_device: true })
      return activateTrusted(cast, by, trusted)
    },
    leadsTo: 'question',
  },
  {
    way: 'an activation on a trusted device, as a USER',
    async go(cast, by) {
      await write("update users set role = 'USER' where id = ?", cast.old.id)
      const trusted = await showCode(cast, by, await login(cast, by), { trust_device: true })
      return activateTrusted(cast, by, trusted)
    },
    leadsTo: 'one factor',
  },
  {
    way: 'an activation of an account that is pending again',
    async go(cast, by) {
      await write("update users set status = 'pending' where id = ?", cast.old.id)
      const token = await cast.people.register(cast.old.email, otherPassword)
      const body = { token, password: otherPassword, transport: by.transport }
      return cast.old.from({ headers: by.headers }).call('activate', { body }).answer
    },
    leadsTo: 'question',
  },
  {
    way: 'the password after a change of the address',
    async go(cast, by) {
      await moveTo(cast, 'guarded.new@example.com')
      return login(cast, by, { email: 'guarded.new@example.com' })
    },
    leadsTo: 'question',
  },
  {
    way: 'a new password after an undone change of the address',
    async go(cast, by) {
      // The factor is older than those that the undoing takes away.
      await write('update totps set created_at = created_at - ?', 2 * day)
      const undo = await moveTo(cast, 'guarded.new@example.com')
      await cast.old.revertEmail(undo)
      await cast.old.service.deliver()
      const token = inboxOf(cast.old.service).linkToken(cast.old.email)
      await cast.old.completePasswordReset({ token, new_password: otherPassword })
      return login(cast, by, { password: otherPassword })
    },
    leadsTo: 'question',
  },
  {
    way: 'the password on a device that was trusted, as staff',
    async go(cast, by) {
      const trusted = await showCode(cast, by, await login(cast, by), { trust_device: true })
      return signInTrusted(cast, by, trusted)
    },
    leadsTo: 'question',
  },
  {
    way: 'the password on a trusted device, as a USER',
    async go(cast, by) {
      await write("update users set role = 'USER' where id = ?", cast.old.id)
      const trusted = await showCode(cast, by, await login(cast, by), { trust_device: true })
      return signInTrusted(cast, by, trusted)
    },
    leadsTo: 'one factor',
  },
  {
    way: 'a refresh of a session from before the factor',
    async go(cast, by) {
      if (by.transport === 'bearer') return cast.old.refresh().answer
      const headers = { ...by.headers, Cookie: `__Host-postern-refresh=${cast.old.refreshToken}` }
      return cast.old.from({ headers }).call('refresh', { body: { transport: 'cookie' } }).answer
    },
    leadsTo: 'one factor',
  },
  {
    way: 'a change of the password with new tokens',
    async go(cast) {
      const passwords = { old_password: goodPassword, new_password: otherPassword }
      const body = { ...passwords, refresh_token: cast.old.refreshToken }
      return cast.old.call('changePassword', { body }).answer
    },
    leadsTo: 'question',
  },
  {
    way: 'the password and a code',
    go: async (cast, by) => showCode(cast, by, await login(cast, by)),
    leadsTo: 'factor',
  },
  {
    way: 'a passkey that verified its user',
    async go(cast, by) {
      const { authenticator } = await givePasskey(cast.old)
      const { challenge_token, public_key } = await cast.old.passkeySignInOptions()
      const body = { challenge_token, credential: await authenticator.get(public_key), transport: by.transport }
      return cast.old.from({ headers: by.headers }).call('signInWithPasskey', { body }).answer
    },
    leadsTo: 'factor',
  },
]

/** The owner, who has shown the factor, moves the account to another address. Gives the link that undoes it. */
async function moveTo({ old }: Cast, address: string): Promise<string> {
  await proveIn(old, strengths.code)
  await old.changeEmail(address)
  await old.service.deliver()
  const inbox = inboxOf(old.service)
  const undo = inbox.linkToken(old)
  await old.confirmEmail(inbox.linkToken(address))
  return undo
}

function signInTrusted(cast: Cast, by: Transport, trusted: Answer): Promise<Answer> {
  const { headers, trust_token } = trustOf(by, trusted)
  return login(cast, { ...by, headers } as Transport, { trust_token })
}

async function activateTrusted(cast: Cast, by: Transport, trusted: Answer): Promise<Answer> {
  await write("update users set status = 'pending' where id = ?", cast.old.id)
  const token = await cast.people.register(cast.old.email, otherPassword)
  const { headers, trust_token } = trustOf(by, trusted)
  const body = { token, password: otherPassword, transport: by.transport, trust_token: trust_token ?? null }
  return cast.old.from({ headers }).call('activate', { body }).answer
}

function trustOf({ transport, headers }: Transport, trusted: Answer) {
  const { trust_token } = trusted.json as { trust_token?: string }
  return { headers: { ...headers, ...(transport === 'cookie' && { Cookie: cookieOf(trusted) }) }, trust_token }
}

const questions = ['second_factor_required', 'insufficient_user_authentication']

beforeEach(() => void captureLog())

describe.for(transports)('with $transport', (by) => {
  it.for(ways)('$way does not go past the second factor', async ({ go, leadsTo }, { cast, eve }) => {
    const answer = await go(cast, by)
    const factorsId = (await rowOf('users', 'id = ?', cast.old.id))['factors_id']
    expect(factorsId, 'the account has its factor still').not.toBeNull()
    if (leadsTo === 'question') {
      expect(questions).toContain((answer.json as { code?: string }).code)
      expect(answer.json).not.toHaveProperty('access_token')
      expect(answer.headers.getSetCookie()).toEqual([])
      return
    }
    const { access_token: token } = answer.json as { access_token: string }
    const { amr } = await rowOf('sessions', 'id = ?', sessionOf(token))
    expect(String(amr).includes('"mfa"')).toBe(leadsTo === 'factor')
    if (leadsTo === 'factor') return

    // A moment after the sign-in it may do nothing that asks for the factor.
    const caller = cast.old.from({ token })
    await write("update users set role = 'ADMIN' where id = ?", cast.old.id)
    await caller.assignRole(eve, 'MODERATOR').refused(401, 'insufficient_user_authentication')
    await caller.deleteUser(eve).refused(401, 'insufficient_user_authentication')
    await caller.deleteMe(goodPassword).refused(401, 'insufficient_user_authentication')
    await caller.stepUp({ password: goodPassword }).refused(403, 'wrong_second_factor')
    cast.old.service.clock.advance(minute)
    expectProblem(await caller.assignRole(eve, 'MODERATOR').answer, 401, 'insufficient_user_authentication')
  })
})
