/** POST /auth/change-password and the reset by mail. */
import { describe, expect } from 'vitest'
import { bytesOf, expectInvalid, expectNoContent, expectProblem, expectWeak } from '../support/answers.ts'
import { hour, minute, second } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import { hashesDuring } from '../support/password-work.ts'
import { it } from '../support/fixtures.ts'
import { expectEnded, goodPassword, otherPassword } from '../support/person.ts'
import { nothing, observe, rowOf, rowsOf } from '../support/state.ts'

const email = 'ada@example.com'
const newPassword = 'eleven amber owls whisper'

describe('POST /auth/change-password', () => {
  it('ends every other session, revokes pending reset links and mails a notice', async ({
    service,
    clock,
    people,
    anonymous,
    ada,
  }) => {
    const phone = await ada.signIn()
    const eve = await people.signUp('eve@example.com')
    const reset = await people.resetToken(email)
    clock.advance(minute)
    const { answer, effects } = await observe(service, () =>
      ada.changePassword({ old_password: goodPassword, new_password: newPassword }),
    )
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-1 ~1', one_time_links: '-1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.password_changed', actor: ada.id, user: ada.id, detail: null }],
      revoked: [phone.sessionId],
      mails: [`${email}: ${subjects.passwordChanged}`],
    })
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ updated_at: clock.now().getTime() })
    await expectEnded(phone)
    await ada.me()
    await ada.refresh()
    await eve.me()
    await anonymous.login({ email, password: goodPassword }).refused(401, 'invalid_credentials')
    await anonymous.login({ email, password: newPassword })
    await anonymous.completePasswordReset({ token: reset, new_password: otherPassword }).refused(400, 'invalid_link')
  })

  it('mails no password and no link to change it without asking', async ({ service, inbox, ada }) => {
    await ada.changePassword({ old_password: goodPassword, new_password: newPassword }).answer
    await service.deliver()
    const { text, html } = inbox.newest(email)
    for (const part of [text, html]) {
      expect(part).not.toContain(goodPassword)
      expect(part).not.toContain(newPassword)
      expect(part).not.toContain('token=')
    }
  })

  it('refuses a wrong old password with 403, records that, and changes nothing', async ({
    service,
    anonymous,
    ada,
  }) => {
    const { answer, effects } = await observe(service, () =>
      ada.changePassword({ old_password: otherPassword, new_password: newPassword }),
    )
    expectProblem(answer, 403, 'wrong_password')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [{ type: 'user.password_change_refused', actor: ada.id, user: ada.id, detail: null }],
    })
    await anonymous.login({ email, password: goodPassword })
  })

  it.for(['password123', 'ada@example.com', 'short', ''])(
    'refuses the weak password “%s” and does nothing',
    async (weak, { service, anonymous, ada }) => {
      const { answer, effects } = await observe(service, () =>
        ada.changePassword({ old_password: goodPassword, new_password: weak }),
      )
      expectWeak(answer, '/new_password')
      expect(effects).toEqual(nothing)
      await anonymous.login({ email, password: goodPassword })
    },
  )

  it('judges the new password by the names in the profile', async ({ ada }) => {
    const password = 'HeliosphereQuaternion'
    await ada.updateMe({ first_name: 'Heliosphere', last_name: 'Quaternion' })
    expectWeak(await ada.changePassword({ old_password: goodPassword, new_password: password }).answer, '/new_password')
  })

  it('says that the old password is wrong before it says that the new one is weak', async ({ ada }) => {
    await ada.changePassword({ old_password: otherPassword, new_password: 'weak' }).refused(403, 'wrong_password')
  })

  it.for([
    { sent: 'nothing', body: {}, pointers: ['/new_password'] },
    { sent: 'no old password', body: { new_password: newPassword }, pointers: ['/old_password'] },
    {
      sent: 'an empty old password',
      body: { old_password: '', new_password: newPassword },
      pointers: ['/old_password'],
    },
    {
      sent: 'an old password in an array',
      body: { old_password: [goodPassword], new_password: newPassword },
      pointers: ['/old_password'],
    },
    {
      sent: 'a new password of 129 code points',
      body: { old_password: 'x', new_password: 'ü'.repeat(129) },
      pointers: ['/new_password'],
    },
    {
      sent: 'a NUL in the new password',
      body: { old_password: 'x', new_password: `${newPassword}\0` },
      pointers: ['/new_password'],
    },
  ])('refuses $sent with 422 and does nothing', async ({ body, pointers }, { service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.call('changePassword', { body }))
    expectInvalid(answer, ...pointers)
    expect(effects).toEqual(nothing)
  })
})

