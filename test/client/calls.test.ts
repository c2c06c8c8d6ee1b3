/** Every method of the client against the real service: its requests, results and errors. */
import { decodeJwt } from 'jose'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { Client } from '../../client/src/client.ts'
import { PosternError } from '../../client/src/problem.ts'
import type { AdministeredUser, AuditEvent } from '../../client/src/types.ts'
import { description } from '../support/description.ts'
import { App, giveFactors } from '../support/factors.ts'
import { inboxOf } from '../support/inbox.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { write } from '../support/state.ts'
import { Browser, answering, email, offline, signedIn } from './browser.ts'

async function failureOf(call: Promise<unknown>): Promise<PosternError> {
  const error = await call.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(PosternError)
  return error as PosternError
}

/** The method for each operation of the document, or the reason why there is none. */
const methods: Record<string, ((client: Client) => unknown) | string> = {
  register: ({ signUp }) => signUp,
  activate: ({ activate }) => activate,
  resendActivation: ({ resendActivation }) => resendActivation,
  login: ({ signIn }) => signIn,
  passkeySignInOptions: 'part of `signInWithPasskey`',
  signInWithPasskey: ({ signInWithPasskey }) => signInWithPasskey,
  secondFactor: ({ secondFactor }) => secondFactor,
  stepUpOptions: ({ stepUpOptions }) => stepUpOptions,
  stepUp: ({ stepUp }) => stepUp,
  refresh: 'happens by itself',
  logout: ({ signOut }) => signOut,
  logoutAll: ({ signOutEverywhere }) => signOutEverywhere,
  changePassword: ({ changePassword }) => changePassword,
  requestPasswordReset: ({ requestPasswordReset }) => requestPasswordReset,
  completePasswordReset: ({ resetPassword }) => resetPassword,
  verify: 'for gateways',
  getMe: ({ me }) => me,
  updateMe: ({ updateMe }) => updateMe,
  deleteMe: ({ deleteMe }) => deleteMe,
  changeEmail: ({ changeEmail }) => changeEmail,
  confirmEmail: ({ confirmEmail }) => confirmEmail,
  revertEmail: ({ revertEmail }) => revertEmail,
  exportMe: ({ exportAccount }) => exportAccount,
  listMyActivity: ({ activity }) => activity,
  listMySessions: ({ sessions }) => sessions,
  endMySession: ({ endSession }) => endSession,
  endMyOtherSessions: ({ endOtherSessions }) => endOtherSessions,
  getMyFactors: ({ factors }) => factors,
  sendFactorCode: ({ sendFactorCode }) => sendFactorCode,
  startTotp: ({ startTotp }) => startTotp,
  confirmTotp: ({ confirmTotp }) => confirmTotp,
  removeTotp: ({ removeTotp }) => removeTotp,
  renewRecoveryCodes: ({ renewRecoveryCodes }) => renewRecoveryCodes,
  passkeyEnrolmentOptions: 'part of `registerPasskey`',
  addPasskey: ({ registerPasskey }) => registerPasskey,
  renamePasskey: ({ renamePasskey }) => renamePasskey,
  removePasskey: ({ removePasskey }) => removePasskey,
  listUsers: ({ admin }) => admin.users,
  getUser: ({ admin }) => admin.user,
  moderateProfile: ({ admin }) => admin.updateProfile,
  activateUser: ({ admin }) => admin.activate,
  assignRole: ({ admin }) => admin.assignRole,
  suspendUser: ({ admin }) => admin.suspend,
  reinstateUser: ({ admin }) => admin.reinstate,
  startPasswordReset: ({ admin }) => admin.startPasswordReset,
  resetFactors: ({ admin }) => admin.resetFactors,
  listSessionsOfUser: ({ admin }) => admin.sessions,
  endSessionsOfUser: ({ admin }) => admin.endSessions,
  deleteUser: ({ admin }) => admin.deleteUser,
  listAuditEvents: ({ admin }) => admin.auditEvents,
  readAuditArchive: 'for `npm run audit`',
  listEmails: ({ admin }) => admin.emails,
  liftEmailSuppression: ({ admin }) => admin.liftEmailSuppression,
  listRoles: ({ admin }) => admin.roles,
  receiveResendWebhook: 'for Resend',
  getKeys: 'for the verifier',
  getSecurityContact: 'a file for people',
  findChangePasswordPage: 'a redirect for password managers',
  getHealth: 'for operators',
  getReadiness: 'for operators',
  getDescription: 'a file',
}

