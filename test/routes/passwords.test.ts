/** POST /auth/change-password and the reset by mail. */
import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  expectInvalid,
  expectNoContent,
  expectOk,
  expectProblem,
  expectWeak,
  sessionOf,
} from '../support/answers.ts'
import { hour, minute, second } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import { hashesDuring } from '../support/password-work.ts'
import {
  type SignedIn,
  goodPassword,
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
import { nothing, observe, rowOf, rowsOf } from '../support/state.ts'

const email = 'ada@example.com'
const newPassword = 'eleven amber owls whisper'

const login = (service: Service, password: string, address = email) =>
  service.call('POST', '/auth/login', { body: { email: address, password } })

const change = (service: Service, token: string, oldPassword: string, password = newPassword) =>
  service.call('POST', '/auth/change-password', { token, body: { old_password: oldPassword, new_password: password } })

const complete = (service: Service, token: string, password = newPassword) =>
  service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: password } })

async function suspend(service: Service, id: string): Promise<SignedIn> {
  const admin = await signUpAdmin(service)
  const suspension = { token: admin.accessToken, body: { reason: 'spam' } }
  expectOk(await service.call('POST', `/users/${id}/suspend`, suspension))
  return admin
}

async function expectEnded(service: Service, { accessToken, refreshToken }: SignedIn): Promise<void> {
  expectProblem(await service.call('GET', '/users/me', { token: accessToken }), 401, 'invalid_token')
  const answer = await service.call('POST', '/auth/refresh', { body: { refresh_token: refreshToken } })
  expectProblem(answer, 401, 'invalid_refresh_token')
}

describe('POST /auth/change-password', () => {
  it('ends every other session, leaves this one alone, kills the reset links on their way and mails a notice', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    const phone = await signIn(service, email)
    const eve = await signUp(service, 'eve@example.com')
    const reset = await resetToken(service, email)
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => change(service, ada.accessToken, goodPassword))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-1', one_time_links: '-1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.password_changed', actor: ada.id, user: ada.id, detail: null }],
      revoked: [sessionOf(phone.accessToken)],
      mails: [`${email}: ${subjects.passwordChanged}`],
    })
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ updated_at: service.clock.now().getTime() })
    await expectEnded(service, phone)
    expectOk(await service.call('GET', '/users/me', { token: ada.accessToken }))
    expectOk(await service.call('POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } }))
    expectOk(await service.call('GET', '/users/me', { token: eve.accessToken }))
    expectProblem(await login(service, goodPassword), 401, 'invalid_credentials')
    expectOk(await login(service, newPassword))
    expectProblem(await complete(service, reset, otherPassword), 400, 'invalid_link')
  })

  it('mails no password and no link to change it without asking', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, email)
    await change(service, accessToken, goodPassword)
    await service.deliver()
    const { text, html } = newestMail(service, email)
    for (const part of [text, html]) {
      expect(part).not.toContain(goodPassword)
      expect(part).not.toContain(newPassword)
      expect(part).not.toContain('token=')
    }
  })

  it('refuses a wrong old password with 403, records that, and changes nothing', async () => {
    const service = startService()
    const { accessToken, id } = await signUp(service, email)
    const { answer, effects } = await observe(service, () => change(service, accessToken, otherPassword))
    expectProblem(answer, 403, 'wrong_password')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [{ type: 'user.password_change_refused', actor: id, user: id, detail: null }],
    })
    expectOk(await login(service, goodPassword))
  })

  it.each(['password123', 'ada@example.com', 'short', ''])(
    'refuses the weak password “%s” and does nothing',
    async (weak) => {
      const service = startService()
      const { accessToken } = await signUp(service, email)
      const { answer, effects } = await observe(service, () => change(service, accessToken, goodPassword, weak))
      expectWeak(answer, '/new_password')
      expect(effects).toEqual(nothing)
      expectOk(await login(service, goodPassword))
    },
  )

  it('judges the new password by the names in the profile', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const password = 'HeliosphereQuaternion'
    expectOk(
      await service.call('PATCH', '/users/me', { token, body: { first_name: 'Heliosphere', last_name: 'Quaternion' } }),
    )
    expectWeak(await change(service, token, goodPassword, password), '/new_password')
  })

  it('says that the old password is wrong before it says that the new one is weak', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, email)
    expectProblem(await change(service, accessToken, otherPassword, 'weak'), 403, 'wrong_password')
  })

  it.each([
    ['nothing', {}, ['/old_password', '/new_password']],
    ['no old password', { new_password: newPassword }, ['/old_password']],
    ['an empty old password', { old_password: '', new_password: newPassword }, ['/old_password']],
    ['an old password in an array', { old_password: [goodPassword], new_password: newPassword }, ['/old_password']],
    ['a new password of 129 code points', { old_password: 'x', new_password: 'ü'.repeat(129) }, ['/new_password']],
    ['a NUL in the new password', { old_password: 'x', new_password: `${newPassword}\0` }, ['/new_password']],
  ])('refuses %s with 422 and does nothing', async (_, body, pointers) => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const { answer, effects } = await observe(service, () =>
      service.call('POST', '/auth/change-password', { token, body }),
    )
    expectInvalid(answer, ...pointers)
    expect(effects).toEqual(nothing)
  })
})

