/** POST /auth/login, and what the tokens say. */
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect } from 'vitest'
import {
  bytesOf,
  expectInvalid,
  expectOk,
  expectProblem,
  sessionOf,
  signInAnswer,
  userObject,
} from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { type Clock, day, hour, second } from '../support/clock.ts'
import { hashesDuring, workDuring } from '../support/password-work.ts'
import { it } from '../support/fixtures.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, revokedSessions, rowOf, rowsOf, write } from '../support/state.ts'
import { readHash } from '../support/stored-hash.ts'

const email = 'ada@example.com'

/** An account that an ADMIN activated when nobody could tell whose password is right: it has none. */
async function accountWithoutPassword(people: People, address: string): Promise<void> {
  await people.register(address, goodPassword)
  await people.register(address, otherPassword)
  const { id } = await rowOf('users', 'email = ?', address)
  await (await people.admin()).activateUser(String(id))
  expect(await rowOf('users', 'email = ?', address)).toMatchObject({ status: 'active', password_hash: null })
}

describe('POST /auth/login', () => {
  it('starts a session, notes it and its time, and mails that it is from a new place', async ({
    service,
    clock,
    anonymous,
    ada,
  }) => {
    clock.advance(hour)
    const now = clock.now()
    const headers = { 'User-Agent': 'Netscape/4', 'CF-Connecting-IP': '198.51.100.9', 'X-Request-Id': 'login-1' }
    const { answer, effects, audit } = await observe(service, () =>
      anonymous.from({ headers }).login({ email, password: goodPassword }),
    )
    const answered = expectOk(answer)
    expect(answered).toEqual(
      signInAnswer(
        userObject({
          email,
          id: ada.id,
          updated_at: '2026-11-22T12:00:00.000Z',
          last_login_at: now.toISOString(),
        }),
      ),
    )
    const session = sessionOf(answered.access_token)
    expect(effects).toEqual({
      ...nothing,
      rows: { users: '~1', sessions: '+1', emails: '+1', audit_events: '+1', user_agents: '+1' },
      events: [{ type: 'user.signed_in', actor: ada.id, user: ada.id, detail: { session_id: session } }],
      mails: [`${email}: New sign-in to your Postern account`],
    })
    expect(audit[0]).toMatchObject({ ip: '198.51.100.9', user_agent: 'Netscape/4', request_id: 'login-1' })
    expect(await rowOf('sessions', 'id = ?', session)).toMatchObject({
      id: session,
      user_id: ada.id,
      generation: 1,
      created_at: now.getTime(),
      last_used_at: now.getTime(),
      expires_at: now.getTime() + 30 * 24 * hour,
      ip: '198.51.100.9',
      country: null,
      user_agent: 'Netscape/4',
    })
  })

  it('gives the same bytes after the same work for a wrong password and an unknown address', async ({
    people,
    anonymous,
    ada,
    admin,
  }) => {
    await people.register('pending@example.com')
    await admin.suspend(await people.signUp('suspended@example.com'))
    await accountWithoutPassword(people, 'no-password@example.com')
    const cases = [
      { address: 'nobody@example.com', password: goodPassword },
      { address: ada.email, password: otherPassword },
      { address: 'pending@example.com', password: otherPassword },
      { address: 'suspended@example.com', password: otherPassword },
      { address: 'no-password@example.com', password: goodPassword },
      { address: 'no-password@example.com', password: otherPassword },
    ]
    const answers: unknown[] = []
    for (const { address, password } of cases) {
      const ask = () => anonymous.from({ headers: { 'X-Request-Id': 'same' } }).login({ email: address, password })
      const work = await hashesDuring(async () => answers.push(bytesOf(await ask().answer)))
      expect(work, address).toBe(1)
    }
    expect(answers[0]).toMatchObject({ status: 401 })
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it.for([
    { what: 'a wrong password', address: email, reason: 'wrong_password' },
    { what: 'an address nobody has', address: 'nobody@example.com', reason: 'unknown_address' },
  ])(
    'refuses $what with 401 and records nothing but the refusal',
    async ({ address, reason }, { service, anonymous, ada }) => {
      const { answer, effects } = await observe(service, () =>
        anonymous.login({ email: address, password: otherPassword }),
      )
      expectProblem(answer, 401, 'invalid_credentials')
      const user = address === email ? ada.id : null
      expect(effects).toEqual({
        ...nothing,
        rows: { audit_events: '+1', attempt_counters: '+1' },
        events: [{ type: 'user.sign_in_refused', actor: null, user, detail: { reason } }],
      })
      await ada.me()
    },
  )

  it('says that the account is pending only to somebody with the password of the newest attempt', async ({
    service,
    clock,
    people,
    anonymous,
  }) => {
    await people.register(email, otherPassword)
    clock.advance(second)
    await people.register(email, goodPassword)
    const { id } = await rowOf('users')
    const { answer, effects } = await observe(service, () => anonymous.login({ email, password: goodPassword }))
    expectProblem(answer, 403, 'account_pending')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1' },
      events: [{ type: 'user.sign_in_refused', actor: null, user: id, detail: { reason: 'pending' } }],
    })
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
  })

  it('says that the account is suspended only to somebody with the password', async ({
    service,
    anonymous,
    ada,
    admin,
  }) => {
    await admin.suspend(ada)
    const { answer, effects } = await observe(service, () => anonymous.login({ email, password: goodPassword }))
    expectProblem(answer, 403, 'account_suspended')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1' },
      events: [{ type: 'user.sign_in_refused', actor: null, user: ada.id, detail: { reason: 'suspended' } }],
    })
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toEqual([])
  })

  it('answers suspended, not pending, for an account that was suspended before its activation', async ({
    people,
    anonymous,
    admin,
  }) => {
    await admin.suspend(await people.pending(email))
    await anonymous.login({ email, password: goodPassword }).refused(403, 'account_suspended')
  })

  it('takes the address however it is spelt, and the password in no other spelling', async ({ people, anonymous }) => {
    const password = `  Nine quiet lanterns drift ${'over the lake '.repeat(7)}`.slice(0, 110) + '!'
    await people.signUp(email, password)
    await anonymous.login({ email: '  ADA@EXAMPLE.com ', password })
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
      await anonymous.login({ email, password: other }).refused(401, 'invalid_credentials')
      // It is not the number of tries that is to be refused.
      await write('delete from attempt_counters')
    }
  })

  it('takes a password whether its letters were typed composed or decomposed', async ({ people, anonymous }) => {
    const password = 'neun stille lämpchen schwärmen'
    await people.signUp(email, password.normalize('NFD'))
    await anonymous.login({ email, password: password.normalize('NFC') })
    await anonymous.login({ email, password: password.normalize('NFD') })
  })

  it('takes a password of 128 composed characters, however they were typed, and no longer one', async ({
    people,
    anonymous,
    ada,
  }) => {
    const letters = Array.from('äöüéèñçåǖ한ệ')
    const composed = Array.from({ length: 128 }, (_, place) => letters[(place * place + 3 * place) % 11]!).join('')
    expect(Array.from(composed.normalize('NFC'))).toHaveLength(128)
    const decomposed = composed.normalize('NFD')
    expect(Array.from(decomposed).length).toBeGreaterThan(200)
    await people.signUp('long@example.com', decomposed)
    for (const typed of [composed, decomposed]) await anonymous.login({ email: 'long@example.com', password: typed })
    await ada.changePassword({ old_password: goodPassword, new_password: decomposed })
    await ada.signIn({ password: composed })
    await anonymous.login({ email, password: `${decomposed}é`.normalize('NFD') }).refused(422, 'validation_failed')
  })

  it('costs the same work for a hash that was made with less, right or wrong, and for an unknown address', async ({
    people,
  }) => {
    await people.signUp(email)
    const today = startService({ platform: { work: { rounds: 3, iterations: 700 } } })
    const works: unknown[] = []
    for (const credentials of [
      { email, password: otherPassword },
      { email: 'nobody@example.com', password: otherPassword },
    ]) {
      const { iterations } = await workDuring(() =>
        new Caller(today).login(credentials).refused(401, 'invalid_credentials'),
      )
      works.push(iterations)
    }
    expect(works).toEqual([2100, 2100])
  })

  it('takes a password of 128 code points of four bytes', async ({ people, anonymous }) => {
    const password = '🦊🐢🌵🎻🚲🪁🧭🍋'.repeat(16)
    await people.signUp(email, password)
    await anonymous.login({ email, password })
    await anonymous.login({ email, password: `${password.slice(0, -2)}🦊` }).refused(401, 'invalid_credentials')
  })

  it('takes a password however old it is: nobody has to change it by a date', async ({
    service,
    clock,
    anonymous,
    ada,
  }) => {
    clock.advance(3653 * day)
    await service.runCron('0 * * * *')
    await anonymous.login({ email: ada.email, password: goodPassword })
  })

  it('finds no account in a new database, whatever name one tries', async ({ anonymous }) => {
    expect(await rowsOf('users')).toEqual([])
    for (const name of ['admin', 'administrator', 'root', 'sa', 'test', 'demo', 'postern', 'user', 'guest']) {
      for (const password of ['admin', 'password', 'changeme', name, goodPassword]) {
        const answer = await anonymous.login({ email: `${name}@example.com`, password }).answer
        expectProblem(answer, 401, 'invalid_credentials')
      }
    }
    expect(await rowsOf('sessions')).toEqual([])
  })

  it('ends the oldest session when a user has more than 50', async ({ service, clock, anonymous, ada }) => {
    const next = await signInLater(clock, ada)
    for (let session = 3; session <= 50; session++) await signInLater(clock, ada)
    expect(await rowsOf('sessions')).toHaveLength(50)
    clock.advance(second)
    const { effects } = await observe(service, () => anonymous.login({ email, password: goodPassword }))
    expect(effects).toMatchObject({
      rows: { sessions: '+1 -1' },
      revoked: [ada.sessionId],
    })
    expect(await rowsOf('sessions', 'id = ?', next.sessionId)).toHaveLength(1)
  })

  function signInLater(clock: Clock, person: Person): Promise<Person> {
    clock.advance(second)
    return person.signIn()
  }

  it('hashes the password again when the work factor has changed, and only then', async ({ service, ada }) => {
    const before = await rowOf('users')
    await ada.signIn()
    expect((await rowOf('users'))['password_hash']).toBe(before['password_hash'])
    const stronger = startService({ platform: { work: { rounds: 2, iterations: 1000 } }, beside: service })
    await ada.at(stronger).signIn()
    expect(readHash(String((await rowOf('users'))['password_hash']))).toMatchObject({ rounds: 2, iterations: 1000 })
    await ada.at(stronger).signIn()
    await ada.signIn()
  })

  it.for([
    { sent: 'nothing', body: {}, pointers: ['/email', '/password'] },
    { sent: 'no address but text', body: { email: 'ada', password: 'x' }, pointers: ['/email'] },
    { sent: 'an empty password', body: { email, password: '' }, pointers: ['/password'] },
    { sent: 'a password of 129 code points', body: { email, password: 'x'.repeat(129) }, pointers: ['/password'] },
    { sent: 'numbers', body: { email: 1, password: 1 }, pointers: ['/email', '/password'] },
    {
      sent: 'a condition instead of a text',
      body: { email: { $ne: null }, password: { $ne: null } },
      pointers: ['/email', '/password'],
    },
  ])('refuses $sent with 422 and records nothing', async ({ body, pointers }, { service, anonymous }) => {
    const { answer, effects } = await observe(service, () => anonymous.call('login', { body }))
    expectInvalid(answer, ...pointers)
    expect(effects).toEqual(nothing)
  })
})