it('the client has a method for every operation that applications call', () => {
  const { client } = new Browser().open()
  const ids = Object.values(description.paths).flatMap((item) =>
    Object.values(item).flatMap(({ operationId }) => (operationId ? [operationId] : [])),
  )
  expect(ids.filter((id) => !(id in methods))).toEqual([])
  for (const [id, method] of Object.entries(methods)) {
    if (typeof method !== 'string') expect(method(client), id).toBeTypeOf('function')
  }
})

describe('the calls of a user', () => {
  it('cover registration, activation, the profile, sessions, passwords and deletion', async () => {
    const browser = new Browser()
    const { service } = browser
    const inbox = inboxOf(service)
    const { client } = browser.open()
    expect(await client.signUp({ email, password: goodPassword, first_name: 'Ada' })).toEqual({
      message: expect.any(String),
    })
    expect(await client.resendActivation(email)).toEqual({ message: expect.any(String) })
    await service.deliver()
    await client.activate({ token: inbox.linkToken(email), password: goodPassword })

    expect(await client.updateMe({ bio: 'Notes on engines.' })).toMatchObject({ first_name: 'Ada' })
    expect(await client.me()).toEqual(client.user)
    const { events, next_cursor: next } = await client.activity({ limit: 1 })
    expect([events.length, next]).toEqual([1, expect.any(String)])
    await client.changePassword({ old_password: goodPassword, new_password: otherPassword })

    const other = new Browser(service).open().client
    await other.signIn({ email, password: otherPassword })
    await client.endSession((await client.sessions()).find(({ current }) => !current)!.id)
    expect((await failureOf(other.me())).code).toBe('invalid_refresh_token')
    await other.signIn({ email, password: otherPassword })
    await client.endOtherSessions()
    expect(await client.sessions()).toHaveLength(1)

    await client.requestPasswordReset({ email })
    await service.deliver()
    const reset = { token: inbox.linkToken(email), new_password: goodPassword }
    expect(await client.resetPassword(reset)).toBeUndefined()
    await client.signIn({ email, password: goodPassword })
    await client.deleteMe(goodPassword)
    expect((await failureOf(client.signIn({ email, password: goodPassword }))).code).toBe('invalid_credentials')
  })
})

