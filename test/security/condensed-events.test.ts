/** The trail is bounded: what can be caused again and again is counted, and what changes nothing leaves no event. */
import { describe, expect } from 'vitest'
import { ceilings, passwordAttempts } from '../../src/config/policy.ts'
import { expectOk } from '../support/answers.ts'
import { hour, minute } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { insertAuditEvents } from '../support/rows.ts'
import { type Answer } from '../support/service.ts'
import { observe, rowsOf } from '../support/state.ts'
import { uuidv7 } from '../../src/crypto/random.ts'

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

describe('the events of a user', () => {
  /** So many of them that as many as these are left for this hour. */
  async function fill(userId: string, now: Date, left: number): Promise<void> {
    const count = ceilings.userEventsPerHour - left
    const rows = Array.from({ length: count }, () => ({ id: uuidv7(now), type: 'user.signed_in' as const, userId }))
    await insertAuditEvents(rows)
  }

  it('are kept one by one for wrong passwords, as somebody may look through them', async ({ ada, anonymous }) => {
    captureLog()
    const wrong = { email: ada.email, password: otherPassword }
    for (let attempt = 0; attempt < passwordAttempts.free; attempt++) await anonymous.login(wrong).answer
    expect((await refused()).map(detailOf)).toEqual(
      Array.from({ length: passwordAttempts.free }, () => ({ reason: 'wrong_password' })),
    )
  })

  it('are counted from a number in an hour on: refusals that sign-ins start anew', async ({ ada, anonymous }) => {
    captureLog()
    const rounds = Math.ceil(ceilings.userEventsPerHour / (passwordAttempts.free - 1)) + 3
    for (let round = 0; round < rounds; round++) {
      for (let attempt = 1; attempt < passwordAttempts.free; attempt++) {
        await anonymous.login({ email: ada.email, password: otherPassword }).refused(401, 'invalid_credentials')
      }
      await ada.signIn()
    }
    const events = await refused()
    expect(events).toHaveLength(ceilings.userEventsPerHour)
    const counted = rounds * (passwordAttempts.free - 1) - events.length + 1
    expect(events.map(detailOf)).toContainEqual({ reason: 'wrong_password', count: counted })
  })

  it('are counted from a number in an hour on: sign-ins, ends of sessions, repetitions', async ({ ada, clock }) => {
    await fill(ada.id, clock.now(), 0)
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
    expect(added.map(({ type, user_id, detail }) => ({ type, user_id, detail: detailOf({ detail }) }))).toEqual([
      { type: 'user.signed_in', user_id: ada.id, detail: { count: 12 } },
      { type: 'session.ended', user_id: ada.id, detail: { count: 9 } },
      { type: 'session.refresh_repeated', user_id: ada.id, detail: { count: 3 } },
      { type: 'session.reuse_detected', user_id: ada.id, detail: { count: 3 } },
    ])
    expect(await ada.activity()).toBeTruthy()
    clock.advance(hour)
    await ada.signIn()
    expect((await rowsOf('audit_events')).at(-1)).toMatchObject({
      type: 'user.signed_in',
      detail: expect.stringContaining('session_id'),
    })
  })

  it('include a sign-in from a new place, however many there are', async ({ ada, anonymous, clock }) => {
    await fill(ada.id, clock.now(), 0)
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
