/** Every flow of the contract: how to get to the request, what it is answered, and what when it was done before. */
import { env } from 'cloudflare:workers'
import type { ProblemCode } from '../../src/errors.ts'
import type { EmailFate } from '../../src/store/schema/emails.ts'
import { sessionOf } from '../support/answers.ts'
import { breachListUrl } from '../support/breach-list.ts'
import { minute } from '../support/clock.ts'
import {
  type SignedIn,
  goodPassword,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
} from '../support/people.ts'
import { type Call, type Service, startService } from '../support/service.ts'
import { turnstileEnv } from '../support/turnstile.ts'
import { eventOf, svixHeaders } from '../support/webhooks.ts'

/** A status, or the code of a problem. */
export type Outcome = number | ProblemCode

export type Request = [method: string, path: string, call?: Call]

export interface Flow {
  name: string
  prepare: (service: Service) => Promise<Request>
  answer: Outcome
  /** Whom it asks outside the house, and what is answered when the first of these requests fails, and the second. */
  outside?: { env: Partial<Env>; offline: Outcome[] }
  /** What the same request is answered after it was done and its answer was lost. */
  again: Outcome
}

export const email = 'ada@example.com'
const password = goodPassword
const change = { old_password: goodPassword, new_password: otherPassword }

const signedUp = (service: Service) => signUp(service, email)

async function userId(address: string): Promise<string> {
  return (await env.DB.prepare('select id from users where email = ?').bind(address).first<string>('id'))!
}

/** An ADMIN, and somebody to act on. */
async function adminAndUser(service: Service): Promise<{ token: string; id: string }> {
  const { accessToken: token } = await signUpAdmin(service)
  return { token, id: (await signUp(service, email)).id }
}

async function adminAndPending(service: Service, attempts: number): Promise<{ token: string; id: string }> {
  const { accessToken: token } = await signUpAdmin(service)
  for (let attempt = 0; attempt < attempts; attempt++) await register(service, email)
  return { token, id: await userId(email) }
}

/** What Resend tells of the newest mail. */
async function news(service: Service, fate: EmailFate): Promise<Request> {
  await signUp(service, email)
  const raw = JSON.stringify({ ...eventOf(fate, newestMail(service, email)), created_at: new Date(0) })
  const headers = await svixHeaders(raw, { at: service.clock.now() })
  return ['POST', '/webhooks/resend', { raw, headers }]
}

/** As after a bounce. */
async function suppress(): Promise<void> {
  await env.DB.prepare("update users set email_problem = 'bounced' where email = ?").bind(email).run()
}

async function suspended(service: Service): Promise<{ token: string; id: string }> {
  const people = await adminAndUser(service)
  await service.call('POST', `/users/${people.id}/suspend`, { token: people.token, body: { reason: 'spam' } })
  return people
}

async function refreshed(service: Service): Promise<SignedIn> {
  const person = await signUp(service, email)
  await service.call('POST', '/auth/refresh', { body: { refresh_token: person.refreshToken } })
  return person
}

/** Sessions that were there before, the oldest first. */
async function insertSessions(service: Service, userId: string, count: number): Promise<void> {
  const now = service.clock.now().getTime()
  const sessionId = (index: number) => `01900000-0000-7000-8000-${String(index).padStart(12, '0')}`
  const insert = env.DB.prepare('insert into sessions values (?, ?, 1, ?, ?, ?, null, null, null)')
  await env.DB.batch(
    Array.from({ length: count }, (_, index) => insert.bind(sessionId(index), userId, now, now, now + 60 * minute)),
  )
}

const insertTries = (count: number, allowedAt: number) =>
  env.DB.prepare('insert into attempt_counters values (?, ?, ?, 0)').bind(`account:${email}`, count, allowedAt).run()

const challenge = { turnstile_token: 'a token' }
const breachList = { PWNED_PASSWORDS_URL: breachListUrl }

const login = (given = password): Request => ['POST', '/auth/login', { body: { email, password: given } }]

