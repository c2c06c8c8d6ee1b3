/**
 * The audit trail, operation by operation: what was done and what was refused is one event, with who, whom, from where and
 * in which request; what changes nothing is none. And the request log, for what was refused before anything was looked at.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { auditTypes } from '../../src/store/schema/audit.ts'
import { uuidv7 } from '../support/answers.ts'
import { day, minute } from '../support/clock.ts'
import { description } from '../support/description.ts'
import { captureLog } from '../support/log-lines.ts'
import { refuse, scriptResend } from '../support/mail-consumer.ts'
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
  signUpAs,
} from '../support/people.ts'
import { type Answer, type Call, type Service, startService } from '../support/service.ts'
import { type Row, rowOf, rowsOf, write } from '../support/state.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

const email = 'ada@example.com'
const newcomer = 'new@example.com'
const wrong = 'a wrong password'

const from = { 'CF-Connecting-IP': '203.0.113.7', 'User-Agent': 'Netscape/4', 'X-Request-Id': 'the-act' }

interface World {
  service: Service
  admin: SignedIn
  ada: SignedIn
}

type Person = 'ada' | 'admin' | 'newcomer' | null

interface Case {
  /** `METHOD /path`, as the OpenAPI document has it. */
  operation: string
  when: string
  /** Makes what has to be there before, and tells the request. */
  request: (
    world: World,
  ) => (Call & { path?: Record<string, string> }) | Promise<Call & { path?: Record<string, string> }>
  status: number
  /** The only event there is then; without it there is none. */
  event?: { type: (typeof auditTypes)[number]; actor: Person; user: Person }
}

/** What a case is about, by its operation. */
function cases(operation: string, ...rows: Omit<Case, 'operation'>[]): Case[] {
  return rows.map((row) => ({ operation, ...row }))
}

const by = (actor: Person, type: (typeof auditTypes)[number], user: Person = 'ada') => ({ type, actor, user })

/** Nobody may try a password of this address any more. */
const exhaust = (address: string) =>
  write('insert or replace into attempt_counters values (?, 100, 4000000000000, 0)', `account:${address}`)

const pendingId = async () => String((await rowOf('users', 'email = ?', newcomer))['id'])

async function suspend({ service, admin, ada }: World): Promise<void> {
  await service.call('POST', `/users/${ada.id}/suspend`, { token: admin.accessToken, body: { reason: 'spam' } })
}

