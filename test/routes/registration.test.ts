/** POST /auth/register, /auth/resend-activation, /auth/activate, and the first ADMIN. */
import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  expectInvalid,
  expectOk,
  expectProblem,
  expectWeak,
  sessionOf,
  signInAnswer,
  userObject,
} from '../support/answers.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import { hashesDuring } from '../support/password-work.ts'
import {
  goodPassword,
  mailsTo,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  tokenIn,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, whereIs, write } from '../support/state.ts'

const email = 'ada@example.com'

const registerAs = (service: Service, body: Record<string, unknown>, headers = {}) =>
  service.call('POST', '/auth/register', { body: { email, password: goodPassword, ...body }, headers })

const activate = (service: Service, token: string, password = goodPassword) =>
  service.call('POST', '/auth/activate', { body: { token, password } })

/** One address for each thing an address can be to the service. */
async function addressesOfEveryKind(service: Service) {
  const admin = await signUpAdmin(service)
  await register(service, 'pending@example.com')
  await signUp(service, 'active@example.com')
  const { id } = await signUp(service, 'suspended@example.com')
  const suspension = { token: admin.accessToken, body: { reason: 'spam' } }
  expectOk(await service.call('POST', `/users/${id}/suspend`, suspension))
  await service.deliver()
  return ['new@example.com', 'pending@example.com', 'active@example.com', 'suspended@example.com'] as const
}

