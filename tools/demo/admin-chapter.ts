import type { Tokens, User } from './api.ts'
import { signInAdmin } from './demo-admin.ts'
import { Inbox, subjectOf } from './inbox.ts'
import type { Person } from './person.ts'
import type { Demo } from './steps.ts'
import { expectThat } from './surprise.ts'

/** An ADMIN manages an account. */
export async function adminChapter(demo: Demo, person: Person): Promise<void> {
  const { api, mailbox, step } = demo
  const { email, password } = person
  const inbox = new Inbox(mailbox, email)
  await inbox.skipOld()
  const { access_token: token } = await signInAdmin(demo)

  const { id } = await step(`find ${email}`, async () => {
    const path = `/users?email=${encodeURIComponent(email)}`
    const { users } = await api.call<{ users: User[] }>('GET', path, { token, expect: 200 })
    const [found] = users
    if (!found || found.email !== email) expectThat(false, `${email} to be listed`, users)
    return found as User
  })
  const before = await step('the user signs in', () =>
    api.call<Tokens>('POST', '/auth/login', { body: { email, password }, expect: 200 }),
  )
  await step('make the user MODERATOR', async () => {
    const user = await api.call<User>('PUT', `/users/${id}/role`, { token, body: { role: 'MODERATOR' }, expect: 200 })
    expectThat(user.role === 'MODERATOR', 'role MODERATOR', user)
  })
  await step(
    'read the email about the role',
    () => inbox.next('an email about the role', ({ subject }) => /role/i.test(subject)),
    subjectOf,
  )
  await step('a token of the old role is refused', () =>
    api.call('GET', '/users/me', { token: before.access_token, expect: 401, code: 'invalid_token' }),
  )
  const moderator = await step('a MODERATOR may list users, but not read audit events', async () => {
    const tokens = await api.call<Tokens>('POST', '/auth/login', { body: { email, password }, expect: 200 })
    await api.call('GET', '/users?limit=1', { token: tokens.access_token, expect: 200 })
    const refusal = { token: tokens.access_token, expect: 403, code: 'insufficient_permission' }
    await api.call('GET', '/audit-events', refusal)
    return tokens
  })
  await suspend(demo, token, id, person, moderator, inbox)
  await readAuditEvents(demo, token, id)
}

async function suspend(
  { api, step }: Demo,
  token: string,
  id: string,
  { email, password }: Person,
  session: Tokens,
  inbox: Inbox,
): Promise<void> {
  await step('suspend the user', async () => {
    const body = { reason: 'suspended by the demo' }
    const user = await api.call<User>('POST', `/users/${id}/suspend`, { token, body, expect: 200 })
    expectThat(user.status === 'suspended', 'status suspended', user)
  })
  await step(
    'read the email about the suspension',
    () => inbox.next('an email about the suspension', ({ subject }) => /suspen/i.test(subject)),
    subjectOf,
  )
  await step('the session has ended, and the user cannot sign in', async () => {
    await api.call('GET', '/users/me', { token: session.access_token, expect: 401, code: 'invalid_token' })
    await api.call('POST', '/auth/login', { body: { email, password }, expect: 403, code: 'account_suspended' })
  })
}

async function readAuditEvents({ api, step }: Demo, token: string, id: string): Promise<void> {
  const events = await step('read the audit events of the user', async () => {
    const path = `/audit-events?user_id=${id}&limit=100`
    const answer = await api.call<{ events: { at: string; type: string }[] }>('GET', path, { token, expect: 200 })
    expectThat(answer.events.length >= 8, 'an event for each of the changes above', answer.events)
    return answer.events
  })
  for (const { at, type } of events.toReversed()) console.log(`       ${at}  ${type}`)
}
