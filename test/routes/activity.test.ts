/** GET /users/me/activity: what happened to the own account, and nothing about who administers it. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectInvalid, expectOk, instant, uuidv7 } from '../support/answers.ts'
import type { Success } from '../support/api.ts'
import { second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { insertAuditEvents } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'

/** What an administrator's requests carry, none of which a user may see. */
const staff = {
  headers: { 'CF-Connecting-IP': '198.51.100.99', 'User-Agent': 'StaffBrowser/1', 'X-Request-Id': 'staff-request' },
  country: 'ZW',
}

describe('GET /users/me/activity', () => {
  it('gives the own events, newest first, with every field and no other', async ({ clock, people, anonymous }) => {
    const link = await people.register(email)
    clock.advance(second)
    await anonymous.activate({ token: link, password: goodPassword })
    await people.signUp('eve@example.com')
    clock.advance(second)
    const headers = { 'CF-Connecting-IP': '192.0.2.1', 'User-Agent': 'Netscape/4', 'X-Request-Id': 'mine-1' }
    const caller = anonymous.from({ headers, country: 'GB' })
    const { access_token: token } = await caller.login({ email, password: goodPassword })
    const { events, next_cursor } = await anonymous.from({ token }).activity()
    expect(next_cursor).toBeNull()
    expect(events.map(({ type, actor }) => [type, actor])).toEqual([
      ['user.signed_in', 'you'],
      ['user.activated', 'you'],
      ['user.registered', null],
    ])
    expect(events[0]).toEqual({
      id: uuidv7,
      at: instant,
      type: 'user.signed_in',
      actor: 'you',
      ip: '192.0.2.1',
      country: 'GB',
      user_agent: 'Netscape/4',
      request_id: 'mine-1',
      detail: { session_id: uuidv7 },
    })
  })

  it('shows a refused sign-in and where it came from', async ({ clock, anonymous, ada }) => {
    clock.advance(second)
    const headers = { 'CF-Connecting-IP': '192.0.2.66' }
    await anonymous.from({ headers }).login({ email, password: 'a wrong password' }).refused(401, 'invalid_credentials')
    const { events } = await ada.activity()
    expect(events[0]).toMatchObject({ type: 'user.sign_in_refused', actor: null, ip: '192.0.2.66' })
  })

  it('says that an administrator acted, but neither who nor from where, in any event or email', async ({
    service,
    clock,
    people,
    anonymous,
    admin,
    moderator,
  }) => {
    await people.register(email)
    const { id } = await people.pending(email, otherPassword)
    const [asAdmin, asModerator] = [admin.from(staff), moderator.from(staff)]
    const acts = [
      () => asAdmin.activateUser(id),
      () => asModerator.moderateProfile(id, { bio: 'x' }),
      () => asModerator.suspend(id),
      () => asAdmin.reinstate(id),
      () => asAdmin.assignRole(id, 'MODERATOR'),
      () => asAdmin.startPasswordReset(id),
    ]
    for (const act of acts) {
      clock.advance(second)
      await act()
      await service.deliver()
    }
    await anonymous.completePasswordReset({ token: await people.resetToken(email), new_password: goodPassword })
    await people.signIn(email)
    clock.advance(second)
    await asAdmin.endSessionsOf(id)
    const answer = await (await people.signIn(email)).activity().answer
    const byStaff = expectOk(answer).events.filter(({ actor }) => actor === 'administrator')
    expect(byStaff.map(({ type }) => type)).toEqual([
      'session.ended',
      'user.password_reset_requested',
      'user.role_changed',
      'user.reinstated',
      'user.suspended',
      'user.profile_updated',
      'user.activated',
    ])
    for (const event of byStaff) {
      expect(event).toMatchObject({ ip: null, country: null, user_agent: null, request_id: null })
    }
    const texts = [answer.text, ...service.mailbox.mails().map((mail) => `${mail.text} ${mail.html}`)]
    const secrets = ['198.51.100.99', '(ZW)', '"ZW"', 'StaffBrowser', 'staff-request', admin.id, moderator.id]
    for (const text of texts) for (const secret of secrets) expect(text).not.toContain(secret)
  })

  it('leaves out what the user did to others, and what others did to each other', async ({ ada, admin }) => {
    await admin.suspend(ada)
    const { events } = await admin.activity()
    const own = await rowsOf('audit_events', 'user_id = ?', admin.id)
    expect(events.map(({ id }) => id).toSorted()).toEqual(own.map((row) => row['id']))
  })

  it('gives every event once over all pages, whatever their size, while new ones come in', async ({ clock, ada }) => {
    await giveEvents(ada.id, 47)
    const all = (await ada.activity({ limit: 100 })).events.map(({ id }) => id)
    expect(all).toHaveLength(49)
    for (const limit of [1, 7, 20, 48, 49, 50]) {
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const page: Success<'listMyActivity'> = await ada.activity({ limit, ...(cursor && { cursor }) })
        expect(page.events.length).toBeLessThanOrEqual(limit)
        seen.push(...page.events.map(({ id }) => id))
        cursor = page.next_cursor
        clock.advance(second)
        await ada.updateMe({ bio: `${limit} ${seen.length}` })
      } while (cursor)
      expect(seen.filter((id) => all.includes(id))).toEqual(all)
      expect(new Set(seen).size).toBe(seen.length)
      await write("delete from audit_events where type = 'user.profile_updated'")
    }
  })

  it('reads no more of a long history than the page', async ({ service, ada }) => {
    await giveEvents(ada.id, 3000)
    const meter = countCosts(env)
    const metered = startService({ env: meter.bindings, beside: service })
    await ada.at(metered).activity()
    const { roundTrips, rowsRead, rowsWritten } = meter.take()
    expect({ roundTrips, rowsWritten }).toEqual({ roundTrips: 2, rowsWritten: 0 })
    expect(rowsRead).toBeLessThan(60)
  })

  it('refuses a bad limit, a bad cursor and a caller without a session', async ({ anonymous, ada }) => {
    for (const limit of ['0', '101', '-1', 'x', '']) {
      expectInvalid(await ada.call('listMyActivity', { query: { limit } }).answer, '/limit')
    }
    expectInvalid(await ada.activity({ cursor: 'x' }).answer, '/cursor')
    await anonymous.activity().refused(401, 'invalid_token')
    await ada.logoutAll()
    await ada.activity().refused(401, 'invalid_token')
  })
})

/** Refusals from before anything else happened. */
async function giveEvents(userId: string, count: number): Promise<void> {
  const idOf = (place: number) => `01a20320-0000-7000-8000-${place.toString(16).padStart(12, '0')}`
  await insertAuditEvents(
    Array.from({ length: count }, (_, index) => ({
      id: idOf(index + 1),
      at: new Date(0),
      type: 'user.sign_in_refused',
      userId,
    })),
  )
}
