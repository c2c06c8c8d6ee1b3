/** What ADMIN and MODERATOR do to others: who may, what it does, and what it must never do. */
import { describe, expect, it } from 'vitest'
import {
  expectInvalid,
  expectNoContent,
  expectOk,
  expectProblem,
  sessionOf,
  administeredUser,
} from '../support/answers.ts'
import { day, minute } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import {
  type SignedIn,
  goodPassword,
  mailsTo,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
  tokenIn,
} from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, whereIs, write } from '../support/state.ts'

const email = 'ada@example.com'
const nobody = '01936f6e-0000-7000-8000-000000000000'

interface Act {
  call: string
  method: string
  path: (id: string) => string
  body?: unknown
  /** Who has the permission. */
  by: ('MODERATOR' | 'ADMIN')[]
  status: number
}

/** Every act of the contract's table on one user. */
const acts: Act[] = [
  { call: 'GET /users/{id}', method: 'GET', path: (id) => `/users/${id}`, by: ['MODERATOR', 'ADMIN'], status: 200 },
  {
    call: 'PATCH /users/{id}/profile',
    method: 'PATCH',
    path: (id) => `/users/${id}/profile`,
    body: { bio: 'x' },
    by: ['MODERATOR', 'ADMIN'],
    status: 200,
  },
  {
    call: 'POST /users/{id}/activate',
    method: 'POST',
    path: (id) => `/users/${id}/activate`,
    by: ['ADMIN'],
    status: 200,
  },
  {
    call: 'PUT /users/{id}/role',
    method: 'PUT',
    path: (id) => `/users/${id}/role`,
    body: { role: 'MODERATOR' },
    by: ['ADMIN'],
    status: 200,
  },
  {
    call: 'POST /users/{id}/suspend',
    method: 'POST',
    path: (id) => `/users/${id}/suspend`,
    body: { reason: 'spam' },
    by: ['MODERATOR', 'ADMIN'],
    status: 200,
  },
  {
    call: 'POST /users/{id}/reinstate',
    method: 'POST',
    path: (id) => `/users/${id}/reinstate`,
    by: ['MODERATOR', 'ADMIN'],
    status: 200,
  },
  {
    call: 'GET /users/{id}/sessions',
    method: 'GET',
    path: (id) => `/users/${id}/sessions`,
    by: ['ADMIN'],
    status: 200,
  },
  {
    call: 'DELETE /users/{id}/sessions',
    method: 'DELETE',
    path: (id) => `/users/${id}/sessions`,
    by: ['ADMIN'],
    status: 204,
  },
  { call: 'DELETE /users/{id}', method: 'DELETE', path: (id) => `/users/${id}`, by: ['ADMIN'], status: 204 },
]

function perform(service: Service, { accessToken: token }: SignedIn, { method, path, body }: Act, id: string) {
  return service.call(method, path(id), { token, ...(body !== undefined && { body }) })
}

const suspend = (service: Service, { accessToken: token }: SignedIn, id: string, reason = 'spam') =>
  service.call('POST', `/users/${id}/suspend`, { token, body: { reason } })

const reinstate = (service: Service, { accessToken: token }: SignedIn, id: string) =>
  service.call('POST', `/users/${id}/reinstate`, { token })

const activate = (service: Service, { accessToken: token }: SignedIn, id: string) =>
  service.call('POST', `/users/${id}/activate`, { token })

const assign = (service: Service, { accessToken: token }: SignedIn, id: string, role: string) =>
  service.call('PUT', `/users/${id}/role`, { token, body: { role } })

const login = (service: Service, password: string, address = email) =>
  service.call('POST', '/auth/login', { body: { email: address, password } })

async function staff(service: Service) {
  const admin = await signUpAdmin(service)
  return { admin, moderator: await signUpAs(service, 'MODERATOR', 'mod@example.com', admin) }
}

/** A pending account; gives its id and the token of its link. */
async function pending(service: Service, address = email, password = goodPassword) {
  const token = await register(service, address, password)
  return { id: String((await rowOf('users', 'email = ?', address))['id']), token }
}

