/** POST /users/{id}/password-reset: an ADMIN has a user set a new password, and sees nothing of it. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { expectOk, expectProblem } from '../support/answers.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import {
  goodPassword,
  mailsTo,
  newestMail,
  otherPassword,
  register,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
  tokenIn,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'
const subject = 'Set a new password for Postern'

const start = (service: Service, id: string, token: string) =>
  service.call('POST', `/users/${id}/password-reset`, { token, headers: { 'CF-Connecting-IP': '198.51.100.99' } })

const complete = (service: Service, token: string) =>
  service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: otherPassword } })

describe('POST /users/{id}/password-reset', () => {
  it('mails a link to the user, records who asked, once, and changes nothing else', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const ada = await signUp(service, email)
    const { answer, effects, audit } = await observe(service, () => start(service, ada.id, admin.accessToken))
    expect(answer.status).toBe(202)
    expect(effects).toEqual({
      rows: { emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.password_reset_requested', actor: admin.id, user: ada.id, detail: null }],
      revoked: [],
      mails: [`${email}: ${subject}`],
    })
    expect(audit[0]).toMatchObject({ ip: '198.51.100.99', request_id: answer.headers.get('X-Request-Id') })
    expect(await rowsOf('audit_events', "type = 'user.password_reset_requested'"), 'after delivery').toHaveLength(1)
    expectOk(await service.call('GET', '/users/me', { token: ada.accessToken }))
    await signIn(service, email)
  })

  it('answers what anybody is answered who asks for a reset, and nothing of the mail', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    const answer = await start(service, id, admin.accessToken)
    const anybody = await service.call('POST', '/auth/password-reset/request', { body: { email: 'x@example.com' } })
    expect(answer.text).toBe(anybody.text)
    await service.deliver()
    const mail = newestMail(service, email)
    expect(mail.to).toEqual([email])
    expect(mail.text).toContain('An administrator asks you to choose a new password')
    for (const text of [mail.text, mail.html]) {
      expect(text).not.toContain('198.51.100.99')
      expect(text).not.toContain('admin@example.com')
    }
    expect(answer.text).not.toContain(tokenIn(mail))
    expect(JSON.stringify(await rowsOf('emails', 'recipient = ?', email))).not.toContain('198.51.100.99')
  })

  it('leads to a new password that the user chooses, once', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const ada = await signUp(service, email)
    await start(service, ada.id, admin.accessToken)
    await service.deliver()
    const token = tokenIn(newestMail(service, email))
    expect((await complete(service, token)).status).toBe(204)
    expectProblem(await complete(service, token), 400, 'invalid_link')
    expectProblem(await service.call('GET', '/users/me', { token: ada.accessToken }), 401, 'invalid_token')
    await signIn(service, email, otherPassword)
  })

  it('activates who waits for it, since the mailbox is proven, and leaves the suspended suspended', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    await register(service, email)
    const pending = await rowOf('users', 'email = ?', email)
    const suspended = await signUp(service, 'eve@example.com')
    await service.call('POST', `/users/${suspended.id}/suspend`, { token, body: { reason: 'spam' } })
    for (const [id, address, status] of [
      [String(pending['id']), email, 'active'],
      [suspended.id, 'eve@example.com', 'suspended'],
    ] as const) {
      expect((await start(service, id, token)).status).toBe(202)
      await service.deliver()
      expect((await complete(service, tokenIn(newestMail(service, address)))).status).toBe(204)
      expect(await rowOf('users', 'id = ?', id)).toMatchObject({ status })
    }
  })

  it('is for ADMINs alone, for users that are there', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const moderator = await signUpAs(service, 'MODERATOR', 'mod@example.com', admin)
    const ada = await signUp(service, email)
    for (const token of [moderator.accessToken, ada.accessToken]) {
      const { answer, effects } = await observe(service, () => start(service, ada.id, token))
      expectProblem(answer, 403, 'insufficient_permission')
      expect(answer.headers.get('WWW-Authenticate')).toContain('scope="users:reset-password"')
      expect(effects).toEqual(nothing)
    }
    expectProblem(await service.call('POST', `/users/${ada.id}/password-reset`), 401, 'invalid_token')
    for (const id of ['01a20320-0000-7000-8000-000000000000', 'x']) {
      const { answer, effects } = await observe(service, () => start(service, id, admin.accessToken))
      expectProblem(answer, 404, 'not_found')
      expect(effects).toEqual(nothing)
    }
  })

  it.each([
    ['the role', "update users set role = 'MODERATOR' where email = 'admin@example.com'"],
    ['the session', 'delete from sessions'],
    ['the account', "update users set status = 'suspended' where email = 'admin@example.com'"],
  ])('does nothing when %s of the ADMIN ends a moment before', async (_, ending) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const ada = await signUp(service, email)
    await service.deliver()
    const DB = hookedD1(env.DB, async (statements) => {
      if (statements.length > 1) await write(ending)
    })
    const late = startService({ env: { DB }, beside: service })
    expectProblem(await start(late, ada.id, admin.accessToken), 401, 'invalid_token')
    expect(await rowsOf('emails', "template = 'password_reset'")).toEqual([])
    expect(await rowsOf('audit_events', "type = 'user.password_reset_requested'")).toEqual([])
  })

  it(`mails ${mailBudget.perHour} an hour at most, apart from what anybody asked for`, async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    for (let index = 0; index < 8; index++) {
      await service.call('POST', '/auth/password-reset/request', { body: { email } })
    }
    await service.deliver()
    const before = mailsTo(service, email).length
    const texts = new Set<string>()
    for (let index = 0; index < 8; index++) texts.add((await start(service, id, token)).text)
    await service.deliver()
    expect(texts.size).toBe(1)
    expect(mailsTo(service, email)).toHaveLength(before + mailBudget.perHour)
    expect(await rowsOf('audit_events', 'actor_id <> user_id and user_id = ?', id)).toHaveLength(mailBudget.perHour)
  })
})

it('records an activation by an ADMIN once, the mail to set a password included', async () => {
  const service = startService()
  const admin = await signUpAdmin(service)
  await register(service, email, goodPassword)
  await register(service, email, otherPassword)
  const { id } = await rowOf('users', 'email = ?', email)
  const before = (await rowsOf('audit_events')).length
  await service.call('POST', `/users/${id}/activate`, { token: admin.accessToken })
  await service.deliver()
  expect(newestMail(service, email).subject).toBe('Choose a password for Postern')
  expect(await rowsOf('audit_events')).toHaveLength(before + 1)
})
