/** The trail is bounded: what can be caused again and again is counted, and what changes nothing leaves no event. */
import { describe, expect } from 'vitest'
import { ceilings } from '../../src/config/policy.ts'
import { expectOk } from '../support/answers.ts'
import { day, hour, minute } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { insertAuditEvents } from '../support/rows.ts'
import { type Answer } from '../support/service.ts'
import { observe, rowsOf } from '../support/state.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import type { AuditType } from '../../src/store/schema/audit.ts'

const from = (address: string) => ({ headers: { 'CF-Connecting-IP': address } })
const refused = () => rowsOf('audit_events', "type = 'user.sign_in_refused'")
const detailOf = (event: { detail?: unknown } | undefined) => JSON.parse(String(event?.detail)) as unknown

describe('refused sign-ins for addresses without an account', () => {
  it('are one event for each hour and network, which says how many they were', async ({ anonymous, people, clock }) => {
    captureLog()
    const { email } = await people.admin()
    const start = clock.now()
    for (let attempt = 0; attempt < 7; attempt++) {
      const caller = anonymous.from(from(`198.51.100.${attempt}`))
      await caller.login({ email: `nobody-${attempt}@example.com`, password: 'x' }).refused(401, 'invalid_credentials')
      clock.advance(minute)
    }
    await anonymous.from(from('192.0.2.1')).login({ email: 'nobody@example.com', password: 'x' }).answer
    clock.advance(hour)
    await anonymous.from(from('198.51.100.1')).login({ email: 'nobody@example.com', password: 'x' }).answer
    const { events } = await (await people.signIn(email)).auditEvents({ type: 'user.sign_in_refused' })
    expect(events.map(({ ip, at, detail }) => ({ ip, at, detail }))).toEqual([
      {
        ip: '198.51.100.1',
        at: new Date(start.getTime() + 67 * minute).toISOString(),
        detail: { reason: 'unknown_address' },
      },
      {
        ip: '192.0.2.1',
        at: new Date(start.getTime() + 7 * minute).toISOString(),
        detail: { reason: 'unknown_address' },
      },
      { ip: '198.51.100.0', at: start.toISOString(), detail: { reason: 'unknown_address', count: 7 } },
    ])
  })

  it('are counted exactly when twenty come at once', async ({ anonymous }) => {
    captureLog()
    for (let round = 0; round < 10; round++) {
      const caller = anonymous.from(from(`198.51.${round}.7`))
      await Promise.all(
        Array.from(
          { length: 20 },
          (_, n) => caller.login({ email: `${round}-${n}@example.com`, password: 'x' }).answer,
        ),
      )
    }
    expect((await refused()).map(detailOf)).toEqual(
      Array.from({ length: 10 }, () => ({ reason: 'unknown_address', count: 20 })),
    )
  })
})

describe('refusals about a user', () => {
  it('are one event for each hour, network, type and reason, which the owner sees', async ({
    ada,
    anonymous,
    clock,
  }) => {
    captureLog()
    const wrong = { email: ada.email, password: otherPassword }
    for (const address of ['198.51.100.1', '192.0.2.1', '198.51.100.9']) {
      await anonymous.from(from(address)).login(wrong).refused(401, 'invalid_credentials')
      clock.advance(minute)
    }
    await ada.from(from('192.0.2.9')).deleteMe(otherPassword).refused(403, 'wrong_password')
    const { events } = await ada.activity()
    const seen = events
      .filter(({ type }) => type.endsWith('_refused'))
      .map(({ type, ip, detail }) => [type, ip, detail])
    expect(seen).toEqual([
      ['user.deletion_refused', '192.0.2.9', null],
      ['user.sign_in_refused', '192.0.2.1', { reason: 'wrong_password' }],
      ['user.sign_in_refused', '198.51.100.1', { reason: 'wrong_password', count: 2 }],
    ])
  })

  it('are counted exactly when twenty come at once', async ({ people, anonymous }) => {
    captureLog()
    for (let round = 0; round < 10; round++) {
      const { email, id } = await people.signUp(`person-${round}@example.com`)
      const callers = Array.from({ length: 20 }, () => anonymous.login({ email, password: otherPassword }).answer)
      const wrong = (await Promise.all(callers)).filter(({ status }) => status === 401)
      const events = (await refused()).filter((event) => event['user_id'] === id).map(detailOf)
      expect(events).toEqual([{ reason: 'wrong_password', count: wrong.length }])
    }
  })

  it('share one event for all networks from a number in a day on', async ({ ada, anonymous, clock }) => {
    captureLog()
    await fill(ada.id, clock.now(), ceilings.userEventsPerDay - 1, 'user.sign_in_refused')
    for (let network = 0; network < 4; network++) {
      const caller = anonymous.from(from(`198.51.${network}.1`))
      await caller.login({ email: ada.email, password: otherPassword }).refused(401, 'invalid_credentials')
      clock.advance(minute)
    }
    const added = (await refused()).filter(({ ip }) => ip !== null)
    expect(added.map(({ ip, detail }) => [ip, detailOf({ detail })])).toEqual([
      ['198.51.0.1', { reason: 'wrong_password' }],
      ['198.51.1.1', { reason: 'wrong_password', count: 3 }],
    ])
  })
})

