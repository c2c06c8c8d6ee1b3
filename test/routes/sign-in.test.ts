/** POST /auth/login, and what the tokens say. */
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  expectInvalid,
  expectOk,
  expectProblem,
  sessionOf,
  signInAnswer,
  userObject,
} from '../support/answers.ts'
import { day, hour, second } from '../support/clock.ts'
import { hashesDuring } from '../support/password-work.ts'
import {
  type SignedIn,
  goodPassword,
  otherPassword,
  register,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe, revokedSessions, rowOf, rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'

const login = (service: Service, address: string, password: string, headers = {}) =>
  service.call('POST', '/auth/login', { body: { email: address, password }, headers })

async function suspend(service: Service, id: string, by?: SignedIn): Promise<void> {
  const admin = by ?? (await signUpAdmin(service))
  const answer = await service.call('POST', `/users/${id}/suspend`, {
    token: admin.accessToken,
    body: { reason: 'spam' },
  })
  expectOk(answer)
}

/** An account that an ADMIN activated when nobody could tell whose password is right: it has none. */
async function accountWithoutPassword(service: Service, address: string, admin: SignedIn): Promise<void> {
  await register(service, address, goodPassword)
  await register(service, address, otherPassword)
  const { id } = await rowOf('users', 'email = ?', address)
  expectOk(await service.call('POST', `/users/${id}/activate`, { token: admin.accessToken }))
  expect(await rowOf('users', 'email = ?', address)).toMatchObject({ status: 'active', password_hash: null })
}

describe('POST /auth/login', () => {
  it('starts a session, notes it and its time, and mails that it is from a new place', async () => {
    const service = startService()
    const { id } = await signUp(service, email)
    service.clock.advance(hour)
    const now = service.clock.now()
    const headers = { 'User-Agent': 'Netscape/4', 'CF-Connecting-IP': '198.51.100.9', 'X-Request-Id': 'login-1' }
    const { answer, effects, audit } = await observe(service, () => login(service, email, goodPassword, headers))
    const answered = expectOk(answer)
    expect(answered).toEqual(
      signInAnswer(
        userObject({
          email,
          id,
          updated_at: '2026-11-22T12:00:00.000Z',
          last_login_at: now.toISOString(),
        }),
      ),
    )
    const session = sessionOf(answered.access_token)
    expect(effects).toEqual({
      ...nothing,
      rows: { users: '~1', sessions: '+1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.signed_in', actor: id, user: id, detail: { session_id: session } }],
      mails: [`${email}: New sign-in to your Postern account`],
    })
    expect(audit[0]).toMatchObject({ ip: '198.51.100.9', user_agent: 'Netscape/4', request_id: 'login-1' })
    expect(await rowOf('sessions', 'id = ?', session)).toEqual({
      id: session,
      user_id: id,
      generation: 1,
      created_at: now.getTime(),
      last_used_at: now.getTime(),
      expires_at: now.getTime() + 30 * 24 * hour,
      ip: '198.51.100.9',
      country: null,
      user_agent: 'Netscape/4',
    })
  })

  it('gives the same bytes, after the same work, for a wrong password and for an address nobody has', async () => {
    const service = startService()
    await signUp(service, email)
    await register(service, 'pending@example.com')
    const admin = await signUpAdmin(service)
    await suspend(service, (await signUp(service, 'suspended@example.com')).id, admin)
    await accountWithoutPassword(service, 'no-password@example.com', admin)
    const cases = [
      ['nobody@example.com', goodPassword],
      [email, otherPassword],
      ['pending@example.com', otherPassword],
      ['suspended@example.com', otherPassword],
      ['no-password@example.com', goodPassword],
      ['no-password@example.com', otherPassword],
    ] as const
    const answers: unknown[] = []
    for (const [address, password] of cases) {
      const ask = () => login(service, address, password, { 'X-Request-Id': 'same' })
      const work = await hashesDuring(async () => answers.push(bytesOf(await ask())))
      expect(work, address).toBe(1)
    }
    expect(answers[0]).toMatchObject({ status: 401 })
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it.each([
    ['a wrong password', email, 'wrong_password'],
    ['an address nobody has', 'nobody@example.com', 'unknown_address'],
  ])('refuses %s with 401 and records nothing but the refusal', async (_, address, reason) => {
    const service = startService()
    const { id, accessToken } = await signUp(service, email)
    const { answer, effects } = await observe(service, () => login(service, address, otherPassword))
    expectProblem(answer, 401, 'invalid_credentials')
    const user = address === email ? id : null
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [{ type: 'user.sign_in_refused', actor: null, user, detail: { reason } }],
    })
    expectOk(await service.call('GET', '/users/me', { token: accessToken }))
  })

  it('tells who knows the password of the newest attempt, and nobody else, that the account is pending', async () => {
    const service = startService()
    await register(service, email, otherPassword)
    service.clock.advance(second)
    await register(service, email, goodPassword)
    const { id } = await rowOf('users')
    const { answer, effects } = await observe(service, () => login(service, email, goodPassword))
    expectProblem(answer, 403, 'account_pending')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1' },
      events: [{ type: 'user.sign_in_refused', actor: null, user: id, detail: { reason: 'pending' } }],
    })
    expectProblem(await login(service, email, otherPassword), 401, 'invalid_credentials')
  })

  it('tells who knows the password, and nobody else, that the account is suspended', async () => {
    const service = startService()
    const { id } = await signUp(service, email)
    await suspend(service, id)
    const { answer, effects } = await observe(service, () => login(service, email, goodPassword))
    expectProblem(answer, 403, 'account_suspended')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1' },
      events: [{ type: 'user.sign_in_refused', actor: null, user: id, detail: { reason: 'suspended' } }],
    })
    expectProblem(await login(service, email, otherPassword), 401, 'invalid_credentials')
    expect(await rowsOf('sessions', 'user_id = ?', id)).toEqual([])
  })

  it('says suspended, not pending, of an account that was suspended before it was activated', async () => {
    const service = startService()
    await register(service, email)
    await suspend(service, String((await rowOf('users'))['id']))
    expectProblem(await login(service, email, goodPassword), 403, 'account_suspended')
  })

  it('takes the address however it is spelt, and the password in no other spelling', async () => {
    const service = startService()
    const password = `  Nine quiet lanterns drift ${'over the lake '.repeat(7)}`.slice(0, 110) + '!'
    await signUp(service, email, password)
    expectOk(await login(service, '  ADA@EXAMPLE.com ', password))
    const others = [
      password.trim(),
      `${password} `,
      password.slice(0, -1),
      password.slice(0, 72),
      password.toLowerCase(),
      password.toUpperCase(),
      password.replace(' quiet', '\u00a0quiet'),
    ]
    for (const other of others) {
      expectProblem(await login(service, email, other), 401, 'invalid_credentials')
      // It is not the number of tries that is to be refused.
      await write('delete from attempt_counters')
    }
  })

  it('takes a password whether its letters were typed composed or decomposed', async () => {
    const service = startService()
    const password = 'neun stille lämpchen schwärmen'
    await signUp(service, email, password.normalize('NFD'))
    expectOk(await login(service, email, password.normalize('NFC')))
    expectOk(await login(service, email, password.normalize('NFD')))
  })

  it('takes a password of 128 code points of four bytes', async () => {
    const service = startService()
    const password = '🦊🐢🌵🎻🚲🪁🧭🍋'.repeat(16)
    await signUp(service, email, password)
    expectOk(await login(service, email, password))
    expectProblem(await login(service, email, `${password.slice(0, -2)}🦊`), 401, 'invalid_credentials')
  })

  it('takes a password however old it is: nobody has to change it by a date', async () => {
    const service = startService()
    await signUp(service, email)
    service.clock.advance(3653 * day)
    await service.runCron('0 * * * *')
    expectOk(await login(service, email, goodPassword))
  })

  it('finds no account in a new database, whatever name one tries', async () => {
    const service = startService()
    expect(await rowsOf('users')).toEqual([])
    for (const name of ['admin', 'administrator', 'root', 'sa', 'test', 'demo', 'postern', 'user', 'guest']) {
      for (const password of ['admin', 'password', 'changeme', name, goodPassword]) {
        const answer = await login(service, `${name}@example.com`, password)
        expectProblem(answer, 401, 'invalid_credentials')
      }
    }
    expect(await rowsOf('sessions')).toEqual([])
  })

  it('ends the oldest session when a user has more than 50', async () => {
    const service = startService()
    const first = await signUp(service, email)
    const next = await signInLater(service)
    for (let session = 3; session <= 50; session++) await signInLater(service)
    expect(await rowsOf('sessions')).toHaveLength(50)
    service.clock.advance(second)
    const { effects } = await observe(service, () => login(service, email, goodPassword))
    expect(effects).toMatchObject({
      rows: { sessions: '+1 -1' },
      revoked: [sessionOf(first.accessToken)],
    })
    expect(await rowsOf('sessions', 'id = ?', sessionOf(next.accessToken))).toHaveLength(1)
  })

  async function signInLater(service: Service) {
    service.clock.advance(second)
    return signIn(service, email)
  }

  it('hashes the password again when the work factor has changed, and only then', async () => {
    const service = startService()
    await signUp(service, email)
    const before = await rowOf('users')
    await signIn(service, email)
    expect((await rowOf('users'))['password_hash']).toBe(before['password_hash'])
    const stronger = startService({ platform: { work: { rounds: 2, iterations: 1000 } }, beside: service })
    await signIn(stronger, email)
    expect((await rowOf('users'))['password_hash']).toMatch(/^\$pbkdf2-sha256-chain\$v=1\$r=2,i=1000,/)
    await signIn(stronger, email)
    await signIn(service, email)
  })

  it.each([
    ['nothing', {}, ['/email', '/password']],
    ['no address but text', { email: 'ada', password: 'x' }, ['/email']],
    ['an empty password', { email, password: '' }, ['/password']],
    ['a password of 129 code points', { email, password: 'x'.repeat(129) }, ['/password']],
    ['numbers', { email: 1, password: 1 }, ['/email', '/password']],
    ['a condition instead of a text', { email: { $ne: null }, password: { $ne: null } }, ['/email', '/password']],
  ])('refuses %s with 422 and records nothing', async (_, body, pointers) => {
    const service = startService()
    const { answer, effects } = await observe(service, () => service.call('POST', '/auth/login', { body }))
    expectInvalid(answer, ...pointers)
    expect(effects).toEqual(nothing)
  })
})

