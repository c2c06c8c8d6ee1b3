/** Step-up: the same session, lifted by another proof (RFC 9470; OWASP ASVS 7.5.1). */
import { env } from 'cloudflare:workers'
import { decodeJwt } from 'jose'
import { describe, expect } from 'vitest'
import { expectProblem } from '../support/answers.ts'
import { minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { type GivenFactors, giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { hookedD1, interrupt } from '../support/hooked-d1.ts'
import { type Given, givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { atOnce, callers, tally } from '../support/race.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'

const it = base.extend('factors', async ({ clock, ada }): Promise<GivenFactors> => giveFactors(ada.id, clock))

/** A response of a passkey to options of this session. */
async function passkeyOf(person: Person, { authenticator }: Given, asksFor: object = {}) {
  const { challenge_token, public_key } = await person.stepUpOptions()
  return { passkey: { challenge_token, credential: await authenticator.get({ ...public_key, ...asksFor }) } }
}

const strengthOf = async ({ sessionId }: Person) => {
  const { amr, authenticated_at: at } = await rowOf('sessions', 'id = ?', sessionId)
  return { amr: JSON.parse(String(amr)), at }
}

describe('POST /auth/step-up/options', () => {
  it('names the password only where there is no factor, and writes nothing', async ({ service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.stepUpOptions())
    expect(answer.json).toMatchObject({
      methods: ['password'],
      public_key: { userVerification: 'required', allowCredentials: [] },
    })
    expect(effects).toEqual(nothing)
  })

  it('names the kinds of factor that the account has, and its passkeys', async ({ clock, ada, eve }) => {
    await giveFactors(ada.id, clock)
    expect((await ada.stepUpOptions()).methods).toEqual(['totp', 'recovery_code'])
    const { passkey } = await givePasskey(ada)
    const { methods, public_key, challenge_token } = await ada.stepUpOptions()
    expect(methods).toEqual(['passkey', 'totp', 'recovery_code'])
    expect(public_key).toMatchObject({
      challenge: challenge_token,
      allowCredentials: [{ transports: passkey.transports }],
    })
    await givePasskey(eve)
    expect((await eve.stepUpOptions()).methods).toEqual(['passkey'])
  })
})

describe('POST /auth/step-up', () => {
  it('lifts this session by the password of an account without factors', async ({ service, clock, ada }) => {
    const phone = await ada.signIn()
    clock.advance(9 * minute)
    const at = clock.now().getTime()
    const { answer, effects } = await observe(service, () => ada.stepUp({ password: goodPassword }))
    expect(answer.json).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      auth_time: at / 1000,
      acr: 'urn:postern:1',
    })
    expect(effects).toEqual({ ...nothing, rows: { sessions: '~1' } })
    expect(await strengthOf(ada)).toEqual({ amr: ['pwd'], at })
    expect(await strengthOf(phone)).toMatchObject({ amr: null })
  })

  it('lifts this session by a code, and every later token says so', async ({ service, clock, ada, factors }) => {
    const at = clock.now().getTime()
    const { answer, effects } = await observe(service, () => ada.stepUp({ totp: factors.app.code() }))
    expect(answer.json).toMatchObject({ auth_time: at / 1000, acr: 'urn:postern:2' })
    expect(effects).toEqual({
      ...nothing,
      rows: { sessions: '~1', totps: '~1', audit_events: '+1' },
      events: [
        { type: 'user.stepped_up', actor: ada.id, user: ada.id, detail: { session_id: ada.sessionId, kind: 'totp' } },
      ],
    })
    const { access_token: token } = answer.json as { access_token: string }
    const claims = { sid: ada.sessionId, auth_time: at / 1000, amr: ['pwd', 'otp', 'mfa'], acr: 'urn:postern:2' }
    expect(decodeJwt(token)).toMatchObject(claims)
    clock.advance(minute)
    // The refresh token is still the same one.
    expect(decodeJwt((await ada.renewed()).accessToken)).toMatchObject(claims)
  })

  it('lifts this session by a recovery code, which is gone then, and mails it', async ({ service, ada, factors }) => {
    const code = factors.recoveryCodes[0]!
    const { answer, effects } = await observe(service, () => ada.stepUp({ recovery_code: code }))
    expect(answer.json).toMatchObject({ acr: 'urn:postern:2' })
    expect(effects.rows).toMatchObject({ sessions: '~1', recovery_codes: '-1' })
    expect(effects.mails).toHaveLength(1)
    await ada.stepUp({ recovery_code: code }).refused(403, 'wrong_second_factor')
  })

  it('lifts this session by a passkey to the highest class', async ({ service, ada }) => {
    const response = await passkeyOf(ada, await givePasskey(ada))
    const { answer, effects } = await observe(service, () => ada.stepUp(response))
    expect(answer.json).toMatchObject({ acr: 'phr' })
    expect(await strengthOf(ada)).toMatchObject({ amr: ['pwd', 'pop', 'user', 'mfa'] })
    expect(effects.rows).toEqual({ sessions: '~1', passkeys: '~1', audit_events: '+1' })
    await ada.stepUp(response).refused(403, 'wrong_second_factor')
  })

  it('refuses a passkey without its user, of another session or of somebody else', async ({ service, ada, eve }) => {
    const given = await givePasskey(ada)
    const phone = await proven(ada)
    const responses = [
      await passkeyOf(ada, await givePasskey(ada, { verifiesUser: false }), { userVerification: 'preferred' }),
      await passkeyOf(phone, given),
      await passkeyOf(ada, await givePasskey(eve), { allowCredentials: [] }),
    ]
    for (const response of responses) {
      const { answer, effects } = await observe(service, () => ada.stepUp(response))
      expectProblem(answer, 403, 'wrong_second_factor')
      expect(effects.rows['sessions']).toBeUndefined()
    }
  })

  it('makes a call possible that was refused, in this session and in no other', async ({ people, ada }) => {
    const admin = await people.signUpAs('ADMIN', 'second@example.com')
    const { app } = await giveFactors(admin.id, ada.service.clock)
    const other = await proven(admin)
    await admin.assignRole(ada, 'MODERATOR').refused(401, 'insufficient_user_authentication')
    await admin.stepUp({ totp: app.code() })
    await admin.assignRole(ada, 'MODERATOR')
    await other.assignRole(ada, 'USER').refused(401, 'insufficient_user_authentication')
  })

  it.for([
    { method: 'the password', body: { password: goodPassword } },
    { method: 'a passkey that it does not have', body: undefined },
  ])('refuses $method for an account with factors', async ({ body }, { service, ada, eve, factors: _factors }) => {
    const given = body ?? (await passkeyOf(ada, await givePasskey(eve), { allowCredentials: [] }))
    const { answer, effects } = await observe(service, () => ada.stepUp(given))
    expectProblem(answer, 403, 'wrong_second_factor')
    expect({ ...effects, rows: {}, events: [] }).toEqual(nothing)
    expect(effects.rows['attempt_counters']).toBeUndefined()
  })

  it.for([{ totp: '123456' }, { recovery_code: '7GQ2-M4ZX-9KTB-0DWR-5HVC-8JNE' }])(
    'refuses a factor for an account without any, and counts nothing: %o',
    async (body, { service, ada }) => {
      const { answer, effects } = await observe(service, () => ada.stepUp(body))
      expectProblem(answer, 403, 'wrong_second_factor')
      expect(effects).toEqual(nothing)
    },
  )

  it.for([{}, { totp: '123456', password: goodPassword }, { totp: '' }, { password: '' }, { passkey: {} }])(
    'refuses %o with 422 and does nothing',
    async (body, { service, ada }) => {
      const { answer, effects } = await observe(service, () => ada.call('stepUp', { body }))
      expectProblem(answer, 422, 'validation_failed')
      expect(effects).toEqual(nothing)
    },
  )

  it('counts wrong passwords in the budget of the password', async ({ ada }) => {
    for (let tries = 0; tries < 5; tries++) {
      await ada.stepUp({ password: otherPassword }).refused(403, 'wrong_password')
    }
    await ada.stepUp({ password: goodPassword }).refused(429, 'rate_limited')
    await ada.login({ email: ada.email, password: goodPassword }).refused(429, 'rate_limited')
  })

  it('counts wrong codes in the budget of the factor, and no code is looked at in a pause', async ({
    service,
    clock,
    ada,
    factors: { app, recoveryCodes },
  }) => {
    for (let tries = 0; tries < 5; tries++) {
      await ada.stepUp({ totp: app.wrongCode() }).refused(403, 'wrong_second_factor')
    }
    const { answer, effects } = await observe(service, () => ada.stepUp({ totp: app.code() }))
    expectProblem(answer, 429, 'rate_limited')
    expect(answer.headers.get('Retry-After')).toBe('1')
    expect(effects).toEqual(nothing)
    await ada.stepUp({ recovery_code: '7GQ2-M4ZX-9KTB-0DWR-5HVC-8JNE' }).refused(429, 'rate_limited')
    // A recovery code cannot be guessed, so the owner is not kept out.
    await ada.stepUp({ recovery_code: recoveryCodes[0]! })
    clock.advance(30 * second)
    await ada.stepUp({ totp: app.code() })
    // The right factor has started the budget anew.
    await ada.stepUp({ totp: app.wrongCode() }).refused(403, 'wrong_second_factor')
  })

  it('tells the owner of the tenth wrong code', async ({ service, clock, ada, factors: { app } }) => {
    const { effects } = await observe(service, async () => {
      for (let tries = 0; tries < 10; tries++) {
        await ada.stepUp({ totp: app.wrongCode() }).refused(403, 'wrong_second_factor')
        clock.advance(20 * second)
      }
    })
    // The fifth is mailed, too: whoever signed in knew the password.
    expect(effects.mails).toHaveLength(2)
  })
})

/** Another session of the same account, without asking for a factor. */
async function proven(person: Person): Promise<Person> {
  const before = await rowOf('users', 'id = ?', person.id)
  await write('update users set factors_id = null where id = ?', person.id)
  const session = await person.signIn()
  await write('update users set factors_id = ? where id = ?', before['factors_id'] ?? null, person.id)
  return session
}

describe('a step-up', () => {
  it('costs 2 round trips and at most 5 written rows, by password 2 and 3', async ({ service, clock, ada, eve }) => {
    const meter = countCosts(env)
    const metered = startService({ env: meter.bindings, beside: service })
    const { app } = await giveFactors(ada.id, clock)
    await ada.at(metered).stepUp({ totp: app.code() })
    const byCode = meter.take()
    expect(byCode).toMatchObject({ roundTrips: 2, kvReads: 0, queueSends: 0 })
    expect(byCode.rowsWritten).toBeLessThanOrEqual(5)

    const response = await passkeyOf(ada, await givePasskey(ada))
    await ada.at(metered).stepUp(response)
    const byPasskey = meter.take()
    expect(byPasskey).toMatchObject({ roundTrips: 2, queueSends: 0 })
    expect(byPasskey.rowsWritten).toBeLessThanOrEqual(5)

    await eve.at(metered).stepUp({ password: goodPassword })
    const byPassword = meter.take()
    expect(byPassword).toMatchObject({ roundTrips: 2, queueSends: 0 })
    expect(byPassword.rowsWritten).toBeLessThanOrEqual(3)

    await eve.at(metered).stepUpOptions()
    expect(meter.take()).toMatchObject({ roundTrips: 2, rowsWritten: 0 })
  })

  it('of twenty callers with one code lifts once', async ({ clock, people }) => {
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      const person = await people.signUp(`racer-${round}@example.com`)
      const { app, recoveryCodes } = await giveFactors(person.id, clock)
      for (const body of [{ totp: app.code() }, { recovery_code: recoveryCodes[0]! }]) {
        const answers = await atOnce(() => person.stepUp(body).answer)
        expect(tally(answers)).toEqual({ 200: 1, wrong_second_factor: callers - 1 })
      }
      const events = await rowsOf('audit_events', "type = 'user.stepped_up' and user_id = ?", person.id)
      expect(events).toHaveLength(2)
      expect(await rowsOf('recovery_codes', 'true')).toHaveLength(7 + round * 7)
    }
  })

  it('of twenty callers with one assertion lifts once', async ({ people }) => {
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      const person = await people.signUp(`racer-${round}@example.com`)
      const body = await passkeyOf(person, await givePasskey(person))
      const answers = await atOnce(() => person.stepUp(body).answer)
      expect(tally(answers)).toEqual({ 200: 1, wrong_second_factor: callers - 1 })
    }
  })

  it('gives fifty guesses at once no more than five tries', async ({ ada, factors: { app } }) => {
    const guesses = Array.from({ length: 50 }, () => ada.stepUp({ totp: app.wrongCode() }).answer)
    expect(tally(await Promise.all(guesses))).toEqual({ wrong_second_factor: 5, rate_limited: 45 })
    await ada.stepUp({ totp: app.code() }).refused(429, 'rate_limited')
  })

  const ends: { end: string; act: (person: Person) => Promise<unknown>; status: number; code: string }[] = [
    { end: 'its session ended', act: (person) => person.logout(), status: 401, code: 'invalid_token' },
    {
      end: 'its factors were changed',
      act: (person) => write('update users set factors_id = id where id = ?', person.id),
      status: 403,
      code: 'wrong_second_factor',
    },
    {
      end: 'the budget was used up',
      act: async (person) => {
        await write("update attempt_counters set count = 100 where key = 'factor:' || ?", person.id)
      },
      status: 429,
      code: 'rate_limited',
    },
  ]

  it.for(ends)(
    'is refused when $end meanwhile, and uses up nothing',
    async ({ act, status, code }, { service, clock, ada }) => {
      const { app } = await giveFactors(ada.id, clock)
      await ada.stepUp({ totp: app.wrongCode() }).refused(403, 'wrong_second_factor')
      const { late, expectInterrupted } = interrupt(service, /^insert into "audit_events"/, () => act(ada))
      const before = await rowOf('totps', 'user_id = ?', ada.id)
      expectProblem(await ada.at(late).stepUp({ totp: app.code() }).answer, status, code)
      expectInterrupted()
      expect(await rowOf('totps', 'user_id = ?', ada.id)).toEqual(before)
    },
  )

  it('counts and mails nothing when the account was deleted meanwhile', async ({
    service,
    admin,
    ada,
    factors: { app },
  }) => {
    await ada.stepUp({ totp: app.wrongCode() }).refused(403, 'wrong_second_factor')
    const { late, expectInterrupted } = interrupt(service, /^insert into "attempt_counters"/, () =>
      admin.deleteUser(ada),
    )
    expectProblem(await ada.at(late).stepUp({ totp: app.wrongCode() }).answer, 401, 'invalid_token')
    expectInterrupted()
    expect(await rowsOf('attempt_counters')).toEqual([])
  })

  it('by password is refused when a factor was added meanwhile', async ({ service, clock, ada }) => {
    const { late, expectInterrupted } = interrupt(service, /^update "sessions"/, () => giveFactors(ada.id, clock))
    expect((await ada.at(late).stepUp({ password: goodPassword }).answer).status).toBe(401)
    expectInterrupted()
    expect(await strengthOf(ada)).toMatchObject({ amr: null })
  })

  it('leaves a code unused when the database fails, and a lost answer does not lift twice', async ({
    service,
    clock,
    ada,
    factors: { app },
  }) => {
    const failing = (when: 'before' | 'after') => {
      const fail = (statements: string[]) => {
        if (statements.some((sql) => /^insert into "audit_events"/i.test(sql))) throw new Error('D1_ERROR: lost')
      }
      const db = when === 'before' ? hookedD1(service.env.DB, fail) : hookedD1(service.env.DB, () => undefined, fail)
      return startService({ env: { DB: db }, beside: service })
    }
    expect((await ada.at(failing('before')).stepUp({ totp: app.code() }).answer).status).toBe(503)
    await ada.stepUp({ totp: app.code() })
    clock.advance(30 * second)
    expect((await ada.at(failing('after')).stepUp({ totp: app.code() }).answer).status).toBe(503)
    // The code is used up. The session is lifted, so the call that asked for it goes on.
    await ada.stepUp({ totp: app.code() }).refused(403, 'wrong_second_factor')
    expect(await strengthOf(ada)).toMatchObject({ at: clock.now().getTime() })
  })

  it('by a code replaces a stronger proof in the session', async ({ ada, factors: { app } }) => {
    await proveIn(ada, strengths.passkey)
    expect(await ada.stepUp({ totp: app.code() })).toMatchObject({ acr: 'urn:postern:2' })
  })
})
