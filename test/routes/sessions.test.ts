/** Refresh, log-out, verification at the edge, and the list of sessions. */
import { env } from 'cloudflare:workers'
import { SignJWT, base64url, decodeJwt, decodeProtectedHeader, importJWK } from 'jose'
import { describe, expect } from 'vitest'
import {
  expectInvalid,
  expectNoContent,
  expectOk,
  expectProblem,
  instant,
  sessionOf,
  tokenAnswer,
  userObject,
  uuidv7,
} from '../support/answers.ts'
import { unknownId } from '../support/calls.ts'
import { day, minute, second } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { subjects } from '../support/mails.ts'
import { type Person, expectAlive, expectEnded } from '../support/person.ts'
import { nothing, observe, revokedSessions, rowOf, rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'

/** Ways in which a refresh token can be wrong, each made from a good one. */
const badRefreshTokens = it.extend('badTokens', async ({ service, people, eve }) => {
  const activation = await people.register('pending@example.com')
  const reset = await people.resetToken(eve.email)
  const iat = Math.floor(service.clock.now().getTime() / 1000)
  const issuer = 'https://accounts.example.com'
  const claims = { sid: eve.sessionId, gen: 1, iss: issuer, aud: issuer, iat, exp: iat + 3600 }
  const key = base64url.decode(JSON.parse(service.env.TOKEN_KEYS).keys[0].k)
  const mint = (more: object, typ = 'rt+jwt', secret = key) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'HS256', typ, kid: 'test-token' }).sign(secret)
  // A token that is minted this way and has no fault is taken.
  await eve.refresh(await mint({}))
  const unsigned = `${btoa('{"alg":"none","typ":"rt+jwt"}').replaceAll('=', '')}.${eve.refreshToken.split('.')[1]}.`
  return {
    'no token': 'x',
    'an access token': eve.accessToken,
    'an activation link': activation,
    'a reset link': reset,
    'alg none': unsigned,
    'signed with another key': await mint({}, 'rt+jwt', new Uint8Array(32).fill(7)),
    'of another type': await mint({}, 'at+jwt'),
    'without a type': await mint({}, ''),
    'of another issuer': await mint({ iss: 'https://evil.example' }),
    'for another audience': await mint({ aud: 'postern' }),
    expired: await mint({ iat: iat - 7200, exp: iat - 1 }),
    'without an end': await mint({ exp: undefined }),
    'from the future': await mint({ iat: iat + 3600 }),
    'without a session': await mint({ sid: undefined }),
    'without a generation': await mint({ gen: undefined }),
    'with a generation that is no number': await mint({ gen: '1' }),
    'of a session that never was': await mint({ sid: unknownId }),
    'of 10 kB': 'a'.repeat(10_000),
  }
})

const sessionEnded = ({ id }: Person, detail: object) => ({ type: 'session.ended', actor: id, user: id, detail })

