/** Refresh, log-out, verification at the edge, and the list of sessions. */
import { env } from 'cloudflare:workers'
import { SignJWT, base64url, decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
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
import { day, minute, second } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import {
  type SignedIn,
  mailsTo,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe, revokedSessions, rowOf, rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'

const refresh = (service: Service, refreshToken: string, headers = {}) =>
  service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken }, headers })

const logout = (service: Service, refreshToken: string) =>
  service.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } })

/** A refresh that must succeed; gives the new refresh token. */
async function rotated(service: Service, refreshToken: string): Promise<string> {
  return expectOk(await refresh(service, refreshToken)).refresh_token
}

async function expectEnded(service: Service, { accessToken, refreshToken }: SignedIn): Promise<void> {
  expectProblem(await service.call('GET', '/users/me', { token: accessToken }), 401, 'invalid_token')
  expectProblem(await service.call('GET', '/auth/verify', { token: accessToken }), 401, 'invalid_token')
  expectProblem(await refresh(service, refreshToken), 401, 'invalid_refresh_token')
}

async function expectAlive(service: Service, { accessToken, refreshToken }: SignedIn): Promise<void> {
  expectOk(await service.call('GET', '/users/me', { token: accessToken }))
  expectNoContent(await service.call('GET', '/auth/verify', { token: accessToken }))
  expectOk(await refresh(service, refreshToken))
}

/** Everything that is a token and no good refresh token. */
async function tokensThatAreNone(service: Service) {
  const { accessToken, refreshToken, id } = await signUp(service, 'eve@example.com')
  const activation = await register(service, 'pending@example.com')
  const reset = await resetToken(service, 'eve@example.com')
  const sid = sessionOf(refreshToken)
  const iat = Math.floor(service.clock.now().getTime() / 1000)
  const issuer = 'https://accounts.example.com'
  const claims = { sid, gen: 1, iss: issuer, aud: issuer, iat, exp: iat + 3600 }
  const key = base64url.decode(JSON.parse(service.env.TOKEN_KEYS).keys[0].k)
  const mint = (more: object, typ = 'rt+jwt', secret = key) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'HS256', typ, kid: 'test-token' }).sign(secret)
  // Whoever makes the tokens below would make a good one this way.
  expectOk(await refresh(service, await mint({})))
  const unsigned = `${btoa('{"alg":"none","typ":"rt+jwt"}').replaceAll('=', '')}.${refreshToken.split('.')[1]}.`
  return {
    id,
    tokens: {
      'no token': 'x',
      'an access token': accessToken,
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
      'of a session that never was': await mint({ sid: '01936f6e-0000-7000-8000-000000000000' }),
      'of 10 kB': 'a'.repeat(10_000),
    },
  }
}

