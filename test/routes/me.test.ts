/** What the signed-in user sees and does of its own account. */
import { describe, expect } from 'vitest'
import { expectInvalid, expectNoContent, expectOk, expectProblem, userObject } from '../support/answers.ts'
import { minute } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { nothing, observe, rowOf, rowsOf, whereIs, write } from '../support/state.ts'

const email = 'ada@example.com'

const full = {
  first_name: 'Ada',
  last_name: 'Lovelace',
  avatar_url: 'https://images.example.com/ada.png?size=2#face',
  bio: 'Mathematician.\n\tPoetical science 🦊',
  locale: 'en-GB',
}

describe('GET /users/me', () => {
  it('gives the user with every field of the contract and no other, and does nothing', async ({
    service,
    clock,
    ada,
  }) => {
    const { answer, effects } = await observe(service, () => ada.me())
    const now = clock.now().toISOString()
    const times = { created_at: now, updated_at: now, activated_at: now, last_login_at: now }
    expect(expectOk(answer)).toEqual(userObject({ email, id: ada.id, ...times }))
    expect(effects).toEqual(nothing)
  })

  it('gives the role as it is now, whatever the token says', async ({ ada }) => {
    await write("update users set role = 'MODERATOR' where id = ?", ada.id)
    expect((await ada.me()).role).toBe('MODERATOR')
  })
})

