/**
 * What was read at the beginning of a request may be over when it writes. Here something else is done exactly between the
 * two, which a race meets only by luck: the write has to decide, and nothing of the late request may be left.
 */
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { expectNoContent, expectProblem, sessionOf } from '../support/answers.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { consume } from '../support/mail-consumer.ts'
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
import { type Answer, type Call, type Service, startService } from '../support/service.ts'
import { type Row, rowOf, rowsOf, snapshot, write } from '../support/state.ts'

const thirdPassword = 'eleven wooden bridges sway'

/** A claimed try stays claimed, whatever becomes of the request. */
async function tables() {
  const all = await snapshot()
  all.delete('attempt_counters')
  return all
}

/** Takes them out of the trail. */
async function deletedEvents(where: string): Promise<Row[]> {
  const rows = await rowsOf('audit_events', where)
  await write(`delete from audit_events where ${where}`)
  return rows
}

/** A service where something is done before the statement that would record an act, and the tables as they were then. */
function interrupting(service: Service, meanwhile: () => Promise<Answer>) {
  let before: Awaited<ReturnType<typeof tables>> | undefined
  const db = hookedD1(service.env.DB, async (statements) => {
    if (before || !statements.some((sql) => /^insert into "audit_events"/i.test(sql))) return
    expect((await meanwhile()).status).toBeLessThan(300)
    before = await tables()
  })
  const tablesThen = () => {
    expect(before, 'it came to a write').toBeDefined()
    return before!
  }
  return { late: startService({ env: { DB: db }, beside: service }), tablesThen }
}

/** Calls, does something meanwhile, and tells what the call itself then left behind. */
async function interrupted(
  service: Service,
  call: [method: string, path: string, call: Call],
  meanwhile: () => Promise<Answer>,
) {
  const { late, tablesThen } = interrupting(service, meanwhile)
  const answer = await late.call(...call)
  const before = tablesThen()
  return { answer, leavesNothing: async () => expect(await tables()).toEqual(before), queued: late.queued }
}

interface People {
  admin: SignedIn
  ada: SignedIn
  phone: SignedIn
  other: SignedIn
}

async function people(service: Service): Promise<People> {
  const admin = await signUpAdmin(service)
  const ada = await signUp(service, 'ada@example.com')
  const phone = await signIn(service, 'ada@example.com')
  const other = await signUp(service, 'other@example.com')
  return { admin, ada, phone, other }
}

const ownActs: Record<string, (of: People) => [string, string, unknown?]> = {
  'a change of the profile': () => ['PATCH', '/users/me', { bio: 'late' }],
  'the end of another session': ({ phone }) => ['DELETE', `/users/me/sessions/${sessionOf(phone.accessToken)}`],
  'the end of all other sessions': () => ['DELETE', '/users/me/sessions'],
  'a log-out everywhere': () => ['POST', '/auth/logout-all'],
  'a change of the password': () => [
    'POST',
    '/auth/change-password',
    { old_password: goodPassword, new_password: otherPassword },
  ],
  'a deletion of the account': () => ['DELETE', '/users/me', { password: goodPassword }],
}

const ends: Record<string, (service: Service, of: People) => Promise<Answer>> = {
  'its session was ended': (service, { ada }) =>
    service.call('POST', '/auth/logout', { body: { refresh_token: ada.refreshToken } }),
  'its user was suspended': (service, { ada, admin }) =>
    service.call('POST', `/users/${ada.id}/suspend`, { token: admin.accessToken, body: { reason: 'spam' } }),
  'its user was deleted': (service, { ada, admin }) =>
    service.call('DELETE', `/users/${ada.id}`, { token: admin.accessToken }),
}