describe('POST /auth/refresh', () => {
  it('gives a new refresh token of the same session, moves its end, and records and mails nothing', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    service.clock.advance(day)
    const now = service.clock.now().getTime()
    const headers = { 'User-Agent': 'Netscape/4', 'CF-Connecting-IP': '198.51.100.9' }
    const { answer, effects } = await observe(service, () => refresh(service, ada.refreshToken, headers))
    const tokens = expectOk(answer)
    expect(tokens).toEqual(tokenAnswer(userObject({ email, id: ada.id })))
    expect(tokens.refresh_token).not.toBe(ada.refreshToken)
    expect(sessionOf(tokens.refresh_token)).toBe(sessionOf(ada.refreshToken))
    expect(sessionOf(tokens.access_token)).toBe(sessionOf(ada.refreshToken))
    expect(effects).toEqual({ ...nothing, rows: { sessions: '~1' } })
    expect(await rowOf('sessions')).toMatchObject({
      created_at: now - day,
      last_used_at: now,
      expires_at: now + 30 * day,
      ip: '198.51.100.9',
      user_agent: 'Netscape/4',
    })
    expectOk(await service.call('GET', '/users/me', { token: tokens.access_token }))
    expectOk(await refresh(service, tokens.refresh_token))
  })

  it('gives who presents the last token again within 30 seconds the same successor, and writes nothing', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    service.clock.advance(minute)
    const successor = await rotated(service, refreshToken)
    service.clock.advance(30 * second - 1)
    const { answer, effects } = await observe(service, () => refresh(service, refreshToken))
    const again = expectOk(answer)
    expect(again.refresh_token).toBe(successor)
    expect(again.refresh_expires_in).toBe(30 * 24 * 3600 - 29)
    expect(effects).toEqual(nothing)
    expectOk(await service.call('GET', '/users/me', { token: again.access_token }))
    await rotated(service, successor)
  })

  it('counts the 30 seconds from the rotation: presenting the token again does not stretch them', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    await rotated(service, refreshToken)
    for (let replay = 0; replay < 2; replay++) {
      service.clock.advance(14 * second)
      expectOk(await refresh(service, refreshToken))
    }
    service.clock.advance(2 * second)
    expectProblem(await refresh(service, refreshToken), 401, 'refresh_token_reused')
  })

  it('takes the last token, 30 seconds after it was used, for stolen: the session ends and its user is mailed', async () => {
    const service = startService()
    const stolen = await signUp(service, email)
    const other = await signIn(service, email)
    const successor = await rotated(service, stolen.refreshToken)
    service.clock.advance(30 * second)
    const session = sessionOf(stolen.refreshToken)
    const { answer, effects, audit } = await observe(service, () => refresh(service, stolen.refreshToken))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual({
      rows: { sessions: '-1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'session.reuse_detected', actor: null, user: stolen.id, detail: { session_id: session } }],
      revoked: [session],
      mails: [`${email}: ${subjects.sessionReuse}`],
    })
    expect(audit[0]).toMatchObject({ ip: '203.0.113.7', request_id: answer.headers.get('X-Request-Id') })
    await expectEnded(service, { ...stolen, refreshToken: successor })
    await expectAlive(service, other)
  })

  it('takes any token before the last for stolen, within the 30 seconds too', async () => {
    const service = startService()
    const { refreshToken, id } = await signUp(service, email)
    const successor = await rotated(service, refreshToken)
    await rotated(service, successor)
    const { answer, effects } = await observe(service, () => refresh(service, refreshToken))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects.events).toMatchObject([{ type: 'session.reuse_detected', user: id }])
    expect(effects.revoked).toEqual([sessionOf(refreshToken)])
  })

  it('says no more than “not good” of a stolen token once its session is over, and mails no second time', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    await rotated(service, refreshToken)
    service.clock.advance(minute)
    expectProblem(await refresh(service, refreshToken), 401, 'refresh_token_reused')
    const { answer, effects } = await observe(service, () => refresh(service, refreshToken))
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects).toEqual(nothing)
    expect(mailsTo(service, email).filter(({ subject }) => subject === subjects.sessionReuse)).toHaveLength(1)
  })

  it('keeps a session alive for 30 days after its last use, and not a moment longer', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    const late = await signIn(service, email)
    service.clock.advance(30 * day - second)
    const successor = await rotated(service, refreshToken)
    service.clock.advance(second)
    const { answer, effects } = await observe(service, () => refresh(service, late.refreshToken))
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects, 'expiry is no theft').toEqual(nothing)
    await rotated(service, successor)
  })

  it('keeps a session alive for 90 days after sign-in at the most, and says how long in refresh_expires_in', async () => {
    const service = startService()
    let { refreshToken } = await signUp(service, email)
    const seconds = []
    for (const days of [29, 29, 2, 29]) {
      service.clock.advance(days * day)
      const tokens = expectOk(await refresh(service, refreshToken))
      seconds.push(tokens.refresh_expires_in)
      const { iat, exp } = decodeJwt(tokens.refresh_token)
      expect(exp! - iat!).toBe(tokens.refresh_expires_in)
      expect(tokens.expires_in).toBe(600)
      refreshToken = tokens.refresh_token
    }
    expect(seconds).toEqual([30 * 86_400, 30 * 86_400, 30 * 86_400, 86_400])
    service.clock.advance(day - second)
    const last = expectOk(await refresh(service, refreshToken))
    expect(last.refresh_expires_in).toBe(1)
    service.clock.advance(second)
    expectProblem(await refresh(service, last.refresh_token), 401, 'invalid_refresh_token')
    expectProblem(await service.call('GET', '/users/me', { token: last.access_token }), 401, 'invalid_token')
  })

  it('refuses whatever is no good refresh token with one code, and does nothing', async () => {
    const service = startService()
    const { tokens } = await tokensThatAreNone(service)
    for (const [name, token] of Object.entries(tokens)) {
      const { answer, effects } = await observe(service, () => refresh(service, token))
      expectProblem(answer, 401, 'invalid_refresh_token')
      expect(effects, name).toEqual(nothing)
    }
  })

  it.each([
    ['a session that was logged out', 'delete from sessions'],
    ['a user that was suspended', "update users set status = 'suspended'"],
    ['a user that is pending', "update users set status = 'pending'"],
    ['a session of a database older than the token', 'update sessions set generation = 0'],
  ])('refuses the token of %s as not good, and takes nobody for a thief', async (_, statement) => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    await write(statement)
    const { answer, effects } = await observe(service, () => refresh(service, refreshToken))
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects).toEqual(nothing)
  })

  it('refuses the token of a session on the revocation list, even if the database still had it', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    await env.REVOCATIONS.put(`session:${sessionOf(refreshToken)}`, '1')
    const { answer, effects } = await observe(service, () => refresh(service, refreshToken))
    expectProblem(answer, 401, 'invalid_refresh_token')
    expect(effects).toEqual(nothing)
  })

  it.each([
    ['nothing', {}],
    ['an empty token', { refresh_token: '' }],
    ['a token in an array', { refresh_token: ['x'] }],
    ['null', { refresh_token: null }],
  ])('refuses %s with 422', async (_, body) => {
    expectInvalid(await startService().call('POST', '/auth/refresh', { body }), '/refresh_token')
  })
})

