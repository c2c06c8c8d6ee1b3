/** What the signed-in user sees and does of its own account. */
import { describe, expect, it } from 'vitest'
import { expectInvalid, expectNoContent, expectOk, expectProblem, sessionOf, userObject } from '../support/answers.ts'
import { minute } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import {
  type SignedIn,
  goodPassword,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, whereIs, write } from '../support/state.ts'

const email = 'ada@example.com'

const me = (service: Service, { accessToken: token }: SignedIn) => service.call('GET', '/users/me', { token })

const patch = (service: Service, { accessToken: token }: SignedIn, body: unknown) =>
  service.call('PATCH', '/users/me', { token, body })

const erase = (service: Service, { accessToken: token }: SignedIn, password = goodPassword) =>
  service.call('DELETE', '/users/me', { token, body: { password } })

const full = {
  first_name: 'Ada',
  last_name: 'Lovelace',
  avatar_url: 'https://images.example.com/ada.png?size=2#face',
  bio: 'Mathematician.\n\tPoetical science 🦊',
  locale: 'en-GB',
}

describe('GET /users/me', () => {
  it('gives the user with every field of the contract and no other, and does nothing', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const { answer, effects } = await observe(service, () => me(service, ada))
    const now = service.clock.now().toISOString()
    const times = { created_at: now, updated_at: now, activated_at: now, last_login_at: now }
    expect(expectOk(answer)).toEqual(userObject({ email, id: ada.id, ...times }))
    expect(effects).toEqual(nothing)
  })

  it('gives the role as it is now, whatever the token says', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    await write("update users set role = 'MODERATOR' where id = ?", ada.id)
    expect(expectOk(await me(service, ada)).role).toBe('MODERATOR')
  })
})

