import { describe, expect } from 'vitest'
import { formatTime } from '../../emails/texts/en/words.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { mailCode } from '../../src/crypto/mail-code.ts'
import { codeOf, expectProblem, instant } from '../support/answers.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { App, enrolApp, giveFactors } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { inboxOf } from '../support/inbox.ts'
import { type Person, expectAlive, expectEnded } from '../support/person.ts'
import { insertPasskeys, insertSessions } from '../support/rows.ts'
import type { Answer } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'
import { testSecrets } from '../support/test-secrets.ts'

const ofSession = (person: Person) => rowOf('sessions', 'id = ?', person.sessionId)
const factorsIdOf = async (person: Person) => (await rowOf('users', 'id = ?', person.id))['factors_id']
const recoveryCode = expect.stringMatching(/^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)

async function setUp(person: Person): Promise<{ token: string; app: App }> {
  const { setup_token: token, secret } = await person.startTotp()
  return { token, app: new App(secret, person.service.clock) }
}

describe('GET /users/me/factors', () => {
  it('is empty for an account without factors', async ({ ada }) => {
    expect(await ada.factors()).toEqual({ passkeys: [], totp: null, recovery_codes: 0 })
  })

  it('says when the app was added and used, and how many codes are left', async ({ ada, eve, clock }) => {
    await enrolApp(ada)
    await giveFactors(eve.id, clock)
    const created_at = clock.now().toISOString()
    expect(await ada.factors()).toEqual({ passkeys: [], totp: { created_at, last_used_at: null }, recovery_codes: 8 })
    await write('update totps set last_used_at = ? where user_id = ?', clock.now().getTime(), ada.id)
    await write(
      'delete from recovery_codes where digest = (select min(digest) from recovery_codes where user_id = ?)',
      ada.id,
    )
    expect(await ada.factors()).toMatchObject({ totp: { last_used_at: instant }, recovery_codes: 7 })
  })
})