describe.each(acts)('$call', (act) => {
  it('is refused to who is not permitted, by role, with 403, and nothing happens', async () => {
    const service = startService()
    const { moderator } = await staff(service)
    const user = await signUp(service, 'user@example.com')
    const target = await signUp(service, email)
    const refused = act.by.includes('MODERATOR') ? [user] : [user, moderator]
    for (const actor of refused) {
      for (const id of [target.id, actor.id, nobody, 'x']) {
        const { answer, effects } = await observe(service, () => perform(service, actor, act, id))
        expectProblem(answer, 403, 'insufficient_permission')
        expect(answer.headers.get('WWW-Authenticate')).toMatch(
          /^Bearer realm="postern", error="insufficient_scope", scope="[a-z:-]+"$/,
        )
        expect(effects).toEqual(nothing)
      }
    }
    expectOk(await service.call('GET', '/users/me', { token: target.accessToken }))
  })

  it.each(act.by)('is done for %s', async (role) => {
    const service = startService()
    const { admin, moderator } = await staff(service)
    const { id } = await signUp(service, email)
    const answer = await perform(service, role === 'ADMIN' ? admin : moderator, act, id)
    expect(answer.status, answer.text).toBe(act.status)
  })

  it('goes by the role in the database, whatever the token says', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    await write("update users set role = 'USER' where id = ?", admin.id)
    const { answer, effects } = await observe(service, () => perform(service, admin, act, id))
    expectProblem(answer, 403, 'insufficient_permission')
    expect(effects).toEqual(nothing)
  })

  it('answers 404 for a user that is not there, and for what is no id', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const gone = await signUp(service, email)
    expectNoContent(await service.call('DELETE', `/users/${gone.id}`, { token: admin.accessToken }))
    for (const id of [gone.id, nobody, 'x', admin.id.toUpperCase(), `${admin.id}%00`, "1'--"]) {
      const { answer, effects } = await observe(service, () => perform(service, admin, act, id))
      expectProblem(answer, 404, 'not_found')
      expect(effects, id).toEqual(nothing)
    }
  })
})

describe('a MODERATOR', () => {
  it.each(acts.filter(({ by, method }) => by.includes('MODERATOR') && method !== 'GET'))(
    'is refused $call of a MODERATOR or an ADMIN with 403, and nothing happens',
    async (act) => {
      const service = startService()
      const { admin, moderator } = await staff(service)
      const peer = await signUpAs(service, 'MODERATOR', 'peer@example.com', admin)
      await write("update users set status = 'suspended' where id = ?", peer.id)
      for (const id of [admin.id, peer.id]) {
        const { answer, effects } = await observe(service, () => perform(service, moderator, act, id))
        expectProblem(answer, 403, 'insufficient_permission')
        expect(effects).toEqual(nothing)
      }
      expectOk(await service.call('GET', '/users/me', { token: admin.accessToken }))
    },
  )

  it('may read an ADMIN', async () => {
    const service = startService()
    const { admin, moderator } = await staff(service)
    const user = expectOk(await service.call('GET', `/users/${admin.id}`, { token: moderator.accessToken }))
    expect(user).toMatchObject({ id: admin.id, role: 'ADMIN' })
  })
})

describe('GET /users/{id}', () => {
  it('gives the user with every field of the contract and no other, and does nothing', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    const { answer, effects } = await observe(service, () =>
      service.call('GET', `/users/${id}`, { token: admin.accessToken }),
    )
    expect(expectOk(answer)).toEqual(administeredUser({ email, id }))
    expect(effects).toEqual(nothing)
  })
})