describe('PATCH /users/me', () => {
  it('changes what is sent, all of it at once, records which fields and mails nothing', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => patch(service, ada, full))
    const expected = userObject({ email, id: ada.id, ...full, updated_at: service.clock.now().toISOString() })
    expect(expectOk(answer)).toEqual(expected)
    expect(expectOk(await me(service, ada))).toEqual(expected)
    expect(effects).toEqual({
      ...nothing,
      rows: { users: '~1', audit_events: '+1' },
      events: [{ type: 'user.profile_updated', actor: ada.id, user: ada.id, detail: { fields: expect.any(String) } }],
    })
    const { fields } = effects.events[0]!.detail as { fields: string }
    expect(fields.split(' ').toSorted()).toEqual(['avatar_url', 'bio', 'first_name', 'last_name', 'locale'])
  })

  it('changes each field alone, leaves the others as they are, and clears it with null', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    let profile: Record<string, string | null> = {}
    for (const [field, value] of Object.entries(full)) {
      profile = { ...profile, [field]: value }
      expect(expectOk(await patch(service, ada, { [field]: value }))).toMatchObject(profile)
    }
    for (const field of Object.keys(full)) {
      profile = { ...profile, [field]: null }
      expect(expectOk(await patch(service, ada, { [field]: null }))).toMatchObject(profile)
    }
    expect(expectOk(await me(service, ada))).toMatchObject(profile)
  })

  it.each([
    ['names trimmed', { first_name: '  Ada  ' }, { first_name: 'Ada' }],
    ['a name of 100 code points', { last_name: '🦊'.repeat(100) }, {}],
    ['a bio of 500 code points', { bio: '🦊'.repeat(500) }, {}],
    ['a bio with line breaks of Windows', { bio: 'one\r\ntwo' }, {}],
    ['an avatar URL of 2048 characters', { avatar_url: `https://a.example/${'x'.repeat(2030)}` }, {}],
    [
      'an avatar URL with a port, a query and escapes',
      { avatar_url: "https://a.example:8443/~x/%C3%A4.png?a=b&c=(d)*'!#e" },
      {},
    ],
    ['a locale with script and region', { locale: 'zh-Hant-TW' }, {}],
    ['markup, which is text like any other', { bio: '<script>alert(1)</script>', first_name: "Robert'); --" }, {}],
  ])('takes %s', async (_, body, kept) => {
    const service = startService()
    const ada = await signUp(service, email)
    expect(expectOk(await patch(service, ada, body))).toMatchObject({ ...body, ...kept })
  })

  it('ignores what a user has no say in, and records nothing when nothing else is sent', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const before = await rowOf('users')
    const { answer, effects } = await observe(service, () =>
      patch(service, ada, {
        id: '01936f6e-0000-7000-8000-000000000000',
        email: 'eve@example.com',
        role: 'ADMIN',
        status: 'suspended',
        password: otherPassword,
        password_hash: 'x',
        passwordHash: 'x',
        created_at: '2020-01-01T00:00:00.000Z',
        activated_at: null,
        activatedAt: null,
        last_login_at: null,
        firstName: 'Eve',
        constructor: { prototype: { role: 'ADMIN' } },
      }),
    )
    expect(expectOk(answer)).toMatchObject({ id: ada.id, email, role: 'USER', first_name: null })
    expect(await rowOf('users')).toEqual(before)
    expect(effects).toEqual(nothing)
  })

  it('refuses what breaks a rule with 422, names the field, and changes nothing', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const broken: [Record<string, unknown>, string][] = [
      [{ first_name: '' }, '/first_name'],
      [{ first_name: ' \u00a0 ' }, '/first_name'],
      [{ first_name: '🦊'.repeat(101) }, '/first_name'],
      [{ first_name: 'A\0' }, '/first_name'],
      [{ first_name: 'A\ud83e' }, '/first_name'],
      [{ first_name: 'A\nB' }, '/first_name'],
      [{ first_name: 'A\u001bB' }, '/first_name'],
      [{ first_name: 'A\u2028B' }, '/first_name'],
      [{ first_name: 'A\u202eB' }, '/first_name'],
      [{ last_name: '\u2066A' }, '/last_name'],
      [{ first_name: 7 }, '/first_name'],
      [{ last_name: ['Lovelace'] }, '/last_name'],
      [{ last_name: 'x'.repeat(101) }, '/last_name'],
      [{ bio: '🦊'.repeat(501) }, '/bio'],
      [{ bio: 'a\u0007' }, '/bio'],
      [{ bio: '\udd8a' }, '/bio'],
      [{ bio: true }, '/bio'],
      [{ avatar_url: 'http://images.example.com/ada.png' }, '/avatar_url'],
      [{ avatar_url: 'javascript:alert(1)' }, '/avatar_url'],
      [{ avatar_url: 'data:text/html,x' }, '/avatar_url'],
      [{ avatar_url: '//images.example.com/ada.png' }, '/avatar_url'],
      [{ avatar_url: 'https://ada:secret@images.example.com/' }, '/avatar_url'],
      [{ avatar_url: 'https://images.example.com/a b' }, '/avatar_url'],
      [{ avatar_url: 'https://images.example.com/a\nb' }, '/avatar_url'],
      [{ avatar_url: '\u0001https://images.example.com/' }, '/avatar_url'],
      [{ avatar_url: 'https:' }, '/avatar_url'],
      [{ avatar_url: 'https:images.example.com' }, '/avatar_url'],
      [{ avatar_url: 'https:\\\\images.example.com' }, '/avatar_url'],
      [{ avatar_url: 'https://bücher.example/ä.png' }, '/avatar_url'],
      [{ avatar_url: 'https://images.example.com/"><script>' }, '/avatar_url'],
      [{ avatar_url: 'https://images.example.com/%zz' }, '/avatar_url'],
      [{ avatar_url: 'https://[::1]/[x]' }, '/avatar_url'],
      [{ avatar_url: 'https:///images.example.com/' }, '/avatar_url'],
      [{ avatar_url: 'https://images.example.com:/' }, '/avatar_url'],
      [{ avatar_url: 'https://@images.example.com/' }, '/avatar_url'],
      [{ avatar_url: '' }, '/avatar_url'],
      [{ avatar_url: `https://a.example/${'x'.repeat(2031)}` }, '/avatar_url'],
      [{ locale: 'en_GB' }, '/locale'],
      [{ locale: '' }, '/locale'],
      [{ locale: 'x'.repeat(36) }, '/locale'],
      [{ locale: ['en'] }, '/locale'],
    ]
    const { effects } = await observe(service, async () => {
      for (const [body, pointer] of broken) {
        const answer = await patch(service, ada, { last_name: 'Lovelace', ...body })
        expect(answer.status, JSON.stringify(body)).toBe(422)
        expectInvalid(answer, pointer)
      }
    })
    expect(effects).toEqual(nothing)
  })

  it.each([['[]'], ['null'], ['"x"'], ['7']])('refuses %s, which is no object, with 422', async (raw) => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    expectInvalid(await service.call('PATCH', '/users/me', { token, raw }), '')
  })
})