describe('the setup of an authenticator app', () => {
  it('stores nothing, and is new each time', async ({ service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.startTotp())
    expect(effects).toEqual(nothing)
    expect(answer.status).toBe(200)
    const first = await ada.startTotp()
    expect(first.uri).toBe(
      `otpauth://totp/Postern:ada%40example.com?secret=${first.secret}&issuer=Postern&algorithm=SHA1&digits=6&period=30`,
    )
    expect(first.setup_token).not.toContain(first.secret)
    const second = await ada.startTotp()
    expect(second.secret).not.toBe(first.secret)
  })

  it('is finished by a right code, which gives the first factor with eight recovery codes', async ({
    service,
    ada,
  }) => {
    const other = await ada.signIn()
    const { token, app } = await setUp(ada)
    const { answer, effects } = await observe(service, () =>
      ada.confirmTotp({ setup_token: token, code: `${app.code().slice(0, 3)} ${app.code().slice(3)}` }),
    )
    expect(answer.status).toBe(201)
    expect(answer.json).toEqual({ recovery_codes: Array.from({ length: 8 }, () => recoveryCode) })
    expect(effects).toEqual({
      rows: { audit_events: '+1', emails: '+1', recovery_codes: '+8', sessions: '~1', totps: '+1', users: '~1' },
      events: [{ type: 'user.factor_added', actor: ada.id, user: ada.id, detail: { kind: 'totp' } }],
      revoked: [],
      mails: ['ada@example.com: New second factor for your Postern account'],
    })
    const { secret } = await rowOf('totps')
    expect(secret).toMatch(/^test-data\./)
    await expectAlive(other)
  })

  it('lifts this session and no other one, and a refresh does not renew that', async ({ ada, clock }) => {
    const other = await ada.signIn()
    clock.advance(5 * minute)
    await enrolApp(ada)
    const lifted = { amr: '["pwd","otp","mfa"]', authenticated_at: clock.now().getTime() }
    expect(await ofSession(ada)).toMatchObject(lifted)
    clock.advance(minute)
    await ada.refresh()
    expect(await ofSession(ada)).toMatchObject(lifted)
    expect(await ofSession(other)).toMatchObject({ amr: null, authenticated_at: null })
  })

  it('leaves a session no stronger than a step-up with a code would', async ({ ada }) => {
    await proveIn(ada, strengths.passkey)
    await enrolApp(ada)
    expect(await ofSession(ada)).toMatchObject({ amr: '["otp","mfa"]' })
  })

  it.for([
    { what: 'after ten minutes', wait: 10 * minute + second },
    { what: 'ten minutes later, in a session that stepped up since', wait: 10 * minute + second, stepsUp: true },
  ])('is refused $what', async ({ wait, stepsUp = false }, { service, ada, clock }) => {
    const { token, app } = await setUp(ada)
    clock.advance(wait)
    const later = await ada.renewed()
    if (stepsUp) await proveIn(ada, strengths.password)
    const { answer, effects } = await observe(service, () =>
      later.confirmTotp({ setup_token: token, code: app.code() }),
    )
    if (stepsUp) expectProblem(answer, 400, 'invalid_setup')
    else expect(codeOf(answer)).toBe('insufficient_user_authentication')
    expect(effects).toEqual(nothing)
  })

  it('is for its own session, user and state of the factors', async ({ ada, eve, service }) => {
    const { token, app } = await setUp(ada)
    const later = await setUp(ada)
    const other = await ada.signIn()
    for (const person of [other, eve]) {
      await person.confirmTotp({ setup_token: token, code: app.code() }).refused(400, 'invalid_setup')
    }
    for (const setup_token of ['x', '', '.', `${token}x`, token.slice(1), `x${token}`]) {
      expect([400, 422]).toContain((await ada.confirmTotp({ setup_token, code: app.code() }).answer).status)
    }
    await ada.confirmTotp({ setup_token: token, code: app.code() })
    const { answer, effects } = await observe(service, () =>
      ada.confirmTotp({ setup_token: later.token, code: later.app.code() }),
    )
    expectProblem(answer, 400, 'invalid_setup')
    expect(effects).toEqual(nothing)
  })

  it('is refused with a wrong code, which changes nothing and does not end it', async ({ service, ada }) => {
    const { token, app } = await setUp(ada)
    for (const code of [app.wrongCode(), app.code(2), app.code(-2), '12345', 'abcdef']) {
      const { answer, effects } = await observe(service, () => ada.confirmTotp({ setup_token: token, code }))
      expectProblem(answer, 403, 'wrong_second_factor')
      expect(effects).toEqual(nothing)
    }
    await ada.confirmTotp({ setup_token: token, code: app.code() })
  })

  it('uses up the code that finished it', async ({ ada }) => {
    await enrolApp(ada)
    expect(await rowOf('totps')).toMatchObject({ last_step: Math.floor(ada.service.clock.now().getTime() / 30_000) })
  })

  it('replaces the app that was there, without new recovery codes', async ({ service, ada }) => {
    const { app } = await enrolApp(ada)
    const before = await factorsIdOf(ada)
    const next = await setUp(ada)
    const { answer, effects } = await observe(service, () =>
      ada.confirmTotp({ setup_token: next.token, code: next.app.code() }),
    )
    expect(answer.json).toEqual({})
    expect(effects.rows).toEqual({ audit_events: '+1', emails: '+1', totps: '~1', users: '~1' })
    expect(await factorsIdOf(ada)).not.toBe(before)
    expect(next.app.secret).not.toBe(app.secret)
  })
})

describe('a lost answer', () => {
  it('costs no recovery codes: the session that missed them makes new ones at once', async ({ ada }) => {
    const { recoveryCodes: lost } = await enrolApp(ada)
    // The session is fresh, so it can make new ones at once.
    const { recovery_codes: codes } = await ada.renewRecoveryCodes()
    expect(codes).toHaveLength(8)
    expect(codes.filter((code) => lost.includes(code))).toEqual([])
    expect(await ada.factors()).toMatchObject({ recovery_codes: 8 })
  })
})