describe('the tokens', () => {
  it('are an access token after RFC 9068 that the published keys verify, good for ten minutes', async ({
    clock,
    anonymous,
    ada,
  }) => {
    const jwks = createLocalJWKSet(await anonymous.getKeys())
    const { payload, protectedHeader } = await jwtVerify(ada.accessToken, jwks, {
      typ: 'at+jwt',
      issuer: 'https://accounts.example.com',
      audience: 'postern',
      currentDate: clock.now(),
    })
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: 'test-signing' })
    const iat = clock.now().getTime() / 1000
    expect(payload).toEqual({
      iss: 'https://accounts.example.com',
      aud: 'postern',
      sub: ada.id,
      sid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_id: 'postern',
      iat,
      exp: iat + 600,
      jti: expect.stringMatching(/\S/),
      role: 'USER',
      scope: '',
      auth_time: iat,
      amr: ['pwd'],
      acr: 'urn:postern:1',
    })
    clock.advance(600 * second - 1)
    await ada.me()
    clock.advance(1)
    await ada.me().refused(401, 'invalid_token')
  })

  it('say in the scope what the role may do', async ({ people, admin }) => {
    const moderator = await people.signUpAs('MODERATOR', 'mod@example.com')
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
      'users:reset-factors',
      'users:reset-password',
      'users:revoke-sessions',
      'users:suspend',
    ])
  })

  it('are never the same twice: each sign-in is a session of its own', async ({ ada }) => {
    const tokens = [ada, await ada.signIn(), await ada.signIn()]
    expect(new Set(tokens.map(({ sessionId }) => sessionId)).size).toBe(3)
    expect(new Set(tokens.map(({ accessToken }) => decodeJwt(accessToken).jti)).size).toBe(3)
    expect(new Set(tokens.map(({ refreshToken }) => refreshToken)).size).toBe(3)
  })

  it('include a refresh token that only the service itself reads', async ({ anonymous, ada }) => {
    expect(decodeProtectedHeader(ada.refreshToken)).toEqual({ alg: 'HS256', typ: 'rt+jwt', kid: 'test-token' })
    expect(decodeJwt(ada.refreshToken)).toMatchObject({
      iss: 'https://accounts.example.com',
      aud: 'https://accounts.example.com',
    })
    const answer = await anonymous.from({ token: ada.refreshToken }).me().answer
    expectProblem(answer, 401, 'invalid_token')
  })

  it('hold nothing about the person but an id', async ({ ada }) => {
    for (const token of [ada.accessToken, ada.refreshToken])
      expect(JSON.stringify(decodeJwt(token))).not.toMatch(/ada@|"ada"/i)
  })

  it('stay good, and no session is ended, when others sign in', async ({ people, ada }) => {
    await people.signUp('eve@example.com')
    await ada.signIn()
    await ada.me()
    expect(await revokedSessions()).toEqual([])
  })

  it('are signed by the first key and verified by all of them, so that a key can be replaced', async ({
    service,
    anonymous,
    ada,
  }) => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const jwk = await crypto.subtle.exportKey('jwk', (pair as CryptoKeyPair).privateKey)
    const [present] = JSON.parse(service.env.SIGNING_KEYS).keys
    const keys = JSON.stringify({ keys: [{ ...(jwk as object), kid: 'new' }, present] })
    const rotated = startService({ env: { SIGNING_KEYS: keys }, beside: service })
    await anonymous.at(rotated).from({ token: ada.accessToken }).me()
    const renewed = await ada.at(rotated).signIn()
    expect(decodeProtectedHeader(renewed.accessToken)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: 'new' })
    await renewed.me()
    await renewed.at(service).me().refused(401, 'invalid_token')
  })

  it('name the role as it is in the database when they are made', async ({ ada }) => {
    await write("update users set role = 'MODERATOR' where id = ?", ada.id)
    const tokens = await ada.refresh()
    expect(decodeJwt(tokens.access_token)['role']).toBe('MODERATOR')
  })
})