describe('POST /auth/refresh', () => {
  it('gives a new token of the same session, moves its end, and records and mails nothing', async ({
    service,
    clock,
    ada,
  }) => {
    clock.advance(day)
    const now = clock.now().getTime()
    const caller = ada.from({ headers: { 'User-Agent': 'Netscape/4', 'CF-Connecting-IP': '198.51.100.9' } })
    const { answer, effects } = await observe(service, () => caller.refresh(ada.refreshToken))
    const tokens = expectOk(answer)
    expect(tokens).toEqual(tokenAnswer(userObject({ email, id: ada.id })))
    expect(tokens.refresh_token).not.toBe(ada.refreshToken)
    expect(sessionOf(tokens.refresh_token!)).toBe(ada.sessionId)
    expect(sessionOf(tokens.access_token)).toBe(ada.sessionId)
    expect(effects).toEqual({ ...nothing, rows: { sessions: '~1' } })
    expect(await rowOf('sessions')).toMatchObject({
      created_at: now - day,
      last_used_at: now,
      expires_at: now + 30 * day,
      ip: '198.51.100.9',
      user_agent: 'other',
    })
    await caller.from({ token: tokens.access_token }).me()
    await caller.refresh(tokens.refresh_token)
  })

  it('names the user agent of the last rotation, and one that nobody signs in with as other', async ({
    people,
    ada,
  }) => {
    const eve = await people.signUp('eve@example.com')
    await eve.from({ headers: { 'User-Agent': 'Netscape/4' } }).signIn()
    const named = async () => (await rowOf('sessions', 'id = ?', ada.sessionId))['user_agent']
    expect(await named()).toBeNull()
    const listed = await ada.from({ headers: { 'User-Agent': 'Netscape/4' } }).renewed()
    expect(await named()).toBe('Netscape/4')
    const invented = await listed.from({ headers: { 'User-Agent': 'invented' } }).renewed()
    expect(await named()).toBe('other')
    await invented.from({ headers: { 'User-Agent': '' } }).refresh()
    expect(await named()).toBeNull()
    expect(await rowsOf('user_agents')).toMatchObject([{ text: 'Netscape/4' }])
  })

  it('answers a replay within 30 seconds with the same successor, and writes one row at the first', async ({
    service,
    clock,
    ada,
  }) => {
    clock.advance(minute)
    const successor = await ada.renewed()
    clock.advance(30 * second - 1)
    const first = await observe(service, () => ada.refresh())
    expect(first.effects).toEqual({ ...nothing, rows: { sessions: '~1' } })
    const { answer, effects } = await observe(service, () => ada.refresh())
    const again = expectOk(answer)
    expect(expectOk(first.answer).refresh_token).toBe(again.refresh_token)
    expect(again.refresh_token).toBe(successor.refreshToken)
    expect(again.refresh_expires_in).toBe(30 * 24 * 3600 - 29)
    expect(effects).toEqual(nothing)
    await ada.from({ token: again.access_token }).me()
    await successor.refresh()
  })

  it('counts the 30 seconds from the rotation: a replay does not extend them', async ({ clock, ada }) => {
    await ada.refresh()
    for (let replay = 0; replay < 2; replay++) {
      clock.advance(14 * second)
      await ada.refresh()
    }
    clock.advance(2 * second)
    await ada.refresh().refused(401, 'refresh_token_reused')
  })

  it('takes a replay after 30 seconds for theft: the session ends and its user is mailed', async ({
    service,
    clock,
    ada,
  }) => {
    const other = await ada.signIn()
    const successor = await ada.renewed()
    clock.advance(30 * second)
    const { answer, effects, audit } = await observe(service, () => ada.refresh())
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual({
      rows: { sessions: '-1', emails: '+1', audit_events: '+1' },
      events: [
        {
          type: 'session.reuse_detected',
          actor: null,
          user: ada.id,
          detail: { session_id: ada.sessionId, rotated_ip: '203.0.113.7', rotated_country: null, reason: 'late' },
        },
      ],
      revoked: [ada.sessionId],
      mails: [`${email}: ${subjects.sessionReuse}`],
    })
    expect(audit[0]).toMatchObject({ ip: '203.0.113.7', request_id: answer.headers.get('X-Request-Id') })
    await expectEnded(successor)
    await expectAlive(other)
  })

  it('takes any token before the last for stolen, within the 30 seconds too', async ({ service, ada }) => {
    const successor = await ada.renewed()
    await successor.refresh()
    const { answer, effects } = await observe(service, () => ada.refresh())
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects.events).toMatchObject([{ type: 'session.reuse_detected', user: ada.id }])
    expect(effects.revoked).toEqual([ada.sessionId])
  })

  it('answers invalid_refresh_token to a stolen token of an ended session, and mails no second time', async ({
    service,
    clock,
    inbox,
    ada,
  }) => {
    await ada.refresh()
    clock.advance(minute)
    await ada.refresh().refused(401, 'refresh_token_reused')
    const { answer, effects } = await observe(service, () => ada.refresh())
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects).toEqual(nothing)
    expect(inbox.subjects(ada).filter((subject) => subject === subjects.sessionReuse)).toHaveLength(1)
  })

  it('keeps a session alive for 30 days after its last use, and not a moment longer', async ({
    service,
    clock,
    ada,
  }) => {
    const late = await ada.signIn()
    clock.advance(30 * day - second)
    const successor = await ada.renewed()
    clock.advance(second)
    const { answer, effects } = await observe(service, () => late.refresh())
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects, 'expiry is no theft').toEqual(nothing)
    await successor.refresh()
  })

  it('ends a session 90 days after sign-in, and counts refresh_expires_in down to that', async ({ clock, ada }) => {
    let current = ada
    const seconds = []
    for (const days of [29, 29, 2, 29]) {
      clock.advance(days * day)
      const tokens = await current.refresh()
      seconds.push(tokens.refresh_expires_in)
      const { iat, exp } = decodeJwt(tokens.refresh_token!)
      expect(exp! - iat!).toBe(tokens.refresh_expires_in)
      expect(tokens.expires_in).toBe(600)
      current = current.holding(tokens)
    }
    expect(seconds).toEqual([30 * 86_400, 30 * 86_400, 30 * 86_400, 86_400])
    clock.advance(day - second)
    const tokens = await current.refresh()
    expect(tokens.refresh_expires_in).toBe(1)
    clock.advance(second)
    const last = current.holding(tokens)
    await last.refresh().refused(401, 'invalid_refresh_token')
    await last.me().refused(401, 'invalid_token')
  })

  badRefreshTokens(
    'refuses every bad token with one code, and does nothing',
    async ({ service, anonymous, badTokens }) => {
      for (const [name, token] of Object.entries(badTokens)) {
        const { answer, effects } = await observe(service, () => anonymous.refresh(token))
        expectProblem(answer, 401, 'invalid_refresh_token')
        expect(effects, name).toEqual(nothing)
      }
    },
  )

  it.for([
    { holder: 'a session that was logged out', statement: 'delete from sessions' },
    { holder: 'a user that was suspended', statement: "update users set status = 'suspended'" },
    { holder: 'a user that is pending', statement: "update users set status = 'pending'" },
    { holder: 'a session of a database older than the token', statement: 'update sessions set generation = 0' },
  ])('refuses the token of $holder as not good, and detects no theft', async ({ statement }, { service, ada }) => {
    await write(statement)
    const { answer, effects } = await observe(service, () => ada.refresh())
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects).toEqual(nothing)
  })

  it('refuses the token of a session on the revocation list, even if the database still had it', async ({
    service,
    ada,
  }) => {
    await env.REVOCATIONS.put(`session:${ada.sessionId}`, '1')
    const { answer, effects } = await observe(service, () => ada.refresh())
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects).toEqual(nothing)
  })

  it.for([
    { sent: 'nothing', body: {} },
    { sent: 'an empty token', body: { refresh_token: '' } },
    { sent: 'a token in an array', body: { refresh_token: ['x'] } },
    { sent: 'null', body: { refresh_token: null } },
  ])('refuses $sent with 422', async ({ body }, { anonymous }) => {
    expectInvalid(await anonymous.call('refresh', { body }).answer, '/refresh_token')
  })
})

