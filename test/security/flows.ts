/** Every flow of the API: how to prepare its request, what it is answered, and what it is answered once it is done. */
import type { components } from '../../client/src/api.ts'
import type { ProblemCode } from '../../src/problems.ts'
import type { EmailFate } from '../../src/store/schema/emails.ts'
import type { Input, OperationId } from '../support/api.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import { breachListUrl } from '../support/breach-list.ts'
import type { Caller } from '../support/caller.ts'
import { minute } from '../support/clock.ts'
import { App, enrolApp, factorTokenIn, giveFactors } from '../support/factors.ts'
import { inboxOf } from '../support/inbox.ts'
import { enrolPasskey, givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { type People, peopleOf } from '../support/population.ts'
import { insertSessions, setAttempts, setFactorAttempts } from '../support/rows.ts'
import { type Service, startService } from '../support/service.ts'
import { rowOf, write } from '../support/state.ts'
import { turnstileEnv } from '../support/turnstile.ts'
import { eventOf, svixHeaders } from '../support/webhooks.ts'

type Question = components['schemas']['SecondFactorProblem']

/** A status, or the code of a problem. */
export type Outcome = number | ProblemCode

export type Request = [operation: OperationId, input?: Input]

export interface World {
  service: Service
  people: People
  anonymous: Caller
}

export interface Flow {
  name: string
  prepare: (world: World) => Promise<Request>
  answer: Outcome
  /** The settings with which it asks other services, and its answers when the first of these requests fails, and the second. */
  outside?: { env: Partial<Env>; offline: Outcome[] }
  /** The answer to the same request after it was done and its answer was lost. */
  again: Outcome
}

export const email = 'ada@example.com'
const password = goodPassword
const change = { old_password: goodPassword, new_password: otherPassword }

const userId = async (address: string) => String((await rowOf('users', 'email = ?', address))['id'])

/** The token of an ADMIN, and the id of a user to act on. */
async function adminAndUser(people: People): Promise<{ token: string; id: string }> {
  const { accessToken: token } = await people.admin()
  return { token, id: (await people.signUp(email)).id }
}

async function adminAndPending(people: People, registrations: number): Promise<{ token: string; id: string }> {
  const { accessToken: token } = await people.admin()
  for (let count = 0; count < registrations; count++) await people.register(email)
  return { token, id: await userId(email) }
}

/** Resend's webhook about the newest email. */
async function news({ service, people }: World, fate: EmailFate): Promise<Request> {
  const ada = await people.signUp(email)
  const raw = JSON.stringify({ ...eventOf(fate, inboxOf(service).newest(ada)), created_at: new Date(0) })
  const headers = await svixHeaders(raw, { at: service.clock.now() })
  return ['receiveResendWebhook', { raw, headers }]
}

/** As after a bounce. */
const suppress = () => write("update users set email_problem = 'bounced' where email = ?", email)

async function suspended(people: People): Promise<{ token: string; id: string }> {
  const admin = await people.admin()
  const { id } = await people.signUp(email)
  await admin.suspend(id)
  return { token: admin.accessToken, id }
}

/** A person whose refresh token was used once. */
async function refreshed(people: People): Promise<Person> {
  const person = await people.signUp(email)
  await person.refresh()
  return person
}

/** Sessions older than any that a flow starts, the oldest first. */
async function giveSessions(service: Service, owner: string, count: number): Promise<void> {
  const now = service.clock.now()
  await insertSessions(
    Array.from({ length: count }, (_, index) => ({
      id: `01900000-0000-7000-8000-${String(index).padStart(12, '0')}`,
      userId: owner,
      createdAt: now,
      lastUsedAt: now,
      expiresAt: new Date(now.getTime() + 60 * minute),
    })),
  )
}

const newEmail = 'ada.new@example.com'

async function askForAddress({ service, people }: World) {
  const ada = await people.signUp(email)
  await ada.changeEmail(newEmail)
  await service.deliver()
  const inbox = inboxOf(service)
  return { ada, confirm: inbox.linkToken(newEmail), revert: inbox.linkToken(email) }
}

/** Somebody has second factors, and the right password was not enough. */
async function askedForFactor({ service, people, anonymous }: World) {
  const { id } = await people.signUp(email)
  const factors = await giveFactors(id, service.clock)
  const asked = await anonymous.login({ email, password }).refused(403, 'second_factor_required')
  return { id, ...factors, factorToken: factorTokenIn(asked) }
}

const challenge = { turnstile_token: 'a token' }
const breachList = { PWNED_PASSWORDS_URL: breachListUrl }

const login = (given = password): Request => ['login', { body: { email, password: given } }]

/** A code for an authenticator app that was set up. */
async function confirmation(person: Person, isWrong = false): Promise<Request> {
  const { setup_token, secret } = await person.startTotp()
  const app = new App(secret, person.service.clock)
  const code = isWrong ? app.wrongCode() : app.code()
  return ['confirmTotp', { token: person.accessToken, body: { setup_token, code } }]
}

/** What an authenticator makes for a person. */
async function registration(person: Person, authenticator = createAuthenticator()): Promise<Request> {
  const { challenge_token, public_key } = await person.passkeyEnrolmentOptions()
  const credential = await authenticator.create(public_key)
  return ['addPasskey', { token: person.accessToken, body: { challenge_token, credential } }]
}

/** What an authenticator says for a sign-in. */
async function assertion({ anonymous }: World, authenticator: Authenticator): Promise<Request> {
  const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
  const credential = await authenticator.get(public_key)
  return ['signInWithPasskey', { body: { challenge_token, credential } }]
}

export const flows: Flow[] = [
  {
    name: 'a registration',
    prepare: async () => ['register', { body: { email, password } }],
    answer: 202,
    again: 202,
  },
  {
    name: 'a registration of a taken address',
    prepare: async ({ people }) => (await people.signUp(email), ['register', { body: { email, password } }]),
    answer: 202,
    again: 202,
  },
  {
    name: 'a registration with both checks',
    prepare: async () => ['register', { body: { email, password, ...challenge } }],
    answer: 202,
    again: 202,
    outside: { env: { ...turnstileEnv, ...breachList }, offline: ['service_unavailable', 202] },
  },
  {
    name: 'a registration that requires the breach list',
    prepare: async () => ['register', { body: { email, password } }],
    answer: 202,
    again: 202,
    outside: { env: { ...breachList, PWNED_PASSWORDS_REQUIRED: 'true' }, offline: ['service_unavailable'] },
  },
  {
    name: 'a request for another activation email',
    prepare: async ({ people }) => (await people.register(email), ['resendActivation', { body: { email } }]),
    answer: 202,
    again: 202,
  },
  {
    name: 'an activation',
    prepare: async ({ people }) => ['activate', { body: { token: await people.register(email), password } }],
    answer: 200,
    again: 'invalid_link',
  },
  {
    name: 'the activation of the first ADMIN',
    prepare: async ({ people }) => [
      'activate',
      { body: { token: await people.register('admin@example.com'), password } },
    ],
    answer: 200,
    again: 'invalid_link',
  },
  {
    name: 'an activation with a wrong password',
    prepare: async ({ people }) => [
      'activate',
      { body: { token: await people.register(email), password: otherPassword } },
    ],
    answer: 'invalid_credentials',
    again: 'invalid_credentials',
  },
  {
    name: 'an activation that ends a session',
    // No call leads to this state, as a pending account has no session.
    async prepare({ service, people }) {
      const token = await people.register(email)
      await giveSessions(service, await userId(email), 50)
      return ['activate', { body: { token, password } }]
    },
    answer: 200,
    again: 'invalid_link',
  },
  { name: 'a sign-in', prepare: async ({ people }) => (await people.signUp(email), login()), answer: 200, again: 200 },
  {
    name: 'a sign-in on a known device',
    async prepare({ people, anonymous }) {
      await people.signUp(email)
      const { device_token } = await anonymous.login({ email, password })
      return ['login', { body: { email, password, device_token } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in from a new place',
    async prepare({ people }) {
      await people.signUp(email)
      const [operation, input] = login()
      return [operation, { ...input, country: 'FR', headers: { 'CF-Connecting-IP': '198.51.100.9' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in that rehashes the password',
    async prepare({ service }) {
      const work = { rounds: 1, iterations: 500 }
      await peopleOf(startService({ platform: { work }, beside: service })).signUp(email)
      return login()
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in that makes the first ADMIN',
    async prepare({ people }) {
      await people.admin()
      await write("update users set role = 'USER'")
      return ['login', { body: { email: 'admin@example.com', password } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in that ends the oldest of fifty sessions',
    async prepare({ service, people }) {
      const { id } = await people.signUp(email)
      await giveSessions(service, id, 49)
      return login()
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in with a wrong password',
    prepare: async ({ people }) => (await people.signUp(email), login(otherPassword)),
    answer: 'invalid_credentials',
    again: 'invalid_credentials',
  },
  {
    name: 'a sign-in without an account',
    prepare: async () => login(),
    answer: 'invalid_credentials',
    again: 'invalid_credentials',
  },
  {
    name: 'the tenth sign-in with a wrong password',
    async prepare({ people }) {
      await people.signUp(email)
      await setAttempts(email, 9)
      return login(otherPassword)
    },
    answer: 'invalid_credentials',
    again: 'rate_limited',
  },
  {
    name: 'a sign-in that has to wait',
    prepare: async ({ service, people }) => (
      await people.signUp(email),
      await setAttempts(email, 100, new Date(service.clock.now().getTime() + 60 * minute)),
      login()
    ),
    answer: 'rate_limited',
    again: 'rate_limited',
  },
  {
    name: 'a sign-in after failures with a Turnstile token',
    async prepare({ people }) {
      await people.signUp(email)
      await setAttempts(email, 3)
      return ['login', { body: { email, password, ...challenge } }]
    },
    answer: 200,
    again: 200,
    outside: { env: { ...turnstileEnv, ...breachList }, offline: ['service_unavailable'] },
  },
  {
    name: 'a sign-in to a pending account',
    prepare: async ({ people }) => (await people.register(email), login()),
    answer: 'account_pending',
    again: 'account_pending',
  },
  {
    name: 'a sign-in to a suspended account',
    prepare: async ({ people }) => (await suspended(people), login()),
    answer: 'account_suspended',
    again: 'account_suspended',
  },
  {
    name: 'a sign-in that asks for a second factor',
    prepare: async (world) => (await askedForFactor(world), login()),
    answer: 'second_factor_required',
    again: 'second_factor_required',
  },
  {
    name: 'a sign-in that asks for a second factor and rehashes the password',
    async prepare({ service }) {
      const work = { rounds: 1, iterations: 500 }
      const { id } = await peopleOf(startService({ platform: { work }, beside: service })).signUp(email)
      await giveFactors(id, service.clock)
      return login()
    },
    answer: 'second_factor_required',
    again: 'second_factor_required',
  },
  {
    name: 'an activation that asks for a second factor',
    async prepare({ service, people }) {
      const { id, link } = await people.pending(email)
      await giveFactors(id, service.clock)
      return ['activate', { body: { token: link, password } }]
    },
    answer: 'second_factor_required',
    again: 'second_factor_required',
  },
  {
    name: 'a second factor',
    async prepare(world) {
      const { app, factorToken } = await askedForFactor(world)
      return ['secondFactor', { body: { factor_token: factorToken, totp: app.code(), trust_device: true } }]
    },
    answer: 200,
    again: 'invalid_factor_token',
  },
  {
    name: 'a recovery code',
    async prepare(world) {
      const { recoveryCodes, factorToken } = await askedForFactor(world)
      return ['secondFactor', { body: { factor_token: factorToken, recovery_code: recoveryCodes[0] } }]
    },
    answer: 200,
    again: 'invalid_factor_token',
  },
  {
    name: 'a passkey as the second factor',
    async prepare({ service, people, anonymous }) {
      const { authenticator } = await givePasskey(await people.signUp(email))
      await service.deliver()
      const asked = await anonymous.login({ email, password }).refused(403, 'second_factor_required')
      const { challenge_token, public_key } = (asked as Question).passkey!
      const passkey = { challenge_token, credential: await authenticator.get(public_key) }
      return ['secondFactor', { body: { factor_token: factorTokenIn(asked), passkey } }]
    },
    answer: 200,
    again: 'invalid_factor_token',
  },
  {
    name: 'a second factor that activates an account',
    async prepare({ service, people, anonymous }) {
      const { id, link } = await people.pending(email)
      const { app } = await giveFactors(id, service.clock)
      const asked = await anonymous.activate({ token: link, password }).refused(403, 'second_factor_required')
      return ['secondFactor', { body: { factor_token: factorTokenIn(asked), totp: app.code() } }]
    },
    answer: 200,
    again: 'invalid_factor_token',
  },
  {
    name: 'a wrong second factor',
    async prepare(world) {
      const { app, factorToken } = await askedForFactor(world)
      return ['secondFactor', { body: { factor_token: factorToken, totp: app.wrongCode() } }]
    },
    answer: 'wrong_second_factor',
    again: 'wrong_second_factor',
  },
  {
    name: 'the tenth wrong second factor',
    async prepare(world) {
      const { id, app, factorToken } = await askedForFactor(world)
      await setFactorAttempts(id, 9)
      return ['secondFactor', { body: { factor_token: factorToken, totp: app.wrongCode() } }]
    },
    answer: 'wrong_second_factor',
    again: 'rate_limited',
  },
  {
    name: 'a sign-in on a trusted device',
    async prepare(world) {
      const { app, factorToken } = await askedForFactor(world)
      const body = { factor_token: factorToken, totp: app.code(), trust_device: true }
      const { trust_token } = await world.anonymous.secondFactor(body)
      return ['login', { body: { email, password, trust_token } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a refresh',
    prepare: async ({ people }) => ['refresh', { body: { refresh_token: (await people.signUp(email)).refreshToken } }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a repeated refresh',
    async prepare({ service, people }) {
      const { refreshToken } = await refreshed(people)
      // A repetition in the millisecond of its refresh would look like the second run of that refresh's own batch.
      service.clock.advance(1)
      return ['refresh', { body: { refresh_token: refreshToken } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a refresh with a stolen token',
    async prepare({ service, people }) {
      const { refreshToken } = await refreshed(people)
      service.clock.advance(minute)
      return ['refresh', { body: { refresh_token: refreshToken } }]
    },
    answer: 'refresh_token_reused',
    again: 'invalid_refresh_token',
  },
  {
    name: 'a log-out',
    prepare: async ({ people }) => ['logout', { body: { refresh_token: (await people.signUp(email)).refreshToken } }],
    answer: 204,
    again: 204,
  },
  {
    name: 'a log-out everywhere',
    async prepare({ people }) {
      const { accessToken: token } = await people.signUp(email)
      await people.signIn(email)
      return ['logoutAll', { token }]
    },
    answer: 204,
    again: 'invalid_token',
  },
  {
    name: 'a change of password',
    async prepare({ people }) {
      const { accessToken: token } = await people.signUp(email)
      await people.signIn(email)
      await people.resetToken(email)
      return ['changePassword', { token, body: change }]
    },
    answer: 204,
    again: 'wrong_password',
  },
  {
    name: 'a change of password with the refresh token',
    async prepare({ people }) {
      const { accessToken: token, refreshToken } = await people.signUp(email)
      await people.signIn(email)
      return ['changePassword', { token, body: { ...change, refresh_token: refreshToken } }]
    },
    answer: 200,
    again: 'wrong_password',
  },
  {
    name: 'a change of password with a wrong old one',
    prepare: async ({ people }) => [
      'changePassword',
      { token: (await people.signUp(email)).accessToken, body: { ...change, old_password: 'not it' } },
    ],
    answer: 'wrong_password',
    again: 'wrong_password',
  },
  {
    name: 'a change to a weak password',
    prepare: async ({ people }) => [
      'changePassword',
      { token: (await people.signUp(email)).accessToken, body: { ...change, new_password: 'password1' } },
    ],
    answer: 'weak_password',
    again: 'weak_password',
  },
  {
    name: 'a change of password that requires the breach list',
    prepare: async ({ people }) => [
      'changePassword',
      { token: (await people.signUp(email)).accessToken, body: change },
    ],
    answer: 204,
    again: 'wrong_password',
    outside: { env: { ...breachList, PWNED_PASSWORDS_REQUIRED: 'true' }, offline: ['service_unavailable'] },
  },
  {
    name: 'a request for a reset',
    prepare: async ({ people }) => (await people.signUp(email), ['requestPasswordReset', { body: { email } }]),
    answer: 202,
    again: 202,
  },
  {
    name: 'a request for a reset with a Turnstile token',
    prepare: async ({ people }) => (
      await people.signUp(email),
      ['requestPasswordReset', { body: { email, ...challenge } }]
    ),
    answer: 202,
    again: 202,
    outside: { env: { ...turnstileEnv, ...breachList }, offline: ['service_unavailable'] },
  },
  {
    name: 'a reset',
    async prepare({ people }) {
      await people.signUp(email)
      const body = { token: await people.resetToken(email), new_password: otherPassword }
      return ['completePasswordReset', { body }]
    },
    answer: 204,
    again: 'invalid_link',
  },
  {
    name: 'a reset that asks the breach list',
    async prepare({ people }) {
      await people.signUp(email)
      const body = { token: await people.resetToken(email), new_password: otherPassword }
      return ['completePasswordReset', { body }]
    },
    answer: 204,
    again: 'invalid_link',
    outside: { env: breachList, offline: [204] },
  },
  {
    name: 'a reset that activates',
    async prepare({ people }) {
      await people.register(email)
      const body = { token: await people.resetToken(email), new_password: otherPassword }
      return ['completePasswordReset', { body }]
    },
    answer: 204,
    again: 'invalid_link',
  },
  {
    name: 'a request for the own account',
    prepare: async ({ people }) => ['getMe', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a change of the profile',
    prepare: async ({ people }) => [
      'updateMe',
      { token: (await people.signUp(email)).accessToken, body: { bio: 'x', locale: 'en' } },
    ],
    answer: 200,
    again: 200,
  },
  {
    name: 'the deletion of the own account',
    prepare: async ({ people }) => [
      'deleteMe',
      { token: (await people.signUp(email)).accessToken, body: { password } },
    ],
    answer: 204,
    again: 'invalid_token',
  },
  {
    name: 'a deletion with a wrong password',
    prepare: async ({ people }) => [
      'deleteMe',
      { token: (await people.signUp(email)).accessToken, body: { password: otherPassword } },
    ],
    answer: 'wrong_password',
    again: 'wrong_password',
  },
  {
    name: 'the deletion of the last ADMIN',
    prepare: async ({ people }) => ['deleteMe', { token: (await people.admin()).accessToken, body: { password } }],
    answer: 'last_admin',
    again: 'last_admin',
  },
  {
    name: 'a request for another address',
    prepare: async ({ people }) => [
      'changeEmail',
      { token: (await people.signUp(email)).accessToken, body: { email: newEmail } },
    ],
    answer: 202,
    again: 202,
  },
  {
    name: 'a request for an address that is taken',
    async prepare({ people }) {
      await people.signUp(newEmail)
      return ['changeEmail', { token: (await people.signUp(email)).accessToken, body: { email: newEmail } }]
    },
    answer: 202,
    again: 202,
  },
  {
    name: 'a change of address',
    async prepare(world) {
      const { ada, confirm } = await askForAddress(world)
      await world.people.register(newEmail)
      return ['confirmEmail', { token: ada.accessToken, body: { token: confirm } }]
    },
    answer: 200,
    again: 'invalid_link',
  },
  {
    name: 'the end of a request for another address',
    prepare: async (world) => ['revertEmail', { body: { token: (await askForAddress(world)).revert } }],
    answer: 204,
    again: 'invalid_link',
  },
  {
    name: 'a change of address that is undone',
    async prepare(world) {
      const { ada, confirm, revert } = await askForAddress(world)
      await ada.confirmEmail(confirm)
      return ['revertEmail', { body: { token: revert } }]
    },
    answer: 204,
    again: 'invalid_link',
  },
  {
    name: 'an export',
    prepare: async ({ people }) => ['exportMe', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 'rate_limited',
  },
  {
    name: 'a list of sessions',
    prepare: async ({ people }) => ['listMySessions', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'the end of another session',
    async prepare({ people }) {
      const ada = await people.signUp(email)
      const { accessToken: token } = await ada.signIn()
      return ['endMySession', { id: ada.sessionId, token }]
    },
    answer: 204,
    again: 'not_found',
  },
  {
    name: 'the end of all other sessions',
    async prepare({ people }) {
      const { accessToken: token } = await people.signUp(email)
      await people.signIn(email)
      return ['endMyOtherSessions', { token }]
    },
    answer: 204,
    again: 204,
  },
  {
    name: 'a sign-in with a passkey',
    async prepare(world) {
      const ada = await world.people.signUp(email)
      return assertion(world, (await givePasskey(ada)).authenticator)
    },
    answer: 200,
    again: 'invalid_passkey',
  },
  {
    name: 'a sign-in with the passkey of a suspended account',
    async prepare(world) {
      const ada = await world.people.signUp(email)
      const request = await assertion(world, (await givePasskey(ada)).authenticator)
      await (await world.people.admin()).suspend(ada)
      return request
    },
    answer: 'account_suspended',
    again: 'account_suspended',
  },
  {
    name: 'options for a new passkey',
    prepare: async ({ people }) => ['passkeyEnrolmentOptions', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a first passkey',
    prepare: async ({ people }) => registration(await people.signUp(email)),
    answer: 201,
    again: 'passkey_exists',
  },
  {
    name: 'another name of a passkey',
    async prepare({ people }) {
      const ada = await people.signUp(email)
      const { id } = await enrolPasskey(ada)
      return ['renamePasskey', { id, token: ada.accessToken, body: { name: 'Laptop' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'the end of a passkey',
    async prepare({ people }) {
      const ada = await people.signUp(email)
      const { id } = await enrolPasskey(ada)
      return ['removePasskey', { id, token: ada.accessToken }]
    },
    answer: 204,
    again: 'not_found',
  },
  {
    name: 'a list of the own second factors',
    prepare: async ({ people }) => ['getMyFactors', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a code for a first factor',
    prepare: async ({ people }) => ['sendFactorCode', { token: (await people.signUp(email)).accessToken }],
    answer: 202,
    again: 202,
  },
  {
    name: 'the setup of an authenticator app',
    prepare: async ({ people }) => ['startTotp', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a first authenticator app',
    prepare: async ({ people }) => confirmation(await people.signUp(email)),
    answer: 201,
    again: 'invalid_setup',
  },
  {
    name: 'a first authenticator app of an account that must have a factor',
    async prepare({ service, people }) {
      await people.signUp(email)
      const ada = await people.signIn(email)
      await ada.sendFactorCode()
      await service.deliver()
      const [operation, { body, ...input } = {}] = await confirmation(ada)
      const mail_code = inboxOf(service).mailCode(email)
      return [operation, { ...input, body: { ...(body as object), mail_code } }]
    },
    outside: { env: { SECOND_FACTOR: 'all' }, offline: [] },
    answer: 201,
    again: 'invalid_setup',
  },
  {
    name: 'an authenticator app in place of another one',
    async prepare({ people }) {
      const ada = await people.signUp(email)
      await enrolApp(ada)
      return confirmation(ada)
    },
    answer: 201,
    again: 'invalid_setup',
  },
  {
    name: 'a wrong code for an authenticator app',
    prepare: async ({ people }) => confirmation(await people.signUp(email), true),
    answer: 'wrong_second_factor',
    again: 'wrong_second_factor',
  },
  {
    name: 'the end of an authenticator app',
    async prepare({ people }) {
      const ada = await people.signUp(email)
      await enrolApp(ada)
      return ['removeTotp', { token: ada.accessToken }]
    },
    answer: 204,
    again: 'not_found',
  },
  {
    name: 'new recovery codes',
    async prepare({ people }) {
      const ada = await people.signUp(email)
      await enrolApp(ada)
      return ['renewRecoveryCodes', { token: ada.accessToken }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'options for a step-up',
    prepare: async ({ people }) => ['stepUpOptions', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a step-up by password',
    prepare: async ({ people }) => ['stepUp', { token: (await people.signUp(email)).accessToken, body: { password } }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a step-up by a code',
    async prepare({ service, people }) {
      const { id, accessToken: token } = await people.signUp(email)
      const { app } = await giveFactors(id, service.clock)
      return ['stepUp', { token, body: { totp: app.code() } }]
    },
    answer: 200,
    again: 'wrong_second_factor',
  },
  {
    name: 'a step-up by a recovery code',
    async prepare({ service, people }) {
      const { id, accessToken: token } = await people.signUp(email)
      const { recoveryCodes } = await giveFactors(id, service.clock)
      return ['stepUp', { token, body: { recovery_code: recoveryCodes[0] } }]
    },
    answer: 200,
    again: 'wrong_second_factor',
  },
  {
    name: 'a step-up by a passkey',
    async prepare({ people }) {
      const ada = await people.signUp(email)
      const { authenticator } = await givePasskey(ada)
      const { challenge_token, public_key } = await ada.stepUpOptions()
      const passkey = { challenge_token, credential: await authenticator.get(public_key) }
      return ['stepUp', { token: ada.accessToken, body: { passkey } }]
    },
    answer: 200,
    again: 'wrong_second_factor',
  },
  {
    name: 'a step-up by a wrong code',
    async prepare({ service, people }) {
      const { id, accessToken: token } = await people.signUp(email)
      const { app } = await giveFactors(id, service.clock)
      return ['stepUp', { token, body: { totp: app.wrongCode() } }]
    },
    answer: 'wrong_second_factor',
    again: 'wrong_second_factor',
  },
  {
    name: 'a verification at the edge',
    prepare: async ({ people }) => ['verify', { token: (await people.signUp(email)).accessToken }],
    answer: 204,
    again: 204,
  },
  {
    name: 'a list of roles',
    prepare: async ({ people }) => ['listRoles', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a list of users',
    prepare: async ({ people }) => ['listUsers', { token: (await adminAndUser(people)).token }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a list of events',
    prepare: async ({ people }) => ['listAuditEvents', { token: (await adminAndUser(people)).token }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a page of the archive',
    prepare: async ({ people }) => ['readAuditArchive', { token: (await adminAndUser(people)).token }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a request for a user',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['getUser', { id, token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a moderation',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['moderateProfile', { id, token, body: { bio: 'x' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'an activation by an ADMIN',
    async prepare({ people }) {
      const { token, id } = await adminAndPending(people, 1)
      return ['activateUser', { id, token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'an activation by an ADMIN after two registrations',
    async prepare({ people }) {
      const { token, id } = await adminAndPending(people, 2)
      return ['activateUser', { id, token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a change of a role',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['assignRole', { id, token, body: { role: 'MODERATOR' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a suspension',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['suspendUser', { id, token, body: { reason: 'spam' } }]
    },
    answer: 200,
    again: 'user_suspended',
  },
  {
    name: 'a reinstatement',
    async prepare({ people }) {
      const { token, id } = await suspended(people)
      return ['reinstateUser', { id, token }]
    },
    answer: 200,
    again: 'not_suspended',
  },
  {
    name: 'the end of a user’s sessions',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['endSessionsOfUser', { id, token }]
    },
    answer: 204,
    again: 204,
  },
  {
    name: 'a reset of somebody’s second factors',
    async prepare({ people }) {
      const { accessToken: token } = await people.admin()
      const ada = await people.signUp(email)
      await enrolApp(ada)
      return ['resetFactors', { id: ada.id, token, body: { reason: 'Lost phone' } }]
    },
    answer: 204,
    again: 204,
  },
  {
    name: 'a deletion by an ADMIN',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['deleteUser', { id, token }]
    },
    answer: 204,
    again: 'not_found',
  },
  {
    name: 'a reset that an ADMIN starts',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['startPasswordReset', { id, token }]
    },
    answer: 202,
    again: 202,
  },
  {
    name: 'a registration of a suppressed address',
    async prepare({ people }) {
      await people.register(email)
      await suppress()
      return ['register', { body: { email, password } }]
    },
    answer: 202,
    again: 202,
  },
  {
    name: 'a webhook about a bounce',
    prepare: (world) => news(world, 'bounced'),
    answer: 200,
    again: 200,
  },
  {
    name: 'a webhook about a delivery in doubt',
    async prepare(world) {
      const call = await news(world, 'delivered')
      await write("update emails set status = 'unknown', in_doubt_since = created_at")
      return call
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'the end of an address’s suppression',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      await suppress()
      return ['liftEmailSuppression', { id, token }]
    },
    answer: 204,
    again: 'not_suppressed',
  },
  {
    name: 'a list of emails',
    prepare: async ({ people }) => ['listEmails', { token: (await people.admin()).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a list of a user’s sessions',
    async prepare({ people }) {
      const { token, id } = await adminAndUser(people)
      return ['listSessionsOfUser', { id, token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a list of the own activity',
    prepare: async ({ people }) => ['listMyActivity', { token: (await people.signUp(email)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a refresh by the cookie',
    async prepare({ people }) {
      const { refreshToken } = await people.signUp(email)
      const headers = { Origin: 'https://accounts.example.com', Cookie: `__Host-postern-refresh=${refreshToken}` }
      return ['refresh', { headers, body: { transport: 'cookie' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a log-out by the cookie',
    async prepare({ people }) {
      const { refreshToken } = await people.signUp(email)
      const headers = { Origin: 'https://accounts.example.com', Cookie: `__Host-postern-refresh=${refreshToken}` }
      return ['logout', { headers, body: { transport: 'cookie' } }]
    },
    answer: 204,
    again: 204,
  },
]

/** Operations without a flow, with the reason. */
export const withoutFlow: Record<string, string> = {
  getHealth: 'it calls no store and no service',
  getKeys: 'it calls no store and no service',
  getSecurityContact: 'it calls no store and no service',
  passkeySignInOptions: 'it calls no store and no service',
  findChangePasswordPage: 'it calls no store and no service',
  getDescription: 'it is a static file, which never reaches the service',
  getReadiness: 'it reports the failure of a store: test/http/failures.test.ts',
}
