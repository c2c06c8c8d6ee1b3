/** What ADMIN and MODERATOR do to others: who may, what it does, and what it must never do. */
import { describe, expect } from 'vitest'
import { expectInvalid, expectNoContent, expectOk, expectProblem, administeredUser } from '../support/answers.ts'
import type { OperationId } from '../support/api.ts'
import { day, minute } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import { description } from '../support/description.ts'
import { it } from '../support/fixtures.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { nothing, observe, rowOf, rowsOf, whereIs, write } from '../support/state.ts'

const email = 'ada@example.com'
const nobody = '01936f6e-0000-7000-8000-000000000000'

type Act = Extract<
  OperationId,
  | 'getUser'
  | 'deleteUser'
  | 'moderateProfile'
  | 'activateUser'
  | 'assignRole'
  | 'suspendUser'
  | 'reinstateUser'
  | 'startPasswordReset'
  | 'resetFactors'
  | 'listSessionsOfUser'
  | 'endSessionsOfUser'
  | 'liftEmailSuppression'
>

/** What has to be true of the user for an act to do something. */
const states: Partial<Record<Act, string>> = {
  resetFactors: 'update users set factors_id = password_id where id = ?',
  reinstateUser: "update users set status = 'suspended', suspended_by_role = 'MODERATOR' where id = ?",
  liftEmailSuppression: "update users set email_problem = 'bounced' where id = ?",
}

/** What each act takes, and the roles that have its permission. */
const terms: Record<Act, { by: readonly ('MODERATOR' | 'ADMIN')[]; body?: object }> = {
  getUser: { by: ['MODERATOR', 'ADMIN'] },
  deleteUser: { by: ['ADMIN'] },
  moderateProfile: { by: ['MODERATOR', 'ADMIN'], body: { bio: 'x' } },
  activateUser: { by: ['ADMIN'] },
  assignRole: { by: ['ADMIN'], body: { role: 'MODERATOR' } },
  suspendUser: { by: ['MODERATOR', 'ADMIN'], body: { reason: 'spam' } },
  reinstateUser: { by: ['MODERATOR', 'ADMIN'] },
  startPasswordReset: { by: ['ADMIN'] },
  resetFactors: { by: ['ADMIN'], body: { reason: 'Lost phone' } },
  listSessionsOfUser: { by: ['ADMIN'] },
  endSessionsOfUser: { by: ['ADMIN'] },
  liftEmailSuppression: { by: ['ADMIN'] },
}

/** Every documented act on one user. */
const acts = Object.entries(description.paths)
  .filter(([template]) => template.startsWith('/users/{id}'))
  .flatMap(([template, item]) =>
    Object.entries(item)
      .filter(([, operation]) => 'operationId' in operation)
      .map(([verb, { operationId, responses }]) => ({
        call: `${verb.toUpperCase()} ${template}`,
        isRead: verb === 'get',
        act: operationId as Act,
        ...terms[operationId as Act],
        status: Number(Object.keys(responses).find((status) => status.startsWith('2'))),
      })),
  )

it('the acts under test are all that the OpenAPI document has', () => {
  expect(acts.map(({ act }) => act).toSorted()).toEqual(Object.keys(terms).toSorted())
})