describe('an act on the own account', () => {
  for (const [act, request] of Object.entries(ownActs)) {
    it.each(Object.entries(ends))(`(${act}) is refused when meanwhile %s`, async (_, end) => {
      const service = startService()
      const everybody = await people(service)
      const [method, path, body] = request(everybody)
      const { answer, leavesNothing, queued } = await interrupted(
        service,
        [method, path, { token: everybody.ada.accessToken, body }],
        () => end(service, everybody),
      )
      expectProblem(answer, 401, 'invalid_token')
      await leavesNothing()
      expect(queued).toEqual([])
    })
  }

  const changedTo = (service: Service, { ada }: People) =>
    service.call('POST', '/auth/change-password', {
      token: ada.accessToken,
      body: { old_password: goodPassword, new_password: thirdPassword },
    })

  it.each(['a change of the password', 'a deletion of the account'])(
    '(%s) is refused when the same session has changed the password it gave meanwhile',
    async (act) => {
      const service = startService()
      const everybody = await people(service)
      const [method, path, body] = ownActs[act]!(everybody)
      const { answer, leavesNothing } = await interrupted(
        service,
        [method, path, { token: everybody.ada.accessToken, body }],
        () => changedTo(service, everybody),
      )
      expectProblem(answer, 401, 'invalid_token')
      await leavesNothing()
      await signIn(service, everybody.ada.email, thirdPassword)
    },
  )
})

describe('a sign-in with what was the right password', () => {
  const changes: Record<string, (service: Service, of: People) => Promise<Answer>> = {
    'was changed': (service, { phone }) =>
      service.call('POST', '/auth/change-password', {
        token: phone.accessToken,
        body: { old_password: goodPassword, new_password: otherPassword },
      }),
    'was reset': async (service, { ada }) =>
      service.call('POST', '/auth/password-reset/complete', {
        body: { token: await resetToken(service, ada.email), new_password: otherPassword },
      }),
    'lost its account': ends['its user was deleted']!,
    'has its account suspended': ends['its user was suspended']!,
    'was reset and has its account suspended': async (service, of) => {
      await changes['was reset']!(service, of)
      return changes['has its account suspended']!(service, of)
    },
  }

  it.each([
    ['was changed', 401, 'invalid_credentials'],
    ['was reset', 401, 'invalid_credentials'],
    ['lost its account', 401, 'invalid_credentials'],
    ['has its account suspended', 403, 'account_suspended'],
    ['was reset and has its account suspended', 401, 'invalid_credentials'],
  ] as const)(
    'which %s meanwhile is refused, and leaves nothing but that in the trail',
    async (change, status, code) => {
      const service = startService()
      const everybody = await people(service)
      const { email, id } = everybody.ada
      const { answer, leavesNothing } = await interrupted(
        service,
        ['POST', '/auth/login', { body: { email, password: goodPassword } }],
        () => changes[change]!(service, everybody),
      )
      expectProblem(answer, status, code)
      const userId = change === 'lost its account' ? null : id
      const detail = JSON.stringify({ reason: 'changed_meanwhile' })
      expect(await deletedEvents("type = 'user.sign_in_refused'")).toMatchObject([
        { actor_id: null, user_id: userId, detail },
      ])
      await leavesNothing()
    },
  )

  it('whose user was given another role meanwhile succeeds, with that role', async () => {
    const service = startService()
    const { admin, ada } = await people(service)
    const { answer } = await interrupted(
      service,
      ['POST', '/auth/login', { body: { email: ada.email, password: goodPassword } }],
      () => service.call('PUT', `/users/${ada.id}/role`, { token: admin.accessToken, body: { role: 'MODERATOR' } }),
    )
    expect(answer.status).toBe(200)
    expect(answer.json.user.role).toBe('MODERATOR')
    expect(decodeJwt(answer.json.access_token)['role']).toBe('MODERATOR')
  })
})