describe('POST /auth/register', () => {
  it('keeps the attempt, records it and mails a link, and makes a user without anything of it', async () => {
    const service = startService()
    const { answer, effects, audit } = await observe(service, () =>
      registerAs(service, { first_name: ' Ada ', last_name: 'Lovelace', locale: 'en-GB' }),
    )
    expect(answer.status).toBe(202)
    expect(answer.json).toEqual({ message: expect.stringMatching(/mail/) })
    const user = await rowOf('users')
    expect(effects).toEqual({
      rows: { users: '+1', registrations: '+1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.registered', actor: null, user: user['id'], detail: null }],
      revoked: [],
      mails: [`${email}: ${subjects.activation}`],
    })
    const noProfile = { first_name: null, last_name: null, locale: null, avatar_url: null, bio: null }
    const noTimes = { activated_at: null, last_login_at: null }
    expect(user).toMatchObject({
      email,
      role: 'USER',
      status: 'pending',
      password_hash: null,
      ...noProfile,
      ...noTimes,
    })
    expect(await rowOf('registrations')).toMatchObject({
      email,
      first_name: 'Ada',
      last_name: 'Lovelace',
      locale: 'en-GB',
      password_hash: expect.stringMatching(/^\$pbkdf2-sha256-chain\$/),
    })
    expect(audit[0]).toMatchObject({
      at: service.clock.now().getTime(),
      ip: '203.0.113.7',
      request_id: answer.headers.get('X-Request-Id'),
    })
    expect(await whereIs(goodPassword)).toEqual([])
    expect(await whereIs('eyJ'), 'no token is kept').toEqual([])
  })

  it('mails a link of the configured origin with the token in the fragment, and nothing of what was registered', async () => {
    const service = startService()
    await registerAs(service, { first_name: 'Visit evil.example', last_name: 'Lovelace' })
    await service.deliver()
    const { text, html } = newestMail(service, email)
    expect(text).toMatch(/https:\/\/accounts\.example\.com\/activate#token=[\w-]+\.[\w-]+\.[\w-]+\s/)
    for (const part of [text, html]) {
      expect(part).not.toContain('evil')
      expect(part).not.toContain('Lovelace')
      expect(part).not.toContain(goodPassword)
    }
  })

  it('answers the same bytes for a new, a pending, an active and a suspended address, after the same work', async () => {
    const service = startService()
    const answers: unknown[] = []
    const work: number[] = []
    for (const address of await addressesOfEveryKind(service)) {
      const ask = () => registerAs(service, { email: address }, { 'X-Request-Id': 'same' })
      work.push(await hashesDuring(async () => answers.push(bytesOf(await ask()))))
    }
    expect(answers[0]).toMatchObject({ status: 202 })
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(work).toEqual([1, 1, 1, 1])
  })

  it.each([
    ['new', subjects.activation, { users: '+1', registrations: '+1', emails: '+1', audit_events: '+1' }],
    ['pending', subjects.activation, { registrations: '+1', emails: '+1', audit_events: '+1' }],
    ['active', subjects.accountExists, { emails: '+1', audit_events: '+1' }],
    ['suspended', subjects.accountExists, { emails: '+1', audit_events: '+1' }],
  ] as const)('mails to a %s address what is right for it: “%s”', async (kind, subject, rows) => {
    const service = startService()
    await addressesOfEveryKind(service)
    const address = `${kind}@example.com`
    const { effects } = await observe(service, () =>
      registerAs(service, { email: address, password: otherPassword, first_name: 'Mallory' }),
    )
    const { id } = await rowOf('users', 'email = ?', address)
    expect(effects).toEqual({
      rows,
      events: [{ type: 'user.registered', actor: null, user: id, detail: null }],
      revoked: [],
      mails: [`${address}: ${subject}`],
    })
  })

  it('leaves a taken account as it was: password, names and sessions', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, email)
    const before = await rowOf('users')
    await registerAs(service, { password: otherPassword, first_name: 'Mallory', locale: 'de' })
    await service.deliver()
    expect(await rowOf('users')).toEqual(before)
    expectOk(await service.call('GET', '/users/me', { token: accessToken }))
    await signIn(service, email, goodPassword)
    expectProblem(
      await service.call('POST', '/auth/login', { body: { email, password: otherPassword } }),
      401,
      'invalid_credentials',
    )
    expect(newestMail(service, email).text).not.toContain('#token=')
  })

  it.each([
    ['  ADA@Example.COM\n', 'ada@example.com'],
    ['ada@BÜCHER.example', 'ada@xn--bcher-kva.example'],
    ['ada@xn--bcher-kva.example', 'ada@xn--bcher-kva.example'],
    ["o'brien+tag@sub.example.com", "o'brien+tag@sub.example.com"],
  ])('keeps the address %j as %s', async (input, kept) => {
    const service = startService()
    expect((await registerAs(service, { email: input })).status).toBe(202)
    await service.deliver()
    expect(await rowsOf('users')).toMatchObject([{ email: kept }])
    expect(service.mailbox.mails()).toMatchObject([{ to: [kept] }])
  })

  it('takes null for what a person does not say, as the user object has it', async () => {
    const service = startService()
    const nobody = { first_name: null, last_name: null, locale: null }
    expect((await registerAs(service, nobody)).status).toBe(202)
    expect(await rowOf('registrations')).toMatchObject(nobody)
  })

  it.each([
    ['no body members', { email: undefined, password: undefined }, ['/email', '/password']],
    ['an address that is none', { email: 'ada' }, ['/email']],
    ['two addresses', { email: 'ada@example.com, eve@example.com' }, ['/email']],
    ['two addresses without a comma', { email: 'ada@example.com eve@example.com' }, ['/email']],
    ['an address with a header in it', { email: 'ada@example.com\r\nBcc: eve@example.com' }, ['/email']],
    ['an address in angle brackets', { email: 'Ada <ada@example.com>' }, ['/email']],
    ['a quoted local part', { email: '"ada"@example.com' }, ['/email']],
    ['a local part that is not ASCII', { email: 'adä@example.com' }, ['/email']],
    ['a local part that is ASCII in lower case alone', { email: '\u212aate@example.com' }, ['/email']],
    ['an address at an IP literal', { email: 'ada@[127.0.0.1]' }, ['/email']],
    ['an address without a dot in its domain', { email: 'ada@localhost' }, ['/email']],
    ['a local part of 65 characters', { email: `${'a'.repeat(65)}@example.com` }, ['/email']],
    ['an address of 255 characters', { email: addressOfLength(255) }, ['/email']],
    ['an address in an array', { email: ['ada@example.com'] }, ['/email']],
    ['a NUL in the address', { email: 'ada\0@example.com' }, ['/email']],
    ['a password of 129 code points', { password: '🦊'.repeat(129) }, ['/password']],
    ['a NUL in the password', { password: 'nine quiet\0 lanterns drift' }, ['/password']],
    ['a lone surrogate in the password', { password: 'nine quiet \ud83d lanterns' }, ['/password']],
    ['a password that is a number', { password: 123456789012 }, ['/password']],
    ['an empty first name', { first_name: ' ' }, ['/first_name']],
    ['a first name of 101 code points', { first_name: '🦊'.repeat(101) }, ['/first_name']],
    ['a last name of two lines', { last_name: 'Love\nlace' }, ['/last_name']],
    ['a locale that is none', { locale: 'en_GB' }, ['/locale']],
    ['a locale of 36 characters', { locale: 'en-x-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaa' }, ['/locale']],
    ['several things at once', { email: '', last_name: '', locale: 7 }, ['/email', '/last_name', '/locale']],
  ])('refuses %s with 422 and does nothing', async (_, body, pointers) => {
    const service = startService()
    const { answer, effects } = await observe(service, () => registerAs(service, body))
    expectInvalid(answer, ...pointers)
    expect(effects).toEqual(nothing)
  })

  it.each([
    ['the longest address, 254 characters', { email: addressOfLength(254) }],
    ['8 code points that are hard to guess', { password: '🦊🐢🌵🎻🚲🪁🧭🍋' }],
    ['128 code points, 512 bytes', { password: '🦊🐢🌵🎻🚲🪁🧭🍋'.repeat(16) }],
    ['words in lower case alone', { password: 'correct weather under bridges' }],
    ['another script', { password: 'тихий фонарь плывёт по реке' }],
    ['spaces around the password', { password: '  nine quiet lanterns  ' }],
    ['names of 100 code points', { first_name: '🦊'.repeat(100), last_name: 'ü'.repeat(100) }],
  ])('takes %s', async (_, body) => {
    const service = startService()
    expect((await registerAs(service, body)).status).toBe(202)
    expect(await rowsOf('registrations')).toHaveLength(1)
  })

  it.each<[string, string, Record<string, string>?]>([
    ['no password at all', ''],
    ['7 code points, however many bytes', '🦊🐢🌵🎻🚲🪁🧭'],
    ['a top password', 'password123'],
    ['a keyboard walk', 'qwertyuiop12'],
    ['a repeated word', 'abcabcabcabcabc'],
    ['the own address', 'ada@example.com'],
    ['the local part with a year', 'grace.hopper1906', { email: 'grace.hopper@example.com' }],
    ['the own names', 'AdaLovelace', { first_name: 'Ada', last_name: 'Lovelace' }],
    ['the name of the product', 'postern2026'],
  ])('refuses a weak password, %s, says what to do and does nothing', async (_, password, more = {}) => {
    const service = startService()
    const { answer, effects } = await observe(service, () => registerAs(service, { password, ...more }))
    expectWeak(answer, '/password')
    expect(effects).toEqual(nothing)
  })

  it('takes a password whatever comes after its 32nd code point, which is not judged', async () => {
    const service = startService()
    expect((await registerAs(service, { password: goodPassword + 'a'.repeat(100) })).status).toBe(202)
    expectWeak(await registerAs(service, { password: 'a'.repeat(32) + goodPassword }), '/password')
  })

  it('asks for as many characters as the operator says', async () => {
    const service = startService({ env: { PASSWORD_MIN_LENGTH: '20' } })
    const answer = await registerAs(service, { password: 'k7#Vq9!mZ2$wR5&xT8' })
    expectWeak(answer, '/password')
    expect(answer.json.errors[0].message).toContain('20')
  })

  it('ignores what a client has no say in', async () => {
    const service = startService()
    const forged = {
      id: '01936f6e-0000-7000-8000-000000000000',
      role: 'ADMIN',
      status: 'active',
      password_hash: 'x',
      activated_at: '2020-01-01T00:00:00.000Z',
      email_verified: true,
      isAdmin: true,
    }
    const token = await (async () => {
      await registerAs(service, forged)
      await service.deliver()
      return tokenIn(newestMail(service, email))
    })()
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'pending', activated_at: null })
    const { user } = expectOk(await activate(service, token))
    expect(user).toMatchObject({ role: 'USER', status: 'active' })
    expect(user.id).not.toBe(forged.id)
  })
})