describe('PATCH /users/{id}/profile', () => {
  const moderate = (service: Service, { accessToken: token }: SignedIn, id: string, body: unknown) =>
    service.call('PATCH', `/users/${id}/profile`, { token, body })

  it('changes the profile, but not the locale nor anything else, and records who did it', async () => {
    const service = startService()
    const { moderator } = await staff(service)
    const ada = await signUp(service, email)
    service.clock.advance(minute)
    const changes = { first_name: 'A.', last_name: null, bio: 'removed', avatar_url: 'https://a.example/x.png' }
    const more = { locale: 'de', role: 'ADMIN', email: 'eve@example.com', status: 'suspended', password: 'x' }
    const { answer, effects } = await observe(service, () =>
      moderate(service, moderator, ada.id, { ...changes, ...more }),
    )
    expect(expectOk(answer)).toEqual(
      administeredUser({ email, id: ada.id, ...changes, updated_at: service.clock.now().toISOString() }),
    )
    expect(effects).toEqual({
      ...nothing,
      rows: { users: '~1', audit_events: '+1' },
      events: [
        {
          type: 'user.profile_updated',
          actor: moderator.id,
          user: ada.id,
          detail: { fields: 'first_name last_name avatar_url bio' },
        },
      ],
    })
    expectOk(await service.call('GET', '/users/me', { token: ada.accessToken }))
  })

  it('does and records nothing when there is nothing to change', async () => {
    const service = startService()
    const { moderator } = await staff(service)
    const { id } = await signUp(service, email)
    for (const body of [{}, { locale: 'de', role: 'ADMIN' }]) {
      const { answer, effects } = await observe(service, () => moderate(service, moderator, id, body))
      expect(expectOk(answer)).toMatchObject({ id, locale: null })
      expect(effects).toEqual(nothing)
    }
  })

  it('refuses what breaks a rule with 422 and does nothing', async () => {
    const service = startService()
    const { moderator } = await staff(service)
    const { id } = await signUp(service, email)
    const broken = { first_name: '', last_name: 7, avatar_url: 'http://a.example', bio: 'x'.repeat(501) }
    const { answer, effects } = await observe(service, () => moderate(service, moderator, id, broken))
    expectInvalid(answer, '/first_name', '/last_name', '/avatar_url', '/bio')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /users/{id}/activate', () => {
  it('makes the only attempt the account, password and names, kills its link and mails that it is active', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const registration = { email, password: goodPassword, first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' }
    await service.call('POST', '/auth/register', { body: registration })
    await service.deliver()
    const link = tokenIn(newestMail(service, email))
    const { id } = await rowOf('users', 'email = ?', email)
    service.clock.advance(minute)
    const now = service.clock.now().toISOString()
    const { answer, effects } = await observe(service, () => activate(service, admin, String(id)))
    const names = { first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' }
    const times = { activated_at: now, updated_at: now, last_login_at: null }
    expect(expectOk(answer)).toEqual(administeredUser({ email, id, ...names, ...times }))
    expect(effects).toEqual({
      rows: { users: '~1', registrations: '-1', one_time_links: '-1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.activated', actor: admin.id, user: id, detail: null }],
      revoked: [],
      mails: [`${email}: ${subjects.accountActivated}`],
    })
    expectOk(await login(service, goodPassword))
    const later = await service.call('POST', '/auth/activate', { body: { token: link, password: goodPassword } })
    expectProblem(later, 400, 'invalid_link')
  })

  it('gives an account with several attempts nobody’s password and names, and mails a link to set one', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const mallory = { email, password: otherPassword, first_name: 'Mallory', locale: 'de' }
    await service.call('POST', '/auth/register', { body: mallory })
    const { id } = await pending(service)
    const { answer, effects } = await observe(service, () => activate(service, admin, id))
    expect(expectOk(answer)).toMatchObject({ status: 'active', first_name: null, last_name: null, locale: null })
    expect(effects.rows).toEqual({
      users: '~1',
      registrations: '-2',
      one_time_links: '-2',
      emails: '+1',
      audit_events: '+1',
    })
    expect(effects.mails).toEqual([`${email}: ${subjects.setPassword}`])
    // Where the ADMIN was is on record in the trail and in no mail.
    const invitation = await rowOf('emails', "template = 'set_password'")
    expect(JSON.parse(String(invitation['params']))).toEqual({ byAdministrator: true })
    for (const password of [goodPassword, otherPassword]) {
      expectProblem(await login(service, password), 401, 'invalid_credentials')
    }
    const token = tokenIn(newestMail(service, email))
    const body = { token, new_password: goodPassword }
    expectNoContent(await service.call('POST', '/auth/password-reset/complete', { body }))
    await signIn(service, email)
    expectProblem(await login(service, otherPassword), 401, 'invalid_credentials')
  })

  it('counts attempts that were mailed the same link or none as attempts', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await pending(service)
    await service.call('POST', '/auth/register', { body: { email, password: goodPassword } })
    expectOk(await activate(service, admin, id))
    expect(await rowOf('users', 'id = ?', id)).toMatchObject({ password_hash: null })
  })

  it('does nothing twice: an account that is active already is answered and left as it is', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const ada = await signUp(service, email)
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => activate(service, admin, ada.id))
    expect(expectOk(answer)).toMatchObject({ id: ada.id, status: 'active' })
    expect(effects).toEqual(nothing)
    expectOk(await service.call('GET', '/users/me', { token: ada.accessToken }))
    expectOk(await login(service, goodPassword))
  })

  it('does not reinstate who is suspended', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    await suspend(service, admin, id)
    const { answer, effects } = await observe(service, () => activate(service, admin, id))
    expect(expectOk(answer)).toMatchObject({ status: 'suspended' })
    expect(effects).toEqual(nothing)
  })
})