describe.each(acts)('$call', ({ act, by, body, status }) => {
  const perform = (actor: Person, id: string) => actor.call(act, { id, body })

  it('is refused with 403 without the permission, and nothing happens', async ({ service, people, moderator }) => {
    const user = await people.signUp('user@example.com')
    const target = await people.signUp(email)
    const refused = by.includes('MODERATOR') ? [user] : [user, moderator]
    for (const actor of refused) {
      for (const id of [target.id, actor.id, nobody, 'x']) {
        const { answer, effects } = await observe(service, () => perform(actor, id))
        expectProblem(answer, 403, 'insufficient_permission')
        expect(answer.headers.get('WWW-Authenticate')).toMatch(
          /^Bearer realm="postern", error="insufficient_scope", scope="[a-z:-]+"$/,
        )
        expect(effects).toEqual(nothing)
      }
    }
    await target.me()
  })

  it.for(by)('is done for %s', async (role, { ada, admin, moderator }) => {
    const state = states[act]
    if (state !== undefined) await write(state, ada.id)
    const answer = await perform(role === 'ADMIN' ? admin : moderator, ada.id).answer
    expect(answer.status, answer.text).toBe(status)
  })

  it('goes by the role in the database, whatever the token says', async ({ service, ada, admin }) => {
    await write("update users set role = 'USER' where id = ?", admin.id)
    const { answer, effects } = await observe(service, () => perform(admin, ada.id))
    expectProblem(answer, 403, 'insufficient_permission')
    expect(effects).toEqual(nothing)
  })

  it('answers 404 for a user that does not exist, and for an id of another form', async ({ service, ada, admin }) => {
    await admin.deleteUser(ada)
    for (const id of [ada.id, nobody, 'x', admin.id.slice(1), `${admin.id}%00`, "1'--"]) {
      const { answer, effects } = await observe(service, () => perform(admin, id))
      expectProblem(answer, 404, 'not_found')
      expect(effects, id).toEqual(nothing)
    }
  })
})

describe('a MODERATOR', () => {
  it.for(acts.filter(({ by, isRead }) => by.includes('MODERATOR') && !isRead))(
    'is refused $call of a MODERATOR or an ADMIN with 403, and nothing happens',
    async ({ act, body }, { service, people, admin, moderator }) => {
      const peer = await people.signUpAs('MODERATOR', 'peer@example.com')
      await write("update users set status = 'suspended' where id = ?", peer.id)
      for (const id of [admin.id, peer.id]) {
        const { answer, effects } = await observe(service, () => moderator.call(act, { id, body }))
        expectProblem(answer, 403, 'insufficient_permission')
        expect(effects).toEqual(nothing)
      }
      await admin.me()
    },
  )

  it('may read an ADMIN', async ({ admin, moderator }) => {
    const user = await moderator.user(admin)
    expect(user).toMatchObject({ id: admin.id, role: 'ADMIN' })
  })
})

describe('GET /users/{id}', () => {
  it('gives the user with every field of the contract and no other, and does nothing', async ({
    service,
    ada,
    admin,
  }) => {
    const { answer, effects } = await observe(service, () => admin.user(ada))
    expect(expectOk(answer)).toEqual(administeredUser({ email, id: ada.id }))
    expect(effects).toEqual(nothing)
  })
})

