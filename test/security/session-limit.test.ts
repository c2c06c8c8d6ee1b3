/** At most 50 sessions of a user: for one more the oldest ends, visibly. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { sessionOf } from '../support/answers.ts'
import { second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { goodPassword, register, signIn, signUp } from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { observe, revokedSessions, rowOf, rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'
const limit = 50

/** Sessions of a user that are older than any that a test starts. */
async function giveSessions(userId: string, count: number): Promise<void> {
  await write(
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
      insert into sessions (id, user_id, generation, created_at, last_used_at, expires_at, ip)
      select printf('01a20320-0000-7000-8000-%012x', i), ?, 1, 0, 0, 1797000000000, '203.0.113.7' from n`,
    count,
    userId,
  )
}

const oldest = '01a20320-0000-7000-8000-000000000001'
const eviction = (user: string) => ({
  type: 'session.ended',
  actor: user,
  user,
  detail: { session_id: oldest, evicted: true },
})

function login(service: Service) {
  return service.call('POST', '/auth/login', { body: { email, password: goodPassword } })
}

it('ends the oldest session for the 51st, puts it on the list and into the trail, and refuses its tokens', async () => {
  const service = startService()
  const first = await signUp(service, email)
  for (let index = 1; index < limit; index++) {
    service.clock.advance(second)
    const { effects } = await observe(service, () => login(service))
    expect(effects).toMatchObject({ rows: { sessions: '+1' }, events: [{ type: 'user.signed_in' }], revoked: [] })
  }
  const { effects, answer, audit } = await observe(service, () => login(service))
  const ended = sessionOf(first.accessToken)
  expect(effects.events).toEqual([
    { type: 'session.ended', actor: first.id, user: first.id, detail: { session_id: ended, evicted: true } },
    {
      type: 'user.signed_in',
      actor: first.id,
      user: first.id,
      detail: { session_id: sessionOf(answer.json.access_token) },
    },
  ])
  expect(effects.revoked).toEqual([ended])
  expect(new Set(audit.map(({ request_id }) => request_id))).toEqual(new Set([answer.headers.get('X-Request-Id')]))
  expect((await service.call('GET', '/users/me', { token: first.accessToken })).status).toBe(401)
  expect((await service.call('GET', '/auth/verify', { token: first.accessToken })).status).toBe(401)
  const refresh = await service.call('POST', '/auth/refresh', { body: { refresh_token: first.refreshToken } })
  expect(refresh.status).toBe(401)
})

it('does the same at an activation, should a pending account ever have sessions', async () => {
  const service = startService()
  const token = await register(service, email)
  const id = String((await rowOf('users'))['id'])
  await giveSessions(id, limit)
  const { effects } = await observe(service, () =>
    service.call('POST', '/auth/activate', { body: { token, password: goodPassword } }),
  )
  expect(effects.rows).toMatchObject({ sessions: '+1 -1' })
  expect(effects.events).toContainEqual(eviction(id))
  expect(effects.revoked).toEqual([oldest])
})

it('keeps exactly 50 of any number of sign-ins at once, with an event and an entry for each that ended', async () => {
  const service = startService()
  const { id } = await signUp(service, email)
  await giveSessions(id, limit - 1)
  await write("insert or replace into attempt_counters values ('account:ada@example.com', -1000, 0, 0)")
  const answers = await Promise.all(Array.from({ length: 20 }, () => login(service)))
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(await rowsOf('sessions')).toHaveLength(limit)
  const events = await rowsOf('audit_events', "type = 'session.ended'")
  const ended = events.map(({ detail }) => String(JSON.parse(String(detail)).session_id))
  expect(new Set(ended).size).toBe(20)
  expect(ended.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(await revokedSessions())
})

it('leaves the sessions of others alone', async () => {
  const service = startService()
  const { id } = await signUp(service, 'eve@example.com')
  await giveSessions(id, limit)
  await signUp(service, email)
  const { effects } = await observe(service, () => signIn(service, email))
  expect(effects).toMatchObject({ rows: { sessions: '+1' }, events: [{ type: 'user.signed_in' }], revoked: [] })
})

it('costs the event and the row that ends, and nothing while there is room', async () => {
  const service = startService()
  const { id } = await signUp(service, email)
  const meter = countCosts(env)
  const metered = startService({ env: meter.bindings, beside: service })
  await login(metered)
  const { rowsWritten, kvWrites } = meter.take()
  expect(rowsWritten).toBeLessThanOrEqual(9)
  expect(kvWrites).toBe(0)
  await giveSessions(id, limit - 2)
  await login(metered)
  const evicting = meter.take()
  expect(evicting).toMatchObject({ roundTrips: 2, kvWrites: 1 })
  expect(evicting.rowsWritten - rowsWritten).toBeLessThanOrEqual(5)
})