describe('POST /auth/logout', () => {
  it('ends the session at once and everywhere, and no other session', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const other = await signIn(service, email)
    const session = sessionOf(ada.refreshToken)
    const { answer, effects } = await observe(service, () => logout(service, ada.refreshToken))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-1', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: ada.id, user: ada.id, detail: { session_id: session } }],
      revoked: [session],
      mails: [],
    })
    await expectEnded(service, ada)
    await expectAlive(service, other)
  })

  it('keeps the session on the revocation list for as long as its refresh token could live', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    service.clock.advance(10 * day)
    await logout(service, refreshToken)
    const { keys } = await env.REVOCATIONS.list()
    const seconds = keys[0]!.expiration! - Date.now() / 1000
    expect(keys).toHaveLength(1)
    expect(seconds).toBeGreaterThan(20 * 86_400 - 60)
    expect(seconds).toBeLessThan(20 * 86_400 + 60)
  })

  it('is no failure a second time, and does nothing then', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    await logout(service, refreshToken)
    const { answer, effects } = await observe(service, () => logout(service, refreshToken))
    expectNoContent(answer)
    expect(effects).toEqual(nothing)
  })

  it('answers 204 to whatever is no good refresh token, and ends nothing by it', async () => {
    const service = startService()
    const { tokens } = await tokensThatAreNone(service)
    for (const [name, token] of Object.entries(tokens)) {
      const { answer, effects } = await observe(service, () => logout(service, token))
      expectNoContent(answer)
      expect(effects, name).toEqual(nothing)
    }
  })

  it('answers 204 to a token that has expired', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    service.clock.advance(31 * day)
    const { answer, effects } = await observe(service, () => logout(service, refreshToken))
    expectNoContent(answer)
    expect(effects).toEqual(nothing)
  })

  it('ends the session with a token that was rotated since, too', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const refreshToken = await rotated(service, ada.refreshToken)
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => logout(service, ada.refreshToken))
    expectNoContent(answer)
    expect(effects.events, 'it is no theft').toMatchObject([{ type: 'session.ended' }])
    await expectEnded(service, { ...ada, refreshToken })
  })

  it.each([[{}], [{ refresh_token: '' }], [{ refresh_token: 7 }]])('refuses %j with 422', async (body) => {
    expectInvalid(await startService().call('POST', '/auth/logout', { body }), '/refresh_token')
  })
})