describe('POST /auth/logout', () => {
  it('ends the session at once and everywhere, and no other session', async ({ service, ada }) => {
    const other = await ada.signIn()
    const { answer, effects } = await observe(service, () => ada.logout())
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-1', audit_events: '+1' },
      events: [sessionEnded(ada, { session_id: ada.sessionId })],
      revoked: [ada.sessionId],
      mails: [],
    })
    await expectEnded(ada)
    await expectAlive(other)
  })

  it('keeps the session on the revocation list while its refresh token could live', async ({ clock, ada }) => {
    clock.advance(10 * day)
    await ada.logout()
    const { keys } = await env.REVOCATIONS.list()
    const seconds = keys[0]!.expiration! - Date.now() / 1000
    expect(keys).toHaveLength(1)
    expect(seconds).toBeGreaterThan(20 * 86_400 - 60)
    expect(seconds).toBeLessThan(20 * 86_400 + 60)
  })

  it('succeeds a second time, and does nothing then', async ({ service, ada }) => {
    await ada.logout()
    const { answer, effects } = await observe(service, () => ada.logout())
    expectNoContent(answer)
    expect(effects).toEqual(nothing)
  })

  badRefreshTokens('answers 204 to every bad token, and ends nothing', async ({ service, anonymous, badTokens }) => {
    for (const [name, token] of Object.entries(badTokens)) {
      const { answer, effects } = await observe(service, () => anonymous.logout(token))
      expectNoContent(answer)
      expect(effects, name).toEqual(nothing)
    }
  })

  it('answers 204 to a token that has expired', async ({ service, clock, ada }) => {
    clock.advance(31 * day)
    const { answer, effects } = await observe(service, () => ada.logout())
    expectNoContent(answer)
    expect(effects).toEqual(nothing)
  })

  it('ends the session with a token that was rotated since, too', async ({ service, clock, ada }) => {
    const successor = await ada.renewed()
    clock.advance(minute)
    const { answer, effects } = await observe(service, () => ada.logout())
    expectNoContent(answer)
    expect(effects, 'it is no theft, and nobody knows who it was').toEqual({
      rows: { sessions: '-1', audit_events: '+1' },
      events: [
        {
          type: 'session.ended',
          actor: null,
          user: ada.id,
          detail: { session_id: ada.sessionId, superseded: true },
        },
      ],
      revoked: [ada.sessionId],
      mails: [],
    })
    await expectEnded(successor)
    await ada.me().refused(401, 'invalid_token')
  })

  it.for([{ body: {} }, { body: { refresh_token: '' } }, { body: { refresh_token: 7 } }])(
    'refuses $body with 422',
    async ({ body }, { anonymous }) => {
      expectInvalid(await anonymous.call('logout', { body }).answer, '/refresh_token')
    },
  )
})