describe('PATCH /users/{id}/profile', () => {
  it('changes the profile, but not the locale nor anything else, and records who did it', async ({
    service,
    clock,
    ada,
    moderator,
  }) => {
    clock.advance(minute)
    const changes = { first_name: 'A.', last_name: null, bio: 'removed', avatar_url: 'https://a.example/x.png' }
    const more = { locale: 'de', role: 'ADMIN', email: 'eve@example.com', status: 'suspended', password: 'x' }
    const { answer, effects } = await observe(service, () => moderator.moderateProfile(ada, { ...changes, ...more }))
    expect(expectOk(answer)).toEqual(
      administeredUser({ email, id: ada.id, ...changes, updated_at: clock.now().toISOString() }),
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
    await ada.me()
  })

  it('does and records nothing when there is nothing to change', async ({ service, ada, moderator }) => {
    for (const body of [{}, { locale: 'de', role: 'ADMIN' }]) {
      const { answer, effects } = await observe(service, () => moderator.call('moderateProfile', { id: ada.id, body }))
      expect(expectOk(answer)).toMatchObject({ id: ada.id, locale: null })
      expect(effects).toEqual(nothing)
    }
  })

  it('refuses what breaks a rule with 422 and does nothing', async ({ service, ada, moderator }) => {
    const broken = { first_name: '', last_name: 7, avatar_url: 'http://a.example', bio: 'x'.repeat(501) }
    const { answer, effects } = await observe(service, () =>
      moderator.call('moderateProfile', { id: ada.id, body: broken }),
    )
    expectInvalid(answer, '/first_name', '/last_name', '/avatar_url', '/bio')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /users/{id}/activate', () => {
  it('takes no password and no names from a registration, kills its link, and mails one to set a password', async ({
    service,
    clock,
    inbox,
    people,
    anonymous,
    admin,
  }) => {
    const registration = { email, password: otherPassword, first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' }
    await anonymous.register(registration).answer
    await service.deliver()
    const link = inbox.linkToken(email)
    const { id } = await rowOf('users', 'email = ?', email)
    clock.advance(minute)
    const now = clock.now().toISOString()
    const { answer, effects } = await observe(service, () => admin.activateUser(String(id)))
    const times = { activated_at: now, updated_at: now, last_login_at: null }
    expect(expectOk(answer)).toEqual(administeredUser({ email, id, ...times }))
    expect(effects).toEqual({
      rows: { users: '~1', registrations: '-1', one_time_links: '-1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.activated', actor: admin.id, user: id, detail: null }],
      revoked: [],
      mails: [`${email}: ${subjects.setPassword}`],
    })
    // Where the ADMIN was is on record in the trail and not in the email, which keeps nothing once it is sent.
    const invitation = await rowOf('emails', "template = 'set_password'")
    expect(invitation['params']).toBe('{}')
    await anonymous.activate({ token: link, password: otherPassword }).refused(400, 'invalid_link')
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    await anonymous.completePasswordReset({ token: inbox.linkToken(email), new_password: goodPassword })
    await people.signIn(email)
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
  })

  it('does nothing twice: an account that is active already is answered and left as it is', async ({
    service,
    clock,
    anonymous,
    ada,
    admin,
  }) => {
    clock.advance(minute)
    const { answer, effects } = await observe(service, () => admin.activateUser(ada))
    expect(expectOk(answer)).toMatchObject({ id: ada.id, status: 'active' })
    expect(effects).toEqual(nothing)
    await ada.me()
    await anonymous.login({ email, password: goodPassword })
  })

  it.for(['active', 'pending'])(
    'is refused for a suspended user who was %s',
    async (was, { service, people, admin }) => {
      const { id } = was === 'active' ? await people.signUp(email) : await people.pending(email)
      await admin.suspend(id)
      const { answer, effects } = await observe(service, () => admin.activateUser(id))
      expectProblem(answer, 409, 'user_suspended')
      expect(effects).toEqual(nothing)
    },
  )
})

describe('PUT /users/{id}/role', () => {
  it('changes the role, ends every session of the user, and mails which role it is', async ({
    service,
    clock,
    inbox,
    ada,
    admin,
  }) => {
    const sessions = [ada, await ada.signIn()]
    const { id } = ada
    clock.advance(minute)
    const { answer, effects } = await observe(service, () => admin.assignRole(id, 'MODERATOR'))
    const updated_at = clock.now().toISOString()
    expect(expectOk(answer)).toEqual(administeredUser({ email, id, role: 'MODERATOR', updated_at }))
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-2', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.role_changed', actor: admin.id, user: id, detail: { role: 'MODERATOR' } }],
      revoked: sessions.map(({ sessionId }) => sessionId).toSorted(),
      mails: [`${email}: ${subjects.roleChanged}`],
    })
    expect(inbox.newest(email).text).toMatch(/MODERATOR|moderator/i)
    for (const session of sessions) {
      await session.me().refused(401, 'invalid_token')
      await session.verify().refused(401, 'invalid_token')
    }
    await (await ada.signIn()).users()
  })

  it('does nothing when the user has that role already, and ends no session', async ({ service, admin, moderator }) => {
    for (const { person, role } of [
      { person: moderator, role: 'MODERATOR' },
      { person: admin, role: 'ADMIN' },
    ] as const) {
      const { answer, effects } = await observe(service, () => admin.assignRole(person.id, role))
      expect(expectOk(answer)).toMatchObject({ id: person.id, role })
      expect(effects).toEqual(nothing)
      await person.me()
    }
  })

  it.for(['USER', 'MODERATOR'] as const)(
    'refuses an ADMIN to make itself a %s with 409, and nothing happens',
    async (role, { service, people, admin }) => {
      await people.signUpAs('ADMIN', 'other@example.com')
      const { answer, effects } = await observe(service, () => admin.assignRole(admin, role))
      expectProblem(answer, 409, 'own_account')
      expect(effects).toEqual(nothing)
    },
  )

  it('lets one ADMIN demote another', async ({ people, admin }) => {
    const other = await people.signUpAs('ADMIN', 'other@example.com')
    expect(await other.assignRole(admin, 'USER')).toMatchObject({ role: 'USER' })
    await admin.me().refused(401, 'invalid_token')
  })

  it.for(['MODERATOR', 'ADMIN'] as const)(
    'refuses to make an account that was never activated %s, and nothing happens',
    async (role, { service, people, admin }) => {
      const { id } = await people.pending(email)
      const { answer, effects } = await observe(service, () => admin.assignRole(id, role))
      expectProblem(answer, 409, 'not_activated')
      expect(effects).toEqual(nothing)
      expect(await admin.assignRole(id, 'USER')).toMatchObject({ role: 'USER', status: 'pending' })
    },
  )

  it('takes a role from an account that was never activated, and writes to nobody', async ({
    service,
    people,
    admin,
  }) => {
    const { id } = await people.pending(email)
    await write("update users set role = 'MODERATOR' where id = ?", id)
    await service.deliver()
    expect(await admin.assignRole(id, 'USER')).toMatchObject({ role: 'USER', status: 'pending' })
    expect(service.queued).toEqual([])
    expect(await rowsOf('emails', "template = 'role_changed'")).toEqual([])
  })

  it.for([
    { body: {} },
    { body: { role: 'admin' } },
    { body: { role: 'ROOT' } },
    { body: { role: null } },
    { body: { role: ['ADMIN'] } },
  ])('refuses $body with 422 and nothing happens', async ({ body }, { service, ada, admin }) => {
    const { answer, effects } = await observe(service, () => admin.call('assignRole', { id: ada.id, body }))
    expectInvalid(answer, '/role')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /users/{id}/suspend', () => {
  it('ends every session at once, keeps the reason for the trail and mails it', async ({
    service,
    clock,
    inbox,
    anonymous,
    ada,
    moderator,
  }) => {
    const sessions = [ada, await ada.signIn()]
    const { id } = ada
    clock.advance(minute)
    const reason = 'Selling lanterns <b>that</b> do not drift'
    const { answer, effects } = await observe(service, () => moderator.suspend(id, `  ${reason} `))
    const updated_at = clock.now().toISOString()
    const suspended = { email, id, status: 'suspended', suspended_by_role: 'MODERATOR', updated_at }
    expect(expectOk(answer)).toEqual(administeredUser(suspended))
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-2', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.suspended', actor: moderator.id, user: id, detail: { reason } }],
      revoked: sessions.map(({ sessionId }) => sessionId).toSorted(),
      mails: [`${email}: ${subjects.accountSuspended}`],
    })
    const { text, html } = inbox.newest(email)
    expect(text).toContain(reason)
    expect(html).toContain('&lt;b&gt;that&lt;/b&gt;')
    for (const session of sessions) {
      await session.me().refused(401, 'invalid_token')
      await session.verify().refused(401, 'invalid_token')
      await session.refresh().refused(401, 'invalid_refresh_token')
    }
    await anonymous.login({ email, password: goodPassword }).refused(403, 'account_suspended')
  })

  it('is refused for a user who is suspended already, whose first reason stays', async ({ service, ada, admin }) => {
    await admin.suspend(ada)
    const { answer, effects } = await observe(service, () => admin.suspend(ada, 'another reason'))
    expectProblem(answer, 409, 'user_suspended')
    expect(effects).toEqual(nothing)
  })

  it('suspends an account nobody activated without writing to it; its link is dead meanwhile', async ({
    service,
    people,
    anonymous,
    admin,
  }) => {
    const { id, link } = await people.pending(email)
    const { answer, effects } = await observe(service, () => admin.suspend(id))
    expect(expectOk(answer)).toMatchObject({ status: 'suspended', activated_at: null })
    expect(effects.rows).toEqual({ users: '~1', audit_events: '+1' })
    expect(effects.mails).toEqual([])
    const use = () => anonymous.activate({ token: link, password: goodPassword })
    await use().refused(400, 'invalid_link')
    expect(await admin.reinstate(id)).toMatchObject({ status: 'pending' })
    await use()
  })

  it.for(['the only ADMIN', 'one ADMIN of two'])(
    'refuses %s to suspend itself with 409 own_account',
    async (which, { service, people, admin }) => {
      if (which !== 'the only ADMIN') await people.signUpAs('ADMIN', 'other@example.com')
      const { answer, effects } = await observe(service, () => admin.suspend(admin))
      expectProblem(answer, 409, 'own_account')
      expect(effects).toEqual(nothing)
    },
  )

  it('lets one ADMIN suspend another, who can do nothing from then on', async ({ people, admin }) => {
    const other = await people.signUpAs('ADMIN', 'other@example.com')
    await admin.suspend(other)
    await other.suspend(admin).refused(401, 'invalid_token')
    expect(await rowOf('users', 'id = ?', admin.id)).toMatchObject({ status: 'active' })
  })

  it.for([
    { sent: 'nothing', body: {} },
    { sent: 'an empty reason', body: { reason: ' ' } },
    { sent: 'a reason of 501 code points', body: { reason: '🦊'.repeat(501) } },
    { sent: 'a reason of two lines', body: { reason: 'spam\r\nBcc: eve@example.com' } },
    { sent: 'a NUL', body: { reason: 'a\0' } },
    { sent: 'a number', body: { reason: 7 } },
  ])('refuses $sent with 422 and nothing happens', async ({ body }, { service, ada, admin }) => {
    const { answer, effects } = await observe(service, () => admin.call('suspendUser', { id: ada.id, body }))
    expectInvalid(answer, '/reason')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /users/{id}/reinstate', () => {
  it('makes an account active again with its password, but brings no session back, and mails that', async ({
    service,
    clock,
    anonymous,
    ada,
    moderator,
  }) => {
    await moderator.suspend(ada)
    clock.advance(minute)
    const { answer, effects } = await observe(service, () => moderator.reinstate(ada))
    const updated_at = clock.now().toISOString()
    expect(expectOk(answer)).toEqual(administeredUser({ email, id: ada.id, updated_at }))
    expect(effects).toEqual({
      rows: { users: '~1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.reinstated', actor: moderator.id, user: ada.id, detail: null }],
      revoked: [],
      mails: [`${email}: ${subjects.accountReinstated}`],
    })
    await ada.me().refused(401, 'invalid_token')
    const refresh = await ada.refresh().answer
    expectProblem(refresh, 401, 'invalid_refresh_token')
    await anonymous.login({ email, password: goodPassword })
  })

  it('makes an account that was never activated pending, and writes to nobody', async ({
    service,
    people,
    anonymous,
    admin,
  }) => {
    const { id } = await people.pending(email)
    await admin.suspend(id)
    const { answer, effects } = await observe(service, () => admin.reinstate(id))
    expect(expectOk(answer)).toMatchObject({ status: 'pending', activated_at: null })
    expect(effects).toEqual({
      ...nothing,
      rows: { users: '~1', audit_events: '+1' },
      events: [{ type: 'user.reinstated', actor: admin.id, user: id, detail: null }],
    })
    await anonymous.login({ email, password: goodPassword }).refused(403, 'account_pending')
  })

  it.for(['active', 'pending'])('is refused for an account that is %s', async (status, { service, people, admin }) => {
    const { id } = status === 'active' ? await people.signUp(email) : await people.pending(email)
    const { answer, effects } = await observe(service, () => admin.reinstate(id))
    expectProblem(answer, 409, 'not_suspended')
    expect(effects).toEqual(nothing)
  })

  it('tells a MODERATOR that an account is not suspended, as it tells an ADMIN', async ({ ada, moderator }) => {
    await moderator.reinstate(ada).refused(409, 'not_suspended')
  })

  const suspensions = [
    { by: 'ADMIN', since: 'nothing' },
    { by: 'ADMIN', since: 'was demoted' },
    { by: 'ADMIN', since: 'was deleted' },
    { by: 'MODERATOR', since: 'nothing' },
    { by: 'MODERATOR', since: 'was promoted' },
    { by: 'MODERATOR', since: 'was deleted' },
    { by: null, since: 'nothing' },
  ] as const

  it.for(suspensions)(
    'needs the reach of whoever suspended: $by, since then: $since',
    async ({ by, since }, { service, people, ada, admin, moderator }) => {
      const suspender = await people.signUpAs(by ?? 'ADMIN', 'suspender@example.com')
      await suspender.suspend(ada)
      if (by === null) await write('update users set suspended_by_role = null where id = ?', ada.id)
      if (since === 'was demoted') await admin.assignRole(suspender, 'USER')
      if (since === 'was promoted') await admin.assignRole(suspender, 'ADMIN')
      if (since === 'was deleted') await admin.deleteUser(suspender)
      expect(await moderator.user(ada)).toMatchObject({ status: 'suspended', suspended_by_role: by })
      const { answer, effects } = await observe(service, () => moderator.reinstate(ada))
      if (by === 'MODERATOR') {
        expect(expectOk(answer)).toMatchObject({ status: 'active', suspended_by_role: null })
      } else {
        expectProblem(answer, 403, 'insufficient_permission')
        expect(effects).toEqual(nothing)
        expect(await admin.reinstate(ada)).toMatchObject({ status: 'active' })
      }
      // What is over leaves no trace that a later suspension could be judged by.
      expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ suspended_by_role: null })
      await moderator.suspend(ada)
      expect(await moderator.reinstate(ada)).toMatchObject({ status: 'active' })
    },
  )

  it('cannot be prepared by a MODERATOR who suspends again whom an ADMIN suspended', async ({
    ada,
    admin,
    moderator,
  }) => {
    await admin.suspend(ada)
    await moderator.suspend(ada).refused(409, 'user_suspended')
    await moderator.reinstate(ada).refused(403, 'insufficient_permission')
  })
})

