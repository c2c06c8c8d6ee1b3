/** POST /auth/register, /auth/resend-activation, /auth/activate, and the first ADMIN. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
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
import { Caller } from '../support/caller.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import { hashesDuring } from '../support/password-work.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { type People, peopleOf } from '../support/population.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, whereIs, write } from '../support/state.ts'

const email = 'ada@example.com'

/** A registration that would be taken, with other or more members. */
const registration = (more: object = {}) => ({ email, password: goodPassword, ...more })

/** One address for each thing an address can be to the service. */
async function addressesOfEveryKind(people: People) {
  await people.register('pending@example.com')
  await people.signUp('active@example.com')
  await (await people.admin()).suspend(await people.signUp('suspended@example.com'))
  return ['new@example.com', 'pending@example.com', 'active@example.com', 'suspended@example.com'] as const
}

describe('POST /auth/register', () => {
  it('keeps the attempt, records it and mails a link, and makes a user without anything of it', async ({
    service,
    clock,
    anonymous,
  }) => {
    const { answer, effects, audit } = await observe(service, () =>
      anonymous.call('register', {
        body: registration({ first_name: ' Ada ', last_name: 'Lovelace', locale: 'en-GB' }),
      }),
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
      password_hash: expect.stringMatching(/^01[0-9a-f]{100,}$/),
    })
    expect(audit[0]).toMatchObject({
      at: clock.now().getTime(),
      ip: '203.0.113.7',
      request_id: answer.headers.get('X-Request-Id'),
    })
    expect(await whereIs(goodPassword)).toEqual([])
    expect(await whereIs('eyJ'), 'no token is kept').toEqual([])
  })

  it('mails a link of the configured origin with the token in the fragment, and no registered data', async ({
    service,
    inbox,
    anonymous,
  }) => {
    await anonymous.call('register', {
      body: registration({ first_name: 'Visit evil.example', last_name: 'Lovelace' }),
    }).answer
    await service.deliver()
    const { text, html } = inbox.newest(email)
    expect(text).toMatch(/https:\/\/accounts\.example\.com\/activate#token=[\w-]+\.[\w-]+\.[\w-]+\s/)
    for (const part of [text, html]) {
      expect(part).not.toContain('evil')
      expect(part).not.toContain('Lovelace')
      expect(part).not.toContain(goodPassword)
    }
  })

  it('answers the same bytes for a new, a pending, an active and a suspended address, after the same work', async ({
    people,
    anonymous,
  }) => {
    const answers: unknown[] = []
    const work: number[] = []
    for (const address of await addressesOfEveryKind(people)) {
      const ask = () =>
        anonymous
          .from({ headers: { 'X-Request-Id': 'same' } })
          .call('register', { body: registration({ email: address }) })
      work.push(await hashesDuring(async () => answers.push(bytesOf(await ask().answer))))
    }
    expect(answers[0]).toMatchObject({ status: 202 })
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(work).toEqual([1, 1, 1, 1])
  })

  it.for([
    {
      kind: 'new',
      subject: subjects.activation,
      rows: { users: '+1', registrations: '+1', emails: '+1', audit_events: '+1' },
    },
    { kind: 'pending', subject: subjects.activation, rows: { registrations: '+1', emails: '+1', audit_events: '+1' } },
    { kind: 'active', subject: subjects.accountExists, rows: { emails: '+1', audit_events: '+1' } },
    { kind: 'suspended', subject: subjects.accountExists, rows: { emails: '+1', audit_events: '+1' } },
  ])(
    'mails to a $kind address what is right for it: “$subject”',
    async ({ kind, subject, rows }, { service, people, anonymous }) => {
      await addressesOfEveryKind(people)
      const address = `${kind}@example.com`
      const { effects } = await observe(service, () =>
        anonymous.call('register', {
          body: registration({ email: address, password: otherPassword, first_name: 'Mallory' }),
        }),
      )
      const { id } = await rowOf('users', 'email = ?', address)
      expect(effects).toEqual({
        rows,
        events: [{ type: 'user.registered', actor: null, user: id, detail: null }],
        revoked: [],
        mails: [`${address}: ${subject}`],
      })
    },
  )

  it('leaves a taken account as it was: password, names and sessions', async ({
    service,
    inbox,
    people,
    anonymous,
    ada,
  }) => {
    const before = await rowOf('users')
    await anonymous.call('register', {
      body: registration({ password: otherPassword, first_name: 'Mallory', locale: 'de' }),
    }).answer
    await service.deliver()
    expect(await rowOf('users')).toEqual(before)
    await ada.me()
    await people.signIn(email, goodPassword)
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    expect(inbox.newest(email).text).not.toContain('#token=')
  })

  it.for([
    { input: '  ADA@Example.COM\n', kept: 'ada@example.com' },
    { input: 'ada@BÜCHER.example', kept: 'ada@xn--bcher-kva.example' },
    { input: 'ada@xn--bcher-kva.example', kept: 'ada@xn--bcher-kva.example' },
    { input: "o'brien+tag@sub.example.com", kept: "o'brien+tag@sub.example.com" },
  ])('keeps the address $input as $kept', async ({ input, kept }, { service, anonymous }) => {
    await anonymous.register(registration({ email: input }))
    await service.deliver()
    expect(await rowsOf('users')).toMatchObject([{ email: kept }])
    expect(service.mailbox.mails()).toMatchObject([{ to: [kept] }])
  })

  it('takes null for what a person does not say, as the user object has it', async ({ anonymous }) => {
    const nobody = { first_name: null, last_name: null, locale: null }
    await anonymous.register(registration(nobody))
    expect(await rowOf('registrations')).toMatchObject(nobody)
  })

  it.for([
    { sent: 'no body members', body: { email: undefined, password: undefined }, pointers: ['/email', '/password'] },
    { sent: 'an address that is none', body: { email: 'ada' }, pointers: ['/email'] },
    { sent: 'two addresses', body: { email: 'ada@example.com, eve@example.com' }, pointers: ['/email'] },
    { sent: 'two addresses without a comma', body: { email: 'ada@example.com eve@example.com' }, pointers: ['/email'] },
    {
      sent: 'an address with a header in it',
      body: { email: 'ada@example.com\r\nBcc: eve@example.com' },
      pointers: ['/email'],
    },
    { sent: 'an address in angle brackets', body: { email: 'Ada <ada@example.com>' }, pointers: ['/email'] },
    { sent: 'a quoted local part', body: { email: '"ada"@example.com' }, pointers: ['/email'] },
    { sent: 'a local part that is not ASCII', body: { email: 'adä@example.com' }, pointers: ['/email'] },
    {
      sent: 'a local part that is ASCII in lower case alone',
      body: { email: '\u212aate@example.com' },
      pointers: ['/email'],
    },
    { sent: 'an address at an IP literal', body: { email: 'ada@[127.0.0.1]' }, pointers: ['/email'] },
    { sent: 'an address without a dot in its domain', body: { email: 'ada@localhost' }, pointers: ['/email'] },
    { sent: 'a local part of 65 characters', body: { email: `${'a'.repeat(65)}@example.com` }, pointers: ['/email'] },
    { sent: 'an address of 255 characters', body: { email: addressOfLength(255) }, pointers: ['/email'] },
    { sent: 'an address in an array', body: { email: ['ada@example.com'] }, pointers: ['/email'] },
    { sent: 'a NUL in the address', body: { email: 'ada\0@example.com' }, pointers: ['/email'] },
    { sent: 'a password of 129 code points', body: { password: '🦊'.repeat(129) }, pointers: ['/password'] },
    { sent: 'a NUL in the password', body: { password: 'nine quiet\0 lanterns drift' }, pointers: ['/password'] },
    {
      sent: 'a lone surrogate in the password',
      body: { password: 'nine quiet \ud83d lanterns' },
      pointers: ['/password'],
    },
    { sent: 'a password that is a number', body: { password: 123456789012 }, pointers: ['/password'] },
    { sent: 'an empty first name', body: { first_name: ' ' }, pointers: ['/first_name'] },
    { sent: 'a first name of 101 code points', body: { first_name: '🦊'.repeat(101) }, pointers: ['/first_name'] },
    { sent: 'a last name of two lines', body: { last_name: 'Love\nlace' }, pointers: ['/last_name'] },
    { sent: 'a locale that is none', body: { locale: 'english, please' }, pointers: ['/locale'] },
    {
      sent: 'a locale of 36 characters',
      body: { locale: 'en-x-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaa' },
      pointers: ['/locale'],
    },
    {
      sent: 'several things at once',
      body: { email: '', last_name: '', locale: 7 },
      pointers: ['/email', '/last_name', '/locale'],
    },
  ])('refuses $sent with 422 and does nothing', async ({ body, pointers }, { service, anonymous }) => {
    const { answer, effects } = await observe(service, () => anonymous.call('register', { body: registration(body) }))
    expectInvalid(answer, ...pointers)
    expect(effects).toEqual(nothing)
  })

  it.for([
    { what: 'the longest address, 254 characters', body: { email: addressOfLength(254) } },
    { what: '8 code points that are hard to guess', body: { password: '🦊🐢🌵🎻🚲🪁🧭🍋' } },
    { what: '128 code points, 512 bytes', body: { password: '🦊🐢🌵🎻🚲🪁🧭🍋'.repeat(16) } },
    { what: 'words in lower case alone', body: { password: 'correct weather under bridges' } },
    { what: 'another script', body: { password: 'тихий фонарь плывёт по реке' } },
    { what: 'spaces around the password', body: { password: '  nine quiet lanterns  ' } },
    {
      what: '128 characters that were typed decomposed',
      body: { password: 'äöüéèñçåǖệ한글ôîûâ'.repeat(8).normalize('NFD') },
    },
    {
      what: 'names of 100 characters that were typed decomposed',
      body: { first_name: 'ệ'.repeat(100).normalize('NFD') },
    },
    { what: 'names of 100 code points', body: { first_name: '🦊'.repeat(100), last_name: 'ü'.repeat(100) } },
  ])('takes $what', async ({ body }, { anonymous }) => {
    await anonymous.register(registration(body))
    expect(await rowsOf('registrations')).toHaveLength(1)
  })

  it.for([
    { what: 'no password at all', password: '' },
    { what: '7 code points, however many bytes', password: '🦊🐢🌵🎻🚲🪁🧭' },
    { what: 'a top password', password: 'password123' },
    { what: 'a keyboard walk', password: 'qwertyuiop12' },
    { what: 'a repeated word', password: 'abcabcabcabcabc' },
    { what: 'the own address', password: 'ada@example.com' },
    { what: 'the local part with a year', password: 'grace.hopper1906', more: { email: 'grace.hopper@example.com' } },
    { what: 'the own names', password: 'AdaLovelace', more: { first_name: 'Ada', last_name: 'Lovelace' } },
    { what: 'the name of the product', password: 'postern2026' },
  ])(
    'refuses a weak password, $what, says what to do and does nothing',
    async ({ password, more = {} }, { service, anonymous }) => {
      const { answer, effects } = await observe(service, () =>
        anonymous.call('register', { body: registration({ password, ...more }) }),
      )
      expectWeak(answer, '/password')
      expect(effects).toEqual(nothing)
    },
  )

  it('takes a password whatever comes after its 32nd code point, which is not judged', async ({ anonymous }) => {
    expect(
      (await anonymous.call('register', { body: registration({ password: goodPassword + 'a'.repeat(100) }) }).answer)
        .status,
    ).toBe(202)
    expectWeak(
      await anonymous.call('register', { body: registration({ password: 'a'.repeat(32) + goodPassword }) }).answer,
      '/password',
    )
  })

  it('asks for as many characters as the operator says', async ({ service, anonymous }) => {
    const strict = startService({ env: { PASSWORD_MIN_LENGTH: '20' }, beside: service })
    const answer = await anonymous
      .at(strict)
      .call('register', { body: registration({ password: 'k7#Vq9!mZ2$wR5&xT8' }) }).answer
    expectWeak(answer, '/password')
    expect(answer.text).toContain('20')
  })

  it('ignores what a client has no say in', async ({ service, inbox, anonymous }) => {
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
      await anonymous.register(registration(forged))
      await service.deliver()
      return inbox.linkToken(email)
    })()
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'pending', activated_at: null })
    const { user } = await anonymous.activate({ token, password: goodPassword })
    expect(user).toMatchObject({ role: 'USER', status: 'active' })
    expect(user.id).not.toBe(forged.id)
  })
})

