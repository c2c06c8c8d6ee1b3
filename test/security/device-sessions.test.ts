/** A device has one session: its next sign-in ends the one before. The device token says which device it is. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectOk, sessionOf } from '../support/answers.ts'
import { day, second, hour } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { type Person, expectAlive, expectEnded, otherPassword } from '../support/person.ts'
import { setAttempts } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { observe, revokedSessions, rowsOf } from '../support/state.ts'

interface Device {
  token: string
  person: Person
}

/** A new session of somebody, and the token of its device: a new one, or the one of the token. */
async function signInOn(person: Person, device_token?: string): Promise<Device> {
  const { email, password } = person
  const answer = await person.login({ email, password, ...(device_token !== undefined && { device_token }) })
  return { token: answer.device_token, person: person.holding(answer) }
}

const it = base.extend('laptop', ({ ada }) => signInOn(ada))

const sessionsOf = async ({ id }: Person) => (await rowsOf('sessions', 'user_id = ?', id)).map((row) => row['id'])

describe('a sign-in on a known device', () => {
  it('ends the session before on that device, which is revoked and noted in the event, and no other', async ({
    service,
    clock,
    ada,
    eve,
    laptop,
  }) => {
    const phone = await signInOn(ada)
    const { email, password } = ada
    clock.advance(second)
    const { answer, effects } = await observe(service, () => ada.login({ email, password, device_token: laptop.token }))
    const started = sessionOf(expectOk(answer).access_token)
    const ended = laptop.person.sessionId
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '+1 -1', audit_events: '+1' },
      events: [
        { type: 'user.signed_in', actor: ada.id, user: ada.id, detail: { session_id: started, replaced: true } },
      ],
      revoked: [ended],
      mails: [],
    })
    await expectEnded(laptop.person)
    await expectAlive(ada)
    await expectAlive(phone.person)
    await expectAlive(eve)
  })

  it('replaces it again and again, with the first token as with the last', async ({ ada, laptop }) => {
    let { token } = laptop
    for (let round = 0; round < 3; round++) {
      await signInOn(ada, laptop.token)
      token = (await signInOn(ada, token)).token
      const sessions = await sessionsOf(ada)
      expect(sessions).toHaveLength(2)
      expect(sessions).toContain(ada.sessionId)
    }
  })

  it('deletes a session that has expired without a word in the event', async ({ service, clock, ada, laptop }) => {
    clock.advance(31 * day)
    const { effects, audit } = await observe(service, () => signInOn(ada, laptop.token))
    expect(effects).toMatchObject({ rows: { sessions: '+1 -1', audit_events: '+1' }, mails: [] })
    expect(audit).toMatchObject([{ type: 'user.signed_in', detail: expect.not.stringContaining('replaced') }])
  })

  it('ends nothing when it is refused', async ({ ada, laptop }) => {
    const { email } = ada
    const wrong = { email, password: otherPassword, device_token: laptop.token }
    await ada.login(wrong).refused(401, 'invalid_credentials')
    await expectAlive(laptop.person)
  })

  it('costs the row that ends, and no round trip', async ({ service, ada, laptop }) => {
    const meter = countCosts(env)
    const metered = ada.at(startService({ env: meter.bindings, beside: service }))
    await signInOn(metered)
    const first = meter.take()
    await signInOn(metered, laptop.token)
    const again = meter.take()
    expect(again).toMatchObject({ roundTrips: first.roundTrips, kvWrites: 1 })
    expect(again.rowsWritten - first.rowsWritten).toBeLessThanOrEqual(2)
  })
})

describe('a sign-in ends no session of another device', () => {
  it('without a device token', async ({ ada, laptop }) => {
    await signInOn(ada)
    await expectAlive(laptop.person)
  })

  it('with the token of an account that somebody else has', async ({ ada, eve, laptop }) => {
    await signInOn(eve, laptop.token)
    await expectAlive(laptop.person)
    const device = await signInOn(eve)
    await signInOn(ada, device.token)
    await expectAlive(device.person)
  })

  it('with a token from before the password was changed', async ({ ada, laptop }) => {
    await laptop.person.changePassword({ old_password: ada.password, new_password: otherPassword })
    const [kept] = await sessionsOf(ada)
    await ada.login({ email: ada.email, password: otherPassword, device_token: laptop.token })
    expect(await sessionsOf(ada)).toContain(kept)
  })
})

describe('twenty sign-ins at once', () => {
  it('on one device leave one session, each noted in its event, and revoke the others', async ({
    ada,
    laptop,
    clock,
  }) => {
    for (let round = 1; round <= env.RACE_ROUNDS; round++) {
      // Of more sign-ins in a day, some would only be counted.
      clock.advance(25 * hour)
      await setAttempts(ada.email, -1000)
      const started = await Promise.all(Array.from({ length: 20 }, () => signInOn(ada, laptop.token)))
      const left = (await sessionsOf(ada)).filter((id) => id !== ada.sessionId)
      expect(left).toHaveLength(1)
      expect(started.map(({ person }) => person.sessionId)).toContain(left[0])
      const noted = await rowsOf('audit_events', "type = 'user.signed_in' and detail ->> 'replaced'")
      expect(noted).toHaveLength(20 * round)
      expect(await revokedSessions()).toHaveLength(20 * round)
    }
  })

  it('on two devices leave one session each', async ({ ada, laptop }) => {
    const phone = await signInOn(ada)
    await setAttempts(ada.email, -1000)
    const tokens = Array.from({ length: 20 }, (_, place) => (place % 2 === 0 ? laptop : phone).token)
    await Promise.all(tokens.map((token) => signInOn(ada, token)))
    const sessions = await rowsOf('sessions', 'user_id = ? and id <> ?', ada.id, ada.sessionId)
    expect(new Set(sessions.map((row) => row['device_id'])).size).toBe(2)
    expect(sessions).toHaveLength(2)
  })
})