describe('POST /users/me/recovery-codes', () => {
  it('replaces the codes that are left, voids what hung on the factors, and is mailed', async ({ service, ada }) => {
    await enrolApp(ada)
    await write('delete from recovery_codes where digest in (select digest from recovery_codes limit 3)')
    const [before, old] = [await factorsIdOf(ada), await rowsOf('recovery_codes')]
    const { answer, effects } = await observe(service, () => ada.renewRecoveryCodes())
    expect(answer.json).toEqual({ recovery_codes: Array.from({ length: 8 }, () => recoveryCode) })
    expect(effects).toEqual({
      rows: { audit_events: '+1', emails: '+1', recovery_codes: '+8 -5', users: '~1' },
      events: [{ type: 'user.recovery_codes_renewed', actor: ada.id, user: ada.id, detail: null }],
      revoked: [],
      mails: ['ada@example.com: New recovery codes for your Postern account'],
    })
    expect(await factorsIdOf(ada)).not.toBe(before)
    const digests = (await rowsOf('recovery_codes')).map(({ digest }) => digest)
    expect(old.filter(({ digest }) => digests.includes(digest ?? ''))).toEqual([])
  })

  it('is for accounts with a factor', async ({ service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.renewRecoveryCodes())
    expectProblem(answer, 404, 'not_found')
    expect(effects).toEqual(nothing)
  })
})

describe('DELETE /users/me/totp', () => {
  it('removes the last factor with its recovery codes, and is mailed', async ({ service, ada }) => {
    const other = await ada.signIn()
    await enrolApp(ada)
    const { answer, effects } = await observe(service, () => ada.removeTotp())
    expect(answer.status).toBe(204)
    expect(effects).toEqual({
      rows: { audit_events: '+1', emails: '+1', recovery_codes: '-8', totps: '-1', users: '~1' },
      events: [{ type: 'user.factor_removed', actor: ada.id, user: ada.id, detail: { kind: 'totp' } }],
      revoked: [],
      mails: ['ada@example.com: Second factor removed from your Postern account'],
    })
    expect(await factorsIdOf(ada)).toBeNull()
    await expectAlive(other)
    await ada.removeTotp().refused(404, 'not_found')
  })

  it('leaves the recovery codes while there is another factor', async ({ ada }) => {
    await enrolApp(ada)
    await insertPasskeys([{ userId: ada.id }])
    const before = await factorsIdOf(ada)
    await ada.removeTotp()
    expect(await rowsOf('recovery_codes')).toHaveLength(8)
    expect([before, null]).not.toContain(await factorsIdOf(ada))
  })
})

describe('a session that is not fresh', () => {
  const acts: { name: string; run: (person: Person, token: string, app: App) => Promise<Answer> }[] = [
    { name: 'begins no setup', run: (person) => person.startTotp().answer },
    {
      name: 'finishes none',
      run: (person, setup_token, app) => person.confirmTotp({ setup_token, code: app.code() }).answer,
    },
    { name: 'removes no app', run: (person) => person.removeTotp().answer },
    { name: 'makes no recovery codes', run: (person) => person.renewRecoveryCodes().answer },
  ]
  it.for(acts)('$name', async ({ run }, { service, ada }) => {
    await enrolApp(ada)
    const { token, app } = await setUp(ada)
    for (const [amr, agoMs] of [
      [strengths.password, 0],
      [strengths.code, 10 * minute + 1],
    ] as const) {
      await proveIn(ada, amr, agoMs)
      const { answer, effects } = await observe(service, () => run(ada, token, app))
      expectProblem(answer, 401, 'insufficient_user_authentication')
      expect(answer.headers.get('WWW-Authenticate')).toBe(
        'Bearer error="insufficient_user_authentication", max_age="600", acr_values="urn:postern:2 phr"',
      )
      expect(effects).toEqual(nothing)
    }
  })

  it('gets no first factor by an old sign-in', async ({ ada, clock }) => {
    const { token, app } = await setUp(ada)
    clock.advance(10 * minute + second)
    const later = await ada.renewed()
    const answer = await later.startTotp().answer
    expectProblem(answer, 401, 'insufficient_user_authentication')
    expect(answer.headers.get('WWW-Authenticate')).toContain('acr_values="urn:postern:1 urn:postern:2 phr"')
    await later.confirmTotp({ setup_token: token, code: app.code() }).refused(401, 'insufficient_user_authentication')
  })
})