/** So many events of a user at one moment. */
async function fill(userId: string, now: Date, count: number, ...types: AuditType[]): Promise<void> {
  const ofType = (type: AuditType) => Array.from({ length: count }, () => ({ id: uuidv7(now), type, userId }))
  for (const type of types) await insertAuditEvents(ofType(type))
}

describe('the events of a user', () => {
  it('are counted from a number in an hour on: sign-ins, ends of sessions, repetitions', async ({ ada, clock }) => {
    const { userEventsPerHour: count } = ceilings
    await fill(ada.id, clock.now(), count, 'user.signed_in', 'session.ended', 'session.refresh_repeated')
    const before = await rowsOf('audit_events')
    for (let round = 0; round < 3; round++) {
      const session = await ada.signIn()
      await session.logout()
      await ada.endSession(await ada.signIn())
      await ada.signIn()
      await ada.endOtherSessions()
      const moved = await ada.signIn()
      await moved.refresh()
      await moved.from(from(`198.51.100.${round}`)).refresh()
      clock.advance(minute)
      await moved.refresh().refused(401, 'refresh_token_reused')
    }
    const added = (await rowsOf('audit_events')).filter(({ id }) => !before.some((event) => event['id'] === id))
    const theft = {
      type: 'session.reuse_detected',
      user_id: ada.id,
      detail: expect.objectContaining({ reason: 'late' }),
    }
    expect(added.map(({ type, user_id, detail }) => ({ type, user_id, detail: detailOf({ detail }) }))).toEqual([
      { type: 'user.signed_in', user_id: ada.id, detail: { count: 12 } },
      { type: 'session.ended', user_id: ada.id, detail: { count: 9 } },
      { type: 'session.refresh_repeated', user_id: ada.id, detail: { count: 3 } },
      theft,
      theft,
      theft,
    ])
    const { events } = await ada.activity()
    expect(events.slice(0, 3).map(({ type }) => type)).toEqual(Array(3).fill('session.reuse_detected'))
    clock.advance(hour)
    await ada.signIn()
    expect((await rowsOf('audit_events')).at(-1)).toMatchObject({
      type: 'user.signed_in',
      detail: expect.stringContaining('session_id'),
    })
  })

  it('are counted from a number in a day on', async ({ ada, clock }) => {
    const midnight = new Date(Math.ceil(clock.now().getTime() / day) * day)
    clock.advance(midnight.getTime() - clock.now().getTime() + 5 * hour)
    await fill(ada.id, midnight, ceilings.userEventsPerDay - 1, 'user.signed_in')
    for (let n = 0; n < 3; n++) await ada.signIn()
    const added = await rowsOf('audit_events', "type = 'user.signed_in' and detail is not null")
    expect(added.map(detailOf)).toEqual([{ count: 2 }, { session_id: expect.any(String) }])
    clock.advance(day)
    await ada.signIn()
    expect((await rowsOf('audit_events')).map(detailOf).at(-1)).toEqual({ session_id: expect.any(String) })
  })

  it('are counted even if they are thefts, which only somebody with the password can cause so often', async ({
    ada,
    clock,
  }) => {
    captureLog()
    const { userEventsPerHour: max } = ceilings
    await fill(ada.id, clock.now(), max - 1, 'session.reuse_detected')
    const before = await rowsOf('audit_events', "type = 'session.reuse_detected'")
    for (let theft = 0; theft < 4; theft++) {
      const session = await ada.signIn()
      await session.refresh()
      clock.advance(minute)
      await session.refresh().refused(401, 'refresh_token_reused')
    }
    const thefts = await rowsOf('audit_events', "type = 'session.reuse_detected'")
    const added = thefts.filter(({ id }) => !before.some((event) => event['id'] === id))
    expect(added.map(detailOf)).toEqual([{ count: 3 }, expect.objectContaining({ reason: 'late' })])
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toHaveLength(1)
  })

  it('are counted exactly when twenty thefts are seen at once', async ({ people, clock }) => {
    captureLog()
    for (let round = 0; round < 10; round++) {
      const person = await people.signUp(`person-${round}@example.com`)
      const sessions: Person[] = []
      for (let n = 0; n < 20; n++) sessions.push(await person.signIn())
      await Promise.all(sessions.map((session) => session.refresh()))
      clock.advance(minute)
      await fill(person.id, clock.now(), ceilings.userEventsPerHour - round, 'session.reuse_detected')
      const answers = await Promise.all(sessions.map((session) => session.refresh().answer))
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(20)
      const added = await rowsOf('audit_events', "type = 'session.reuse_detected' and user_id = ?", person.id)
      const details = added.filter(({ detail }) => detail !== null).map(detailOf)
      expect(details.filter((detail) => 'reason' in (detail as object))).toHaveLength(round)
      expect(details[0]).toEqual({ count: 20 - round })
      expect(await rowsOf('sessions', 'user_id = ?', person.id)).toHaveLength(1)
      clock.advance(hour)
    }
  })

  it('do not hide events of other types', async ({ ada, clock }) => {
    await fill(ada.id, clock.now(), ceilings.userEventsPerDay, 'user.profile_updated', 'user.signed_in')
    await (await ada.from(from('198.51.100.9')).renewed()).logout()
    expect(await rowsOf('audit_events', "type = 'session.ended'")).toMatchObject([
      { ip: '198.51.100.9', detail: expect.stringContaining('session_id') },
    ])
  })

  it('do not hide a theft after a thief made noise with the session', async ({ ada, clock }) => {
    captureLog()
    const thief = await ada.from(from('198.51.100.66')).renewed()
    for (let place = 0; place < ceilings.userEventsPerHour + 3; place++) await thief.updateMe({ bio: `noise ${place}` })
    clock.advance(minute)
    await thief.renewed()
    await ada.refresh().refused(401, 'refresh_token_reused')
    const stolenAt = clock.now().toISOString()
    clock.advance(minute)
    const { events } = await (await ada.signIn()).activity()
    expect(events.slice(0, 2)).toMatchObject([
      { type: 'user.signed_in' },
      {
        type: 'session.reuse_detected',
        at: stolenAt,
        request_id: expect.any(String),
        detail: { session_id: ada.sessionId, reason: expect.any(String) },
      },
    ])
    const updates = await rowsOf('audit_events', "type = 'user.profile_updated'")
    expect(updates).toHaveLength(ceilings.userEventsPerHour + 1)
    expect(updates.map(detailOf)).toContainEqual({ count: 3 })
  })

  it('include a sign-in from a new place, however many there are', async ({ ada, anonymous, clock }) => {
    await fill(ada.id, clock.now(), ceilings.userEventsPerHour, 'user.signed_in')
    const elsewhere = anonymous.from({ ...from('198.51.100.9'), country: 'NZ' })
    await elsewhere.login({ email: ada.email, password: goodPassword })
    expect(await rowsOf('audit_events', "country = 'NZ'")).toMatchObject([{ type: 'user.signed_in' }])
  })
})

