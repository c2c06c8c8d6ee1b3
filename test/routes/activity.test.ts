/** GET /users/me/activity: what happened to the own account, and nothing about who administers it. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { expectInvalid, expectOk, expectProblem, instant, uuidv7 } from '../support/answers.ts'
import { second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import {
  type SignedIn,
  goodPassword,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'

/** What an administrator's requests carry, none of which a user may see. */
const staff = {
  headers: { 'CF-Connecting-IP': '198.51.100.99', 'User-Agent': 'StaffBrowser/1', 'X-Request-Id': 'staff-request' },
  country: 'ZW',
}

async function activityOf(service: Service, { accessToken: token }: SignedIn, query = '') {
  return expectOk(await service.call('GET', `/users/me/activity${query}`, { token }))
}

describe('GET /users/me/activity', () => {
  it('gives the own events, newest first, with every field and no other', async () => {
    const service = startService()
    const token = await register(service, email)
    service.clock.advance(second)
    await service.call('POST', '/auth/activate', { body: { token, password: goodPassword } })
    await signUp(service, 'eve@example.com')
    service.clock.advance(second)
    const headers = { 'CF-Connecting-IP': '192.0.2.1', 'User-Agent': 'Netscape/4', 'X-Request-Id': 'mine-1' }
    const body = { email, password: goodPassword }
    const { json } = await service.call('POST', '/auth/login', { body, headers, country: 'GB' })
    const { events, next_cursor } = expectOk(
      await service.call('GET', '/users/me/activity', { token: json.access_token }),
    )
    expect(next_cursor).toBeNull()
    expect(events.map(({ type, actor }: Record<string, unknown>) => [type, actor])).toEqual([
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

  it('shows a refused sign-in and where it came from, for that is the owner’s to know', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    service.clock.advance(second)
    const headers = { 'CF-Connecting-IP': '192.0.2.66' }
    await service.call('POST', '/auth/login', { body: { email, password: 'a wrong password' }, headers })
    const { events } = await activityOf(service, ada)
    expect(events[0]).toMatchObject({ type: 'user.sign_in_refused', actor: null, ip: '192.0.2.66' })
  })

  it('says that an administrator did something, but neither who nor from where, in any act or mail', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const moderator = await signUpAs(service, 'MODERATOR', 'mod@example.com', admin)
    await register(service, email)
    await register(service, email, otherPassword)
    const listed = await service.call('GET', `/users?email=${email}`, { token: admin.accessToken })
    const id = listed.json.users[0].id
    const acts: [by: SignedIn, method: string, path: string, body?: unknown][] = [
      [admin, 'POST', 'activate'],
      [moderator, 'PATCH', 'profile', { bio: 'x' }],
      [moderator, 'POST', 'suspend', { reason: 'spam' }],
      [admin, 'POST', 'reinstate'],
      [admin, 'PUT', 'role', { role: 'MODERATOR' }],
      [admin, 'POST', 'password-reset'],
      [admin, 'DELETE', 'sessions'],
    ]
    for (const [by, method, path, body] of acts) {
      service.clock.advance(second)
      const answer = await service.call(method, `/users/${id}/${path}`, { token: by.accessToken, body, ...staff })
      expect(answer.status, path).toBeLessThan(300)
      await service.deliver()
    }
    const reset = { token: await resetToken(service, email), new_password: goodPassword }
    expect((await service.call('POST', '/auth/password-reset/complete', { body: reset })).status).toBe(204)
    const answer = await service.call('GET', '/users/me/activity', {
      token: (await signIn(service, email)).accessToken,
    })
    const byStaff = answer.json.events.filter(({ actor }: { actor: string }) => actor === 'administrator')
    expect(byStaff.map(({ type }: { type: string }) => type)).toEqual([
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

  it('leaves out what the user did to others, and what others did to each other', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    await service.call('POST', `/users/${id}/suspend`, { token: admin.accessToken, body: { reason: 'spam' } })
    const { events } = await activityOf(service, admin)
    const own = await rowsOf('audit_events', 'user_id = ?', admin.id)
    expect(events.map((event: { id: string }) => event.id).toSorted()).toEqual(own.map((row) => row['id']))
  })

  it('gives every event once over all pages, whatever their size, while new ones come in', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    await giveEvents(ada.id, 47)
    const all = (await activityOf(service, ada, '?limit=100')).events.map(({ id }: { id: string }) => id)
    expect(all).toHaveLength(49)
    for (const limit of [1, 7, 20, 48, 49, 50]) {
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const page = await activityOf(service, ada, `?limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`)
        expect(page.events.length).toBeLessThanOrEqual(limit)
        seen.push(...page.events.map(({ id }: { id: string }) => id))
        cursor = page.next_cursor
        service.clock.advance(second)
        await service.call('PATCH', '/users/me', { token: ada.accessToken, body: { bio: `${limit} ${seen.length}` } })
      } while (cursor)
      expect(seen.filter((id) => all.includes(id))).toEqual(all)
      expect(new Set(seen).size).toBe(seen.length)
      await write("delete from audit_events where type = 'user.profile_updated'")
    }
  })

  it('reads no more of a long history than the page', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    await giveEvents(ada.id, 3000)
    const meter = countCosts(env)
    const metered = startService({ env: meter.bindings, beside: service })
    await activityOf(metered, ada)
    const { roundTrips, rowsRead, rowsWritten } = meter.take()
    expect({ roundTrips, rowsWritten }).toEqual({ roundTrips: 2, rowsWritten: 0 })
    expect(rowsRead).toBeLessThan(60)
  })

  it('refuses a limit and a cursor that are none, and who is not signed in', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    for (const limit of ['0', '101', '-1', 'x', '']) {
      expectInvalid(await service.call('GET', `/users/me/activity?limit=${limit}`, { token }), '/limit')
    }
    expectInvalid(await service.call('GET', '/users/me/activity?cursor=x', { token }), '/cursor')
    expectProblem(await service.call('GET', '/users/me/activity'), 401, 'invalid_token')
    await service.call('POST', '/auth/logout-all', { token })
    expectProblem(await service.call('GET', '/users/me/activity', { token }), 401, 'invalid_token')
  })
})

/** Refusals from before anything else happened. */
async function giveEvents(userId: string, count: number): Promise<void> {
  await write(
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
      insert into audit_events (id, at, type, user_id)
      select printf('01a20320-0000-7000-8000-%012x', i), 0, 'user.sign_in_refused', ? from n`,
    count,
    userId,
  )
}