describe('PUT /users/{id}/role', () => {
  it('changes the role, ends every session of the user, and mails which role it is', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const sessions = [await signUp(service, email), await signIn(service, email)]
    const { id } = sessions[0]!
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => assign(service, admin, id, 'MODERATOR'))
    const updated_at = service.clock.now().toISOString()
    expect(expectOk(answer)).toEqual(administeredUser({ email, id, role: 'MODERATOR', updated_at }))
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-2', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.role_changed', actor: admin.id, user: id, detail: { role: 'MODERATOR' } }],
      revoked: sessions.map(({ accessToken }) => sessionOf(accessToken)).toSorted(),
      mails: [`${email}: ${subjects.roleChanged}`],
    })
    expect(newestMail(service, email).text).toMatch(/MODERATOR|moderator/i)
    for (const { accessToken: token } of sessions) {
      expectProblem(await service.call('GET', '/users/me', { token }), 401, 'invalid_token')
      expectProblem(await service.call('GET', '/auth/verify', { token }), 401, 'invalid_token')
    }
    const { accessToken: token } = await signIn(service, email)
    expectOk(await service.call('GET', '/users', { token }))
  })

  it('does nothing when the user has that role already, and ends no session', async () => {
    const service = startService()
    const { admin, moderator } = await staff(service)
    for (const [person, role] of [
      [moderator, 'MODERATOR'],
      [admin, 'ADMIN'],
    ] as const) {
      const { answer, effects } = await observe(service, () => assign(service, admin, person.id, role))
      expect(expectOk(answer)).toMatchObject({ id: person.id, role })
      expect(effects).toEqual(nothing)
      expectOk(await service.call('GET', '/users/me', { token: person.accessToken }))
    }
  })

  it.each(['USER', 'MODERATOR'])('refuses an ADMIN to make itself a %s with 409, and nothing happens', async (role) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    await signUpAs(service, 'ADMIN', 'other@example.com', admin)
    const { answer, effects } = await observe(service, () => assign(service, admin, admin.id, role))
    expectProblem(answer, 409, 'own_account')
    expect(effects).toEqual(nothing)
  })

  it('lets one ADMIN demote another', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const other = await signUpAs(service, 'ADMIN', 'other@example.com', admin)
    expect(expectOk(await assign(service, other, admin.id, 'USER'))).toMatchObject({ role: 'USER' })
    expectProblem(await service.call('GET', '/users/me', { token: admin.accessToken }), 401, 'invalid_token')
  })

  it('changes the role of an account that is pending without writing to a mailbox nobody has proven', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id, token } = await pending(service)
    const { answer, effects } = await observe(service, () => assign(service, admin, id, 'MODERATOR'))
    expect(expectOk(answer)).toMatchObject({ role: 'MODERATOR', status: 'pending' })
    expect(effects.rows).toEqual({ users: '~1', audit_events: '+1' })
    expect(effects.mails).toEqual([])
    const activation = await service.call('POST', '/auth/activate', { body: { token, password: goodPassword } })
    expect(expectOk(activation).user).toMatchObject({ role: 'MODERATOR', status: 'active' })
  })

  it.each([[{}], [{ role: 'admin' }], [{ role: 'ROOT' }], [{ role: null }], [{ role: ['ADMIN'] }]])(
    'refuses %j with 422 and nothing happens',
    async (body) => {
      const service = startService()
      const admin = await signUpAdmin(service)
      const { id } = await signUp(service, email)
      const { answer, effects } = await observe(service, () =>
        service.call('PUT', `/users/${id}/role`, { token: admin.accessToken, body }),
      )
      expectInvalid(answer, '/role')
      expect(effects).toEqual(nothing)
    },
  )
})