describe('POST /auth/logout-all', () => {
  it('ends every session of the user, lists each, and leaves other users alone', async () => {
    const service = startService()
    const mine = [await signUp(service, email), await signIn(service, email), await signIn(service, email)]
    const eve = await signUp(service, 'eve@example.com')
    const { id, accessToken } = mine[1]!
    const { answer, effects } = await observe(service, () =>
      service.call('POST', '/auth/logout-all', { token: accessToken }),
    )
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-3', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: id, user: id, detail: { sessions: 'all' } }],
      revoked: mine.map((each) => sessionOf(each.accessToken)).toSorted(),
      mails: [],
    })
    for (const session of mine) await expectEnded(service, session)
    await expectAlive(service, eve)
  })
})

describe('GET /auth/verify', () => {
  it('says who holds the token, in headers', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const people = {
      USER: await signUp(service, email),
      MODERATOR: await signUpAs(service, 'MODERATOR', 'mod@example.com', admin),
      ADMIN: admin,
    }
    for (const [role, { id, accessToken }] of Object.entries(people)) {
      const answer = await service.call('GET', '/auth/verify', { token: accessToken })
      expectNoContent(answer)
      const { headers } = answer
      expect(headers.get('X-Auth-User-Id')).toBe(id)
      expect(headers.get('X-Auth-Session-Id')).toBe(sessionOf(accessToken))
      expect(headers.get('X-Auth-Role')).toBe(role)
      expect(headers.get('X-Auth-Scope')).toBe(decodeJwt(accessToken)['scope'])
    }
  })

  it('says nothing of who it refuses', async () => {
    const service = startService()
    const { accessToken, refreshToken } = await signUp(service, email)
    await logout(service, refreshToken)
    const answer = await service.call('GET', '/auth/verify', { token: accessToken })
    expectProblem(answer, 401, 'invalid_token')
    expect([...answer.headers.keys()].filter((name) => name.startsWith('x-auth'))).toEqual([])
  })

  it('refuses a session as soon as it is on the revocation list, and not before: it asks no database', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, email)
    await write('delete from sessions')
    expectNoContent(await service.call('GET', '/auth/verify', { token: accessToken }))
    await env.REVOCATIONS.put(`session:${sessionOf(accessToken)}`, '1')
    expectProblem(await service.call('GET', '/auth/verify', { token: accessToken }), 401, 'invalid_token')
  })
})

