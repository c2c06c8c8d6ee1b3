/** The number of rows read must not grow with the number of users: every statement of every flow uses an index. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { emailFates } from '../../src/store/schema/emails.ts'
import { Caller } from '../support/caller.ts'
import { countCosts } from '../support/counting.ts'
import { enrolApp, factorTokenIn } from '../support/factors.ts'
import { inboxOf } from '../support/inbox.ts'
import { consume, loseConnection, refuse, scriptResend } from '../support/mail-consumer.ts'
import { subjects } from '../support/mails.ts'
import { enrolPasskey } from '../support/passkeys.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { startService } from '../support/service.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

/** A list without an index: it walks the primary key, newest first, and stops at the end of the page or at its bound. */
const wholeTable =
  /^select .* from "(users|audit_events|audit_seals|emails)" order by "\1"\."(?:id|number)" desc limit \?( offset \?|\) "walked" where .*)?$/

/** A search for a value that very many rows share. */
const isBroad = (detail: string) =>
  /^SEARCH (?!admin|other)\w+ USING .*INDEX \w+ \((status|type|role)=\?( AND status=\?)?\)$/.test(detail)
/** A list by such a value alone: it walks the index, newest first, and stops at the end of the page. */
const isListBy =
  /^select .* where \(?("\w+"\."(status|type)" = \?|"users"\."role" = \? and "users"\."status" = \?\)) order by (".*"\.)?"id" desc limit \?$/

