/** Rows read must not grow with the number of users: every statement of every flow finds its rows by an index. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { emailFates } from '../../src/store/schema/emails.ts'
import { countCosts } from '../support/counting.ts'
import { consume, loseConnection, refuse, scriptResend } from '../support/mail-consumer.ts'
import {
  goodPassword,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  tokenIn,
} from '../support/people.ts'
import { startService } from '../support/service.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

/** The one list without a condition: newest first, along the primary key, as far as the page. */
const wholeTable = /^select .* from "(users|audit_events|emails)" order by "\1"\."id" desc limit \?$/

/** All the rows that have one of a few values. */
const isBroad = (detail: string) =>
  /^SEARCH (?!admin|other)\w+ USING .*INDEX \w+ \((status|type|role)=\?( AND status=\?)?\)$/.test(detail)
/** The lists by such a value and by nothing else: along its index, newest first, as far as the page. */
const isListBy =
  /^select .* where \(?("\w+"\."(status|type)" = \?|"users"\."role" = \? and "users"\."status" = \?\)) order by (".*"\.)?"id" desc limit \?$/

// What is scanned by these names is a list that came as a parameter.
it('scans no table in any request, delivery or five-minute job', async () => {
  const statements = new Set<string>()
  const plain = startService()
  const meter = countCosts(env)
  const { DB, REVOCATIONS } = meter.bindings
  const service = startService({ env: { DB, REVOCATIONS, RESEND_WEBHOOK_SECRET: webhookSecret }, beside: plain })

  const admin = await signUpAdmin(service)
  const token = admin.accessToken
  const ada = await signUp(service, 'ada@example.com')
  await signIn(service, 'ada@example.com')
  await service.call('POST', '/auth/login', { body: { email: 'ada@example.com', password: otherPassword } })
  await service.call('POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } })
  await service.call('PATCH', '/users/me', { token: ada.accessToken, body: { bio: 'x' } })
  await service.call('GET', '/users/me/activity', { token: ada.accessToken })
  const sessions = await service.call('GET', '/users/me/sessions', { token: ada.accessToken })
  await service.call('DELETE', `/users/me/sessions/${sessions.json.sessions[0].id}`, { token: ada.accessToken })
  await service.call('DELETE', '/users/me/sessions', { token: ada.accessToken })
  const change = { old_password: goodPassword, new_password: otherPassword }
  await service.call('POST', '/auth/change-password', { token: ada.accessToken, body: change })
  await service.call('POST', '/auth/logout', { body: { refresh_token: ada.refreshToken } })
  const reset = { token: await resetToken(service, 'ada@example.com'), new_password: goodPassword }
  await service.call('POST', '/auth/password-reset/complete', { body: reset })
  const thief = await signIn(service, 'ada@example.com')
  await service.call('POST', '/auth/refresh', { body: { refresh_token: thief.refreshToken } })
  service.clock.advance(60_000)
  await service.call('POST', '/auth/refresh', { body: { refresh_token: thief.refreshToken } })
  await service.call('POST', '/auth/logout-all', { token: (await signIn(service, 'ada@example.com')).accessToken })
  await register(service, 'bob@example.com')
  await service.call('POST', '/auth/resend-activation', { body: { email: 'bob@example.com' } })
  await service.deliver()
  expect(tokenIn(newestMail(service, 'bob@example.com'))).toBeDefined()
  const { json } = await service.call('GET', '/users?email=bob', { token })
  for (const query of ['', '?role=USER', '?status=active', '?email=a&role=USER', '?role=USER&status=active']) {
    await service.call('GET', `/users${query}`, { token })
  }
  for (const query of ['', `?user_id=${ada.id}`, '?type=user.signed_in', `?user_id=${ada.id}&type=user.signed_in`]) {
    await service.call('GET', `/audit-events${query}`, { token })
  }
  for (const query of ['', `?user_id=${ada.id}`, '?status=sent', `?user_id=${ada.id}&status=sent`]) {
    await service.call('GET', `/emails${query}`, { token })
  }
  const { id: mailId } = newestMail(service, 'bob@example.com')
  for (const fate of emailFates) {
    for (const row of [undefined, ada.id]) await tell(service, eventOf(fate, { id: mailId }, row))
  }
  const bob = json.users[0].id
  await service.call('DELETE', `/users/${bob}/email-suppression`, { token })
  await service.call('POST', `/users/${bob}/activate`, { token })
  await service.call('PATCH', `/users/${bob}/profile`, { token, body: { bio: 'x' } })
  await service.call('PUT', `/users/${bob}/role`, { token, body: { role: 'MODERATOR' } })
  await service.call('POST', `/users/${bob}/suspend`, { token, body: { reason: 'x' } })
  await service.call('POST', `/users/${bob}/reinstate`, { token })
  await service.call('POST', `/users/${bob}/password-reset`, { token })
  await service.call('DELETE', `/users/${bob}/sessions`, { token })
  await service.call('DELETE', `/users/${bob}`, { token })
  const last = await signIn(service, 'ada@example.com')
  await service.call('DELETE', '/users/me', { token: last.accessToken, body: { password: goodPassword } })
  await service.deliver()
  await service.runCron('*/5 * * * *')
  const late = ['carla@example.com', 'dov@example.com']
  for (const email of late) await service.call('POST', '/auth/register', { body: { email, password: goodPassword } })
  const jobs = service.queued.splice(0)
  scriptResend(refuse(429, 'rate_limit_exceeded'), loseConnection)
  for (let offer = 1; offer <= 3; offer++) {
    await consume(service, jobs)
    service.clock.advance(60_000)
  }
  for (const email of late) expect(tokenIn(newestMail(service, email))).toBeDefined()

  for (const statement of meter.take().statements) statements.add(statement)
  expect(statements.size).toBeGreaterThan(60)
  for (const sql of statements) {
    const values = Array(sql.split('?').length - 1).fill(null)
    const { results } = await env.DB.prepare(`explain query plan ${sql}`)
      .bind(...values)
      .all<{ detail: string }>()
    const scans = results
      .map(({ detail }) => detail)
      .filter((detail) => /^SCAN (?!CONSTANT ROW|\d|json_each|listed|settled)/.test(detail))
    if (!wholeTable.test(sql)) expect(scans, sql).toEqual([])
    expect(results.filter(({ detail }) => isBroad(detail)).length > 0 && !isListBy.test(sql), sql).toBe(false)
    // A given list leads: after another table it would be gone through for each of its rows.
    expect(
      results.findIndex(({ detail }) => /^SCAN (listed|settled)/.test(detail)),
      sql,
    ).toBeLessThan(1)
  }
})