describe('POST /auth/resend-activation', () => {
  it('mails another link to a pending address, which leads to its newest attempt', async ({
    service,
    clock,
    inbox,
    people,
    anonymous,
  }) => {
    const older = await people.register(email, goodPassword)
    clock.advance(second)
    await people.register(email, otherPassword)
    clock.advance(second)
    const { answer, effects } = await observe(service, () => anonymous.resendActivation(' Ada@example.com '))
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
    const newest = inbox.linkToken(email)
    await anonymous.activate({ token: newest, password: goodPassword }).refused(401, 'invalid_credentials')
    await anonymous.activate({ token: older, password: otherPassword }).refused(401, 'invalid_credentials')
    await anonymous.activate({ token: newest, password: otherPassword })
  })

  it('leaves the links mailed before good', async ({ service, people, anonymous }) => {
    const first = await people.register(email)
    await anonymous.resendActivation(email).answer
    await service.deliver()
    await anonymous.activate({ token: first, password: goodPassword })
  })

  it('answers the same bytes for every address, and mails only a pending account', async ({
    service,
    people,
    anonymous,
  }) => {
    const answers = []
    for (const address of await addressesOfEveryKind(people)) {
      const { answer, effects } = await observe(service, () =>
        anonymous.from({ headers: { 'X-Request-Id': 'same' } }).resendActivation(address),
      )
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

  it.for([
    { sent: 'no address', body: {} },
    { sent: 'no address but text', body: { email: 'ada' } },
    { sent: 'a number', body: { email: 7 } },
  ])('refuses $sent with 422 and does nothing', async ({ body }, { service, anonymous }) => {
    const { answer, effects } = await observe(service, () => anonymous.call('resendActivation', { body }))
    expectInvalid(answer, '/email')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /auth/activate', () => {
  it('signs in, makes the attempt the account, forgets the attempt and the link, and mails a notice', async ({
    service,
    clock,
    inbox,
    people,
    anonymous,
  }) => {
    await anonymous.call('register', {
      body: registration({ first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' }),
    }).answer
    await service.deliver()
    const token = inbox.linkToken(email)
    clock.advance(minute)
    const now = clock.now().toISOString()
    const { answer, effects } = await observe(service, () => anonymous.activate({ token, password: goodPassword }))
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
    await anonymous.from({ token: access_token }).me()
    await people.signIn(email)
  })

  it('costs no try and no hash with a link that activates nothing, whatever the reason', async ({
    people,
    anonymous,
    clock,
  }) => {
    const unusable: Record<string, string> = {
      suspended: "update users set status = 'suspended'",
      activated: "update users set status = 'active'",
      'without its registration': 'delete from registrations',
      expired: 'update one_time_links set expires_at = 0',
      used: 'delete from one_time_links',
    }
    for (const [why, statement] of Object.entries(unusable)) {
      const token = await people.register(`${why.replaceAll(' ', '-')}@example.com`)
      await write(statement)
      for (const password of [goodPassword, otherPassword]) {
        const hashes = await hashesDuring(() => anonymous.activate({ token, password }).refused(400, 'invalid_link'))
        expect(hashes, why).toBe(0)
      }
      expect(await env.DB.prepare('select count(*) as n from attempt_counters').first('n'), why).toBe(0)
      clock.advance(1000)
    }
  })

  it('refuses another password with 401, and the link stays good', async ({ service, people, anonymous }) => {
    const token = await people.register(email)
    const { answer, effects } = await observe(service, () => anonymous.activate({ token, password: otherPassword }))
    expectProblem(answer, 401, 'invalid_credentials')
    const { id } = await rowOf('users')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [{ type: 'user.activation_refused', actor: null, user: id, detail: { reason: 'wrong_password' } }],
    })
    await anonymous.activate({ token, password: goodPassword })
  })

  it('takes a link until 24 hours after it was made, and not at that moment', async ({
    service,
    clock,
    people,
    anonymous,
  }) => {
    const [early, late] = [await people.register(email), await people.register('eve@example.com')]
    clock.advance(day - second)
    await anonymous.activate({ token: early, password: goodPassword })
    clock.advance(second)
    const { answer, effects } = await observe(service, () =>
      anonymous.activate({ token: late, password: goodPassword }),
    )
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
    expect(await rowOf('users', "email = 'eve@example.com'")).toMatchObject({ status: 'pending' })
  })

  it('counts the 24 hours from the mail, not from the registration', async ({ service, clock, inbox, anonymous }) => {
    await anonymous.register(registration())
    clock.advance(2 * hour)
    await service.deliver()
    clock.advance(23 * hour)
    await anonymous.activate({ token: inbox.linkToken(email), password: goodPassword })
  })

  it('gives one answer for a used, unknown, forged, broken or foreign link, and does nothing', async ({
    service,
    people,
    anonymous,
  }) => {
    const used = await people.register(email)
    const signedIn = await anonymous.activate({ token: used, password: goodPassword })
    const pending = await people.register('eve@example.com')
    const reset = await people.resetToken('eve@example.com')
    const [header, payload, signature] = pending.split('.')
    const unknown = await people.register('gone@example.com')
    await write("delete from one_time_links where user_id in (select id from users where email = 'gone@example.com')")
    const tokens = {
      used,
      reset,
      'a refresh token': signedIn.refresh_token!,
      'an access token': signedIn.access_token,
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
        anonymous.from({ headers: { 'X-Request-Id': 'same' } }).activate({ token, password: goodPassword }),
      )
      expectProblem(answer, 400, 'invalid_link')
      expect(effects, name).toEqual(nothing)
      answers.push(bytesOf(answer))
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
    await anonymous.activate({ token: pending, password: goodPassword })
  })

  it('refuses a link made under another key, issuer or by a service elsewhere', async ({
    service,
    people,
    anonymous,
  }) => {
    const token = await people.register(email)
    const elsewhere = startService({ env: { PUBLIC_URL: 'https://other.example.com' }, beside: service })
    await anonymous.at(elsewhere).activate({ token, password: goodPassword }).refused(400, 'invalid_link')
    const key = { kty: 'oct', kid: 'test-token', k: btoa('x'.repeat(32)).replaceAll('=', '') }
    const rekeyed = startService({ env: { TOKEN_KEYS: JSON.stringify({ keys: [key] }) }, beside: service })
    await anonymous.at(rekeyed).activate({ token, password: goodPassword }).refused(400, 'invalid_link')
    await anonymous.activate({ token, password: goodPassword })
  })

  it('is not done by following the link: GET consumes nothing', async ({ service, people, anonymous }) => {
    const token = await people.register(email)
    const answer = await service.call('GET', `/auth/activate?token=${token}`)
    expectProblem(answer, 405, 'method_not_allowed')
    await anonymous.activate({ token, password: goodPassword })
  })

  it.for([
    { sent: 'nothing', body: {}, pointers: ['/token', '/password'] },
    { sent: 'no password', body: { token: 'x' }, pointers: ['/password'] },
    { sent: 'an empty token', body: { token: '', password: 'x' }, pointers: ['/token'] },
    { sent: 'an empty password', body: { token: 'x', password: '' }, pointers: ['/password'] },
    { sent: 'arrays', body: { token: ['x'], password: ['x'] }, pointers: ['/token', '/password'] },
  ])('refuses $sent with 422', async ({ body, pointers }, { anonymous }) => {
    expectInvalid(await anonymous.call('activate', { body }).answer, ...pointers)
  })
})

describe('somebody who registers the address of somebody else first', () => {
  const attacker = { password: 'mallory waits behind hedges', first_name: 'Mallory', locale: 'de' }

  const contested = it.extend('links', async ({ service, clock, inbox, anonymous }) => {
    await anonymous.register(registration(attacker))
    await service.deliver()
    const first = inbox.linkToken(email)
    clock.advance(minute)
    await anonymous.register(registration({ first_name: 'Ada' }))
    await service.deliver()
    return { first, second: inbox.linkToken(email) }
  })

  contested(
    'gains nothing by either link: each works with the password of its own attempt alone',
    async ({ anonymous, links }) => {
      const { first, second } = links
      await anonymous.activate({ token: first, password: goodPassword }).refused(401, 'invalid_credentials')
      await anonymous.activate({ token: second, password: attacker.password }).refused(401, 'invalid_credentials')
      expect(await rowsOf('sessions')).toEqual([])
      expect(await rowOf('users')).toMatchObject({ status: 'pending' })
    },
  )

  contested(
    'has a dead password and a dead link once the owner has activated',
    async ({ service, people, anonymous, links }) => {
      const { first, second } = links
      const { user } = await anonymous.activate({ token: second, password: goodPassword })
      expect(user).toMatchObject({ first_name: 'Ada', locale: null })
      const { answer, effects } = await observe(service, () =>
        anonymous.activate({ token: first, password: attacker.password }),
      )
      expectProblem(answer, 400, 'invalid_link')
      expect(effects).toEqual(nothing)
      const login = await anonymous.login({ email, password: attacker.password }).answer
      expectProblem(login, 401, 'invalid_credentials')
      expect(await rowsOf('registrations')).toEqual([])
      expect(await rowsOf('one_time_links')).toEqual([])
      await people.signIn(email)
    },
  )

  it('gains nothing either when the mail of the later attempt arrives after the activation', async ({
    service,
    inbox,
    people,
    anonymous,
  }) => {
    const token = await people.register(email)
    await anonymous.register(registration(attacker))
    await anonymous.activate({ token, password: goodPassword })
    await service.deliver()
    expect(inbox.newest(email).subject).toBe(subjects.accountActivated)
    expect(inbox.all(email).map(({ subject }) => subject)).toContain(subjects.accountExists)
    expect(inbox.all(email).filter(({ text }) => text?.includes('#token='))).toHaveLength(1)
  })

  it('can also come second: the owner’s first link still leads to the owner’s password', async ({
    service,
    clock,
    people,
    anonymous,
  }) => {
    const first = await people.register(email)
    clock.advance(minute)
    await anonymous.register(registration(attacker))
    await service.deliver()
    const { user } = await anonymous.activate({ token: first, password: goodPassword })
    expect(user).toMatchObject({ first_name: null, locale: null })
  })
})

describe('the first ADMIN', () => {
  const address = 'admin@example.com'

  it('is the account with the bootstrap address, from its activation on, in the tokens too', async ({
    service,
    people,
    anonymous,
  }) => {
    const token = await people.register(address)
    const { answer, effects } = await observe(service, () => anonymous.activate({ token, password: goodPassword }))
    const { user, access_token } = expectOk(answer)
    expect(user).toMatchObject({ role: 'ADMIN', status: 'active' })
    expect(effects.events).toEqual([
      { type: 'user.activated', actor: user.id, user: user.id, detail: { session_id: sessionOf(access_token) } },
      { type: 'user.role_changed', actor: user.id, user: user.id, detail: { role: 'ADMIN', bootstrap: true } },
    ])
    expect(effects.mails).toEqual([`${address}: ${subjects.accountActivated}`])
    const admin = anonymous.from({ token: access_token })
    const verified = await admin.verify().answer
    expect(verified.headers.get('X-Auth-Role')).toBe('ADMIN')
    await admin.users()
  })

  it('is made at a sign-in too, when the variable was set later', async () => {
    const before = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: '' } })
    const { id } = await peopleOf(before).signUp(address)
    expect(await rowOf('users')).toMatchObject({ role: 'USER' })
    const service = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: ' Admin@Example.com ' }, beside: before })
    const { answer, effects } = await observe(service, () =>
      new Caller(service).login({ email: address, password: goodPassword }),
    )
    expect(expectOk(answer).user).toMatchObject({ id, role: 'ADMIN' })
    expect(effects.rows).toEqual({ users: '~1', sessions: '+1', audit_events: '+2' })
    expect(effects.events).toMatchObject([
      { type: 'user.role_changed', actor: id, user: id, detail: { role: 'ADMIN', bootstrap: true } },
      { type: 'user.signed_in' },
    ])
  })

  it('is nobody who only registered the address, or typed a wrong password', async ({ people, anonymous }) => {
    const token = await people.register(address)
    await anonymous.activate({ token, password: otherPassword }).refused(401, 'invalid_credentials')
    await anonymous.login({ email: address, password: goodPassword }).refused(403, 'account_pending')
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'pending' })
  })

  it('is nobody while there is an active ADMIN', async ({ service, anonymous, admin }) => {
    expect(admin.email).toBe(address)
    const later = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: email }, beside: service })
    const { id } = await peopleOf(later).signUp(email)
    const { answer, effects } = await observe(later, () => anonymous.at(later).login({ email, password: goodPassword }))
    expect(expectOk(answer).user).toMatchObject({ id, role: 'USER' })
    expect(effects.events).toMatchObject([{ type: 'user.signed_in' }])
  })

  it('is made again when no ADMIN is active any more', async ({ service, ada, admin }) => {
    await write("update users set status = 'suspended' where email = ?", admin.email)
    const later = startService({ env: { BOOTSTRAP_ADMIN_EMAIL: email }, beside: service })
    await ada.at(later).signIn()
    expect(await rowOf('users', 'email = ?', email)).toMatchObject({ role: 'ADMIN' })
  })

  it('is not made again at every sign-in', async ({ service, admin }) => {
    const { effects } = await observe(service, () => admin.signIn())
    expect(effects.events.map(({ type }) => type)).toEqual(['user.signed_in'])
  })

  it('is nobody else, and nobody at all without the variable', async () => {
    const people = peopleOf(startService({ env: { BOOTSTRAP_ADMIN_EMAIL: '' } }))
    for (const candidate of [address, email]) {
      await (await people.signUp(candidate)).users().refused(403, 'insufficient_permission')
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