describe('POST /auth/logout-all', () => {
  it('ends every session of the user, lists each, and leaves other users alone', async ({ service, ada, eve }) => {
    const sessions = [ada, await ada.signIn(), await ada.signIn()]
    const { answer, effects } = await observe(service, () => sessions[1]!.logoutAll())
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-3', audit_events: '+1' },
      events: [sessionEnded(ada, { sessions: 'all' })],
      revoked: sessions.map(({ sessionId }) => sessionId).toSorted(),
      mails: [],
    })
    for (const session of sessions) await expectEnded(session)
    await expectAlive(eve)
  })
})

describe('GET /auth/verify', () => {
  it('names the holder of the token in headers', async ({ ada, moderator, admin }) => {
    for (const [role, person] of Object.entries({ USER: ada, MODERATOR: moderator, ADMIN: admin })) {
      const answer = await person.verify().answer
      expectNoContent(answer)
      const { headers } = answer
      expect(headers.get('X-Auth-User-Id')).toBe(person.id)
      expect(headers.get('X-Auth-Session-Id')).toBe(person.sessionId)
      expect(headers.get('X-Auth-Role')).toBe(role)
      expect(headers.get('X-Auth-Scope')).toBe(decodeJwt(person.accessToken)['scope'])
    }
  })

  it('says how and when the user signed in, which no refresh renews', async ({ clock, ada }) => {
    const signedInAt = clock.now().getTime() / 1000
    clock.advance(5 * minute)
    for (const { claims, amr, acr } of [
      { claims: ['pwd'], amr: null, acr: 'urn:postern:1' },
      { claims: ['pwd', 'otp', 'mfa'], amr: ['pwd', 'otp', 'mfa'], acr: 'urn:postern:2' },
      { claims: ['pwd', 'pop', 'mfa'], amr: ['pwd', 'pop', 'mfa'], acr: 'urn:postern:2' },
      { claims: ['pop', 'user', 'mfa'], amr: ['pop', 'user', 'mfa'], acr: 'phr' },
    ]) {
      await write('update sessions set amr = ? where id = ?', amr && JSON.stringify(amr), ada.sessionId)
      const { access_token: token } = await ada.refresh()
      expect(decodeJwt(token)).toMatchObject({ auth_time: signedInAt, amr: claims, acr })
      const { headers } = await ada.from({ token }).verify().answer
      expect(headers.get('X-Auth-Time')).toBe(String(signedInAt))
      expect(headers.get('X-Auth-Acr')).toBe(acr)
    }
  })

  it('takes a token of an earlier release for one of the password, from the start of the session', async ({
    service,
    clock,
    ada,
  }) => {
    const signedInAt = clock.now().getTime() / 1000
    clock.advance(5 * minute)
    const { auth_time: _, amr: __, acr: ___, ...claims } = decodeJwt(ada.accessToken)
    const [jwk] = JSON.parse(service.env.SIGNING_KEYS).keys
    const header = decodeProtectedHeader(ada.accessToken) as { alg: string }
    const token = await new SignJWT(claims).setProtectedHeader(header).sign(await importJWK(jwk, header.alg))
    const { headers } = await ada.from({ token }).verify().answer
    expect(headers.get('X-Auth-Time')).toBe(String(signedInAt))
    expect(headers.get('X-Auth-Acr')).toBe('urn:postern:1')
  })

  it('names nobody in a refusal', async ({ ada }) => {
    await ada.logout()
    const answer = await ada.verify().answer
    expectProblem(answer, 401, 'invalid_token')
    expect([...answer.headers.keys()].filter((name) => name.startsWith('x-auth'))).toEqual([])
  })

  it('refuses a session once it is on the revocation list, and asks no database', async ({ clock, ada }) => {
    await write('delete from sessions')
    await ada.verify()
    await env.REVOCATIONS.put(`session:${ada.sessionId}`, '1')
    clock.advance(5 * second)
    await ada.verify().refused(401, 'invalid_token')
  })
})