describe('the calls of a user about factors, address and data', () => {
  it('cover an authenticator app from its setup to its removal', async () => {
    const { browser, client } = await signedIn()
    expect(await client.factors()).toEqual({ passkeys: [], totp: null, recovery_codes: 0 })
    expect(await client.sendFactorCode()).toEqual({ message: expect.any(String) })
    const { setup_token: setup, secret } = await client.startTotp()
    const app = new App(secret, browser.service.clock)
    expect((await failureOf(client.confirmTotp(setup, app.wrongCode()))).code).toBe('wrong_second_factor')
    const { recovery_codes: codes } = await client.confirmTotp(setup, app.code())
    expect(codes).toHaveLength(8)
    expect(await client.factors()).toMatchObject({ totp: { last_used_at: null }, recovery_codes: 8 })
    const renewed = await client.renewRecoveryCodes()
    expect(renewed.recovery_codes).toHaveLength(8)
    expect(renewed.recovery_codes).not.toEqual(codes)
    expect(await client.removeTotp()).toBeUndefined()
    expect(await client.factors()).toMatchObject({ totp: null, recovery_codes: 0 })
  })

  it('get a new access token with a new factor, which says that there are two now', async () => {
    const { browser, client } = await signedIn()
    const { setup_token: setup, secret } = await client.startTotp()
    await client.confirmTotp(setup, new App(secret, browser.service.clock).code())
    expect(decodeJwt(await client.accessToken())['acr']).toBe('urn:postern:2')
  })

  it('cover a change of address and its way back, and the export', async () => {
    const { client, service } = await signedIn()
    const inbox = inboxOf(service)
    expect(await client.changeEmail('ada@example.org')).toEqual({ message: expect.any(String) })
    await service.deliver()
    const [confirm, revert] = ['ada@example.org', email].map((address) => inbox.linkToken(address)) as [string, string]
    expect(await client.confirmEmail(confirm)).toMatchObject({ email: 'ada@example.org' })
    expect(client.user).toMatchObject({ email: 'ada@example.org' })

    const file = await client.exportAccount()
    expect(JSON.parse(await file.text())).toMatchObject({ user: { email: 'ada@example.org' } })
    expect(await failureOf(client.exportAccount())).toMatchObject({ code: 'rate_limited', status: 429 })

    expect(await client.revertEmail(revert)).toBeUndefined()
    expect((await failureOf(client.revertEmail(revert))).code).toBe('invalid_link')
  })

  it('send no password where none is given, and let the service decide', async () => {
    const { browser, client } = await signedIn()
    expect((await failureOf(client.deleteMe())).code).toMatch(/^(wrong_password|validation_failed)$/)
    expect(browser.asked('/users/me')[0]!.body).toEqual({})
  })
})

describe('the calls of an administrator', () => {
  it('cover every list and every action on a user', async () => {
    const browser = new Browser()
    const people = peopleOf(browser.service)
    await people.admin()
    const { id } = await people.signUp(email)
    const { client } = browser.open()
    await client.signIn({ email: 'admin@example.com', password: goodPassword })
    const { admin } = client

    expect((await admin.users({ email: 'ada', role: 'USER' })).users).toMatchObject([{ id }])
    expect(await admin.user(id)).toMatchObject({ email })
    expect(await admin.updateProfile(id, { bio: 'x' })).toMatchObject({ bio: 'x' })
    expect(await admin.suspend(id, 'Sent spam.')).toMatchObject({ status: 'suspended' })
    expect(await admin.reinstate(id)).toMatchObject({ status: 'active' })
    expect(await admin.activate(id)).toMatchObject({ status: 'active' })
    expect(await admin.assignRole(id, 'MODERATOR')).toMatchObject({ role: 'MODERATOR' })
    expect(await admin.startPasswordReset(id)).toEqual({ message: expect.any(String) })
    await people.signIn(email)
    expect(await admin.sessions(id)).toMatchObject([{ current: false }])
    expect(await admin.endSessions(id)).toBeUndefined()
    expect((await admin.emails({ user_id: id })).emails).not.toHaveLength(0)
    await write("update users set email_problem = 'bounced' where id = ?", id)
    expect(await admin.liftEmailSuppression(id)).toBeUndefined()
    expect((await admin.roles()).map(({ role }) => role)).toEqual(['USER', 'MODERATOR', 'ADMIN'])
    await giveFactors(id, browser.service.clock)
    expect(await admin.resetFactors(id, 'Lost the phone.')).toBeUndefined()
    const { events } = await admin.auditEvents({ user_id: id, type: 'user.suspended' })
    expect(events).toMatchObject([{ detail: { reason: 'Sent spam.' } }])
    expect(await admin.deleteUser(id)).toBeUndefined()
    expect((await failureOf(admin.user(id))).code).toBe('not_found')
  })

  it('leave out empty filters', async () => {
    const { browser, client } = await signedIn()
    await client.admin.users({ email: '', role: undefined } as object).catch(() => undefined)
    expect(browser.requests).toHaveLength(1)
    expect(await failureOf(client.admin.users())).toMatchObject({ code: 'insufficient_permission', status: 403 })
  })
})