describe('POST /users/{id}/password-reset', () => {
  it('is refused for an address that takes no email, since nothing would arrive', async ({ service, ada, admin }) => {
    await write("update users set email_problem = 'complained' where id = ?", ada.id)
    const { answer, effects } = await observe(service, () => admin.startPasswordReset(ada))
    expectProblem(answer, 409, 'email_suppressed')
    expect(effects).toEqual(nothing)
  })
})

describe('GET /users/{id}/sessions', () => {
  it('gives the live sessions of the user and of nobody else, newest first, as the user sees them', async ({
    service,
    clock,
    ada,
    admin,
  }) => {
    clock.advance(minute)
    const newer = await ada.signIn()
    await (await ada.signIn()).logout()
    const { answer, effects } = await observe(service, () => admin.sessionsOf(ada))
    const { sessions } = expectOk(answer)
    expect(sessions.map(({ id }) => id)).toEqual([newer.sessionId, ada.sessionId])
    const own = await ada.sessions()
    const seen = (list: { current: boolean }[]) => list.map((session) => ({ ...session, current: false }))
    expect(sessions).toEqual(seen(own.sessions))
    expect(effects).toEqual(nothing)
  })

  it('marks the session that asks, among the own', async ({ admin }) => {
    const { sessions } = await admin.sessionsOf(admin)
    expect(sessions).toMatchObject([{ id: admin.sessionId, current: true }])
  })

  it('leaves out expired sessions, and answers 404 for an unknown user', async ({ clock, ada, admin }) => {
    clock.advance(31 * day)
    const again = await admin.signIn()
    expect(await again.sessionsOf(ada.id)).toEqual({ sessions: [] })
    await again.sessionsOf(nobody).refused(404, 'not_found')
  })
})