describe('POST /auth/password-reset/request', () => {
  it('answers the same bytes after the same work for every address, and mails only accounts', async ({
    service,
    people,
    anonymous,
    ada,
    admin,
  }) => {
    await people.register('pending@example.com')
    await admin.suspend(await people.signUp('suspended@example.com'))
    await service.deliver()
    const answers = []
    for (const address of ['nobody@example.com', ada.email, 'pending@example.com', 'suspended@example.com']) {
      const { answer, effects } = await observe(service, () =>
        anonymous.from({ headers: { 'X-Request-Id': 'same' } }).requestPasswordReset({ email: address }),
      )
      answers.push(bytesOf(answer))
      expect(effects, address).toEqual({
        ...nothing,
        rows: { emails: '+1' },
        mails: address === 'nobody@example.com' ? [] : [`${address}: ${subjects.passwordReset}`],
      })
    }
    expect(answers[0]!.status).toBe(202)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(await hashesDuring(() => anonymous.requestPasswordReset({ email }))).toBe(0)
    expect(await rowsOf('users'), 'asking makes no user').toHaveLength(4)
  })

  it('records the request, with where it came from, when the mail is written, and only for an account', async ({
    service,
    anonymous,
    ada,
  }) => {
    const headers = { 'CF-Connecting-IP': '198.51.100.9', 'X-Request-Id': 'reset-1' }
    await anonymous.from({ headers }).requestPasswordReset({ email: ada.email })
    await anonymous.from({ headers }).requestPasswordReset({ email: 'nobody@example.com' })
    await service.deliver()
    expect(await rowsOf('audit_events', "type = 'user.password_reset_requested'")).toMatchObject([
      { user_id: ada.id, actor_id: null, ip: '198.51.100.9', request_id: 'reset-1' },
    ])
  })

  it('ends nothing and leaves the password good', async ({ people, anonymous, ada }) => {
    await people.resetToken(email)
    await ada.me()
    await anonymous.login({ email, password: goodPassword })
  })

  it.for([
    { body: {} },
    { body: { email: 'ada' } },
    { body: { email: [email] } },
    { body: { email: `${email}, eve@example.com` } },
  ])('refuses $body with 422 and does nothing', async ({ body }, { service, anonymous }) => {
    const { answer, effects } = await observe(service, () => anonymous.call('requestPasswordReset', { body }))
    expectInvalid(answer, '/email')
    expect(effects).toEqual(nothing)
  })
})