const acts: Record<string, (of: People) => [string, string, unknown?]> = {
  'a change of a profile': ({ other }) => ['PATCH', `/users/${other.id}/profile`, { bio: 'late' }],
  'a change of a role': ({ other }) => ['PUT', `/users/${other.id}/role`, { role: 'ADMIN' }],
  'a suspension': ({ other }) => ['POST', `/users/${other.id}/suspend`, { reason: 'late' }],
  'a reset for somebody': ({ other }) => ['POST', `/users/${other.id}/password-reset`],
  'the end of somebody’s sessions': ({ other }) => ['DELETE', `/users/${other.id}/sessions`],
  'a deletion': ({ other }) => ['DELETE', `/users/${other.id}`],
}

describe('an act on somebody else', () => {
  const losses: Record<string, (service: Service, of: People, actor: SignedIn) => Promise<Answer>> = {
    'lost the role': (service, { admin }, actor) =>
      service.call('PUT', `/users/${actor.id}/role`, { token: admin.accessToken, body: { role: 'USER' } }),
    'was suspended': (service, { admin }, actor) =>
      service.call('POST', `/users/${actor.id}/suspend`, { token: admin.accessToken, body: { reason: 'x' } }),
    'logged out': (service, _, actor) =>
      service.call('POST', '/auth/logout', { body: { refresh_token: actor.refreshToken } }),
  }
  for (const [act, request] of Object.entries(acts)) {
    it.each(Object.entries(losses))(`(${act}) is refused when the ADMIN %s meanwhile`, async (_, lose) => {
      const service = startService()
      const everybody = await people(service)
      const actor = await signUpAs(service, 'ADMIN', 'second@example.com', everybody.admin)
      await service.deliver()
      const [method, path, body] = request(everybody)
      const { answer, leavesNothing, queued } = await interrupted(
        service,
        [method, path, { token: actor.accessToken, body }],
        () => lose(service, everybody, actor),
      )
      expectProblem(answer, 401, 'invalid_token')
      await leavesNothing()
      expect(queued).toEqual([])
    })
  }

  it.each([
    ['a change of a profile', 'PATCH', 'profile', { bio: 'late' }],
    ['a suspension', 'POST', 'suspend', { reason: 'late' }],
  ])('(%s) by a MODERATOR is refused when its target became one meanwhile', async (_, method, what, body) => {
    const service = startService()
    const { admin, other } = await people(service)
    const moderator = await signUpAs(service, 'MODERATOR', 'moderator@example.com', admin)
    const { answer, leavesNothing } = await interrupted(
      service,
      [method, `/users/${other.id}/${what}`, { token: moderator.accessToken, body }],
      () => service.call('PUT', `/users/${other.id}/role`, { token: admin.accessToken, body: { role: 'MODERATOR' } }),
    )
    expectProblem(answer, 403, 'insufficient_permission')
    await leavesNothing()
  })
})

const email = 'new@example.com'
const byAdmin: Record<string, (id: string) => [string, string, unknown?]> = {
  suspended: (id) => ['POST', `/users/${id}/suspend`, { reason: 'spam' }],
  deleted: (id) => ['DELETE', `/users/${id}`],
  activated: (id) => ['POST', `/users/${id}/activate`],
}

/** What the owner of a pending account does with a link, after its password was hashed. */
const linkActs: Record<string, (service: Service, email: string) => Promise<[string, string, unknown]>> = {
  'an activation': async (service, email) => [
    'POST',
    '/auth/activate',
    { token: await register(service, email), password: goodPassword },
  ],
  'a reset': async (service, email) => {
    await register(service, email)
    const token = await resetToken(service, email)
    return ['POST', '/auth/password-reset/complete', { token, new_password: otherPassword }]
  },
}

