/** POST /users/{id}/password-reset: an ADMIN has a user set a new password, and sees nothing of it. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { expectProblem } from '../support/answers.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { it } from '../support/fixtures.ts'
import { linkTokenIn } from '../support/inbox.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'
/** Where the administrator is, which no email tells. */
const elsewhere = { headers: { 'CF-Connecting-IP': '198.51.100.99' } }
const subject = 'Set a new password for Postern'

describe('POST /users/{id}/password-reset', () => {
  it('mails a link to the user, records who asked, once, and changes nothing else', async ({ service, ada, admin }) => {
    const { answer, effects, audit } = await observe(service, () => admin.from(elsewhere).startPasswordReset(ada))
    expect(answer.status).toBe(202)
    expect(effects).toEqual({
      rows: { emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.password_reset_requested', actor: admin.id, user: ada.id, detail: null }],
      revoked: [],
      mails: [`${email}: ${subject}`],
    })
    expect(audit[0]).toMatchObject({ ip: '198.51.100.99', request_id: answer.headers.get('X-Request-Id') })
    expect(await rowsOf('audit_events', "type = 'user.password_reset_requested'"), 'after delivery').toHaveLength(1)
    await ada.me()
    await ada.signIn()
  })

  it('answers the same as any request for a reset, and nothing of the email', async ({
    service,
    inbox,
    anonymous,
    ada,
    admin,
  }) => {
    const answer = await admin.from(elsewhere).startPasswordReset(ada).answer
    const anybody = await anonymous.requestPasswordReset({ email: 'x@example.com' }).answer
    expect(answer.text).toBe(anybody.text)
    await service.deliver()
    const mail = inbox.newest(email)
    expect(mail.to).toEqual([email])
    expect(mail.text).toContain('An administrator asks you to choose a new password')
    for (const text of [mail.text, mail.html]) {
      expect(text).not.toContain('198.51.100.99')
      expect(text).not.toContain('admin@example.com')
    }
    expect(answer.text).not.toContain(linkTokenIn(mail))
    expect(JSON.stringify(await rowsOf('emails', 'recipient = ?', email))).not.toContain('198.51.100.99')
  })

  it('leads to a new password that the user chooses, once', async ({
    service,
    inbox,
    people,
    anonymous,
    ada,
    admin,
  }) => {
    await admin.from(elsewhere).startPasswordReset(ada)
    await service.deliver()
    const token = inbox.linkToken(email)
    await anonymous.completePasswordReset({ token, new_password: otherPassword })
    await anonymous.completePasswordReset({ token, new_password: otherPassword }).refused(400, 'invalid_link')
    await ada.me().refused(401, 'invalid_token')
    await people.signIn(email, otherPassword)
  })

  it('activates a pending account, since the mailbox is proven, and leaves a suspended one suspended', async ({
    service,
    inbox,
    people,
    anonymous,
    admin,
  }) => {
    const pending = await people.pending(email)
    const suspended = await people.signUp('eve@example.com')
    await admin.suspend(suspended)
    for (const { id, address, status } of [
      { id: pending.id, address: email, status: 'active' },
      { id: suspended.id, address: suspended.email, status: 'suspended' },
    ]) {
      await admin.from(elsewhere).startPasswordReset(id)
      await service.deliver()
      await anonymous.completePasswordReset({ token: inbox.linkToken(address), new_password: otherPassword })
      expect(await rowOf('users', 'id = ?', id)).toMatchObject({ status })
    }
  })

  it('is for ADMINs alone, and for users that exist', async ({ service, anonymous, ada, admin, moderator }) => {
    for (const person of [moderator, ada]) {
      const { answer, effects } = await observe(service, () => person.from(elsewhere).startPasswordReset(ada))
      expectProblem(answer, 403, 'insufficient_permission')
      expect(answer.headers.get('WWW-Authenticate')).toContain('scope="users:reset-password"')
      expect(effects).toEqual(nothing)
    }
    await anonymous.startPasswordReset(ada).refused(401, 'invalid_token')
    for (const id of ['01a20320-0000-7000-8000-000000000000', 'x']) {
      const { answer, effects } = await observe(service, () => admin.from(elsewhere).startPasswordReset(id))
      expectProblem(answer, 404, 'not_found')
      expect(effects).toEqual(nothing)
    }
  })

  it.for([
    { what: 'the role', ending: "update users set role = 'MODERATOR' where email = 'admin@example.com'" },
    { what: 'the session', ending: 'delete from sessions' },
    { what: 'the account', ending: "update users set status = 'suspended' where email = 'admin@example.com'" },
  ])('does nothing when $what of the ADMIN ends a moment before', async ({ ending }, { service, ada, admin }) => {
    await service.deliver()
    const DB = hookedD1(env.DB, async (statements) => {
      if (statements.length > 1) await write(ending)
    })
    const late = startService({ env: { DB }, beside: service })
    await admin.at(late).from(elsewhere).startPasswordReset(ada).refused(401, 'invalid_token')
    expect(await rowsOf('emails', "template = 'password_reset'")).toEqual([])
    expect(await rowsOf('audit_events', "type = 'user.password_reset_requested'")).toEqual([])
  })

  it(`mails ${mailBudget.perHour} an hour at most, apart from what anybody asked for`, async ({
    service,
    inbox,
    anonymous,
    ada,
    admin,
  }) => {
    for (let index = 0; index < 8; index++) {
      await anonymous.requestPasswordReset({ email })
    }
    await service.deliver()
    const before = inbox.all(email).length
    const texts = new Set<string>()
    for (let index = 0; index < 8; index++) texts.add((await admin.from(elsewhere).startPasswordReset(ada).answer).text)
    await service.deliver()
    expect(texts.size).toBe(1)
    expect(inbox.all(email)).toHaveLength(before + mailBudget.perHour)
    expect(await rowsOf('audit_events', 'actor_id <> user_id and user_id = ?', ada.id)).toHaveLength(mailBudget.perHour)
  })
})

it('records an activation by an ADMIN once, the mail to set a password included', async ({
  service,
  inbox,
  people,
  admin,
}) => {
  await people.register(email, goodPassword)
  await people.register(email, otherPassword)
  const { id } = await rowOf('users', 'email = ?', email)
  const before = (await rowsOf('audit_events')).length
  await admin.activateUser(String(id))
  await service.deliver()
  expect(inbox.newest(email).subject).toBe('Choose a password for Postern')
  expect(await rowsOf('audit_events')).toHaveLength(before + 1)
})