/** What is wrong with a query plan, in words for the failure message. */
function faultsIn(sql: string, plan: string[]): string[] {
  // `listed` and `settled` are lists that came as a parameter, `used` is a short list in a row, `one` is a row of constants;
  // `walked`, `last` and subqueries, parts of a table that other steps of the plan look up.
  const scans = plan.filter((detail) =>
    /^SCAN (?!CONSTANT ROW|\d|json_each|listed|settled|used|one|walked|last|\(subquery)/.test(detail),
  )
  const broad = plan.filter(isBroad)
  const listPlace = plan.findIndex((detail) => /^SCAN (listed|settled)/.test(detail))
  return [
    ...(wholeTable.test(sql) ? [] : scans),
    ...(isListBy.test(sql) ? [] : broad),
    // A list has to come first: after another table, SQLite would read it once for each row of that table.
    ...(listPlace < 1 ? [] : [`not the first step: ${plan[listPlace]}`]),
  ]
}

async function planOf(sql: string): Promise<string[]> {
  const values = Array(sql.split('?').length - 1).fill(null)
  const { results } = await env.DB.prepare(`explain query plan ${sql}`)
    .bind(...values)
    .all<{ detail: string }>()
  return results.map(({ detail }) => detail)
}

it('scans no table in any request, delivery or five-minute job', async () => {
  const meter = countCosts(env)
  const { DB, REVOCATIONS } = meter.bindings
  const service = startService({ env: { DB, REVOCATIONS, RESEND_WEBHOOK_SECRET: webhookSecret } })
  const [people, anonymous, inbox] = [peopleOf(service), new Caller(service), inboxOf(service)]
  const [email, password] = ['ada@example.com', goodPassword]

  /** The flow that was the first to send each statement. */
  const flows = new Map<string, string>()
  async function during<T>(flow: string, act: () => Promise<T>): Promise<T> {
    const result = await act()
    for (const sql of meter.take().statements) if (!flows.has(sql)) flows.set(sql, flow)
    return result
  }

  const admin = await during('sign-up of the first ADMIN', () => people.admin())
  const ada = await during('sign-up', () => people.signUp(email))
  await during('sign-in', () => ada.signIn())
  await during('sign-in with a wrong password', () =>
    anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials'),
  )
  await during('refresh', () => ada.refresh())
  await during('change of the own profile', () => ada.updateMe({ bio: 'x' }))
  await during('own activity', () => ada.activity())
  const { sessions } = await during('list of own sessions', () => ada.sessions())
  await during('end of one session', () => ada.endSession(sessions.find(({ current }) => !current)!.id))
  await during('end of the other sessions', () => ada.endOtherSessions())
  await during('change of password', () => ada.changePassword({ old_password: password, new_password: otherPassword }))
  await during('change of password with the refresh token', () =>
    ada.changePassword({ old_password: otherPassword, new_password: password, refresh_token: ada.refreshToken }),
  )
  await during('sign-out', () => ada.logout())
  const resetToken = await during('request of a password reset', () => people.resetToken(email))
  await during('password reset', () => anonymous.completePasswordReset({ token: resetToken, new_password: password }))
  await during('replay of a refresh token', async () => {
    const stolen = await people.signIn(email)
    await stolen.refresh()
    service.clock.advance(60_000)
    await stolen.refresh().refused(401, 'refresh_token_reused')
  })
  await during('end of all sessions', async () => (await people.signIn(email)).logoutAll())
  const bob = await during('registration', () => people.pending('bob@example.com'))
  await during('another activation link', async () => {
    await anonymous.resendActivation(bob.email)
    await service.deliver()
  })
  expect(inbox.subjects(bob)).toEqual([subjects.activation, subjects.activation])

  for (const query of [
    { email: 'bob' },
    {},
    { role: 'USER' },
    { status: 'active' },
    { email: 'a', role: 'USER' },
    { role: 'USER', status: 'active' },
  ] as const) {
    await during(`list of users by ${JSON.stringify(query)}`, () => admin.users(query))
  }
  const type = 'user.signed_in'
  for (const query of [{}, { user_id: ada.id }, { type }, { user_id: ada.id, type }] as const) {
    await during(`audit trail by ${Object.keys(query).join()}`, () => admin.auditEvents(query))
  }
  const status = 'sent'
  for (const query of [{}, { user_id: ada.id }, { status }, { user_id: ada.id, status }] as const) {
    await during(`list of emails by ${Object.keys(query).join()}`, () => admin.emails(query))
  }

  for (const fate of emailFates) {
    await during(`webhook ${fate}`, () => tell(service, eventOf(fate, inbox.newest(bob))))
  }
  await during('lift of a suppression', () => admin.liftEmailSuppression(bob))
  await during('activation by an ADMIN', () => admin.activateUser(bob))
  await during('change of the profile of another user', () => admin.moderateProfile(bob, { bio: 'x' }))
  await during('assignment of a role', () => admin.assignRole(bob, 'MODERATOR'))
  await during('suspension', () => admin.suspend(bob))
  await during('reinstatement', () => admin.reinstate(bob))
  await during('password reset by an ADMIN', () => admin.startPasswordReset(bob))
  await during('end of the sessions of another user', () => admin.endSessionsOf(bob))
  await during('deletion by an ADMIN', () => admin.deleteUser(bob))
  const moved = 'moved@example.com'
  const mover = await people.signIn(email)
  await during('request for another address', () => mover.changeEmail(moved))
  await during('delivery about another address', () => service.deliver())
  const [confirm, revert] = [inbox.linkToken(moved), inbox.linkToken(email)]
  await during('change of address', () => mover.confirmEmail(confirm))
  await during('registration of a reserved address', () => anonymous.register({ email, password }))
  await during('export', () => mover.exportMe())
  await during('end of a change of address', () => anonymous.revertEmail(revert))
  await anonymous.completePasswordReset({ token: await people.resetToken(email), new_password: password })
  const holder = await people.signIn(email)
  const { app, recoveryCodes } = await during('first factor', () => enrolApp(holder))
  const { authenticator, id: passkeyId } = await during('another factor', () => enrolPasskey(holder))
  await during('list of factors', () => holder.factors())
  await during('name of a passkey', () => holder.renamePasskey(passkeyId, 'Phone'))
  service.clock.advance(60_000)
  for (const shown of [() => ({ totp: app.code() }), () => ({ recovery_code: recoveryCodes[0]! })]) {
    const asked = await during('sign-in that asks for a factor', () =>
      anonymous.login({ email, password }).refused(403, 'second_factor_required'),
    )
    await during('second factor', () => anonymous.secondFactor({ factor_token: factorTokenIn(asked), ...shown() }))
  }
  const wrongCode = app.wrongCode()
  const asked = await anonymous.login({ email, password }).refused(403, 'second_factor_required')
  await during('wrong second factor', () =>
    anonymous.secondFactor({ factor_token: factorTokenIn(asked), totp: wrongCode }).refused(403, 'wrong_second_factor'),
  )
  await during('sign-in with a passkey', async () => {
    const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
    return anonymous.signInWithPasskey({ challenge_token, credential: await authenticator.get(public_key) })
  })
  await during('ways to step up', () => holder.stepUpOptions())
  await during('step-up', () => holder.stepUp({ recovery_code: recoveryCodes[1]! }))
  await during('wrong step-up', () => holder.stepUp({ totp: wrongCode }).refused(403, 'wrong_second_factor'))
  await during('new recovery codes', () => holder.renewRecoveryCodes())
  await during('removal of a passkey', () => holder.removePasskey(passkeyId))
  await during('removal of the last factor', () => holder.removeTotp())
  await during('code by mail', () => holder.sendFactorCode())
  await during('step-up with a password', () => holder.stepUp({ password }))
  await enrolApp(holder)
  await during('reset of factors', () => admin.resetFactors(mover))
  await during('deletion of the own account', async () => (await people.signIn(email)).deleteMe())
  await during('delivery of emails', () => service.deliver())
  await during('five-minute job', () => service.runCron('*/5 * * * *'))

  const late = ['carla@example.com', 'dov@example.com']
  for (const address of late) await anonymous.register({ email: address, password })
  const jobs = service.queued.splice(0)
  scriptResend(refuse(429, 'rate_limit_exceeded'), loseConnection)
  for (let offer = 1; offer <= 3; offer++) {
    await during(`delivery ${offer} of a batch that fails twice`, () => consume(service, jobs))
    service.clock.advance(60_000)
  }
  for (const address of late) expect(inbox.subjects(address)).toEqual([subjects.activation])

  expect(flows.size).toBeGreaterThan(60)
  const faults = []
  for (const [sql, flow] of flows) {
    const plan = await planOf(sql)
    for (const fault of faultsIn(sql, plan)) faults.push({ flow, fault, sql })
  }
  expect(faults).toEqual([])
})