export const flows: Flow[] = [
  {
    name: 'a registration',
    prepare: async () => ['POST', '/auth/register', { body: { email, password } }],
    answer: 202,
    again: 202,
  },
  {
    name: 'a registration of a taken address',
    prepare: async (service) => (await signedUp(service), ['POST', '/auth/register', { body: { email, password } }]),
    answer: 202,
    again: 202,
  },
  {
    name: 'a registration with both checks',
    prepare: async () => ['POST', '/auth/register', { body: { email, password, ...challenge } }],
    answer: 202,
    again: 202,
    outside: { env: { ...turnstileEnv, ...breachList }, offline: ['service_unavailable', 202] },
  },
  {
    name: 'a registration that needs the list',
    prepare: async () => ['POST', '/auth/register', { body: { email, password } }],
    answer: 202,
    again: 202,
    outside: { env: { ...breachList, PWNED_PASSWORDS_REQUIRED: 'true' }, offline: ['service_unavailable'] },
  },
  {
    name: 'a request for another activation mail',
    prepare: async (service) => (
      await register(service, email),
      ['POST', '/auth/resend-activation', { body: { email } }]
    ),
    answer: 202,
    again: 202,
  },
  {
    name: 'an activation',
    prepare: async (service) => [
      'POST',
      '/auth/activate',
      { body: { token: await register(service, email), password } },
    ],
    answer: 200,
    again: 'invalid_link',
  },
  {
    name: 'the activation of the first ADMIN',
    prepare: async (service) => [
      'POST',
      '/auth/activate',
      { body: { token: await register(service, 'admin@example.com'), password } },
    ],
    answer: 200,
    again: 'invalid_link',
  },
  {
    name: 'an activation with a wrong password',
    prepare: async (service) => [
      'POST',
      '/auth/activate',
      { body: { token: await register(service, email), password: otherPassword } },
    ],
    answer: 'invalid_credentials',
    again: 'invalid_credentials',
  },
  {
    name: 'an activation that ends a session',
    // No call leads there: who is pending has no session.
    async prepare(service) {
      const token = await register(service, email)
      await insertSessions(service, await userId(email), 50)
      return ['POST', '/auth/activate', { body: { token, password } }]
    },
    answer: 200,
    again: 'invalid_link',
  },
  { name: 'a sign-in', prepare: async (service) => (await signedUp(service), login()), answer: 200, again: 200 },
  {
    name: 'a sign-in on a known device',
    async prepare(service) {
      await signUp(service, email)
      const { json } = await service.call(...login())
      return ['POST', '/auth/login', { body: { email, password, device_token: json.device_token } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in from a new place',
    async prepare(service) {
      await signUp(service, email)
      const [method, path, call] = login()
      return [method, path, { ...call, country: 'FR', headers: { 'CF-Connecting-IP': '198.51.100.9' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in that hashes the password anew',
    async prepare(service) {
      const work = { rounds: 1, iterations: 500 }
      await signUp(startService({ platform: { work }, beside: service }), email)
      return login()
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in that makes the first ADMIN',
    async prepare(service) {
      await signUpAdmin(service)
      await env.DB.prepare("update users set role = 'USER'").run()
      return ['POST', '/auth/login', { body: { email: 'admin@example.com', password } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in that ends the oldest of fifty sessions',
    async prepare(service) {
      const { id } = await signUp(service, email)
      await insertSessions(service, id, 49)
      return login()
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a sign-in with a wrong password',
    prepare: async (service) => (await signedUp(service), login(otherPassword)),
    answer: 'invalid_credentials',
    again: 'invalid_credentials',
  },
  {
    name: 'a sign-in to no account',
    prepare: async () => login(),
    answer: 'invalid_credentials',
    again: 'invalid_credentials',
  },
  {
    name: 'the tenth sign-in with a wrong password',
    async prepare(service) {
      await signUp(service, email)
      await insertTries(9, 0)
      return login(otherPassword)
    },
    answer: 'invalid_credentials',
    again: 'rate_limited',
  },
  {
    name: 'a sign-in that has to wait',
    prepare: async (service) => (
      await signUp(service, email),
      await insertTries(100, service.clock.now().getTime() + 60 * minute),
      login()
    ),
    answer: 'rate_limited',
    again: 'rate_limited',
  },
  {
    name: 'a sign-in after failures by a human',
    async prepare(service) {
      await signUp(service, email)
      await insertTries(3, 0)
      return ['POST', '/auth/login', { body: { email, password, ...challenge } }]
    },
    answer: 200,
    again: 200,
    outside: { env: { ...turnstileEnv, ...breachList }, offline: ['service_unavailable'] },
  },
  {
    name: 'a sign-in to a pending account',
    prepare: async (service) => (await register(service, email), login()),
    answer: 'account_pending',
    again: 'account_pending',
  },
  {
    name: 'a sign-in to a suspended account',
    prepare: async (service) => (await suspended(service), login()),
    answer: 'account_suspended',
    again: 'account_suspended',
  },
  {
    name: 'a refresh',
    prepare: async (service) => [
      'POST',
      '/auth/refresh',
      { body: { refresh_token: (await signedUp(service)).refreshToken } },
    ],
    answer: 200,
    again: 200,
  },
  {
    name: 'a repeated refresh',
    prepare: async (service) => [
      'POST',
      '/auth/refresh',
      { body: { refresh_token: (await refreshed(service)).refreshToken } },
    ],
    answer: 200,
    again: 200,
  },
  {
    name: 'a refresh with a stolen token',
    async prepare(service) {
      const { refreshToken } = await refreshed(service)
      service.clock.advance(minute)
      return ['POST', '/auth/refresh', { body: { refresh_token: refreshToken } }]
    },
    answer: 'refresh_token_reused',
    again: 'invalid_refresh_token',
  },
  {
    name: 'a log-out',
    prepare: async (service) => [
      'POST',
      '/auth/logout',
      { body: { refresh_token: (await signedUp(service)).refreshToken } },
    ],
    answer: 204,
    again: 204,
  },
  {
    name: 'a log-out everywhere',
    async prepare(service) {
      const { accessToken: token } = await signUp(service, email)
      await signIn(service, email)
      return ['POST', '/auth/logout-all', { token }]
    },
    answer: 204,
    again: 'invalid_token',
  },
  {
    name: 'a change of password',
    async prepare(service) {
      const { accessToken: token } = await signUp(service, email)
      await signIn(service, email)
      await resetToken(service, email)
      return ['POST', '/auth/change-password', { token, body: change }]
    },
    answer: 204,
    again: 'wrong_password',
  },
  {
    name: 'a change of password with a wrong one',
    prepare: async (service) => [
      'POST',
      '/auth/change-password',
      { token: (await signedUp(service)).accessToken, body: { ...change, old_password: 'not it' } },
    ],
    answer: 'wrong_password',
    again: 'wrong_password',
  },
  {
    name: 'a change to a weak password',
    prepare: async (service) => [
      'POST',
      '/auth/change-password',
      { token: (await signedUp(service)).accessToken, body: { ...change, new_password: 'password1' } },
    ],
    answer: 'weak_password',
    again: 'weak_password',
  },
  {
    name: 'a change of password that needs the list',
    prepare: async (service) => [
      'POST',
      '/auth/change-password',
      { token: (await signedUp(service)).accessToken, body: change },
    ],
    answer: 204,
    again: 'wrong_password',
    outside: { env: { ...breachList, PWNED_PASSWORDS_REQUIRED: 'true' }, offline: ['service_unavailable'] },
  },
  {
    name: 'a request for a reset',
    prepare: async (service) => (
      await signedUp(service),
      ['POST', '/auth/password-reset/request', { body: { email } }]
    ),
    answer: 202,
    again: 202,
  },
  {
    name: 'a request for a reset by a human',
    prepare: async (service) => (
      await signedUp(service),
      ['POST', '/auth/password-reset/request', { body: { email, ...challenge } }]
    ),
    answer: 202,
    again: 202,
    outside: { env: { ...turnstileEnv, ...breachList }, offline: ['service_unavailable'] },
  },
  {
    name: 'a reset',
    async prepare(service) {
      await signUp(service, email)
      const body = { token: await resetToken(service, email), new_password: otherPassword }
      return ['POST', '/auth/password-reset/complete', { body }]
    },
    answer: 204,
    again: 'invalid_link',
  },
  {
    name: 'a reset that looks at the list',
    async prepare(service) {
      await signUp(service, email)
      const body = { token: await resetToken(service, email), new_password: otherPassword }
      return ['POST', '/auth/password-reset/complete', { body }]
    },
    answer: 204,
    again: 'invalid_link',
    outside: { env: breachList, offline: [204] },
  },
  {
    name: 'a reset that activates',
    async prepare(service) {
      await register(service, email)
      const body = { token: await resetToken(service, email), new_password: otherPassword }
      return ['POST', '/auth/password-reset/complete', { body }]
    },
    answer: 204,
    again: 'invalid_link',
  },
  {
    name: 'a look at the own account',
    prepare: async (service) => ['GET', '/users/me', { token: (await signedUp(service)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a change of the profile',
    prepare: async (service) => [
      'PATCH',
      '/users/me',
      { token: (await signedUp(service)).accessToken, body: { bio: 'x', locale: 'en' } },
    ],
    answer: 200,
    again: 200,
  },
  {
    name: 'the deletion of the own account',
    prepare: async (service) => [
      'DELETE',
      '/users/me',
      { token: (await signedUp(service)).accessToken, body: { password } },
    ],
    answer: 204,
    again: 'invalid_token',
  },
  {
    name: 'a deletion with a wrong password',
    prepare: async (service) => [
      'DELETE',
      '/users/me',
      { token: (await signedUp(service)).accessToken, body: { password: otherPassword } },
    ],
    answer: 'wrong_password',
    again: 'wrong_password',
  },
  {
    name: 'the deletion of the last ADMIN',
    prepare: async (service) => [
      'DELETE',
      '/users/me',
      { token: (await signUpAdmin(service)).accessToken, body: { password } },
    ],
    answer: 'last_admin',
    again: 'last_admin',
  },
  {
    name: 'a list of sessions',
    prepare: async (service) => ['GET', '/users/me/sessions', { token: (await signedUp(service)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'the end of another session',
    async prepare(service) {
      const { accessToken } = await signUp(service, email)
      const { accessToken: token } = await signIn(service, email)
      return ['DELETE', `/users/me/sessions/${sessionOf(accessToken)}`, { token }]
    },
    answer: 204,
    again: 'not_found',
  },
  {
    name: 'the end of all other sessions',
    async prepare(service) {
      const { accessToken: token } = await signUp(service, email)
      await signIn(service, email)
      return ['DELETE', '/users/me/sessions', { token }]
    },
    answer: 204,
    again: 204,
  },
  {
    name: 'a verification at the edge',
    prepare: async (service) => ['GET', '/auth/verify', { token: (await signedUp(service)).accessToken }],
    answer: 204,
    again: 204,
  },
  {
    name: 'a look at the roles',
    prepare: async (service) => ['GET', '/roles', { token: (await signedUp(service)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a list of users',
    prepare: async (service) => ['GET', '/users', { token: (await adminAndUser(service)).token }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a list of events',
    prepare: async (service) => ['GET', '/audit-events', { token: (await adminAndUser(service)).token }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a look at a user',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['GET', `/users/${id}`, { token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a moderation',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['PATCH', `/users/${id}/profile`, { token, body: { bio: 'x' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'an activation by an ADMIN',
    async prepare(service) {
      const { token, id } = await adminAndPending(service, 1)
      return ['POST', `/users/${id}/activate`, { token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'an activation by an ADMIN of one of several attempts',
    async prepare(service) {
      const { token, id } = await adminAndPending(service, 2)
      return ['POST', `/users/${id}/activate`, { token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a change of a role',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['PUT', `/users/${id}/role`, { token, body: { role: 'MODERATOR' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a suspension',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['POST', `/users/${id}/suspend`, { token, body: { reason: 'spam' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a reinstatement',
    async prepare(service) {
      const { token, id } = await suspended(service)
      return ['POST', `/users/${id}/reinstate`, { token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'the end of a user’s sessions',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['DELETE', `/users/${id}/sessions`, { token }]
    },
    answer: 204,
    again: 204,
  },
  {
    name: 'a deletion by an ADMIN',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['DELETE', `/users/${id}`, { token }]
    },
    answer: 204,
    again: 'not_found',
  },
  {
    name: 'a reset that an ADMIN starts',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['POST', `/users/${id}/password-reset`, { token }]
    },
    answer: 202,
    again: 202,
  },
  {
    name: 'a registration for an address that took no mail',
    async prepare(service) {
      await register(service, email)
      await suppress()
      return ['POST', '/auth/register', { body: { email, password } }]
    },
    answer: 202,
    again: 202,
  },
  {
    name: 'news of a bounce',
    prepare: (service) => news(service, 'bounced'),
    answer: 200,
    again: 200,
  },
  {
    name: 'news of a delivery that was in doubt',
    async prepare(service) {
      const call = await news(service, 'delivered')
      await env.DB.prepare("update emails set status = 'unknown', in_doubt_since = created_at").run()
      return call
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'an ADMIN’s word that an address takes mail again',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      await suppress()
      return ['DELETE', `/users/${id}/email-suppression`, { token }]
    },
    answer: 204,
    again: 204,
  },
  {
    name: 'a list of mails',
    prepare: async (service) => ['GET', '/emails', { token: (await signUpAdmin(service)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a list of a user’s sessions',
    async prepare(service) {
      const { token, id } = await adminAndUser(service)
      return ['GET', `/users/${id}/sessions`, { token }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a look at the own activity',
    prepare: async (service) => ['GET', '/users/me/activity', { token: (await signedUp(service)).accessToken }],
    answer: 200,
    again: 200,
  },
  {
    name: 'a refresh by the cookie',
    async prepare(service) {
      const { refreshToken } = await signedUp(service)
      const headers = { Origin: 'https://accounts.example.com', Cookie: `__Host-postern-refresh=${refreshToken}` }
      return ['POST', '/auth/refresh', { headers, body: { transport: 'cookie' } }]
    },
    answer: 200,
    again: 200,
  },
  {
    name: 'a log-out by the cookie',
    async prepare(service) {
      const { refreshToken } = await signedUp(service)
      const headers = { Origin: 'https://accounts.example.com', Cookie: `__Host-postern-refresh=${refreshToken}` }
      return ['POST', '/auth/logout', { headers, body: { transport: 'cookie' } }]
    },
    answer: 204,
    again: 204,
  },
]

/** Operations without a flow, and why. */
export const withoutFlow: Record<string, string> = {
  getHealth: 'it asks nobody anything',
  getKeys: 'it asks nobody anything',
  findChangePasswordPage: 'it asks nobody anything',
  getDescription: 'it is a static file, which never reaches the service',
  getReadiness: 'a failure is what it is there to tell: test/http/failures.test.ts',
}