describe('GET /users/me/sessions', () => {
  it('lists the live sessions, newest first, with where they come from and which one asks', async ({
    service,
    people,
    clock,
    ada,
  }) => {
    const now = () => clock.now().toISOString()
    await people.signUp('eve@example.com')
    clock.advance(20 * day)
    const at = now()
    const old = await ada.from({ headers: { 'User-Agent': 'Netscape/4' } }).signIn()
    clock.advance(11 * day)
    const asking = await ada.from({ headers: { 'CF-Connecting-IP': '2001:db8::1' } }).signIn()
    const refreshed = await ada.signIn()
    await refreshed.refresh()
    const { sessions } = await asking.sessions()
    expect(sessions).toHaveLength(3)
    const expires = new Date(service.clock.now().getTime() + 30 * day).toISOString()
    const shape = { id: uuidv7, expires_at: instant, country: null, ip: '203.0.113.7', user_agent: null }
    const fresh = { ...shape, created_at: now(), last_used_at: now(), expires_at: expires }
    const inAnyOrder = sessions.slice(0, 2).toSorted((a, b) => (a.ip! < b.ip! ? -1 : 1))
    expect(inAnyOrder).toEqual([
      { ...fresh, ip: '2001:db8::1', current: true, id: asking.sessionId },
      { ...fresh, current: false, id: refreshed.sessionId },
    ])
    expect(sessions[2]).toEqual({
      ...shape,
      id: old.sessionId,
      created_at: at,
      last_used_at: at,
      user_agent: 'Netscape/4',
      current: false,
    })
  })

  it.for([
    { agent: 'with a control character', userAgent: `a\u0007b${'c'.repeat(300)}` },
    { agent: 'that is cut inside a character', userAgent: `${'d'.repeat(255)}🦊` },
  ])('shows a user agent $agent without control characters, cut to 256', async ({ userAgent }, { ada }) => {
    const { sessions } = await (await ada.from({ headers: { 'User-Agent': userAgent } }).signIn()).sessions()
    const shown = sessions.find(({ current }) => current)!.user_agent!
    expect(shown.length).toBeLessThanOrEqual(256)
    expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\ufffd]/u)
    expect(shown.isWellFormed()).toBe(true)
  })
})

describe('DELETE /users/me/sessions/{id}', () => {
  it('ends that session at once and no other', async ({ service, ada }) => {
    const phone = await ada.signIn()
    const { answer, effects } = await observe(service, () => ada.endSession(phone))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-1', audit_events: '+1' },
      events: [sessionEnded(ada, { session_id: phone.sessionId })],
      revoked: [phone.sessionId],
      mails: [],
    })
    await expectEnded(phone)
    await expectAlive(ada)
  })

  it('ends the session that asks, too', async ({ ada }) => {
    await ada.endSession(ada)
    await expectEnded(ada)
  })

  it('answers 404 for sessions of others, ended ones and unknown ids, and ends nothing', async ({
    service,
    ada,
    eve,
  }) => {
    const gone = await ada.signIn()
    await gone.logout()
    for (const id of [eve.sessionId, gone.sessionId, unknownId, 'x', "'", '%00', '..%2F..%2Fme']) {
      const { answer, effects } = await observe(service, () => ada.endSession(id))
      expectProblem(answer, 404, 'not_found')
      expect(effects, id).toEqual(nothing)
    }
    await expectAlive(eve)
  })
})

describe('DELETE /users/me/sessions', () => {
  it('ends every session but the one that asks', async ({ service, ada, eve }) => {
    const others = [await ada.signIn(), await ada.signIn()]
    const { answer, effects } = await observe(service, () => ada.endOtherSessions())
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-2', audit_events: '+1' },
      events: [sessionEnded(ada, { sessions: 'others' })],
      revoked: others.map(({ sessionId }) => sessionId).toSorted(),
      mails: [],
    })
    for (const other of others) await expectEnded(other)
    await expectAlive(ada)
    await expectAlive(eve)
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toHaveLength(1)
    expect(await revokedSessions()).toHaveLength(2)
  })
})