describe('an act that changes nothing leaves no event:', () => {
  it('values of a profile that are there already', async ({ ada, admin, service }) => {
    const values = { first_name: 'Ada', last_name: null, bio: 'x', locale: 'en-GB' }
    await ada.updateMe(values)
    const { locale: _, ...profile } = values
    const acts: (() => { answer: Promise<Answer> })[] = [
      () => ada.updateMe(values),
      () => ada.updateMe({ last_name: null }),
      () => admin.moderateProfile(ada, profile),
    ]
    for (const act of acts) {
      const { answer, effects } = await observe(service, () => act().answer)
      expect(expectOk(answer as never)).toMatchObject({ ...values, updated_at: (await ada.me()).updated_at })
      expect(effects).toEqual({ rows: {}, events: [], revoked: [], mails: [] })
    }
    // One value that differs is a change.
    expect((await observe(service, () => ada.updateMe({ ...values, bio: null }).answer)).effects.events).toHaveLength(1)
  })

  it('the end of sessions that are not there', async ({ ada, admin, service }) => {
    const acts: (() => { answer: Promise<Answer> })[] = [
      () => ada.endOtherSessions(),
      () => {
        return admin.endSessionsOf(ada)
      },
    ]
    const { effects } = await observe(service, () => acts[0]!().answer)
    expect(effects).toEqual({ rows: {}, events: [], revoked: [], mails: [] })
    await ada.logoutAll()
    const second = await observe(service, () => acts[1]!().answer)
    expect(second.answer.status).toBe(204)
    expect(second.effects).toEqual({ rows: {}, events: [], revoked: [], mails: [] })
  })
})