describe('POST /auth/password-reset/request', () => {
  const request = (service: Service, address: string, headers = {}) =>
    service.call('POST', '/auth/password-reset/request', { body: { email: address }, headers })

  it('answers the same bytes, after the same work, whoever asks; only who has an account gets a mail', async () => {
    const service = startService()
    await signUp(service, email)
    await register(service, 'pending@example.com')
    await suspend(service, (await signUp(service, 'suspended@example.com')).id)
    await service.deliver()
    const answers = []
    for (const address of ['nobody@example.com', email, 'pending@example.com', 'suspended@example.com']) {
      const { answer, effects } = await observe(service, () => request(service, address, { 'X-Request-Id': 'same' }))
      answers.push(bytesOf(answer))
      expect(effects, address).toEqual({
        ...nothing,
        rows: { emails: '+1' },
        mails: address === 'nobody@example.com' ? [] : [`${address}: ${subjects.passwordReset}`],
      })
    }
    expect(answers[0]!.status).toBe(202)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(await hashesDuring(() => request(service, email))).toBe(0)
    expect(await rowsOf('users'), 'asking makes no user').toHaveLength(4)
  })

  it('records the request, with where it came from, when the mail is written, and only for an account', async () => {
    const service = startService()
    const { id } = await signUp(service, email)
    const headers = { 'CF-Connecting-IP': '198.51.100.9', 'X-Request-Id': 'reset-1' }
    await request(service, email, headers)
    await request(service, 'nobody@example.com', headers)
    await service.deliver()
    expect(await rowsOf('audit_events', "type = 'user.password_reset_requested'")).toMatchObject([
      { user_id: id, actor_id: null, ip: '198.51.100.9', request_id: 'reset-1' },
    ])
  })

  it('ends nothing and leaves the password good', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, email)
    await resetToken(service, email)
    expectOk(await service.call('GET', '/users/me', { token: accessToken }))
    expectOk(await login(service, goodPassword))
  })

  it.each([[{}], [{ email: 'ada' }], [{ email: [email] }], [{ email: `${email}, eve@example.com` }]])(
    'refuses %j with 422 and does nothing',
    async (body) => {
      const service = startService()
      const { answer, effects } = await observe(service, () =>
        service.call('POST', '/auth/password-reset/request', { body }),
      )
      expectInvalid(answer, '/email')
      expect(effects).toEqual(nothing)
    },
  )
})