describe('the tokens', () => {
  it('are an access token after RFC 9068 that the published keys verify, good for ten minutes', async () => {
    const service = startService()
    const { id, accessToken } = await signUp(service, email)
    const jwks = createLocalJWKSet((await service.call('GET', '/.well-known/jwks.json')).json)
    const { payload, protectedHeader } = await jwtVerify(accessToken, jwks, {
      typ: 'at+jwt',
      issuer: 'https://accounts.example.com',
      audience: 'postern',
      currentDate: service.clock.now(),
    })
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: 'test-signing' })
    const iat = service.clock.now().getTime() / 1000
    expect(payload).toEqual({
      iss: 'https://accounts.example.com',
      aud: 'postern',
      sub: id,
      sid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_id: 'postern',
      iat,
      exp: iat + 600,
      jti: expect.stringMatching(/\S/),
      role: 'USER',
      scope: '',
    })
    service.clock.advance(600 * second - 1)
    expectOk(await service.call('GET', '/users/me', { token: accessToken }))
    service.clock.advance(1)
    expectProblem(await service.call('GET', '/users/me', { token: accessToken }), 401, 'invalid_token')
  })

  it('say in the scope what the role may do', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const moderator = await signUpAs(service, 'MODERATOR', 'mod@example.com', admin)
    expect(decodeJwt(moderator.accessToken)).toMatchObject({
      role: 'MODERATOR',
      scope: 'content:manage users:read profiles:moderate users:suspend',
    })
    const { role, scope } = decodeJwt(admin.accessToken)
    expect(role).toBe('ADMIN')
    expect(String(scope).split(' ').toSorted()).toEqual([
      'audit:read',
      'content:manage',
      'emails:manage',
      'emails:read',
      'profiles:moderate',
      'users:activate',
      'users:assign-role',
      'users:delete',
      'users:read',
      'users:reset-password',
      'users:revoke-sessions',
      'users:suspend',
    ])
  })

  it('are never the same twice: each sign-in is a session of its own', async () => {
    const service = startService()
    const tokens = [await signUp(service, email), await signIn(service, email), await signIn(service, email)]
    expect(new Set(tokens.map(({ accessToken }) => sessionOf(accessToken))).size).toBe(3)
    expect(new Set(tokens.map(({ accessToken }) => decodeJwt(accessToken).jti)).size).toBe(3)
    expect(new Set(tokens.map(({ refreshToken }) => refreshToken)).size).toBe(3)
  })

  it('include a refresh token that only the service itself reads', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    expect(decodeProtectedHeader(refreshToken)).toEqual({ alg: 'HS256', typ: 'rt+jwt', kid: 'test-token' })
    expect(decodeJwt(refreshToken)).toMatchObject({
      iss: 'https://accounts.example.com',
      aud: 'https://accounts.example.com',
    })
    const answer = await service.call('GET', '/users/me', { token: refreshToken })
    expectProblem(answer, 401, 'invalid_token')
  })

  it('hold nothing about the person but an id', async () => {
    const service = startService()
    const { accessToken, refreshToken } = await signUp(service, email)
    for (const token of [accessToken, refreshToken]) expect(JSON.stringify(decodeJwt(token))).not.toContain('ada')
  })

  it('stay good, and no session is ended, when others sign in', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    await signUp(service, 'eve@example.com')
    await signIn(service, email)
    expectOk(await service.call('GET', '/users/me', { token: ada.accessToken }))
    expect(await revokedSessions()).toEqual([])
  })

  it('are signed by the first key and verified by all of them, so that a key can be replaced', async () => {
    const service = startService()
    const old = await signUp(service, email)
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const jwk = await crypto.subtle.exportKey('jwk', (pair as CryptoKeyPair).privateKey)
    const [present] = JSON.parse(service.env.SIGNING_KEYS).keys
    const keys = JSON.stringify({ keys: [{ ...(jwk as object), kid: 'new' }, present] })
    const rotated = startService({ env: { SIGNING_KEYS: keys }, beside: service })
    expectOk(await rotated.call('GET', '/users/me', { token: old.accessToken }))
    const { accessToken } = await signIn(rotated, email)
    expect(decodeProtectedHeader(accessToken)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: 'new' })
    expectOk(await rotated.call('GET', '/users/me', { token: accessToken }))
    expectProblem(await service.call('GET', '/users/me', { token: accessToken }), 401, 'invalid_token')
  })

  it('name the role as it is in the database when they are made', async () => {
    const service = startService()
    const { id, refreshToken } = await signUp(service, email)
    await write("update users set role = 'MODERATOR' where id = ?", id)
    const answer = await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
    expect(decodeJwt(expectOk(answer).access_token)['role']).toBe('MODERATOR')
  })
})