describe('where every account must have a factor', () => {
  const strict = it.extend('options', { env: { SECOND_FACTOR: 'all' } }).extend('returning', async ({ ada, clock }) => {
    clock.advance(hour)
    return ada.signIn()
  })

  strict('the session of an activation gets one without a code', async ({ ada }) => {
    const { recoveryCodes } = await enrolApp(ada)
    expect(recoveryCodes).toHaveLength(8)
  })

  strict('the session of an activation needs a code ten minutes later', async ({ ada, clock }) => {
    clock.advance(10 * minute)
    await proveIn(ada, strengths.password)
    clock.advance(second)
    const later = await ada.renewed()
    const { token, app } = await setUp(later)
    await later.confirmTotp({ setup_token: token, code: app.code() }).refused(403, 'wrong_mail_code')
  })

  strict('any other session needs the code from the mailbox', async ({ service, returning }) => {
    const { token, app } = await setUp(returning)
    const confirm = (mail_code?: string) =>
      returning.confirmTotp({ setup_token: token, code: app.code(), ...(mail_code && { mail_code }) })
    const { answer, effects } = await observe(service, () => confirm())
    expectProblem(answer, 403, 'wrong_mail_code')
    expect(effects).toEqual(nothing)

    const sent = await observe(service, () => returning.sendFactorCode())
    expect(sent.answer.status).toBe(202)
    expect(sent.effects).toEqual({
      ...nothing,
      rows: { emails: '+1', attempt_counters: '+1' },
      mails: [`${returning.email}: Your code for Postern`],
    })
    const code = inboxOf(service).mailCode(returning)
    expect(JSON.stringify([await rowsOf('emails'), service.queued])).not.toContain(code)
    const guess = await observe(service, () => confirm(code === '00000000' ? '00000001' : '00000000'))
    expectProblem(guess.answer, 403, 'wrong_mail_code')
    expect(guess.effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '~1' },
      events: [
        {
          type: 'user.step_up_refused',
          actor: returning.id,
          user: returning.id,
          detail: { session_id: returning.sessionId },
        },
      ],
    })
    // A wrong code of the app leaves both to be tried again.
    const wrong = { setup_token: token, code: app.wrongCode(), mail_code: code }
    await returning.confirmTotp(wrong).refused(403, 'wrong_second_factor')
    expect(await confirm(`${code.slice(0, 4)} ${code.slice(4)}`)).toHaveProperty('recovery_codes')
  })

  strict('the code is for its session alone', async ({ service, returning }) => {
    const other = await returning.signIn()
    await returning.sendFactorCode()
    await service.deliver()
    const code = inboxOf(service).mailCode(returning)
    const theirs = await setUp(other)
    await other
      .confirmTotp({ setup_token: theirs.token, code: theirs.app.code(), mail_code: code })
      .refused(403, 'wrong_mail_code')
  })

  strict('the email says until when the code is good', async ({ service, returning, clock }) => {
    await returning.sendFactorCode()
    const end = new Date(clock.now().getTime() + 10 * minute)
    clock.advance(minute)
    await service.deliver()
    expect(inboxOf(service).newest(returning).text).toContain(formatTime(end))
  })

  const offsets = [0, 1, 29_500, 59_999]
  strict.for(
    offsets.flatMap((offset) => [
      { offset, when: '9:59', wait: 10 * minute - second, isGood: true },
      { offset, when: '10:01', wait: 10 * minute + second, isGood: false },
    ]),
  )(
    'the code is good for ten minutes: $when after one from $offset ms past the minute',
    async ({ offset, wait, isGood }, { service, returning, clock }) => {
      clock.advance(minute - (clock.now().getTime() % minute) + offset)
      await returning.sendFactorCode()
      await service.deliver()
      const mail_code = inboxOf(service).mailCode(returning)
      clock.advance(wait)
      await proveIn(returning, strengths.password)
      const session = await returning.renewed()
      const { token, app } = await setUp(session)
      const confirmed = session.confirmTotp({ setup_token: token, code: app.code(), mail_code })
      if (isGood) await confirmed
      else await confirmed.refused(403, 'wrong_mail_code')
    },
  )

  strict('a newer code makes an older one last no longer', async ({ service, returning, clock }) => {
    await returning.sendFactorCode()
    await service.deliver()
    const old = inboxOf(service).mailCode(returning)
    clock.advance(9 * minute)
    await returning.sendFactorCode()
    clock.advance(minute + second)
    await proveIn(returning, strengths.password)
    const session = await returning.renewed()
    const { token, app } = await setUp(session)
    const confirm = (mail_code: string) => session.confirmTotp({ setup_token: token, code: app.code(), mail_code })
    await confirm(old).refused(403, 'wrong_mail_code')
    await service.deliver()
    await confirm(inboxOf(service).mailCode(returning))
  })

  strict('five tries end it, also at once, and another email begins them anew', async ({ service, returning }) => {
    await returning.sendFactorCode()
    await service.deliver()
    const code = inboxOf(service).mailCode(returning)
    const { token, app } = await setUp(returning)
    const confirm = (mail_code: string) => returning.confirmTotp({ setup_token: token, code: app.code(), mail_code })
    const guesses = Array.from({ length: 20 }, (_, index) =>
      `${(Number(code) + index + 1) % 100_000_000}`.padStart(8, '0'),
    )
    await Promise.all(guesses.map((guess) => confirm(guess).refused(403, 'wrong_mail_code')))
    // Whoever guesses knows the password.
    await service.deliver()
    expect(inboxOf(service).newest(returning).subject).toBe('Wrong codes for your Postern account')
    expect(await rowOf('attempt_counters', "key like 'mail-code:%'")).toMatchObject({ count: 5 })
    await confirm(code).refused(403, 'wrong_mail_code')
    await returning.sendFactorCode()
    await confirm(code)
  })

  strict(
    'no code counts in a session that none was mailed to, so more sessions give no more tries',
    async ({ service, returning }) => {
      await (await returning.signIn()).sendFactorCode()
      const mailed = String((await rowOf('emails', "template = 'factor_code'"))['id'])
      for (const session of [returning, await returning.signIn()]) {
        const { token, app } = await setUp(session)
        const owner = { userId: session.id, sessionId: session.sessionId }
        const mail_code = await mailCode(parseSecretKeys(testSecrets.DATA_KEYS), owner, mailed)
        const confirm = () => session.confirmTotp({ setup_token: token, code: app.code(), mail_code })
        const { answer, effects } = await observe(service, confirm)
        expectProblem(answer, 403, 'wrong_mail_code')
        expect(effects).toEqual(nothing)
      }
    },
  )

  strict('five codes an hour are mailed, then it is a 429', async ({ service, returning }) => {
    for (let time = 0; time < 5; time++) await returning.sendFactorCode()
    const { answer, effects } = await observe(service, () => returning.sendFactorCode())
    expectProblem(answer, 429, 'rate_limited')
    expect(answer.headers.get('Retry-After')).toBe('3600')
    expect(effects).toEqual(nothing)
  })

  strict('enrolling ends every other session, and lifts this one', async ({ service, ada, returning }) => {
    await returning.sendFactorCode()
    await service.deliver()
    await returning.me()
    await returning.sessions().refused(403, 'factor_enrolment_required')
    await enrolApp(returning, inboxOf(service).mailCode(returning))
    await expectEnded(ada)
    await returning.sessions()
  })

  strict('a session that was strong already ends no other one', async ({ ada }) => {
    await enrolApp(ada)
    await insertSessions([{ userId: ada.id }])
    await enrolApp(ada)
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toHaveLength(2)
  })

  strict('the last factor stays, and any other one goes', async ({ service, ada }) => {
    await enrolApp(ada)
    const { answer, effects } = await observe(service, () => ada.removeTotp())
    expectProblem(answer, 409, 'last_factor')
    expect(effects).toEqual(nothing)
    await insertPasskeys([{ userId: ada.id }])
    await ada.removeTotp()
  })
})

describe('a code by email', () => {
  it('is not sent to an account that has a factor', async ({ service, ada }) => {
    await enrolApp(ada)
    const { answer, effects } = await observe(service, () => ada.sendFactorCode())
    expect(answer.status).toBe(202)
    expect(effects).toEqual(nothing)
  })
})

describe('where staff must have a factor', () => {
  const strict = it.extend('options', { env: { SECOND_FACTOR: 'staff' } })

  strict('a USER removes the last one, and needs no code for the first', async ({ ada, clock }) => {
    clock.advance(day)
    const returning = await ada.signIn()
    await enrolApp(returning)
    await returning.removeTotp()
  })

  strict('an ADMIN keeps the last one', async ({ admin }) => {
    await enrolApp(admin)
    await admin.removeTotp().refused(409, 'last_factor')
  })
})