describe('an act by a link', () => {
  /** The act, in the middle of which an ADMIN does something to the account. */
  async function whileAdmin(act: string, done: string) {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const [method, path, body] = await linkActs[act]!(service, email)
    const { id } = await rowOf('users', 'email = ?', email)
    const [adminsMethod, adminsPath, adminsBody] = byAdmin[done]!(String(id))
    return interrupted(service, [method, path, { body }], () =>
      service.call(adminsMethod, adminsPath, { token, body: adminsBody }),
    )
  }

  it.each([
    ['an activation', 'suspended'],
    ['an activation', 'deleted'],
    ['an activation', 'activated'],
    ['a reset', 'deleted'],
    ['a reset', 'activated'],
  ])('(%s) is refused when an ADMIN has %s the account meanwhile', async (act, done) => {
    const { answer, leavesNothing, queued } = await whileAdmin(act, done)
    expectProblem(answer, 400, 'invalid_link')
    await leavesNothing()
    expect(queued).toEqual([])
  })

  it('that sets a password leaves the account suspended when an ADMIN has suspended it meanwhile', async () => {
    const { answer } = await whileAdmin('a reset', 'suspended')
    expectNoContent(answer)
    expect(await rowOf('users', 'email = ?', email)).toMatchObject({
      status: 'suspended',
      activated_at: expect.any(Number),
    })
  })
})

describe('a link', () => {
  const requests: Record<string, (service: Service) => Promise<unknown>> = {
    'a registration': (service) => service.call('POST', '/auth/register', { body: { email, password: goodPassword } }),
    'another activation mail': async (service) => (
      await register(service, email),
      service.call('POST', '/auth/resend-activation', { body: { email } })
    ),
    'a reset': async (service) => (
      await register(service, email),
      service.call('POST', '/auth/password-reset/request', { body: { email } })
    ),
  }

  it.each([
    ['a registration', 'activated'],
    ['a registration', 'deleted'],
    ['another activation mail', 'activated'],
    ['another activation mail', 'deleted'],
    ['a reset', 'deleted'],
  ])(
    '(of %s) is neither made nor mailed when an ADMIN has %s the account since its mail was begun',
    async (name, done) => {
      const service = startService()
      const { accessToken: token } = await signUpAdmin(service)
      await requests[name]!(service)
      const mailsBefore = service.mailbox.mails()
      const { id } = await rowOf('users', 'email = ?', email)
      const [method, path, body] = byAdmin[done]!(String(id))
      const jobs = service.queued.splice(0)
      const { late, tablesThen } = interrupting(service, () => service.call(method, path, { token, body }))
      expect(await consume(late, jobs)).toEqual(['acked'])

      const [before, after] = [tablesThen(), await tables()]
      for (const each of [before, after]) each.delete('emails')
      expect(after).toEqual(before)
      expect(service.mailbox.mails()).toEqual(mailsBefore)
    },
  )
})

describe('the first ADMIN', () => {
  const admin = 'admin@example.com'
  const nobodyYet = () => startService({ env: { BOOTSTRAP_ADMIN_EMAIL: '' } })

  it('is nobody whose password was changed while it was signing in', async () => {
    const service = nobodyYet()
    const { accessToken: token } = await signUp(service, admin)
    const body = { old_password: goodPassword, new_password: otherPassword }
    const { answer } = await interrupted(
      service,
      ['POST', '/auth/login', { body: { email: admin, password: goodPassword } }],
      () => service.call('POST', '/auth/change-password', { token, body }),
    )
    expectProblem(answer, 401, 'invalid_credentials')
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'active' })
    expect(await rowsOf('audit_events', "type = 'user.role_changed'")).toEqual([])
  })

  it('is nobody whose account became active by a reset while it was being activated', async () => {
    const service = nobodyYet()
    const token = await register(service, admin)
    const reset = { token: await resetToken(service, admin), new_password: otherPassword }
    const { answer, leavesNothing } = await interrupted(
      service,
      ['POST', '/auth/activate', { body: { token, password: goodPassword } }],
      () => service.call('POST', '/auth/password-reset/complete', { body: reset }),
    )
    expectProblem(answer, 400, 'invalid_link')
    await leavesNothing()
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'active' })
  })
})