describe('POST /auth/password-reset/complete', () => {
  it('sets the password, ends every session, kills the link and mails a notice, and signs nobody in', async () => {
    const service = startService()
    const sessions = [await signUp(service, email), await signIn(service, email)]
    const eve = await signUp(service, 'eve@example.com')
    const token = await resetToken(service, email)
    const { id } = sessions[0]!
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => complete(service, token))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: { users: '~1', sessions: '-2', one_time_links: '-1', emails: '+1', audit_events: '+1' },
      events: [{ type: 'user.password_reset', actor: id, user: id, detail: null }],
      revoked: sessions.map(({ accessToken }) => sessionOf(accessToken)).toSorted(),
      mails: [`${email}: ${subjects.passwordChanged}`],
    })
    for (const session of sessions) await expectEnded(service, session)
    expectOk(await service.call('GET', '/users/me', { token: eve.accessToken }))
    expectProblem(await login(service, goodPassword), 401, 'invalid_credentials')
    expectOk(await login(service, newPassword))
    expectProblem(await complete(service, token, otherPassword), 400, 'invalid_link')
  })

  it('makes a pending account active with the new password and nothing of what anybody registered', async () => {
    const service = startService()
    const body = { email, password: otherPassword, first_name: 'Mallory', locale: 'de' }
    await service.call('POST', '/auth/register', { body })
    await service.deliver()
    const activation = tokenIn(newestMail(service, email))
    const token = await resetToken(service, email)
    service.clock.advance(minute)
    const { answer, effects } = await observe(service, () => complete(service, token))
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
      activated_at: service.clock.now().getTime(),
      first_name: null,
      locale: null,
    })
    const later = await service.call('POST', '/auth/activate', { body: { token: activation, password: otherPassword } })
    expectProblem(later, 400, 'invalid_link')
    expectProblem(await login(service, otherPassword), 401, 'invalid_credentials')
    expectOk(await login(service, newPassword))
  })

  it('changes the password of a suspended account and leaves it suspended', async () => {
    const service = startService()
    const { id } = await signUp(service, email)
    const admin = await suspend(service, id)
    const token = await resetToken(service, email)
    expectNoContent(await complete(service, token))
    expect(await rowOf('users', 'id = ?', id)).toMatchObject({ status: 'suspended' })
    expectProblem(await login(service, newPassword), 403, 'account_suspended')
    expectProblem(await login(service, goodPassword), 401, 'invalid_credentials')
    expectOk(await service.call('POST', `/users/${id}/reinstate`, { token: admin.accessToken }))
    expectOk(await login(service, newPassword))
  })

  it.each([
    ['too short', 'short'],
    ['empty', ''],
    ['easy to guess', 'password123'],
    ['the own address', email],
  ])('refuses a password that is %s, does nothing, and the link stays good', async (_, weak) => {
    const service = startService()
    await signUp(service, email)
    const token = await resetToken(service, email)
    const { answer, effects } = await observe(service, () => complete(service, token, weak))
    expectWeak(answer, '/new_password')
    expect(effects).toEqual(nothing)
    expectNoContent(await complete(service, token))
  })

  it('takes a link until an hour after it was made, and not at that moment', async () => {
    const service = startService()
    await signUp(service, email)
    await signUp(service, 'eve@example.com')
    const [early, late] = [await resetToken(service, email), await resetToken(service, 'eve@example.com')]
    service.clock.advance(hour - second)
    expectNoContent(await complete(service, early))
    service.clock.advance(second)
    const { answer, effects } = await observe(service, () => complete(service, late))
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
    expectOk(await login(service, goodPassword, 'eve@example.com'))
  })

  it('leaves an older link good when a newer one is asked for; using either kills the other', async () => {
    const service = startService()
    await signUp(service, email)
    const older = await resetToken(service, email)
    service.clock.advance(minute)
    const newer = await resetToken(service, email)
    expect(newer).not.toBe(older)
    expectNoContent(await complete(service, older))
    const { answer, effects } = await observe(service, () => complete(service, newer, otherPassword))
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
    expectOk(await login(service, newPassword))
  })

  it('leaves the links of others alone', async () => {
    const service = startService()
    await signUp(service, email)
    await signUp(service, 'eve@example.com')
    const [mine, hers] = [await resetToken(service, email), await resetToken(service, 'eve@example.com')]
    expectNoContent(await complete(service, mine))
    expectNoContent(await complete(service, hers))
  })

  it('gives one answer for a link that is used, unknown, forged or of another kind, and does nothing', async () => {
    const service = startService()
    const { accessToken, refreshToken } = await signUp(service, email)
    const used = await resetToken(service, email)
    expectNoContent(await complete(service, used))
    const activation = await register(service, 'pending@example.com')
    const [header, payload] = used.split('.')
    const unsigned = `${btoa('{"alg":"none","typ":"reset+jwt"}').replaceAll('=', '')}.${payload}.`
    const tokens = { used, activation, accessToken, refreshToken, unsigned, half: `${header}.${payload}`, none: 'x' }
    const answers = []
    for (const [name, token] of Object.entries(tokens)) {
      const { answer, effects } = await observe(service, () =>
        service.call('POST', '/auth/password-reset/complete', {
          body: { token, new_password: newPassword },
          headers: { 'X-Request-Id': 'same' },
        }),
      )
      expectProblem(answer, 400, 'invalid_link')
      expect(effects, name).toEqual(nothing)
      answers.push(bytesOf(answer))
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('says of a dead link that it is dead, not that the password is weak', async () => {
    const answer = await complete(startService(), 'x', 'weak')
    expectProblem(answer, 400, 'invalid_link')
  })

  it.each([
    ['nothing', {}, ['/token', '/new_password']],
    ['no password', { token: 'x' }, ['/new_password']],
    ['a password of 129 code points', { token: 'x', new_password: '🦊'.repeat(129) }, ['/new_password']],
    ['arrays', { token: ['x'], new_password: ['x'] }, ['/token', '/new_password']],
  ])('refuses %s with 422', async (_, body, pointers) => {
    expectInvalid(await startService().call('POST', '/auth/password-reset/complete', { body }), ...pointers)
  })
})