describe('GET /users/me/sessions', () => {
  it('lists the sessions that are alive, newest first, with where they come from and which asks', async () => {
    const service = startService()
    const now = () => service.clock.now().toISOString()
    const body = { email, password: (await signUp(service, email)).password }
    await signUp(service, 'eve@example.com')
    const login = (headers: Record<string, string>) => service.call('POST', '/auth/login', { body, headers })
    service.clock.advance(20 * day)
    const at = now()
    const { access_token: token } = expectOk(await login({ 'User-Agent': 'Netscape/4' }))
    service.clock.advance(11 * day)
    const later = expectOk(await login({ 'CF-Connecting-IP': '2001:db8::1' }))
    const { refresh_token } = expectOk(await login({}))
    expectOk(await refresh(service, refresh_token))
    const answer = await service.call('GET', '/users/me/sessions', { token: later.access_token })
    const { sessions } = expectOk(answer)
    expect(sessions).toHaveLength(3)
    const expires = new Date(service.clock.now().getTime() + 30 * day).toISOString()
    const shape = { id: uuidv7, expires_at: instant, country: null, ip: '203.0.113.7', user_agent: null }
    const fresh = { ...shape, created_at: now(), last_used_at: now(), expires_at: expires }
    const inAnyOrder = sessions.slice(0, 2).toSorted((a: { ip: string }, b: { ip: string }) => (a.ip < b.ip ? -1 : 1))
    expect(inAnyOrder).toEqual([
      { ...fresh, ip: '2001:db8::1', current: true, id: sessionOf(later.access_token) },
      { ...fresh, current: false, id: sessionOf(refresh_token) },
    ])
    expect(sessions[2]).toEqual({
      ...shape,
      id: sessionOf(token),
      created_at: at,
      last_used_at: at,
      user_agent: 'Netscape/4',
      current: false,
    })
  })

  it('shows a user agent without control characters and cut to a length that is fit to show', async () => {
    const service = startService()
    const { password } = await signUp(service, email)
    const agents = { odd: `a\u0007b${'c'.repeat(300)}`, 'cut inside a character': `${'d'.repeat(255)}🦊` }
    for (const [name, agent] of Object.entries(agents)) {
      const headers = { 'User-Agent': agent }
      const answer = await service.call('POST', '/auth/login', { body: { email, password }, headers })
      const { sessions } = expectOk(
        await service.call('GET', '/users/me/sessions', { token: expectOk(answer).access_token }),
      )
      const shown = sessions.find(({ current }: { current: boolean }) => current).user_agent
      expect(shown.length, name).toBeLessThanOrEqual(256)
      expect(shown, name).not.toMatch(/[\p{Cc}\p{Cs}\ufffd]/u)
      expect(shown.isWellFormed(), name).toBe(true)
    }
  })
})

describe('DELETE /users/me/sessions/{id}', () => {
  const end = (service: Service, { accessToken }: SignedIn, id: string) =>
    service.call('DELETE', `/users/me/sessions/${id}`, { token: accessToken })

  it('ends that session at once and no other', async () => {
    const service = startService()
    const [ada, phone] = [await signUp(service, email), await signIn(service, email)]
    const session = sessionOf(phone.accessToken)
    const { answer, effects } = await observe(service, () => end(service, ada, session))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-1', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: ada.id, user: ada.id, detail: { session_id: session } }],
      revoked: [session],
      mails: [],
    })
    await expectEnded(service, phone)
    await expectAlive(service, ada)
  })

  it('ends the session that asks, too', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    expectNoContent(await end(service, ada, sessionOf(ada.accessToken)))
    await expectEnded(service, ada)
  })

  it('answers 404 for the session of somebody else, one that ended and one that never was, and ends nothing', async () => {
    const service = startService()
    const [ada, gone] = [await signUp(service, email), await signIn(service, email)]
    const eve = await signUp(service, 'eve@example.com')
    await logout(service, gone.refreshToken)
    const none = ['01936f6e-0000-7000-8000-000000000000', 'x', "'", '%00', '..%2F..%2Fme']
    for (const id of [sessionOf(eve.accessToken), sessionOf(gone.accessToken), ...none]) {
      const { answer, effects } = await observe(service, () => end(service, ada, id))
      expectProblem(answer, 404, 'not_found')
      expect(effects, id).toEqual(nothing)
    }
    await expectAlive(service, eve)
  })
})

describe('DELETE /users/me/sessions', () => {
  it('ends every session but the one that asks', async () => {
    const service = startService()
    const [ada, ...others] = [await signUp(service, email), await signIn(service, email), await signIn(service, email)]
    const eve = await signUp(service, 'eve@example.com')
    const { answer, effects } = await observe(service, () =>
      service.call('DELETE', '/users/me/sessions', { token: ada.accessToken }),
    )
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-2', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: ada.id, user: ada.id, detail: { sessions: 'others' } }],
      revoked: others.map(({ accessToken }) => sessionOf(accessToken)).toSorted(),
      mails: [],
    })
    for (const other of others) await expectEnded(service, other)
    await expectAlive(service, ada)
    await expectAlive(service, eve)
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toHaveLength(1)
    expect(await revokedSessions()).toHaveLength(2)
  })
})