describe('POST /auth/password-reset/complete', () => {
  it('sets the password, ends every session, kills the link and mails a notice, and signs nobody in', async ({
    service,
    clock,
    people,
    anonymous,
    ada,
  }) => {
    const sessions = [ada, await ada.signIn()]
    const eve = await people.signUp('eve@example.com')
    const token = await people.resetToken(email)
    const { id } = ada
    clock.advance(minute)
    const { answer, effects } = await observe(service, () =>
      anonymous.completePasswordReset({ token, new_password: newPassword }),
    )
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-2', one_time_links: '-1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.password_reset', actor: id, user: id, detail: null }],
      revoked: sessions.map(({ sessionId }) => sessionId).toSorted(),
      mails: [`${email}: ${subjects.passwordChanged}`],
    })
    for (const session of sessions) await expectEnded(session)
    await eve.me()
    await anonymous.login({ email, password: goodPassword }).refused(401, 'invalid_credentials')
    await anonymous.login({ email, password: newPassword })
    await anonymous.completePasswordReset({ token, new_password: otherPassword }).refused(400, 'invalid_link')
  })

  it('makes a pending account active with the new password and nothing of what anybody registered', async ({
    service,
    clock,
    inbox,
    people,
    anonymous,
  }) => {
    const body = { email, password: otherPassword, first_name: 'Mallory', locale: 'de' }
    await anonymous.call('register', { body }).answer
    await service.deliver()
    const activation = inbox.linkToken(email)
    const token = await people.resetToken(email)
    clock.advance(minute)
    const { answer, effects } = await observe(service, () =>
      anonymous.completePasswordReset({ token, new_password: newPassword }),
    )
    expectNoContent(answer)
    expect(effects.rows).toEqual({
      users: '~1',
      registrations: '-1',
      one_time_links: '-2',
      emails: '+1',
      audit_events: '+1',
    })
    expect(await rowOf('users')).toMatchObject({
      status: 'active',
      activated_at: clock.now().getTime(),
      first_name: null,
      locale: null,
    })
    await anonymous.activate({ token: activation, password: otherPassword }).refused(400, 'invalid_link')
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    await anonymous.login({ email, password: newPassword })
  })

  it('changes the password of a suspended account and leaves it suspended', async ({
    people,
    anonymous,
    ada,
    admin,
  }) => {
    await admin.suspend(ada)
    const token = await people.resetToken(email)
    await anonymous.completePasswordReset({ token, new_password: newPassword })
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ status: 'suspended' })
    await anonymous.login({ email, password: newPassword }).refused(403, 'account_suspended')
    await anonymous.login({ email, password: goodPassword }).refused(401, 'invalid_credentials')
    await admin.reinstate(ada)
    await anonymous.login({ email, password: newPassword })
  })

  it.for([
    { what: 'too short', weak: 'short' },
    { what: 'empty', weak: '' },
    { what: 'easy to guess', weak: 'password123' },
    { what: 'the own address', weak: email },
  ])(
    'refuses a password that is $what, does nothing, and the link stays good',
    async ({ weak }, { service, people, anonymous, ada }) => {
      const token = await people.resetToken(ada.email)
      const { answer, effects } = await observe(service, () =>
        anonymous.completePasswordReset({ token, new_password: weak }),
      )
      expectWeak(answer, '/new_password')
      expect(effects).toEqual(nothing)
      await anonymous.completePasswordReset({ token, new_password: newPassword })
    },
  )

  it('takes a link until an hour after it was made, and not at that moment', async ({
    service,
    clock,
    people,
    anonymous,
    ada,
  }) => {
    await people.signUp('eve@example.com')
    const [early, late] = [await people.resetToken(ada.email), await people.resetToken('eve@example.com')]
    clock.advance(hour - second)
    await anonymous.completePasswordReset({ token: early, new_password: newPassword })
    clock.advance(second)
    const { answer, effects } = await observe(service, () =>
      anonymous.completePasswordReset({ token: late, new_password: newPassword }),
    )
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
    await anonymous.login({ email: 'eve@example.com', password: goodPassword })
  })

  it('leaves an older link good when a newer one is asked for; using either kills the other', async ({
    service,
    clock,
    people,
    anonymous,
    ada,
  }) => {
    const older = await people.resetToken(ada.email)
    clock.advance(minute)
    const newer = await people.resetToken(ada.email)
    expect(newer).not.toBe(older)
    await anonymous.completePasswordReset({ token: older, new_password: newPassword })
    const { answer, effects } = await observe(service, () =>
      anonymous.completePasswordReset({ token: newer, new_password: otherPassword }),
    )
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
    await anonymous.login({ email: ada.email, password: newPassword })
  })

  it('leaves the links of others alone', async ({ people, anonymous, ada }) => {
    await people.signUp('eve@example.com')
    const [mine, hers] = [await people.resetToken(ada.email), await people.resetToken('eve@example.com')]
    await anonymous.completePasswordReset({ token: mine, new_password: newPassword })
    await anonymous.completePasswordReset({ token: hers, new_password: newPassword })
  })

  it('gives one answer for a link that is used, unknown, forged or of another kind, and does nothing', async ({
    service,
    people,
    anonymous,
    ada,
  }) => {
    const used = await people.resetToken(email)
    await anonymous.completePasswordReset({ token: used, new_password: newPassword })
    const activation = await people.register('pending@example.com')
    const [header, payload] = used.split('.')
    const unsigned = `${btoa('{"alg":"none","typ":"reset+jwt"}').replaceAll('=', '')}.${payload}.`
    const tokens = {
      used,
      activation,
      accessToken: ada.accessToken,
      refreshToken: ada.refreshToken,
      unsigned,
      half: `${header}.${payload}`,
      none: 'x',
    }
    const answers = []
    for (const [name, token] of Object.entries(tokens)) {
      const { answer, effects } = await observe(service, () =>
        anonymous
          .from({ headers: { 'X-Request-Id': 'same' } })
          .completePasswordReset({ token, new_password: newPassword }),
      )
      expectProblem(answer, 400, 'invalid_link')
      expect(effects, name).toEqual(nothing)
      answers.push(bytesOf(answer))
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('says of a dead link that it is dead, not that the password is weak', async ({ anonymous }) => {
    await anonymous.completePasswordReset({ token: 'x', new_password: 'weak' }).refused(400, 'invalid_link')
  })

  it.for([
    { sent: 'nothing', body: {}, pointers: ['/token', '/new_password'] },
    { sent: 'no password', body: { token: 'x' }, pointers: ['/new_password'] },
    {
      sent: 'a password of 129 code points',
      body: { token: 'x', new_password: '🦊'.repeat(129) },
      pointers: ['/new_password'],
    },
    { sent: 'arrays', body: { token: ['x'], new_password: ['x'] }, pointers: ['/token', '/new_password'] },
  ])('refuses $sent with 422', async ({ body, pointers }, { anonymous }) => {
    expectInvalid(await anonymous.call('completePasswordReset', { body }).answer, ...pointers)
  })
})