describe('POST /users/{id}/suspend', () => {
  it('ends every session at once, keeps the reason for the trail and mails it', async () => {
    const service = startService()
    const { moderator } = await staff(service)
    const sessions = [await signUp(service, email), await signIn(service, email)]
    const { id } = sessions[0]!
    service.clock.advance(minute)
    const reason = 'Selling lanterns <b>that</b> do not drift'
    const { answer, effects } = await observe(service, () => suspend(service, moderator, id, `  ${reason} `))
    const updated_at = service.clock.now().toISOString()
    expect(expectOk(answer)).toEqual(administeredUser({ email, id, status: 'suspended', updated_at }))
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-2', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.suspended', actor: moderator.id, user: id, detail: { reason } }],
      revoked: sessions.map(({ accessToken }) => sessionOf(accessToken)).toSorted(),
      mails: [`${email}: ${subjects.accountSuspended}`],
    })
    const { text, html } = newestMail(service, email)
    expect(text).toContain(reason)
    expect(html).toContain('&lt;b&gt;that&lt;/b&gt;')
    for (const { accessToken: token, refreshToken } of sessions) {
      expectProblem(await service.call('GET', '/users/me', { token }), 401, 'invalid_token')
      expectProblem(await service.call('GET', '/auth/verify', { token }), 401, 'invalid_token')
      const refresh = await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
      expectProblem(refresh, 401, 'invalid_refresh_token')
    }
    expectProblem(await login(service, goodPassword), 403, 'account_suspended')
  })

  it('does nothing to who is suspended already, and leaves the first reason', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    await suspend(service, admin, id)
    const { answer, effects } = await observe(service, () => suspend(service, admin, id, 'another reason'))
    expect(expectOk(answer)).toMatchObject({ status: 'suspended' })
    expect(effects).toEqual(nothing)
  })

  it('suspends an account nobody activated without writing to it; its link is dead meanwhile', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id, token } = await pending(service)
    const { answer, effects } = await observe(service, () => suspend(service, admin, id))
    expect(expectOk(answer)).toMatchObject({ status: 'suspended', activated_at: null })
    expect(effects.rows).toEqual({ users: '~1', audit_events: '+1' })
    expect(effects.mails).toEqual([])
    const use = () => service.call('POST', '/auth/activate', { body: { token, password: goodPassword } })
    expectProblem(await use(), 400, 'invalid_link')
    expect(expectOk(await reinstate(service, admin, id))).toMatchObject({ status: 'pending' })
    expectOk(await use())
  })

  it.each(['the only ADMIN', 'one ADMIN of two'])(
    'refuses %s to suspend itself with 409 own_account',
    async (which) => {
      const service = startService()
      const admin = await signUpAdmin(service)
      if (which !== 'the only ADMIN') await signUpAs(service, 'ADMIN', 'other@example.com', admin)
      const { answer, effects } = await observe(service, () => suspend(service, admin, admin.id))
      expectProblem(answer, 409, 'own_account')
      expect(effects).toEqual(nothing)
    },
  )

  it('lets one ADMIN suspend another, who can do nothing from then on', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const other = await signUpAs(service, 'ADMIN', 'other@example.com', admin)
    expectOk(await suspend(service, admin, other.id))
    expectProblem(await suspend(service, other, admin.id), 401, 'invalid_token')
    expect(await rowOf('users', 'id = ?', admin.id)).toMatchObject({ status: 'active' })
  })

  it.each([
    ['nothing', {}],
    ['an empty reason', { reason: ' ' }],
    ['a reason of 501 code points', { reason: '🦊'.repeat(501) }],
    ['a reason of two lines', { reason: 'spam\r\nBcc: eve@example.com' }],
    ['a NUL', { reason: 'a\0' }],
    ['a number', { reason: 7 }],
  ])('refuses %s with 422 and nothing happens', async (_, body) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, email)
    const { answer, effects } = await observe(service, () =>
      service.call('POST', `/users/${id}/suspend`, { token: admin.accessToken, body }),
    )
    expectInvalid(answer, '/reason')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /users/{id}/reinstate', () => {
  it('makes an account active again with its password, but brings no session back, and mails that', async () => {
    const service = startService()
    const { moderator } = await staff(service)
    const ada = await signUp(service, email)
    await suspend(service, moderator, ada.id)
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => reinstate(service, moderator, ada.id))
    const updated_at = service.clock.now().toISOString()
    expect(expectOk(answer)).toEqual(administeredUser({ email, id: ada.id, updated_at }))
    expect(effects).toEqual({
      rows: { users: '~1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.reinstated', actor: moderator.id, user: ada.id, detail: null }],
      revoked: [],
      mails: [`${email}: ${subjects.accountReinstated}`],
    })
    expectProblem(await service.call('GET', '/users/me', { token: ada.accessToken }), 401, 'invalid_token')
    const refresh = await service.call('POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } })
    expectProblem(refresh, 401, 'invalid_refresh_token')
    expectOk(await login(service, goodPassword))
  })

  it('makes an account that was never activated pending, and writes to nobody', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await pending(service)
    await suspend(service, admin, id)
    const { answer, effects } = await observe(service, () => reinstate(service, admin, id))
    expect(expectOk(answer)).toMatchObject({ status: 'pending', activated_at: null })
    expect(effects).toEqual({
      ...nothing,
      rows: { users: '~1', audit_events: '+1' },
      events: [{ type: 'user.reinstated', actor: admin.id, user: id, detail: null }],
    })
    expectProblem(await login(service, goodPassword), 403, 'account_pending')
  })

  it.each(['active', 'pending'])('does nothing to an account that is %s', async (status) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = status === 'active' ? await signUp(service, email) : await pending(service)
    const { answer, effects } = await observe(service, () => reinstate(service, admin, id))
    expect(expectOk(answer)).toMatchObject({ status })
    expect(effects).toEqual(nothing)
  })
})