/** As the bearer of ada's token, and of the ADMIN's, on ada. */
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
      when: 'it is taken',
      request: () => credentials(email, goodPassword),
      status: 202,
      event: by(null, 'user.registered'),
    },
    { when: 'the password is weak', request: () => credentials(newcomer, 'password'), status: 422 },
    {
      when: 'the mails are used up',
      request: async ({ service }) => {
        for (let index = 0; index < 5; index++) await register(service, newcomer)
        return credentials(newcomer, goodPassword)
      },
      status: 202,
    },
  ),
  ...cases(
    'POST /auth/resend-activation',
    {
      when: 'the account is pending',
      request: async ({ service }) => (await register(service, newcomer), { body: { email: newcomer } }),
      status: 202,
      event: by(null, 'user.activation_requested', 'newcomer'),
    },
    { when: 'it is active', request: () => ({ body: { email } }), status: 202 },
    { when: 'there is none', request: () => ({ body: { email: newcomer } }), status: 202 },
  ),
  ...cases(
    'POST /auth/activate',
    {
      when: 'the password is right',
      request: async ({ service }) => ({ body: { token: await register(service, newcomer), password: goodPassword } }),
      status: 200,
      event: by('newcomer', 'user.activated', 'newcomer'),
    },
    {
      when: 'it is wrong',
      request: async ({ service }) => ({ body: { token: await register(service, newcomer), password: wrong } }),
      status: 401,
      event: by(null, 'user.activation_refused', 'newcomer'),
    },
    { when: 'the link is none', request: () => ({ body: { token: 'x', password: goodPassword } }), status: 400 },
    {
      when: 'it is throttled',
      request: async ({ service }) => {
        const token = await register(service, newcomer)
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
      when: 'it is wrong',
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
      request: async ({ service }) => (await register(service, newcomer), credentials(newcomer, goodPassword)),
      status: 403,
      event: by(null, 'user.sign_in_refused', 'newcomer'),
    },
    {
      when: 'it is suspended',
      request: async (world) => (await suspend(world), credentials(email, goodPassword)),
      status: 403,
      event: by(null, 'user.sign_in_refused'),
    },
    {
      when: 'it is throttled',
      request: async () => (await exhaust(email), credentials(email, goodPassword)),
      status: 429,
    },
    { when: 'the body is none', request: () => ({ body: {} }), status: 422 },
  ),
  ...cases(
    'POST /auth/refresh',
    {
      when: 'the token is the newest',
      request: ({ ada }) => ({ body: { refresh_token: ada.refreshToken } }),
      status: 200,
    },
    {
      when: 'it is the one before, within half a minute',
      request: async ({ service, ada }) => {
        await service.call('POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } })
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 200,
    },
    {
      when: 'it was stolen',
      request: async ({ service, ada }) => {
        await service.call('POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } })
        service.clock.advance(minute)
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 401,
      event: by(null, 'session.reuse_detected'),
    },
    { when: 'it is none', request: () => ({ body: { refresh_token: 'x' } }), status: 401 },
  ),
  ...cases(
    'POST /auth/logout',
    {
      when: 'the session lives',
      request: ({ ada }) => ({ body: { refresh_token: ada.refreshToken } }),
      status: 204,
      event: by('ada', 'session.ended'),
    },
    {
      when: 'it has ended',
      request: async ({ service, ada }) => {
        await service.call('POST', '/auth/logout', { body: { refresh_token: ada.refreshToken } })
        return { body: { refresh_token: ada.refreshToken } }
      },
      status: 204,
    },
  ),
  ...cases('POST /auth/logout-all', {
    when: 'signed in',
    request: asAda(),
    status: 204,
    event: by('ada', 'session.ended'),
  }),
  ...cases(
    'POST /auth/change-password',
    {
      when: 'the old one is right',
      request: asAda(newPassword(goodPassword, otherPassword)),
      status: 204,
      event: by('ada', 'user.password_changed'),
    },
    {
      when: 'it is wrong',
      request: asAda(newPassword(wrong, otherPassword)),
      status: 403,
      event: by('ada', 'user.password_change_refused'),
    },
    { when: 'the new one is weak', request: asAda(newPassword(goodPassword, 'password')), status: 422 },
    {
      when: 'it is throttled',
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
    { when: 'there is none', request: () => ({ body: { email: newcomer } }), status: 202 },
  ),
  ...cases(
    'POST /auth/password-reset/complete',
    {
      when: 'the link is good',
      request: async ({ service }) => ({
        body: { token: await resetToken(service, email), new_password: otherPassword },
      }),
      status: 204,
      event: by('ada', 'user.password_reset'),
    },
    {
      when: 'the password is weak',
      request: async ({ service }) => ({ body: { token: await resetToken(service, email), new_password: 'password' } }),
      status: 422,
    },
    { when: 'the link is none', request: () => ({ body: { token: 'x', new_password: otherPassword } }), status: 400 },
  ),
  ...cases(
    'PATCH /users/me',
    { when: 'something changes', request: asAda({ bio: 'x' }), status: 200, event: by('ada', 'user.profile_updated') },
    { when: 'nothing does', request: asAda({}), status: 200 },
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
      when: 'it is wrong',
      request: asAda({ password: wrong }),
      status: 403,
      event: by('ada', 'user.deletion_refused'),
    },
    {
      when: 'it is throttled',
      request: async (world) => (await exhaust(email), asAda({ password: goodPassword })(world)),
      status: 429,
    },
    {
      when: 'it is the last ADMIN',
      request: ({ admin }) => ({ token: admin.accessToken, body: { password: goodPassword } }),
      status: 409,
    },
  ),
  ...cases('DELETE /users/me/sessions', {
    when: 'signed in',
    request: asAda(),
    status: 204,
    event: by('ada', 'session.ended'),
  }),
  ...cases(
    'DELETE /users/me/sessions/{id}',
    {
      when: 'it is an own session',
      request: async ({ ada }) => ({
        token: ada.accessToken,
        path: { id: String((await rowOf('sessions', 'user_id = ?', ada.id))['id']) },
      }),
      status: 204,
      event: by('ada', 'session.ended'),
    },
    {
      when: 'it is that of another',
      request: async ({ admin, ada }) => ({
        token: ada.accessToken,
        path: { id: String((await rowOf('sessions', 'user_id = ?', admin.id))['id']) },
      }),
      status: 404,
    },
  ),
  ...cases(
    'PATCH /users/{id}/profile',
    {
      when: 'something changes',
      request: asAdmin({ bio: 'x' }),
      status: 200,
      event: by('admin', 'user.profile_updated'),
    },
    { when: 'not permitted', request: asAdaOnAdmin({ bio: 'x' }), status: 403 },
    { when: 'there is no such user', request: onNobody({ bio: 'x' }), status: 404 },
  ),
  ...cases(
    'POST /users/{id}/activate',
    {
      when: 'it is pending',
      request: async ({ service, admin }) => {
        await register(service, newcomer)
        return { token: admin.accessToken, path: { id: await pendingId() } }
      },
      status: 200,
      event: by('admin', 'user.activated', 'newcomer'),
    },
    {
      when: 'nobody can tell whose password is right',
      request: async ({ service, admin }) => {
        for (const password of [goodPassword, otherPassword]) await register(service, newcomer, password)
        return { token: admin.accessToken, path: { id: await pendingId() } }
      },
      status: 200,
      event: by('admin', 'user.activated', 'newcomer'),
    },
    { when: 'it is active', request: asAdmin(), status: 200 },
    { when: 'not permitted', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'PUT /users/{id}/role',
    {
      when: 'it changes',
      request: asAdmin({ role: 'MODERATOR' }),
      status: 200,
      event: by('admin', 'user.role_changed'),
    },
    { when: 'it is the same', request: asAdmin({ role: 'USER' }), status: 200 },
    { when: 'it is the own', request: asAdminOnSelf({ role: 'USER' }), status: 409 },
    { when: 'not permitted', request: asAdaOnAdmin({ role: 'USER' }), status: 403 },
  ),
  ...cases(
    'POST /users/{id}/suspend',
    { when: 'it is active', request: asAdmin(reason), status: 200, event: by('admin', 'user.suspended') },
    { when: 'it is suspended', request: async (world) => (await suspend(world), asAdmin(reason)(world)), status: 200 },
    { when: 'not permitted', request: asAdaOnAdmin(reason), status: 403 },
    {
      when: 'it is out of reach',
      request: async ({ service, admin }) => ({
        token: (await signUpAs(service, 'MODERATOR', 'mod@example.com', admin)).accessToken,
        body: reason,
        path: { id: admin.id },
      }),
      status: 403,
    },
  ),
  ...cases(
    'POST /users/{id}/reinstate',
    {
      when: 'it is suspended',
      request: async (world) => (await suspend(world), asAdmin()(world)),
      status: 200,
      event: by('admin', 'user.reinstated'),
    },
    { when: 'it is active', request: asAdmin(), status: 200 },
    { when: 'not permitted', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'POST /users/{id}/password-reset',
    {
      when: 'there is an account',
      request: asAdmin(),
      status: 202,
      event: by('admin', 'user.password_reset_requested'),
    },
    { when: 'there is none', request: onNobody(), status: 404 },
    { when: 'not permitted', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'DELETE /users/{id}/sessions',
    { when: 'permitted', request: asAdmin(), status: 204, event: by('admin', 'session.ended') },
    { when: 'not permitted', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'DELETE /users/{id}',
    { when: 'permitted', request: asAdmin(), status: 204, event: by('admin', 'user.deleted') },
    { when: 'it is the own', request: asAdminOnSelf(), status: 409 },
    { when: 'not permitted', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases(
    'DELETE /users/{id}/email-suppression',
    {
      when: 'nothing was mailed there any more',
      request: async (world) => {
        await write("update users set email_problem = 'bounced' where id = ?", world.ada.id)
        return asAdmin()(world)
      },
      status: 204,
      event: by('admin', 'email.suppression_lifted'),
    },
    { when: 'mail goes there', request: asAdmin(), status: 204 },
    { when: 'not permitted', request: asAdaOnAdmin(), status: 403 },
  ),
  ...cases('POST /webhooks/resend', { when: 'there is no secret for it', request: () => ({ body: {} }), status: 404 }),
  // What only reads.
  ...[
    '/users/me',
    '/users/me/sessions',
    '/users/me/activity',
    '/users',
    '/users/{id}',
    '/users/{id}/sessions',
    '/audit-events',
    '/emails',
    '/auth/verify',
    '/roles',
    '/.well-known/jwks.json',
    '/healthz',
    '/readyz',
  ].flatMap((path) => [
    ...cases(`GET ${path}`, { when: 'permitted', request: asAdmin(), status: path === '/auth/verify' ? 204 : 200 }),
  ]),
  ...cases('GET /.well-known/change-password', { when: 'anybody asks', request: () => ({}), status: 302 }),
]

/** What happens without a request. */
const jobTypes = ['user.expired', 'email.failed', 'email.undeliverable'] as const

async function world(): Promise<World> {
  const service = startService()
  const admin = await signUpAdmin(service)
  const ada = await signUp(service, email)
  return { service, admin, ada }
}

/** The events of an act, and of the mail that it causes. */
async function eventsOf(service: Service, act: () => Promise<unknown>): Promise<Row[]> {
  await service.deliver()
  const before = new Set((await rowsOf('audit_events')).map(({ id }) => id))
  await act()
  await service.deliver()
  return (await rowsOf('audit_events')).filter(({ id }) => !before.has(id))
}

function perform(
  service: Service,
  operation: string,
  { path = {}, headers, ...call }: Call & { path?: Record<string, string> },
) {
  const [method = '', template = ''] = operation.split(' ')
  const url = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => path[name] ?? name)
  return service.call(method, url, { ...call, headers: { ...from, ...headers } })
}

afterEach(() => void vi.restoreAllMocks())

describe('the audit trail', () => {
  it.each(table)('$operation, when $when: $event.type', async ({ operation, request, status, event }) => {
    const there = await world()
    const { service, admin, ada } = there
    const call = await request(there)
    let answer: Answer | undefined
    const events = await eventsOf(service, async () => (answer = await perform(service, operation, call)))
    expect(answer!.status, answer!.text).toBe(status)
    if (!event) return expect(events).toEqual([])

    const newcomers = await rowsOf('users', 'email = ?', newcomer)
    const ids = { ada: ada.id, admin: admin.id, newcomer: newcomers[0]?.['id'] ?? 'nobody' }
    const idOf = (person: Person) => (person === null ? null : ids[person])
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      id: uuidv7,
      at: service.clock.now().getTime(),
      type: event.type,
      actor_id: idOf(event.actor),
      user_id: idOf(event.user),
      ip: from['CF-Connecting-IP'],
      user_agent: from['User-Agent'],
      request_id: answer!.headers.get('X-Request-Id'),
    })
    expect(answer!.headers.get('X-Request-Id')).toBe(from['X-Request-Id'])
  })

  it('has a case for every operation, and for each of them that is refused something a refusal', () => {
    const operations = Object.entries(description.paths).flatMap(([path, item]) =>
      Object.keys(item)
        .filter((method) => method !== 'parameters')
        .map((method) => `${method.toUpperCase()} ${path}`),
    )
    const covered = new Set(table.map(({ operation }) => operation))
    // A static file, of which the service does nothing but hand it on.
    expect([...covered, 'GET /openapi.json'].toSorted()).toEqual(operations.toSorted())
    const writes = [...covered].filter((operation) => !operation.startsWith('GET '))
    const withEvent = new Set(table.filter(({ event }) => event).map(({ operation }) => operation))
    // A refresh is no event; what Resend tells is, and has a test of its own.
    const others = ['POST /auth/refresh', 'POST /webhooks/resend']
    expect(writes.filter((operation) => !others.includes(operation) && !withEvent.has(operation))).toEqual([])
  })

  it('has every type of event there is, and no other', () => {
    const seen = [...jobTypes, ...table.flatMap(({ event }) => event?.type ?? [])]
    expect([...new Set(seen)].toSorted()).toEqual(auditTypes.toSorted())
  })

  it('says of the first ADMIN both that it signed in and that it became one', async () => {
    const service = startService()
    const token = await register(service, 'admin@example.com')
    const body = { token, password: goodPassword }
    const events = await eventsOf(service, () => service.call('POST', '/auth/activate', { body, headers: from }))
    expect(events.map(({ type }) => String(type)).toSorted()).toEqual(['user.activated', 'user.role_changed'])
    const again = await eventsOf(service, () => signIn(service, 'admin@example.com'))
    expect(again.map(({ type }) => type)).toEqual(['user.signed_in'])
  })

  it('has one event for an account that nobody activated, of nobody', async () => {
    const { service } = await world()
    await register(service, newcomer)
    const id = await pendingId()
    service.clock.advance(8 * day)
    const events = await eventsOf(service, () => service.runCron('0 * * * *'))
    expect(events).toMatchObject([{ type: 'user.expired', actor_id: null, user_id: id, ip: null }])
  })

  it('has one event for a mail that cannot be delivered, of nobody', async () => {
    const { service, ada } = await world()
    const events = await eventsOf(service, async () => {
      scriptResend(refuse(422, 'validation_error'))
      await service.call('POST', '/auth/change-password', {
        token: ada.accessToken,
        body: newPassword(goodPassword, otherPassword),
      })
    })
    const failed = events.filter(({ type }) => type !== 'user.password_changed')
    expect(failed).toMatchObject([{ type: 'email.failed', actor_id: null, user_id: ada.id, ip: null }])
  })

  it('has one event for an address that bounces, of nobody, however often that is told', async () => {
    const { service, ada } = await world()
    const told = startService({ env: { RESEND_WEBHOOK_SECRET: webhookSecret }, beside: service })
    const bounce = eventOf('bounced', newestMail(service, email))
    const events = await eventsOf(service, async () => {
      for (let round = 0; round < 3; round++) expect((await tell(told, bounce)).status).toBe(200)
    })
    expect(events).toMatchObject([{ type: 'email.undeliverable', actor_id: null, user_id: ada.id, ip: null }])
  })
})

describe('the request log', () => {
  const refusals: [operation: string, status: number, code: string, prepare?: () => Promise<void>][] = [
    ...Object.entries(description.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, operation]) => operation.security?.[0]?.bearer?.length)
        .map(([method]): [string, number, string] => [
          `${method.toUpperCase()} ${path}`,
          403,
          'insufficient_permission',
        ]),
    ),
    ['POST /auth/change-password', 429, 'rate_limited', () => exhaust(email)],
    ['DELETE /users/me', 429, 'rate_limited', () => exhaust(email)],
  ]

  it.each(refusals)('names who was refused %s with %i', async (operation, status, code, prepare) => {
    const { service, ada, admin } = await world()
    await prepare?.()
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
  })

  it('names the outcome of a throttled sign-in, and nobody, since nobody is signed in', async () => {
    const { service } = await world()
    await exhaust(email)
    const log = captureLog()
    await perform(service, 'POST /auth/login', credentials(email, goodPassword))
    const [line] = log.entries('request')
    expect(line).toMatchObject({ status: 429, outcome: 'rate_limited', request_id: from['X-Request-Id'] })
    expect(line.user_id).toBeUndefined()
  })
})