describe('a failed call', () => {
  it('throws an error with the code, text, fields and request id of the answer', async () => {
    const { client } = new Browser().open()
    const error = await failureOf(client.signUp({ email: 'x', password: goodPassword }))
    expect(error).toMatchObject({
      name: 'PosternError',
      code: 'validation_failed',
      status: 422,
      detail: 'The request breaks the rules listed in errors.',
      errors: [{ pointer: '/email', code: 'invalid_email', message: 'must be one e-mail address' }],
      retryAfterSeconds: undefined,
    })
    expect(error.requestId).toMatch(/^[0-9a-f-]{36}$/)
    expect(error.message).toBe('validation_failed: The request breaks the rules listed in errors.')
  })

  it('throws an error that says when to try again', async () => {
    const { browser, client } = await signedIn()
    const body = { code: 'rate_limited', detail: 'Wait before the next try.' }
    browser.incidents.set('/users/me', [answering(429, body, { 'Retry-After': '60' })])
    expect(await failureOf(client.me())).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 60, errors: [] })
  })

  it('throws its own codes for the answer of a proxy and for no answer', async () => {
    const { browser, client } = await signedIn()
    const broken: typeof offline = async () =>
      new Response(new ReadableStream({ start: (c) => c.error(new Error('x')) }))
    browser.incidents.set('/users/me', [offline, answering(502), answering(200), broken])
    const errors = []
    for (let call = 0; call < 4; call++) errors.push(await failureOf(client.me()))
    expect(errors.map(({ code, status }) => [code, status])).toEqual([
      ['network_error', 0],
      ['unexpected_answer', 502],
      ['unexpected_answer', 200],
      ['network_error', 0],
    ])
    expect(errors[0]!.cause).toBeInstanceOf(TypeError)
  })

  it('throws the AbortError if the caller aborted it', async () => {
    const { client } = await signedIn()
    const abort = new AbortController()
    abort.abort()
    const error = await client.activity({}, { signal: abort.signal }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'AbortError' })
  })
})

describe('client.request', () => {
  it('makes any call of the API with the types of its path', async () => {
    const browser = new Browser()
    const people = peopleOf(browser.service)
    await people.admin()
    const { id } = await people.signUp(email)
    const { client } = browser.open()
    await client.signIn({ email: 'admin@example.com', password: goodPassword })

    const user = await client.request('get', '/users/{id}', { path: { id } })
    expectTypeOf(user).toEqualTypeOf<AdministeredUser>()
    expect(user.email).toBe(email)
    const page = await client.request('get', '/audit-events', { query: { limit: 2 } })
    expectTypeOf(page.events).toEqualTypeOf<AuditEvent[]>()
    expect(page.events).toHaveLength(2)
    expect(
      await client.request('put', '/users/{id}/role', { path: { id }, body: { role: 'MODERATOR' } }),
    ).toMatchObject({ role: 'MODERATOR' })
    expectTypeOf(await client.request('delete', '/users/{id}/sessions', { path: { id } })).toEqualTypeOf<undefined>()
  })

  it('does not compile with paths, methods and values that the API does not have', () => {
    const { client } = new Browser().open()
    void (() => {
      // @ts-expect-error -- no such path
      void client.request('get', '/nowhere')
      // @ts-expect-error -- no such method
      void client.request('put', '/users/me')
      // @ts-expect-error -- the path has a part that is not given
      void client.request('get', '/users/{id}')
      // @ts-expect-error -- no such role
      void client.request('put', '/users/{id}/role', { path: { id: 'x' }, body: { role: 'KING' } })
    })
  })

  it('encodes an id, so that it cannot lead to another path', async () => {
    const { browser, client } = await signedIn()
    await client.admin.user('../me?x#y').catch(() => undefined)
    expect(browser.requests[0]!.path).toBe('/users/..%2Fme%3Fx%23y')
  })
})
