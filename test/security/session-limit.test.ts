/** A user has at most 50 sessions. One more ends the oldest, and that is recorded. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectOk, sessionOf } from '../support/answers.ts'
import { second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword } from '../support/person.ts'
import { insertSessions, setAttempts } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { observe, revokedSessions, rowsOf } from '../support/state.ts'

const limit = 50

/** Sessions of a user that are older than any that a test starts, the oldest first. */
function giveSessions(userId: string, count: number) {
  const longAgo = { lastUsedAt: new Date(0), expiresAt: new Date(1_797_000_000_000) }
  const idOf = (place: number) => `01a20320-0000-7000-8000-${place.toString(16).padStart(12, '0')}`
  return insertSessions(Array.from({ length: count }, (_, index) => ({ ...longAgo, id: idOf(index + 1), userId })))
}

describe('the 51st session', () => {
  it('ends the oldest one, which is revoked and recorded, and whose tokens are refused', async ({
    service,
    clock,
    ada,
  }) => {
    const login = () => ada.login({ email: ada.email, password: ada.password })
    for (let index = 1; index < limit; index++) {
      clock.advance(second)
      const { effects } = await observe(service, login)
      expect(effects).toMatchObject({ rows: { sessions: '+1' }, events: [{ type: 'user.signed_in' }], revoked: [] })
    }
    const { effects, answer, audit } = await observe(service, login)
    const started = sessionOf(expectOk(answer).access_token)
    expect(effects.events).toEqual([
      { type: 'session.ended', actor: ada.id, user: ada.id, detail: { session_id: ada.sessionId, evicted: true } },
      { type: 'user.signed_in', actor: ada.id, user: ada.id, detail: { session_id: started } },
    ])
    expect(effects.revoked).toEqual([ada.sessionId])
    expect(new Set(audit.map(({ request_id }) => request_id))).toEqual(new Set([answer.headers.get('X-Request-Id')]))
    await ada.me().refused(401, 'invalid_token')
    await ada.verify().refused(401, 'invalid_token')
    await ada.refresh().refused(401, 'invalid_refresh_token')
  })

  it('ends the oldest one at an activation, too, should a pending account ever have sessions', async ({
    service,
    people,
    anonymous,
  }) => {
    const { id, link } = await people.pending('ada@example.com')
    const [oldest] = await giveSessions(id, limit)
    const { effects } = await observe(service, () => anonymous.activate({ token: link, password: goodPassword }))
    expect(effects.rows).toMatchObject({ sessions: '+1 -1' })
    expect(effects.events).toContainEqual({
      type: 'session.ended',
      actor: id,
      user: id,
      detail: { session_id: oldest!.id, evicted: true },
    })
    expect(effects.revoked).toEqual([oldest!.id])
  })

  it('leaves the sessions of others alone', async ({ service, ada, eve }) => {
    await giveSessions(eve.id, limit)
    const { effects } = await observe(service, () => ada.signIn())
    expect(effects).toMatchObject({ rows: { sessions: '+1' }, events: [{ type: 'user.signed_in' }], revoked: [] })
  })

  it('costs the event and the row that ends, and nothing while there is room', async ({ service, ada }) => {
    const meter = countCosts(env)
    const metered = ada.at(startService({ env: meter.bindings, beside: service }))
    await metered.signIn()
    const { rowsWritten, kvWrites } = meter.take()
    expect(rowsWritten).toBeLessThanOrEqual(9)
    expect(kvWrites).toBe(0)
    await giveSessions(ada.id, limit - 2)
    await metered.signIn()
    const evicting = meter.take()
    expect(evicting).toMatchObject({ roundTrips: 2, kvWrites: 1 })
    expect(evicting.rowsWritten - rowsWritten).toBeLessThanOrEqual(5)
  })
})

describe('twenty sign-ins at once', () => {
  it('leave exactly 50 sessions, with an event and a revocation for each that ended', async ({ ada }) => {
    await giveSessions(ada.id, limit - 1)
    await setAttempts(ada.email, -1000)
    await Promise.all(Array.from({ length: 20 }, () => ada.signIn()))
    expect(await rowsOf('sessions')).toHaveLength(limit)
    const events = await rowsOf('audit_events', "type = 'session.ended'")
    const ended = events.map(({ detail }) => String(JSON.parse(String(detail)).session_id))
    expect(new Set(ended).size).toBe(20)
    expect(ended.toSorted()).toEqual(await revokedSessions())
  })
})
