import type { Tokens, User } from './api.ts'
import { Inbox, nextLink, subjectOf } from './inbox.ts'
import { type Person, newPassword, newPerson } from './person.ts'
import type { Demo } from './steps.ts'
import { expectThat } from './surprise.ts'

/** The life of an account, from registration to sign-out. */
export async function accountChapter(demo: Demo): Promise<Person> {
  const { email, password } = newPerson()
  const inbox = new Inbox(demo.mailbox, email)
  const signedIn = await becomeUser(demo, { email, password }, inbox)
  const tokens = await useSession(demo, email, signedIn)
  const changed = await changePassword(demo, { email, password }, tokens, inbox)
  const reset = await resetPassword(demo, email, changed, inbox)
  await signOut(demo, reset)
  return reset
}

/** Registers, opens the link and signs in. */
export async function becomeUser({ api, step }: Demo, { email, password }: Person, inbox: Inbox): Promise<Tokens> {
  await step(`register ${email}`, () =>
    api.call('POST', '/auth/register', { body: { email, password, first_name: 'Ada' }, expect: 202 }),
  )
  await step('signing in is refused before activation', () =>
    api.call('POST', '/auth/login', { body: { email, password }, expect: 403, code: 'account_pending' }),
  )
  const { token } = await step(
    'read the activation email',
    () => nextLink(inbox, 'an activation link', api.url, '/activate'),
    subjectOf,
  )
  await step('open the page of its link', async () => {
    const { status, text } = await api.send('GET', '/activate', {})
    expectThat(status === 200 && text.includes('<'), 'an HTML page at /activate', `${status} ${text.slice(0, 80)}`)
  })
  const tokens = await step('activate the account, which signs in', () =>
    api.call<Tokens>('POST', '/auth/activate', { body: { token, password }, expect: 200 }),
  )
  await step('the link works only once', () =>
    api.call('POST', '/auth/activate', { body: { token, password }, expect: 400, code: 'invalid_link' }),
  )
  return tokens
}

async function useSession(
  { api, step }: Demo,
  email: string,
  { access_token, refresh_token }: Tokens,
): Promise<Tokens> {
  await step(
    'GET /users/me',
    async () => {
      const me = await api.call<User>('GET', '/users/me', { token: access_token, expect: 200 })
      const isMe = me.email === email && me.role === 'USER' && me.status === 'active'
      expectThat(isMe, `${email}, an active USER`, me)
      return me
    },
    ({ role, status }) => `${status}, ${role}`,
  )
  await step('verify the token as a gateway does', async () => {
    const { status, headers } = await api.send('GET', '/auth/verify', { token: access_token })
    expectThat(status === 204 && headers.get('x-auth-role') === 'USER', '204 with X-Auth-Role: USER', String(status))
  })
  return step('refresh', async () => {
    const fresh = await api.call<Tokens>('POST', '/auth/refresh', { body: { refresh_token }, expect: 200 })
    expectThat(fresh.refresh_token !== refresh_token, 'a new refresh token', 'the same one')
    return fresh
  })
}

async function changePassword({ api, step }: Demo, person: Person, tokens: Tokens, inbox: Inbox): Promise<Tokens> {
  const { email, password } = person
  const next = newPassword()
  await step('change the password', () =>
    api.call('POST', '/auth/change-password', {
      body: { old_password: password, new_password: next },
      token: tokens.access_token,
      expect: 204,
    }),
  )
  await step(
    'read the email about the change',
    () => inbox.next('an email about the change', ({ subject }) => /password/i.test(subject)),
    subjectOf,
  )
  await step('the old password is refused', () =>
    api.call('POST', '/auth/login', { body: { email, password }, expect: 401, code: 'invalid_credentials' }),
  )
  return step('sign in with the new one', () =>
    api.call<Tokens>('POST', '/auth/login', { body: { email, password: next }, expect: 200 }),
  )
}

async function resetPassword({ api, step }: Demo, email: string, tokens: Tokens, inbox: Inbox): Promise<Person> {
  await step('forget the password: request a reset', () =>
    api.call('POST', '/auth/password-reset/request', { body: { email }, expect: 202 }),
  )
  const { token } = await step(
    'read the reset email',
    () => nextLink(inbox, 'a reset link', api.url, '/reset-password'),
    subjectOf,
  )
  const password = newPassword()
  await step('set a new password', () =>
    api.call('POST', '/auth/password-reset/complete', { body: { token, new_password: password }, expect: 204 }),
  )
  await step('the reset has ended every session', async () => {
    await api.call('GET', '/users/me', { token: tokens.access_token, expect: 401, code: 'invalid_token' })
    const body = { refresh_token: tokens.refresh_token }
    await api.call('POST', '/auth/refresh', { body, expect: 401, code: 'invalid_refresh_token' })
  })
  return { email, password }
}

async function signOut({ api, step }: Demo, { email, password }: Person): Promise<void> {
  const { access_token, refresh_token } = await step('sign in with the new password', () =>
    api.call<Tokens>('POST', '/auth/login', { body: { email, password }, expect: 200 }),
  )
  await step('log out', () => api.call('POST', '/auth/logout', { body: { refresh_token }, expect: 204 }))
  await step('the old access token is refused', () =>
    api.call('GET', '/users/me', { token: access_token, expect: 401, code: 'invalid_token' }),
  )
  await step('the old refresh token is refused', () =>
    api.call('POST', '/auth/refresh', { body: { refresh_token }, expect: 401, code: 'invalid_refresh_token' }),
  )
}