describe('GET /users/{id}/sessions', () => {
  const sessionsOf = (service: Service, { accessToken: token }: SignedIn, id: string) =>
    service.call('GET', `/users/${id}/sessions`, { token })

  it('gives the live sessions of the user and of nobody else, newest first, as the user sees them', async () => {
    const service = startService()
    const { admin } = await staff(service)
    const ada = await signUp(service, email)
    service.clock.advance(minute)
    const newer = await signIn(service, email)
    await service.call('POST', '/auth/logout', { body: { refresh_token: (await signIn(service, email)).refreshToken } })
    const { answer, effects } = await observe(service, () => sessionsOf(service, admin, ada.id))
    const { sessions } = expectOk(answer)
    expect(sessions.map(({ id }: { id: string }) => id)).toEqual(
      [newer, ada].map(({ accessToken }) => sessionOf(accessToken)),
    )
    const own = expectOk(await service.call('GET', '/users/me/sessions', { token: ada.accessToken }))
    const seen = (list: { current: boolean }[]) => list.map((session) => ({ ...session, current: false }))
    expect(sessions).toEqual(seen(own.sessions))
    expect(effects).toEqual(nothing)
  })

  it('marks the session that asks, among the own', async () => {
    const service = startService()
    const { admin } = await staff(service)
    const { sessions } = expectOk(await sessionsOf(service, admin, admin.id))
    expect(sessions).toMatchObject([{ id: sessionOf(admin.accessToken), current: true }])
  })

  it('gives none of a session that has run out, and 404 where nobody is', async () => {
    const service = startService()
    const { admin } = await staff(service)
    const { id } = await signUp(service, email)
    service.clock.advance(31 * day)
    const { accessToken } = await signIn(service, admin.email)
    const again = { ...admin, accessToken }
    expect(expectOk(await sessionsOf(service, again, id))).toEqual({ sessions: [] })
    expectProblem(await sessionsOf(service, again, nobody), 404, 'not_found')
  })
})