describe('DELETE /users/{id}/sessions', () => {
  it('ends every session of that user and of nobody else, and mails nothing', async ({
    service,
    anonymous,
    ada,
    admin,
    moderator,
  }) => {
    const sessions = [ada, await ada.signIn()]
    const { id } = ada
    const { answer, effects } = await observe(service, () => admin.endSessionsOf(id))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { sessions: '-2', audit_events: '+1' },
      events: [{ type: 'session.ended', actor: admin.id, user: id, detail: { sessions: 'all' } }],
      revoked: sessions.map(({ sessionId }) => sessionId).toSorted(),
      mails: [],
    })
    for (const session of sessions) {
      await session.me().refused(401, 'invalid_token')
    }
    await moderator.me()
    await anonymous.login({ email, password: goodPassword })
  })

  it('lets an ADMIN end its own', async ({ admin }) => {
    await admin.endSessionsOf(admin)
    await admin.me().refused(401, 'invalid_token')
  })
})

describe('DELETE /users/{id}', () => {
  it('leaves nothing of the account but ids in the audit trail, and mails a farewell', async ({
    service,
    people,
    anonymous,
    ada,
    admin,
  }) => {
    await people.resetToken(email)
    const { answer, effects } = await observe(service, () => admin.deleteUser(ada))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { users: '-1', sessions: '-1', one_time_links: '-1', emails: expect.any(String), audit_events: '+1' },
      events: [{ type: 'user.deleted', actor: admin.id, user: ada.id, detail: null }],
      revoked: [ada.sessionId],
      mails: [`${email}: ${subjects.accountDeleted}`],
    })
    expect(await whereIs(email)).toEqual([])
    await ada.me().refused(401, 'invalid_token')
    await anonymous.login({ email, password: goodPassword }).refused(401, 'invalid_credentials')
  })

  it('deletes an account nobody activated, attempts and links too, without writing to it', async ({
    service,
    inbox,
    people,
    anonymous,
    admin,
  }) => {
    const { id, link } = await people.pending(email)
    const mailsBefore = inbox.all(email).length
    const { answer, effects } = await observe(service, () => admin.deleteUser(id))
    expectNoContent(answer)
    expect(effects.mails).toEqual([])
    expect(inbox.all(email)).toHaveLength(mailsBefore)
    expect(await whereIs(email)).toEqual([])
    expect(await rowsOf('registrations')).toEqual([])
    const use = await anonymous.activate({ token: link, password: goodPassword }).answer
    expectProblem(use, 400, 'invalid_link')
  })

  it.for(['the only ADMIN', 'one ADMIN of two'])(
    'refuses %s to delete itself with 409 own_account',
    async (which, { service, people, admin }) => {
      if (which !== 'the only ADMIN') await people.signUpAs('ADMIN', 'other@example.com')
      const { answer, effects } = await observe(service, () => admin.deleteUser(admin))
      expectProblem(answer, 409, 'own_account')
      expect(effects).toEqual(nothing)
    },
  )

  it('lets one ADMIN delete another', async ({ people, admin }) => {
    const other = await people.signUpAs('ADMIN', 'other@example.com')
    await other.deleteUser(admin)
    await other.deleteMe().refused(409, 'last_admin')
  })
})

describe('a suspended account that was never activated', () => {
  it('is active once it is reinstated, when its mailbox was proven by a reset meanwhile', async ({
    people,
    anonymous,
    admin,
  }) => {
    const { id } = await people.pending(email)
    await admin.suspend(id)
    await anonymous.completePasswordReset({ token: await people.resetToken(email), new_password: otherPassword })
    expect((await admin.reinstate(id)).status).toBe('active')
    await people.signIn(email, otherPassword)
  })
})