describe('PATCH /users/me', () => {
  it('changes what is sent, all of it at once, records which fields and mails nothing', async ({
    service,
    clock,
    ada,
  }) => {
    clock.advance(minute)
    const { answer, effects } = await observe(service, () => ada.updateMe(full))
    const expected = userObject({ email, id: ada.id, ...full, updated_at: clock.now().toISOString() })
    expect(expectOk(answer)).toEqual(expected)
    expect(await ada.me()).toEqual(expected)
    expect(effects).toEqual({
      ...nothing,
      rows: { users: '~1', audit_events: '+1' },
      events: [{ type: 'user.profile_updated', actor: ada.id, user: ada.id, detail: { fields: expect.any(String) } }],
    })
    const { fields } = effects.events[0]!.detail as { fields: string }
    expect(fields.split(' ').toSorted()).toEqual(Object.keys(full).toSorted())
  })

  it('changes each field alone, leaves the others as they are, and clears it with null', async ({ ada }) => {
    let profile: Record<string, string | null> = {}
    for (const [field, value] of Object.entries(full)) {
      profile = { ...profile, [field]: value }
      expect(await ada.updateMe({ [field]: value })).toMatchObject(profile)
    }
    for (const field of Object.keys(full)) {
      profile = { ...profile, [field]: null }
      expect(await ada.updateMe({ [field]: null })).toMatchObject(profile)
    }
    expect(await ada.me()).toMatchObject(profile)
  })

  it.for([
    { what: 'names trimmed', body: { first_name: '  Ada  ' }, kept: { first_name: 'Ada' } },
    { what: 'a name of 100 code points', body: { last_name: '🦊'.repeat(100) }, kept: {} },
    { what: 'a bio of 500 code points', body: { bio: '🦊'.repeat(500) }, kept: {} },
    {
      what: 'a bio of 500 characters that were typed decomposed',
      body: { bio: 'é'.repeat(500).normalize('NFD') },
      kept: { bio: 'é'.repeat(500) },
    },
    { what: 'a bio with line breaks of Windows', body: { bio: 'one\r\ntwo' }, kept: {} },
    {
      what: 'an avatar URL of 2048 characters',
      body: { avatar_url: `https://a.example/${'x'.repeat(2030)}` },
      kept: {},
    },
    {
      what: 'an avatar URL with a port, a query and escapes',
      body: { avatar_url: "https://a.example:8443/~x/%C3%A4.png?a=b&c=(d)*'!#e" },
      kept: {},
    },
    { what: 'a locale with script and region', body: { locale: 'zh-Hant-TW' }, kept: {} },
    {
      what: 'markup, which is text like any other',
      body: { bio: '<script>alert(1)</script>', first_name: "Robert'); --" },
      kept: {},
    },
  ])('takes $what', async ({ body, kept }, { ada }) => {
    expect(await ada.updateMe(body)).toMatchObject({ ...body, ...kept })
  })

  it('ignores fields that a user may not change, and records nothing when nothing else is sent', async ({
    service,
    ada,
  }) => {
    const before = await rowOf('users')
    const { answer, effects } = await observe(service, () =>
      ada.call('updateMe', {
        body: {
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
        },
      }),
    )
    expect(expectOk(answer)).toMatchObject({ id: ada.id, email, role: 'USER', first_name: null })
    expect(await rowOf('users')).toEqual(before)
    expect(effects).toEqual(nothing)
  })

  it('refuses what breaks a rule with 422, names the field, and changes nothing', async ({ service, ada }) => {
    const broken: { body: Record<string, unknown>; pointer: string }[] = [
      { body: { first_name: '' }, pointer: '/first_name' },
      { body: { first_name: ' \u00a0 ' }, pointer: '/first_name' },
      { body: { first_name: '🦊'.repeat(101) }, pointer: '/first_name' },
      { body: { first_name: 'A\0' }, pointer: '/first_name' },
      { body: { first_name: 'A\ud83e' }, pointer: '/first_name' },
      { body: { first_name: 'A\nB' }, pointer: '/first_name' },
      { body: { first_name: 'A\u001bB' }, pointer: '/first_name' },
      { body: { first_name: 'A\u2028B' }, pointer: '/first_name' },
      { body: { first_name: 'A\u202eB' }, pointer: '/first_name' },
      { body: { last_name: '\u2066A' }, pointer: '/last_name' },
      { body: { first_name: 7 }, pointer: '/first_name' },
      { body: { last_name: ['Lovelace'] }, pointer: '/last_name' },
      { body: { last_name: 'x'.repeat(101) }, pointer: '/last_name' },
      { body: { bio: '🦊'.repeat(501) }, pointer: '/bio' },
      { body: { bio: 'a\u0007' }, pointer: '/bio' },
      { body: { bio: '\udd8a' }, pointer: '/bio' },
      { body: { bio: true }, pointer: '/bio' },
      { body: { avatar_url: 'http://images.example.com/ada.png' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'javascript:alert(1)' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'data:text/html,x' }, pointer: '/avatar_url' },
      { body: { avatar_url: '//images.example.com/ada.png' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://ada:secret@images.example.com/' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://images.example.com/a b' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://images.example.com/a\nb' }, pointer: '/avatar_url' },
      { body: { avatar_url: '\u0001https://images.example.com/' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https:' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https:images.example.com' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https:\\\\images.example.com' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://bücher.example/ä.png' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://images.example.com/"><script>' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://images.example.com/%zz' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://[::1]/[x]' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https:///images.example.com/' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://images.example.com:/' }, pointer: '/avatar_url' },
      { body: { avatar_url: 'https://@images.example.com/' }, pointer: '/avatar_url' },
      { body: { avatar_url: '' }, pointer: '/avatar_url' },
      { body: { avatar_url: `https://a.example/${'x'.repeat(2031)}` }, pointer: '/avatar_url' },
      { body: { locale: 'C.UTF-8' }, pointer: '/locale' },
      { body: { locale: '' }, pointer: '/locale' },
      { body: { locale: 'x'.repeat(36) }, pointer: '/locale' },
      { body: { locale: ['en'] }, pointer: '/locale' },
    ]
    const { effects } = await observe(service, async () => {
      for (const { body, pointer } of broken) {
        const answer = await ada.call('updateMe', { body: { last_name: 'Lovelace', ...body } }).answer
        expect(answer.status, JSON.stringify(body)).toBe(422)
        expectInvalid(answer, pointer)
      }
    })
    expect(effects).toEqual(nothing)
  })

  it.for([{ raw: '[]' }, { raw: 'null' }, { raw: '"x"' }, { raw: '7' }])(
    'refuses $raw, which is no object, with 422',
    async ({ raw }, { service, ada }) => {
      expectInvalid(await service.call('PATCH', '/users/me', { token: ada.accessToken, raw }), '')
    },
  )
})

describe('DELETE /users/me', () => {
  it('leaves nothing of the account but ids in the audit trail', async ({ service, people, anonymous, ada }) => {
    await ada.signIn()
    await ada.updateMe(full)
    await people.register('pending@example.com')
    const eve = await people.signUp('eve@example.com')
    await anonymous.register({ email, password: otherPassword })
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    const reset = await people.resetToken(email)
    expect(await whereIs(email)).not.toEqual([])
    const sessions = await rowsOf('sessions', 'user_id = ?', ada.id)

    const { answer, effects } = await observe(service, () => ada.deleteMe())
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
    await ada.me().refused(401, 'invalid_token')
    await ada.refresh().refused(401, 'invalid_refresh_token')
    await anonymous.login({ email, password: goodPassword }).refused(401, 'invalid_credentials')
    await anonymous.completePasswordReset({ token: reset, new_password: otherPassword }).refused(400, 'invalid_link')
    await eve.me()
  })

  it('leaves the address free for a new account, with which the old one has nothing in common', async ({
    people,
    ada,
  }) => {
    await ada.updateMe(full)
    await ada.deleteMe()
    const again = await people.signUp(email, otherPassword)
    expect(again.id).not.toBe(ada.id)
    expect(await again.me()).toMatchObject({ first_name: null, bio: null })
    await ada.me().refused(401, 'invalid_token')
  })

  it('refuses a wrong password with 403, records that, and deletes nothing', async ({ service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.deleteMe(otherPassword))
    expectProblem(answer, 403, 'wrong_password')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [{ type: 'user.deletion_refused', actor: ada.id, user: ada.id, detail: null }],
    })
    await ada.me()
  })

  it('refuses to delete the last active ADMIN with 409, and deletes nothing', async ({ service, people, admin }) => {
    await people.signUpAs('ADMIN', 'other@example.com')
    await write("update users set status = 'suspended' where email = 'other@example.com'")
    const { answer, effects } = await observe(service, () => admin.deleteMe())
    expectProblem(answer, 409, 'last_admin')
    expect(effects).toEqual(nothing)
    await admin.me()
  })

  it('deletes an ADMIN while another one is active', async ({ people, admin }) => {
    const other = await people.signUpAs('ADMIN', 'other@example.com')
    await admin.deleteMe()
    await other.deleteMe().refused(409, 'last_admin')
  })

  it.for([
    { body: {} },
    { body: { password: '' } },
    { body: { password: null } },
    { body: { password: [goodPassword] } },
  ])('refuses $body with 422 and deletes nothing', async ({ body }, { service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.call('deleteMe', { body }))
    expectInvalid(answer, '/password')
    expect(effects).toEqual(nothing)
  })

  it('ends every session, and lists each', async ({ service, ada }) => {
    const phone = await ada.signIn()
    const { effects } = await observe(service, () => ada.deleteMe())
    expect(effects.revoked).toEqual([ada.sessionId, phone.sessionId].toSorted())
    await phone.verify().refused(401, 'invalid_token')
  })
})