describe('DELETE /users/{id}/sessions', () => {
  const endSessions = (service: Service, { accessToken: token }: SignedIn, id: string) =>
    service.call('DELETE', `/users/${id}/sessions`, { token })

  it('ends every session of that user and of nobody else, and mails nothing', async () => {
    const service = startService()
    const { admin, moderator } = await staff(service)
    const sessions = [await signUp(service, email), await signIn(service, email)]
    const { id } = sessions[0]!
    const { answer, effects } = await observe(service, () => endSessions(service, admin, id))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-2', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: admin.id, user: id, detail: { sessions: 'all' } }],
      revoked: sessions.map(({ accessToken }) => sessionOf(accessToken)).toSorted(),
      mails: [],
    })
    for (const { accessToken: token } of sessions) {
      expectProblem(await service.call('GET', '/users/me', { token }), 401, 'invalid_token')
    }
    expectOk(await service.call('GET', '/users/me', { token: moderator.accessToken }))
    expectOk(await login(service, goodPassword))
  })

  it('lets an ADMIN end its own', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    expectNoContent(await endSessions(service, admin, admin.id))
    expectProblem(await service.call('GET', '/users/me', { token: admin.accessToken }), 401, 'invalid_token')
  })
})

describe('DELETE /users/{id}', () => {
  const erase = (service: Service, { accessToken: token }: SignedIn, id: string) =>
    service.call('DELETE', `/users/${id}`, { token })

  it('leaves nothing of the account but ids in the audit trail, and mails a farewell', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const ada = await signUp(service, email)
    await resetToken(service, email)
    const { answer, effects } = await observe(service, () => erase(service, admin, ada.id))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { users: '-1', sessions: '-1', one_time_links: '-1', emails: expect.any(String), audit_events: '+1' },
      events: [{ type: 'user.deleted', actor: admin.id, user: ada.id, detail: null }],
      revoked: [sessionOf(ada.accessToken)],
      mails: [`${email}: ${subjects.accountDeleted}`],
    })
    expect(await whereIs(email)).toEqual([])
    expectProblem(await service.call('GET', '/users/me', { token: ada.accessToken }), 401, 'invalid_token')
    expectProblem(await login(service, goodPassword), 401, 'invalid_credentials')
  })

  it('deletes an account nobody activated, attempts and links too, without writing to it', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id, token } = await pending(service)
    const mailsBefore = mailsTo(service, email).length
    const { answer, effects } = await observe(service, () => erase(service, admin, id))
    expectNoContent(answer)
    expect(effects.mails).toEqual([])
    expect(mailsTo(service, email)).toHaveLength(mailsBefore)
    expect(await whereIs(email)).toEqual([])
    expect(await rowsOf('registrations')).toEqual([])
    const use = await service.call('POST', '/auth/activate', { body: { token, password: goodPassword } })
    expectProblem(use, 400, 'invalid_link')
  })

  it.each(['the only ADMIN', 'one ADMIN of two'])('refuses %s to delete itself with 409 own_account', async (which) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    if (which !== 'the only ADMIN') await signUpAs(service, 'ADMIN', 'other@example.com', admin)
    const { answer, effects } = await observe(service, () => erase(service, admin, admin.id))
    expectProblem(answer, 409, 'own_account')
    expect(effects).toEqual(nothing)
  })

  it('lets one ADMIN delete another', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const other = await signUpAs(service, 'ADMIN', 'other@example.com', admin)
    expectNoContent(await erase(service, other, admin.id))
    const last = { token: other.accessToken, body: { password: goodPassword } }
    expectProblem(await service.call('DELETE', '/users/me', last), 409, 'last_admin')
  })
})

describe('a suspended account that was never activated', () => {
  it('is active once it is reinstated, when its mailbox was proven by a reset meanwhile', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    await register(service, email)
    const { json } = await service.call('GET', `/users?email=${email}`, { token })
    const { id } = json.users[0]
    expectOk(await service.call('POST', `/users/${id}/suspend`, { token, body: { reason: 'spam' } }))
    const reset = { token: await resetToken(service, email), new_password: otherPassword }
    expectNoContent(await service.call('POST', '/auth/password-reset/complete', { body: reset }))
    expect(expectOk(await service.call('POST', `/users/${id}/reinstate`, { token })).status).toBe('active')
    await signIn(service, email, otherPassword)
  })
})