describe('DELETE /users/me', () => {
  it('leaves nothing of the account but ids in the audit trail', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    await signIn(service, email)
    expectOk(await patch(service, ada, full))
    await register(service, 'pending@example.com')
    const eve = await signUp(service, 'eve@example.com')
    await service.call('POST', '/auth/register', { body: { email, password: otherPassword } })
    await service.call('POST', '/auth/login', { body: { email, password: otherPassword } })
    const reset = await resetToken(service, email)
    expect(await whereIs(email)).not.toEqual([])
    const sessions = await rowsOf('sessions', 'user_id = ?', ada.id)

    const { answer, effects } = await observe(service, () => erase(service, ada))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: {
        users: '-1',
        sessions: '-2',
        one_time_links: '-1',
        emails: expect.any(String),
        attempt_counters: '-1',
        audit_events: '+1',
      },
      events: [{ type: 'user.deleted', actor: ada.id, user: ada.id, detail: null }],
      revoked: sessions.map(({ id }) => String(id)),
      mails: [`${email}: ${subjects.accountDeleted}`],
    })
    for (const text of [email, 'Lovelace', 'Mathematician', 'images.example.com'])
      expect(await whereIs(text)).toEqual([])
    expect(await whereIs(ada.id)).toEqual(expect.arrayContaining(['audit_events.actor_id', 'audit_events.user_id']))
    expectProblem(await me(service, ada), 401, 'invalid_token')
    const refresh = { body: { refresh_token: ada.refreshToken } }
    expectProblem(await service.call('POST', '/auth/refresh', refresh), 401, 'invalid_refresh_token')
    const login = { body: { email, password: goodPassword } }
    expectProblem(await service.call('POST', '/auth/login', login), 401, 'invalid_credentials')
    const use = { body: { token: reset, new_password: otherPassword } }
    expectProblem(await service.call('POST', '/auth/password-reset/complete', use), 400, 'invalid_link')
    expectOk(await me(service, eve))
  })

  it('leaves the address free for a new account, with which the old one has nothing in common', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    expectOk(await patch(service, ada, full))
    expectNoContent(await erase(service, ada))
    const again = await signUp(service, email, otherPassword)
    expect(again.id).not.toBe(ada.id)
    expect(expectOk(await me(service, again))).toMatchObject({ first_name: null, bio: null })
    expectProblem(await me(service, ada), 401, 'invalid_token')
  })

  it('refuses a wrong password with 403, records that, and deletes nothing', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const { answer, effects } = await observe(service, () => erase(service, ada, otherPassword))
    expectProblem(answer, 403, 'wrong_password')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [{ type: 'user.deletion_refused', actor: ada.id, user: ada.id, detail: null }],
    })
    expectOk(await me(service, ada))
  })

  it('refuses to delete the last active ADMIN with 409, and deletes nothing', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    await signUpAs(service, 'ADMIN', 'other@example.com', admin)
    await write("update users set status = 'suspended' where email = 'other@example.com'")
    const { answer, effects } = await observe(service, () => erase(service, admin))
    expectProblem(answer, 409, 'last_admin')
    expect(effects).toEqual(nothing)
    expectOk(await me(service, admin))
  })

  it('deletes an ADMIN while another one is active', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const other = await signUpAs(service, 'ADMIN', 'other@example.com', admin)
    expectNoContent(await erase(service, admin))
    expectProblem(await erase(service, other), 409, 'last_admin')
  })

  it.each([[{}], [{ password: '' }], [{ password: null }], [{ password: [goodPassword] }]])(
    'refuses %j with 422 and deletes nothing',
    async (body) => {
      const service = startService()
      const { accessToken: token } = await signUp(service, email)
      const { answer, effects } = await observe(service, () => service.call('DELETE', '/users/me', { token, body }))
      expectInvalid(answer, '/password')
      expect(effects).toEqual(nothing)
    },
  )

  it('ends every session, and lists each', async () => {
    const service = startService()
    const [ada, phone] = [await signUp(service, email), await signIn(service, email)]
    const { effects } = await observe(service, () => erase(service, ada))
    expect(effects.revoked).toEqual([ada, phone].map(({ accessToken }) => sessionOf(accessToken)).toSorted())
    expectProblem(await service.call('GET', '/auth/verify', { token: phone.accessToken }), 401, 'invalid_token')
  })
})