describe('POST /auth/resend-activation', () => {
  const resend = (service: Service, address: string, headers = {}) =>
    service.call('POST', '/auth/resend-activation', { body: { email: address }, headers })

  it('mails another link to a pending address, which leads to its newest attempt', async () => {
    const service = startService()
    const older = await register(service, email, goodPassword)
    service.clock.advance(second)
    await register(service, email, otherPassword)
    service.clock.advance(second)
    const { answer, effects } = await observe(service, () => resend(service, ' Ada@example.com '))
    expect(answer.status).toBe(202)
    expect(answer.json).toEqual({ message: expect.any(String) })
    expect(effects).toEqual({
      rows: { emails: '+1' },
      events: [],
      revoked: [],
      mails: [`${email}: ${subjects.activation}`],
    })
    const { id } = await rowOf('users')
    expect(await rowsOf('audit_events', "type = 'user.activation_requested'")).toMatchObject([
      { user_id: id, actor_id: null, ip: '203.0.113.7', request_id: answer.headers.get('X-Request-Id') },
    ])
    const newest = tokenIn(newestMail(service, email))
    expectProblem(await activate(service, newest, goodPassword), 401, 'invalid_credentials')
    expectProblem(await activate(service, older, otherPassword), 401, 'invalid_credentials')
    expectOk(await activate(service, newest, otherPassword))
  })

  it('leaves the links mailed before good', async () => {
    const service = startService()
    const first = await register(service, email)
    await resend(service, email)
    await service.deliver()
    expectOk(await activate(service, first))
  })

  it('answers the same bytes whoever asks, and mails nobody but who waits to be activated', async () => {
    const service = startService()
    const answers = []
    for (const address of await addressesOfEveryKind(service)) {
      const { answer, effects } = await observe(service, () => resend(service, address, { 'X-Request-Id': 'same' }))
      answers.push(bytesOf(answer))
      const isPending = address === 'pending@example.com'
      expect(effects).toEqual({
        ...nothing,
        rows: { emails: '+1' },
        mails: isPending ? [`${address}: ${subjects.activation}`] : [],
      })
    }
    expect(answers[0]!.status).toBe(202)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(await rowsOf('users'), 'asking makes no user').toHaveLength(4)
  })

  it.each([
    ['no address', {}],
    ['no address but text', { email: 'ada' }],
    ['a number', { email: 7 }],
  ])('refuses %s with 422 and does nothing', async (_, body) => {
    const service = startService()
    const { answer, effects } = await observe(service, () => service.call('POST', '/auth/resend-activation', { body }))
    expectInvalid(answer, '/email')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /auth/activate', () => {
  it('signs in, makes the attempt the account, forgets the attempt and the link, and mails a notice', async () => {
    const service = startService()
    await registerAs(service, { first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' })
    await service.deliver()
    const token = tokenIn(newestMail(service, email))
    service.clock.advance(minute)
    const now = service.clock.now().toISOString()
    const { answer, effects } = await observe(service, () => activate(service, token))
    const { user, access_token, ...rest } = expectOk(answer)
    expect({ user, access_token, ...rest }).toEqual(
      signInAnswer(
        userObject({
          email,
          first_name: 'Ada',
          last_name: 'Lovelace',
          locale: 'en-GB',
          created_at: '2026-11-22T12:00:00.000Z',
          updated_at: now,
          activated_at: now,
          last_login_at: now,
        }),
      ),
    )
    const session = sessionOf(access_token)
    expect(effects).toEqual({
      rows: {
        users: '~1',
        sessions: '+1',
        registrations: '-1',
        one_time_links: '-1',
        emails: '+1',
        audit_events: '+1',
      },
      events: [{ type: 'user.activated', actor: user.id, user: user.id, detail: { session_id: session } }],
      revoked: [],
      mails: [`${email}: ${subjects.accountActivated}`],
    })
    expect(await rowOf('sessions')).toMatchObject({ id: session, user_id: user.id, ip: '203.0.113.7' })
    expectOk(await service.call('GET', '/users/me', { token: access_token }))
    await signIn(service, email)
  })

  it('refuses another password with 401, and the link stays good', async () => {
    const service = startService()
    const token = await register(service, email)
    const { answer, effects } = await observe(service, () => activate(service, token, otherPassword))
    expectProblem(answer, 401, 'invalid_credentials')
    const { id } = await rowOf('users')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [{ type: 'user.activation_refused', actor: null, user: id, detail: { reason: 'wrong_password' } }],
    })
    expectOk(await activate(service, token))
  })

  it('takes a link until 24 hours after it was made, and not at that moment', async () => {
    const service = startService()
    const [early, late] = [await register(service, email), await register(service, 'eve@example.com')]
    service.clock.advance(day - second)
    expectOk(await activate(service, early))
    service.clock.advance(second)
    const { answer, effects } = await observe(service, () => activate(service, late))
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
    expect(await rowOf('users', "email = 'eve@example.com'")).toMatchObject({ status: 'pending' })
  })

  it('counts the 24 hours from the mail, not from the registration', async () => {
    const service = startService()
    await registerAs(service, {})
    service.clock.advance(2 * hour)
    await service.deliver()
    service.clock.advance(23 * hour)
    expectOk(await activate(service, tokenIn(newestMail(service, email))))
  })

  it('gives one answer for a link that is used, unknown, forged, broken or of another kind, and does nothing', async () => {
    const service = startService()
    const used = await register(service, email)
    const { refresh_token, access_token } = expectOk(await activate(service, used))
    const pending = await register(service, 'eve@example.com')
    const reset = await resetToken(service, 'eve@example.com')
    const [header, payload, signature] = pending.split('.')
    const unknown = await register(service, 'gone@example.com')
    await write("delete from one_time_links where user_id in (select id from users where email = 'gone@example.com')")
    const tokens = {
      used,
      reset,
      refresh_token,
      access_token,
      unknown,
      'no token': 'x',
      truncated: `${header}.${payload}.${signature!.slice(0, -4)}`,
      'without a signature': `${header}.${payload}.`,
      'alg none': `${btoa('{"alg":"none","typ":"activation+jwt"}').replaceAll('=', '')}.${payload}.`,
      'of 10 kB': 'a'.repeat(10_000),
    }
    const answers = []
    for (const [name, token] of Object.entries(tokens)) {
      const { answer, effects } = await observe(service, () =>
        service.call('POST', '/auth/activate', {
          body: { token, password: goodPassword },
          headers: { 'X-Request-Id': 'same' },
        }),
      )
      expectProblem(answer, 400, 'invalid_link')
      expect(effects, name).toEqual(nothing)
      answers.push(bytesOf(answer))
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expectOk(await activate(service, pending))
  })

  it('refuses a link made under another key, issuer or by a service elsewhere', async () => {
    const service = startService()
    const token = await register(service, email)
    const elsewhere = startService({ env: { PUBLIC_URL: 'https://other.example.com' }, beside: service })
    expectProblem(await activate(elsewhere, token), 400, 'invalid_link')
    const key = { kty: 'oct', kid: 'test-token', k: btoa('x'.repeat(32)).replaceAll('=', '') }
    const rekeyed = startService({ env: { TOKEN_KEYS: JSON.stringify({ keys: [key] }) }, beside: service })
    expectProblem(await activate(rekeyed, token), 400, 'invalid_link')
    expectOk(await activate(service, token))
  })

  it('is nothing that following the link does: GET consumes nothing', async () => {
    const service = startService()
    const token = await register(service, email)
    const answer = await service.call('GET', `/auth/activate?token=${token}`)
    expectProblem(answer, 405, 'method_not_allowed')
    expectOk(await activate(service, token))
  })

  it.each([
    ['nothing', {}, ['/token', '/password']],
    ['no password', { token: 'x' }, ['/password']],
    ['an empty token', { token: '', password: 'x' }, ['/token']],
    ['an empty password', { token: 'x', password: '' }, ['/password']],
    ['arrays', { token: ['x'], password: ['x'] }, ['/token', '/password']],
  ])('refuses %s with 422', async (_, body, pointers) => {
    expectInvalid(await startService().call('POST', '/auth/activate', { body }), ...pointers)
  })
})

describe('somebody who registers the address of somebody else first', () => {
  const attacker = { password: 'mallory waits behind hedges', first_name: 'Mallory', locale: 'de' }

  async function bothRegister(service: Service) {
    await registerAs(service, attacker)
    await service.deliver()
    const first = tokenIn(newestMail(service, email))
    service.clock.advance(minute)
    await registerAs(service, { first_name: 'Ada' })
    await service.deliver()
    return { first, second: tokenIn(newestMail(service, email)) }
  }

  it('gains nothing by either link: each works with the password of its own attempt alone', async () => {
    const service = startService()
    const { first, second } = await bothRegister(service)
    expectProblem(await activate(service, first, goodPassword), 401, 'invalid_credentials')
    expectProblem(await activate(service, second, attacker.password), 401, 'invalid_credentials')
    expect(await rowsOf('sessions')).toEqual([])
    expect(await rowOf('users')).toMatchObject({ status: 'pending' })
  })

  it('has a dead password and a dead link once the owner has activated', async () => {
    const service = startService()
    const { first, second } = await bothRegister(service)
    const { user } = expectOk(await activate(service, second))
    expect(user).toMatchObject({ first_name: 'Ada', locale: null })
    const { answer, effects } = await observe(service, () => activate(service, first, attacker.password))
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
    const login = await service.call('POST', '/auth/login', { body: { email, password: attacker.password } })
    expectProblem(login, 401, 'invalid_credentials')
    expect(await rowsOf('registrations')).toEqual([])
    expect(await rowsOf('one_time_links')).toEqual([])
    await signIn(service, email)
  })

  it('gains nothing either when the mail of the later attempt arrives after the activation', async () => {
    const service = startService()
    const token = await register(service, email)
    await registerAs(service, attacker)
    expectOk(await activate(service, token))
    await service.deliver()
    expect(newestMail(service, email).subject).toBe(subjects.accountActivated)
    expect(mailsTo(service, email).map(({ subject }) => subject)).toContain(subjects.accountExists)
    expect(mailsTo(service, email).filter(({ text }) => text?.includes('#token='))).toHaveLength(1)
  })

  it('can also come second: the owner’s first link still leads to the owner’s password', async () => {
    const service = startService()
    const first = await register(service, email)
    service.clock.advance(minute)
    await registerAs(service, attacker)
    await service.deliver()
    const { user } = expectOk(await activate(service, first))
    expect(user).toMatchObject({ first_name: null, locale: null })
  })
})

describe('the first ADMIN', () => {
  const admin = 'admin@example.com'

  it('is the account with the bootstrap address, from its activation on, in the tokens too', async () => {
    const service = startService()
    const token = await register(service, admin)
    const { answer, effects } = await observe(service, () => activate(service, token))
    const { user, access_token } = expectOk(answer)
    expect(user).toMatchObject({ role: 'ADMIN', status: 'active' })
    expect(effects.events).toEqual([
      { type: 'user.activated', actor: user.id, user: user.id, detail: { session_id: sessionOf(access_token) } },
      { type: 'user.role_changed', actor: user.id, user: user.id, detail: { role: 'ADMIN', bootstrap: true } },
    ])
    expect(effects.mails).toEqual([`${admin}: ${subjects.accountActivated}`])
    const verified = await service.call('GET', '/auth/verify', { token: access_token })
    expect(verified.headers.get('X-Auth-Role')).toBe('ADMIN')
    expectOk(await service.call('GET', '/users', { token: access_token }))
  })

  it('is made at a sign-in too, when the variable was set later', async () => {
    const before = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: '' } })
    const { id } = await signUp(before, admin)
    expect(await rowOf('users')).toMatchObject({ role: 'USER' })
    const service = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: ' Admin@Example.com ' }, beside: before })
    const { answer, effects } = await observe(service, () =>
      service.call('POST', '/auth/login', { body: { email: admin, password: goodPassword } }),
    )
    expect(expectOk(answer).user).toMatchObject({ id, role: 'ADMIN' })
    expect(effects.rows).toEqual({ users: '~1', sessions: '+1', audit_events: '+2' })
    expect(effects.events).toMatchObject([
      { type: 'user.role_changed', actor: id, user: id, detail: { role: 'ADMIN', bootstrap: true } },
      { type: 'user.signed_in' },
    ])
  })

  it('is nobody who only registered the address, or typed a wrong password', async () => {
    const service = startService()
    const token = await register(service, admin)
    expectProblem(await activate(service, token, otherPassword), 401, 'invalid_credentials')
    await service.call('POST', '/auth/login', { body: { email: admin, password: goodPassword } })
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'pending' })
  })

  it('is nobody while there is an active ADMIN', async () => {
    const service = startService()
    await signUpAdmin(service)
    const later = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: email }, beside: service })
    const { id } = await signUp(later, email)
    const { answer, effects } = await observe(later, () =>
      later.call('POST', '/auth/login', { body: { email, password: goodPassword } }),
    )
    expect(expectOk(answer).user).toMatchObject({ id, role: 'USER' })
    expect(effects.events).toMatchObject([{ type: 'user.signed_in' }])
  })

  it('is made again when no ADMIN is active any more', async () => {
    const service = startService()
    await signUpAdmin(service)
    await signUp(service, email)
    await write("update users set status = 'suspended' where email = ?", admin)
    const later = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: email }, beside: service })
    await signIn(later, email)
    expect(await rowOf('users', 'email = ?', email)).toMatchObject({ role: 'ADMIN' })
  })

  it('is not made again at every sign-in', async () => {
    const service = startService()
    await signUpAdmin(service)
    const { effects } = await observe(service, () =>
      service.call('POST', '/auth/login', { body: { email: admin, password: goodPassword } }),
    )
    expect(effects.events.map(({ type }) => type)).toEqual(['user.signed_in'])
  })

  it('is nobody else, and nobody at all without the variable', async () => {
    const service = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: '' } })
    for (const address of [admin, email]) {
      const { accessToken } = await signUp(service, address)
      expectProblem(await service.call('GET', '/users', { token: accessToken }), 403, 'insufficient_permission')
    }
    expect(await rowsOf('users', "role <> 'USER'")).toEqual([])
  })
})

/** An address of that many characters, in labels no longer than a domain allows. */
function addressOfLength(length: number): string {
  const rest = length - '@example.com'.length - 64
  const labels = `${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(rest - 64 - 64 - 1)}`
  return `${'a'.repeat(64)}@${labels}.example.com`
}
