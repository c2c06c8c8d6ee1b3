/**
 * The audit trail by operation: an act or a refusal is one event that names actor, user, origin and request, and a call
 * without an effect is no event. And the request log, for what is refused before any account is read.
 */
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { auditTypes } from '../../src/store/schema/audit.ts'
import { uuidv7 } from '../support/answers.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import type { Caller } from '../support/caller.ts'
import { day, minute } from '../support/clock.ts'
import { description } from '../support/description.ts'
import { App, factorTokenIn, giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { inboxOf } from '../support/inbox.ts'
import { captureLog } from '../support/log-lines.ts'
import { refuse, scriptResend } from '../support/mail-consumer.ts'
import { givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { insertUserAgents, setAttempts, setFactorAttempts } from '../support/rows.ts'
import { type Answer, type Call, type Service, startService } from '../support/service.ts'
import { type Row, rowsOf, write } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

const email = 'ada@example.com'
const newcomer = 'new@example.com'
const wrong = 'a wrong password'

const from = { 'CF-Connecting-IP': '203.0.113.7', 'User-Agent': 'Netscape/4', 'X-Request-Id': 'the-act' }

interface World {
  service: Service
  people: People
  anonymous: Caller
  admin: Person
  ada: Person
}

const it = base.extend('world', async ({ service, people, anonymous, admin, ada }): Promise<World> => ({
  service,
  people,
  anonymous,
  admin,
  ada,
}))

// Only a sign-in would list it.
beforeEach(async () => void (await insertUserAgents([from['User-Agent']])))

type Party = 'ada' | 'admin' | 'newcomer' | null
type Request = Call & { path?: Record<string, string> }

/** The token of the link to another address for ada. */
async function changeLink({ service, ada }: World, address: string): Promise<string> {
  await ada.changeEmail(address)
  await service.deliver()
  return inboxOf(service).linkToken(address)
}

interface Case {
  /** `METHOD /path`, as the OpenAPI document has it. */
  operation: string
  when: string
  /** Prepares the stores, and gives the request. */
  request: (world: World) => Request | Promise<Request>
  status: number
  /** The only event of the request, if it has one. */
  event?: { type: (typeof auditTypes)[number]; actor: Party; user: Party }
}

/** The cases of an operation. */
function cases(operation: string, ...rows: Omit<Case, 'operation'>[]): Case[] {
  return rows.map((row) => ({ operation, ...row }))
}

const by = (actor: Party, type: (typeof auditTypes)[number], user: Party = 'ada') => ({ type, actor, user })

/** Ends password sign-in for an address. */
const exhaust = (address: string) => setAttempts(address, 100, new Date(4_000_000_000_000))

/** Requests with ada's token, and with the token of the ADMIN on ada. */
const asAda =
  (body?: unknown) =>
  ({ ada }: World) => ({ token: ada.accessToken, body })
const asAdmin =
  (body?: unknown) =>
  ({ admin, ada }: World) => ({ token: admin.accessToken, body, path: { id: ada.id } })
const asAdminOnSelf =
  (body?: unknown) =>
  ({ admin }: World) => ({
    token: admin.accessToken,
    body,
    path: { id: admin.id },
  })
const asAdaOnAdmin =
  (body?: unknown) =>
  ({ admin, ada }: World) => ({
    token: ada.accessToken,
    body,
    path: { id: admin.id },
  })
const onNobody =
  (body?: unknown) =>
  ({ admin }: World) => ({
    token: admin.accessToken,
    body,
    path: { id: '01a20320-0000-7000-8000-000000000000' },
  })

const credentials = (address: string, password: string) => ({ body: { email: address, password } })
/** Ada has second factors, and her right password was not enough. */
async function askedForFactor({ service, anonymous, ada }: World) {
  const factors = await giveFactors(ada.id, service.clock)
  const asked = await anonymous.login(credentials(email, goodPassword).body).refused(403, 'second_factor_required')
  return { ...factors, factorToken: factorTokenIn(asked) }
}

/** Ada has an authenticator app and recovery codes, and has just shown one of them in her session. */
async function withFactors({ service, ada }: World) {
  const factors = await giveFactors(ada.id, service.clock)
  await proveIn(ada, strengths.code)
  return factors
}

/** A request of ada, in a session that has just shown a passkey of hers, about that passkey. */
const onOwnPasskey =
  (body?: unknown) =>
  async ({ ada }: World) => {
    const { passkey } = await givePasskey(ada)
    await proveIn(ada, strengths.passkey)
    return { token: ada.accessToken, body, path: { id: passkey.id } }
  }

type Options = Parameters<typeof givePasskey>[1]
type Columns = Parameters<typeof givePasskey>[2]

/** What ada's authenticator says for a sign-in, as the body of the request. */
async function assertion({ anonymous, ada }: World, ...given: [Options?, Columns?]) {
  const { authenticator } = await givePasskey(ada, ...given)
  const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
  return { challenge_token, credential: await authenticator.get(public_key) }
}

const nobodysId = { path: { id: '01a20320-0000-7000-8000-000000000000' } }

const newPassword = (old: string, next: string) => ({ old_password: old, new_password: next })
const reason = { reason: 'spam' }

const table: Case[] = [
  ...cases(
    'POST /auth/register',
    {
      when: 'the address is new',
      request: () => credentials(newcomer, goodPassword),
      status: 202,
      event: by(null, 'user.registered', 'newcomer'),
    },
    {
      when: 'the address is taken',
      request: () => credentials(email, goodPassword),
      status: 202,
      event: by(null, 'user.registered'),
    },
    { when: 'the password is weak', request: () => credentials(newcomer, 'password'), status: 422 },
    {
      when: 'the budget of emails is used up',
      request: async ({ people }) => {
        for (let index = 0; index < 5; index++) await people.register(newcomer)
        return credentials(newcomer, goodPassword)
      },
      status: 202,
    },
  ),
  ...cases(
    'POST /auth/resend-activation',
    {
      when: 'the account is pending',
      request: async ({ people }) => (await people.register(newcomer), { body: { email: newcomer } }),
      status: 202,
      event: by(null, 'user.activation_requested', 'newcomer'),
    },
    { when: 'the account is active', request: () => ({ body: { email } }), status: 202 },
    { when: 'there is no account', request: () => ({ body: { email: newcomer } }), status: 202 },
  ),
  ...cases(
    'POST /auth/activate',
    {
      when: 'the password is right',
      request: async ({ people }) => ({ body: { token: await people.register(newcomer), password: goodPassword } }),
      status: 200,
      event: by('newcomer', 'user.activated', 'newcomer'),
    },
    {
      when: 'the password is wrong',
      request: async ({ people }) => ({ body: { token: await people.register(newcomer), password: wrong } }),
      status: 401,
      event: by(null, 'user.activation_refused', 'newcomer'),
    },
    { when: 'the link is invalid', request: () => ({ body: { token: 'x', password: goodPassword } }), status: 400 },
    {
      when: 'attempts are throttled',
      request: async ({ people }) => {
        const token = await people.register(newcomer)
        await exhaust(newcomer)
        return { body: { token, password: goodPassword } }
      },
      status: 429,
    },
  ),
  ...cases(
    'POST /auth/login',
    {
      when: 'the password is right',
      request: () => credentials(email, goodPassword),
      status: 200,
      event: by('ada', 'user.signed_in'),
    },
    {
      when: 'the password is wrong',
      request: () => credentials(email, wrong),
      status: 401,
      event: by(null, 'user.sign_in_refused'),
    },
    {
      when: 'there is no account',
      request: () => credentials(newcomer, wrong),
      status: 401,
      event: by(null, 'user.sign_in_refused', null),
    },
    {
      when: 'the account is pending',
      request: async ({ people }) => (await people.register(newcomer), credentials(newcomer, goodPassword)),
      status: 403,
      event: by(null, 'user.sign_in_refused', 'newcomer'),
    },
    {
      when: 'the account is suspended',
      request: async ({ admin, ada }) => (await admin.suspend(ada), credentials(email, goodPassword)),
      status: 403,
      event: by(null, 'user.sign_in_refused'),
    },
    {
      when: 'a second factor is missing',
      request: async ({ service, ada }) => (await giveFactors(ada.id, service.clock), credentials(email, goodPassword)),
      status: 403,
      event: by(null, 'user.sign_in_refused'),
    },
    {
      when: 'attempts are throttled',
      request: async () => (await exhaust(email), credentials(email, goodPassword)),
      status: 429,
    },
    { when: 'the body is invalid', request: () => ({ body: {} }), status: 422 },
  ),
  ...cases(
    'POST /auth/second-factor',
    {
      when: 'the code is right',
      request: async (world) => {
        const { app, factorToken } = await askedForFactor(world)
        return { body: { factor_token: factorToken, totp: app.code() } }
      },
      status: 200,
      event: by('ada', 'user.signed_in'),
    },
    {
      when: 'the code is wrong',
      request: async (world) => {
        const { app, factorToken } = await askedForFactor(world)
        return { body: { factor_token: factorToken, totp: app.wrongCode() } }
      },
      status: 403,
      event: by(null, 'user.second_factor_refused'),
    },
    {
      when: 'codes are throttled',
      request: async (world) => {
        const { app, factorToken } = await askedForFactor(world)
        await setFactorAttempts(world.ada.id, 100, new Date(4_000_000_000_000))
        return { body: { factor_token: factorToken, totp: app.code() } }
      },
      status: 429,
    },
    {
      when: 'the factor token is invalid',
      request: () => ({ body: { factor_token: 'x', totp: '492039' } }),
      status: 401,
    },
  ),
  ...cases('POST /auth/passkey/options', { when: 'anybody asks', request: () => ({}), status: 200 }),
  ...cases(
    'POST /auth/passkey',
    {
      when: 'the passkey is right',
      request: async (world) => ({ body: await assertion(world) }),
      status: 200,
      event: by('ada', 'user.signed_in'),
    },
    {
      when: 'the challenge is none',
      request: async (world) => ({ body: { ...(await assertion(world)), challenge_token: 'x' } }),
      status: 401,
    },
    {
      when: 'the account is suspended',
      request: async (world) => {
        const body = await assertion(world)
        await world.admin.suspend(world.ada)
        return { body }
      },
      status: 403,
      event: by(null, 'user.sign_in_refused'),
    },
  ),
  ...cases('POST /auth/step-up/options', { when: 'the caller is signed in', request: asAda(), status: 200 }),
  ...cases(
    'POST /auth/step-up',
    {
      when: 'the code is right',
      request: async (world) => asAda({ totp: (await withFactors(world)).app.code() })(world),
      status: 200,
      event: by('ada', 'user.stepped_up'),
    },
    {
      when: 'the password of an account without factors is right',
      request: asAda({ password: goodPassword }),
      status: 200,
    },
    {
      when: 'the code is wrong',
      request: async (world) => asAda({ totp: (await withFactors(world)).app.wrongCode() })(world),
      status: 403,
      event: by('ada', 'user.step_up_refused'),
    },
    {
      when: 'the password is wrong',
      request: asAda({ password: wrong }),
      status: 403,
      event: by('ada', 'user.step_up_refused'),
    },
    {
      when: 'the account has no factor',
      request: asAda({ totp: '492039' }),
      status: 403,
    },
  ),
  ...cases(
    'POST /auth/refresh',
    {
      when: 'the token is the newest',
      request: ({ ada }) => ({ body: { refresh_token: ada.refreshToken } }),
      status: 200,
    },
    {
      when: 'the token is the previous one, within 30 seconds',
      request: async ({ ada }) => {
        await ada.from({ headers: from }).refresh()
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 200,
    },
    {
      when: 'the token is the previous one, within 30 seconds, from another network',
      request: async ({ ada }) => {
        await ada.from({ headers: { ...from, 'CF-Connecting-IP': '198.51.100.9' } }).refresh()
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 200,
      event: by(null, 'session.refresh_repeated'),
    },
    {
      when: 'the token is the previous one, within 30 seconds, under another user agent',
      request: async ({ ada }) => {
        await ada.from({ headers: { ...from, 'User-Agent': 'curl/8' } }).refresh()
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 401,
      event: by(null, 'session.reuse_detected'),
    },
    {
      when: 'the token is replayed later',
      request: async ({ service, ada }) => {
        await ada.refresh()
        service.clock.advance(minute)
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 401,
      event: by(null, 'session.reuse_detected'),
    },
    { when: 'the token is invalid', request: () => ({ body: { refresh_token: 'x' } }), status: 401 },
  ),
  ...cases(
    'POST /auth/logout',
    {
      when: 'the session is alive',
      request: ({ ada }) => ({ body: { refresh_token: ada.refreshToken } }),
      status: 204,
      event: by('ada', 'session.ended'),
    },
    {
      when: 'the token is an old one',
      request: async ({ ada }) => {
        await ada.refresh()
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 204,
      event: by(null, 'session.ended'),
    },
    {
      when: 'a change of the password has closed the token',
      request: async ({ ada }) => {
        const { refreshToken } = ada
        await ada.changePassword({ ...newPassword(goodPassword, otherPassword), refresh_token: refreshToken })
        return { body: { refresh_token: refreshToken } }
      },
      status: 204,
    },
    {
      when: 'the session has ended',
      request: async ({ ada }) => {
        await ada.logout()
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 204,
    },
  ),
  ...cases('POST /auth/logout-all', {
    when: 'the caller is signed in',
    request: asAda(),
    status: 204,
    event: by('ada', 'session.ended'),
  }),
  ...cases(
    'POST /auth/change-password',
    {
      when: 'the old password is right',
      request: asAda(newPassword(goodPassword, otherPassword)),
      status: 204,
      event: by('ada', 'user.password_changed'),
    },
    {
      when: 'the old password is wrong',
      request: asAda(newPassword(wrong, otherPassword)),
      status: 403,
      event: by('ada', 'user.password_change_refused'),
    },
    { when: 'the new password is weak', request: asAda(newPassword(goodPassword, 'password')), status: 422 },
    {
      when: 'attempts are throttled',
      request: async (world) => (await exhaust(email), asAda(newPassword(goodPassword, otherPassword))(world)),
      status: 429,
    },
  ),
  ...cases(
    'POST /auth/password-reset/request',
    {
      when: 'there is an account',
      request: () => ({ body: { email } }),
      status: 202,
      event: by(null, 'user.password_reset_requested'),
    },
    { when: 'there is no account', request: () => ({ body: { email: newcomer } }), status: 202 },
  ),
  ...cases(
    'POST /auth/password-reset/complete',
    {
      when: 'the link is valid',
      request: async ({ people }) => ({
        body: { token: await people.resetToken(email), new_password: otherPassword },
      }),
      status: 204,
      event: by('ada', 'user.password_reset'),
    },
    {
      when: 'the password is weak',
      request: async ({ people }) => ({ body: { token: await people.resetToken(email), new_password: 'password' } }),
      status: 422,
    },
    {
      when: 'the link is invalid',
      request: () => ({ body: { token: 'x', new_password: otherPassword } }),
      status: 400,
    },
  ),
  ...cases(
    'PATCH /users/me',
    { when: 'a field changes', request: asAda({ bio: 'x' }), status: 200, event: by('ada', 'user.profile_updated') },
    { when: 'no field changes', request: asAda({}), status: 200 },
  ),
  ...cases(
    'POST /users/me/email',
    {
      when: 'the address is free',
      request: asAda({ email: newcomer }),
      status: 202,
      event: by('ada', 'user.email_change_requested'),
    },
    {
      when: 'there were too many',
      request: async (world) => {
        for (let time = 0; time < 5; time++) await world.ada.changeEmail(newcomer)
        return asAda({ email: newcomer })(world)
      },
      status: 429,
    },
  ),
  ...cases(
    'POST /users/me/email/confirm',
    {
      when: 'the link is good',
      request: async (world) => asAda({ token: await changeLink(world, newcomer) })(world),
      status: 200,
      event: by('ada', 'user.email_changed'),
    },
    { when: 'the link is none', request: asAda({ token: 'x' }), status: 400 },
  ),
  ...cases(
    'POST /auth/email/revert',
    {
      when: 'the link is good',
      request: async (world) => {
        await changeLink(world, newcomer)
        return { body: { token: inboxOf(world.service).linkToken(email) } }
      },
      status: 204,
      event: by(null, 'user.email_change_reverted'),
    },
    { when: 'the link is none', request: () => ({ body: { token: 'x' } }), status: 400 },
  ),
  ...cases(
    'GET /users/me/export',
    { when: 'it is the first of the day', request: asAda(), status: 200, event: by('ada', 'user.exported') },
    {
      when: 'it is the second',
      request: async (world) => (await world.ada.exportMe(), asAda()(world)),
      status: 429,
    },
  ),
  ...cases('POST /users/me/factors/code', { when: 'the account has no factor', request: asAda(), status: 202 }),
  ...cases('POST /users/me/passkeys/options', { when: 'the session is fresh', request: asAda(), status: 200 }),
  ...cases(
    'POST /users/me/passkeys',
    {
      when: 'the passkey is good',
      request: async (world) => {
        const { challenge_token, public_key } = await world.ada.passkeyEnrolmentOptions()
        const credential = await createAuthenticator().create(public_key)
        return asAda({ challenge_token, credential })(world)
      },
      status: 201,
      event: by('ada', 'user.factor_added'),
    },
    {
      when: 'the challenge is none',
      request: async (world) => {
        const { public_key } = await world.ada.passkeyEnrolmentOptions()
        const credential = await createAuthenticator().create(public_key)
        return asAda({ challenge_token: 'x', credential })(world)
      },
      status: 400,
    },
  ),
  ...cases(
    'PATCH /users/me/passkeys/{id}',
    {
      when: 'the name changes',
      request: onOwnPasskey({ name: 'Laptop' }),
      status: 200,
      event: by('ada', 'user.passkey_renamed'),
    },
    { when: 'it has the name already', request: onOwnPasskey({ name: 'Passkey' }), status: 200 },
    {
      when: 'it is not there',
      request: (world) => ({ ...asAda({ name: 'Laptop' })(world), ...nobodysId }),
      status: 404,
    },
  ),
  ...cases(
    'DELETE /users/me/passkeys/{id}',
    { when: 'it is there', request: onOwnPasskey(), status: 204, event: by('ada', 'user.factor_removed') },
    { when: 'it is not there', request: (world) => ({ ...asAda()(world), ...nobodysId }), status: 404 },
  ),
  ...cases('POST /users/me/totp', { when: 'the session is fresh', request: asAda(), status: 200 }),
  ...cases(
    'POST /users/me/totp/confirm',
    {
      when: 'the code is right',
      request: async (world) => {
        const { setup_token, secret } = await world.ada.startTotp()
        return asAda({ setup_token, code: new App(secret, world.service.clock).code() })(world)
      },
      status: 201,
      event: by('ada', 'user.factor_added'),
    },
    {
      when: 'the code is wrong',
      request: async (world) => {
        const { setup_token, secret } = await world.ada.startTotp()
        return asAda({ setup_token, code: new App(secret, world.service.clock).wrongCode() })(world)
      },
      status: 403,
    },
  ),
  ...cases(
    'DELETE /users/me/totp',
    {
      when: 'it is there',
      request: async (world) => (await withFactors(world), asAda()(world)),
      status: 204,
      event: by('ada', 'user.factor_removed'),
    },
    { when: 'it is not there', request: asAda(), status: 404 },
  ),
  ...cases(
    'POST /users/me/recovery-codes',
    {
      when: 'the account has a factor',
      request: async (world) => (await withFactors(world), asAda()(world)),
      status: 200,
      event: by('ada', 'user.recovery_codes_renewed'),
    },
    { when: 'the account has no factor', request: asAda(), status: 404 },
  ),
  ...cases(
    'DELETE /users/me',
    {
      when: 'the password is right',
      request: asAda({ password: goodPassword }),
      status: 204,
      event: by('ada', 'user.deleted'),
    },
    {
      when: 'the password is wrong',
      request: asAda({ password: wrong }),
      status: 403,
      event: by('ada', 'user.deletion_refused'),
    },
    {
      when: 'attempts are throttled',
      request: async (world) => (await exhaust(email), asAda({ password: goodPassword })(world)),
      status: 429,
    },
    {
      when: 'the account is the last ADMIN',
      request: ({ admin }) => ({ token: admin.accessToken, body: { password: goodPassword } }),
      status: 409,
    },
  ),
  ...cases('DELETE /users/me/sessions', {
    when: 'the caller has another session',
    request: async (world) => (await world.ada.signIn(), asAda()(world)),
    status: 204,
    event: by('ada', 'session.ended'),
  }),
  ...cases(
    'DELETE /users/me/sessions/{id}',
    {
      when: 'the session is the caller’s own',
      request: ({ ada }) => ({
        token: ada.accessToken,
        path: { id: ada.sessionId },
      }),
      status: 204,
      event: by('ada', 'session.ended'),
    },
    {
      when: 'the session is another user’s',
      request: ({ admin, ada }) => ({
        token: ada.accessToken,
        path: { id: admin.sessionId },
      }),
      status: 404,
    },
  ),
  ...cases(
    'PATCH /users/{id}/profile',
    {
      when: 'a field changes',
      request: asAdmin({ bio: 'x' }),
      status: 200,
      event: by('admin', 'user.profile_updated'),
    },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin({ bio: 'x' }), status: 403 },
    { when: 'the user does not exist', request: onNobody({ bio: 'x' }), status: 404 },
  ),
  ...cases(
    'POST /users/{id}/activate',
    {
      when: 'the account is pending',
      request: async ({ people, admin }) => {
        const { id } = await people.pending(newcomer)
        return { token: admin.accessToken, path: { id } }
      },
      status: 200,
      event: by('admin', 'user.activated', 'newcomer'),
    },
    {
      when: 'several passwords were registered',
      request: async ({ people, admin }) => {
        await people.register(newcomer, goodPassword)
        const { id } = await people.pending(newcomer, otherPassword)
        return { token: admin.accessToken, path: { id } }
      },
      status: 200,
      event: by('admin', 'user.activated', 'newcomer'),
    },
    { when: 'the account is active', request: asAdmin(), status: 200 },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'PUT /users/{id}/role',
    {
      when: 'the role changes',
      request: asAdmin({ role: 'MODERATOR' }),
      status: 200,
      event: by('admin', 'user.role_changed'),
    },
    { when: 'the role is the same', request: asAdmin({ role: 'USER' }), status: 200 },
    { when: 'the account is the caller’s own', request: asAdminOnSelf({ role: 'USER' }), status: 409 },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin({ role: 'USER' }), status: 403 },
  ),
  ...cases(
    'POST /users/{id}/suspend',
    { when: 'the account is active', request: asAdmin(reason), status: 200, event: by('admin', 'user.suspended') },
    {
      when: 'the account is suspended',
      request: async (world) => (await world.admin.suspend(world.ada), asAdmin(reason)(world)),
      status: 409,
    },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin(reason), status: 403 },
    {
      when: 'the target is out of reach',
      request: async ({ people, admin }) => ({
        token: (await people.signUpAs('MODERATOR', 'mod@example.com')).accessToken,
        body: reason,
        path: { id: admin.id },
      }),
      status: 403,
    },
  ),
  ...cases(
    'POST /users/{id}/reinstate',
    {
      when: 'the account is suspended',
      request: async (world) => (await world.admin.suspend(world.ada), asAdmin()(world)),
      status: 200,
      event: by('admin', 'user.reinstated'),
    },
    { when: 'the account is active', request: asAdmin(), status: 409 },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'POST /users/{id}/password-reset',
    {
      when: 'there is an account',
      request: asAdmin(),
      status: 202,
      event: by('admin', 'user.password_reset_requested'),
    },
    { when: 'the user does not exist', request: onNobody(), status: 404 },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'DELETE /users/{id}/factors',
    {
      when: 'the user has factors',
      request: async (world) => (await withFactors(world), asAdmin({ reason: 'Lost phone' })(world)),
      status: 204,
      event: by('admin', 'user.factors_reset'),
    },
    { when: 'the account is the caller’s own', request: asAdminOnSelf({ reason: 'Lost phone' }), status: 409 },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin({ reason: 'Lost phone' }), status: 403 },
  ),
  ...cases(
    'DELETE /users/{id}/sessions',
    { when: 'the caller has the permission', request: asAdmin(), status: 204, event: by('admin', 'session.ended') },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'DELETE /users/{id}',
    { when: 'the caller has the permission', request: asAdmin(), status: 204, event: by('admin', 'user.deleted') },
    { when: 'the account is the caller’s own', request: asAdminOnSelf(), status: 409 },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'DELETE /users/{id}/email-suppression',
    {
      when: 'the address was suppressed',
      request: async (world) => {
        await write("update users set email_problem = 'bounced' where id = ?", world.ada.id)
        return asAdmin()(world)
      },
      status: 204,
      event: by('admin', 'email.suppression_lifted'),
    },
    { when: 'the address was not suppressed', request: asAdmin(), status: 409 },
    { when: 'the caller lacks the permission', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases('POST /webhooks/resend', { when: 'no secret is configured', request: () => ({ body: {} }), status: 404 }),
  // Operations that only read.
  ...[
    '/users/me',
    '/users/me/sessions',
    '/users/me/activity',
    '/users/me/factors',
    '/users',
    '/users/{id}',
    '/users/{id}/sessions',
    '/audit-events',
    '/audit-archive',
    '/emails',
    '/auth/verify',
    '/roles',
    '/.well-known/jwks.json',
    '/.well-known/security.txt',
    '/healthz',
    '/readyz',
  ].flatMap((path) => [
    ...cases(`GET ${path}`, {
      when: 'the caller has the permission',
      request: asAdmin(),
      status: path === '/auth/verify' ? 204 : 200,
    }),
  ]),
  ...cases('GET /.well-known/change-password', { when: 'nobody is signed in', request: () => ({}), status: 302 }),
]

/** Events that come with the event of a sign-in or a step-up. */
const factorTypes = ['user.recovery_code_used', 'user.passkey_doubted'] as const

/** Events of jobs and webhooks. */
const jobTypes = ['user.expired', 'email.failed', 'email.undeliverable'] as const

/** The events of an act and of the emails it causes. */
async function eventsOf(service: Service, act: () => Promise<unknown>): Promise<Row[]> {
  await service.deliver()
  const before = new Set((await rowsOf('audit_events')).map(({ id }) => id))
  await act()
  await service.deliver()
  return (await rowsOf('audit_events')).filter(({ id }) => !before.has(id))
}

function perform(service: Service, operation: string, { path = {}, headers, ...call }: Request) {
  const [method = '', template = ''] = operation.split(' ')
  const url = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => path[name] ?? name)
  return service.call(method, url, { ...call, headers: { ...from, ...headers } })
}

afterEach(() => void vi.restoreAllMocks())

describe('the audit trail', () => {
  const recorded = table.flatMap(({ event, ...each }) => (event ? [{ ...each, event }] : []))
  const unrecorded = table.filter(({ event }) => !event)

  /** Makes the request of a case, and gives the answer and the events. */
  async function act(world: World, { operation, request, status }: Case): Promise<{ answer: Answer; events: Row[] }> {
    const call = await request(world)
    let answer: Answer | undefined
    const events = await eventsOf(world.service, async () => (answer = await perform(world.service, operation, call)))
    expect(answer!.status, answer!.text).toBe(status)
    return { answer: answer!, events }
  }

  it.for(unrecorded)('records nothing for $operation when $when', async (each, { world }) => {
    const { events } = await act(world, each)
    expect(events).toEqual([])
  })

  it.for(recorded)('records $event.type for $operation when $when', async ({ event, ...each }, { world }) => {
    const { service, ada, admin } = world
    const { answer, events } = await act(world, each)
    const newcomers = await rowsOf('users', 'email = ?', newcomer)
    const ids = { ada: ada.id, admin: admin.id, newcomer: newcomers[0]?.['id'] ?? 'nobody' }
    const idOf = (party: Party) => (party === null ? null : ids[party])
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      id: uuidv7,
      at: service.clock.now().getTime(),
      type: event.type,
      actor_id: idOf(event.actor),
      user_id: idOf(event.user),
      ip: from['CF-Connecting-IP'],
      user_agent: from['User-Agent'],
      request_id: answer.headers.get('X-Request-Id'),
    })
    expect(answer.headers.get('X-Request-Id')).toBe(from['X-Request-Id'])
  })

  it('has a case for every operation, and an event for each that writes', () => {
    const operations = Object.entries(description.paths).flatMap(([path, item]) =>
      Object.keys(item)
        .filter((method) => method !== 'parameters')
        .map((method) => `${method.toUpperCase()} ${path}`),
    )
    const covered = new Set(table.map(({ operation }) => operation))
    // A static file, which the service only passes on.
    expect([...covered, 'GET /openapi.json'].toSorted()).toEqual(operations.toSorted())
    const writes = [...covered].filter((operation) => !operation.startsWith('GET '))
    const withEvent = new Set(table.filter(({ event }) => event).map(({ operation }) => operation))
    // A webhook is an event, and has a test of its own. The others change no account and no way into one.
    const others = [
      'POST /webhooks/resend',
      'POST /auth/passkey/options',
      'POST /auth/step-up/options',
      'POST /users/me/factors/code',
      'POST /users/me/passkeys/options',
      'PATCH /users/me/passkeys/{id}',
      'POST /users/me/totp',
    ]
    expect(writes.filter((operation) => !others.includes(operation) && !withEvent.has(operation))).toEqual([])
  })

  it('has events of every type, and of no other', () => {
    const seen = [...jobTypes, ...factorTypes, ...table.flatMap(({ event }) => event?.type ?? [])]
    expect([...new Set(seen)].toSorted()).toEqual(auditTypes.toSorted())
  })

  it('records activation and promotion of the first ADMIN', async ({ service, people, anonymous }) => {
    const token = await people.register('admin@example.com')
    const events = await eventsOf(service, () =>
      anonymous.from({ headers: from }).activate({ token, password: goodPassword }),
    )
    expect(events.map(({ type }) => String(type)).toSorted()).toEqual(['user.activated', 'user.role_changed'])
    const again = await eventsOf(service, () => people.signIn('admin@example.com'))
    expect(again.map(({ type }) => type)).toEqual(['user.signed_in'])
  })

  it('records the use of a recovery code beside the sign-in', async ({ world }) => {
    const { recoveryCodes, factorToken } = await askedForFactor(world)
    const body = { factor_token: factorToken, recovery_code: recoveryCodes[0]! }
    const events = await eventsOf(world.service, () => world.anonymous.secondFactor(body))
    expect(events.map(({ type }) => String(type)).toSorted()).toEqual(['user.recovery_code_used', 'user.signed_in'])
    expect(events.map(({ actor_id }) => actor_id)).toEqual([world.ada.id, world.ada.id])
  })

  it('records the doubt about a passkey beside the sign-in', async ({ world }) => {
    const body = await assertion(world, { isSynced: false }, { signCount: 1000 })
    const events = await eventsOf(world.service, () => world.anonymous.signInWithPasskey(body))
    expect(events.map(({ type }) => String(type)).toSorted()).toEqual(['user.passkey_doubted', 'user.signed_in'])
    expect(events.map(({ actor_id }) => actor_id)).toEqual([world.ada.id, world.ada.id])
  })

  it('records one event without an actor for an account that expires', async ({ service, people, clock }) => {
    const { id } = await people.pending(newcomer)
    clock.advance(8 * day)
    const events = await eventsOf(service, () => service.runCron('0 * * * *'))
    expect(events).toMatchObject([{ type: 'user.expired', actor_id: null, user_id: id, ip: null }])
  })

  it('records one event without an actor for an email that cannot be delivered', async ({ service, ada }) => {
    const events = await eventsOf(service, async () => {
      scriptResend(refuse(422, 'validation_error'))
      await ada.changePassword(newPassword(goodPassword, otherPassword))
    })
    const failed = events.filter(({ type }) => type !== 'user.password_changed')
    expect(failed).toMatchObject([{ type: 'email.failed', actor_id: null, user_id: ada.id, ip: null }])
  })

  it('records one event without an actor for a bounce, however often Resend reports it', async ({
    service,
    inbox,
    ada,
  }) => {
    const told = startService({ env: { RESEND_WEBHOOK_SECRET: webhookSecret }, beside: service })
    const bounce = eventOf('bounced', inbox.newest(ada))
    const events = await eventsOf(service, async () => {
      for (let round = 0; round < 3; round++) expect((await tell(told, bounce)).status).toBe(200)
    })
    expect(events).toMatchObject([{ type: 'email.undeliverable', actor_id: null, user_id: ada.id, ip: null }])
  })
})

describe('the request log', () => {
  const forbidden = Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, operation]) => operation.security?.[0]?.bearer?.length)
      .map(([method]) => ({
        operation: `${method.toUpperCase()} ${path}`,
        status: 403,
        code: 'insufficient_permission',
        isExhausted: false,
      })),
  )
  const throttled = ['POST /auth/change-password', 'DELETE /users/me'].map((operation) => ({
    operation,
    status: 429,
    code: 'rate_limited',
    isExhausted: true,
  }))

  it.for([...forbidden, ...throttled])(
    'names the user who is refused $operation with $status',
    async ({ operation, status, code, isExhausted }, { service, ada, admin }) => {
      if (isExhausted) await exhaust(email)
      const log = captureLog()
      const body = operation.startsWith('GET')
        ? undefined
        : { ...newPassword(goodPassword, otherPassword), password: 'x' }
      const answer = await perform(service, operation, { token: ada.accessToken, body, path: { id: admin.id } })
      expect(answer.status).toBe(status)
      const [method, template] = operation.split(' ')
      expect(log.entries('request')).toMatchObject([
        {
          method,
          route: template!.replaceAll(/\{(\w+)\}/g, ':$1'),
          status,
          outcome: code,
          user_id: ada.id,
          request_id: from['X-Request-Id'],
        },
      ])
    },
  )

  it('names the outcome of a throttled sign-in, and no user', async ({ anonymous, ada }) => {
    await exhaust(ada.email)
    const log = captureLog()
    await anonymous.from({ headers: from }).login({ email, password: goodPassword }).refused(429, 'rate_limited')
    const [line] = log.entries('request')
    expect(line).toMatchObject({ status: 429, outcome: 'rate_limited', request_id: from['X-Request-Id'] })
    expect(line?.['user_id']).toBeUndefined()
  })
})
