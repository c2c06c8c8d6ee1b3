import { localAdminEmail } from '../dev/settings.ts'
import { type Tokens, problemCode, requireAnswer } from './api.ts'
import { Inbox, linkToken } from './inbox.ts'
import type { Person } from './person.ts'
import type { Demo } from './steps.ts'
import { Surprise } from './surprise.ts'

/**
 * Fixed, so that the next run can sign in again. It protects nothing: the account exists on a developer's machine only.
 */
export const demoAdmin: Person = { email: localAdminEmail, password: 'heron-copper-lantern-41' }
const { email, password } = demoAdmin

/** Signs in the ADMIN of the demo, after registering the account on fresh data. */
export async function signInAdmin(demo: Demo): Promise<Tokens> {
  const { api, mailbox, step } = demo
  const inbox = new Inbox(mailbox, email)
  await inbox.skipOld()
  const tokens = await step(`sign in as ${email}`, async () => {
    const answer = await api.send('POST', '/auth/login', { body: { email, password } })
    if (answer.status === 200) return JSON.parse(answer.text) as Tokens
    const code = problemCode(answer)
    // An earlier run registered the account, but did not activate it.
    if (code === 'account_pending') {
      await api.call('POST', '/auth/resend-activation', { body: { email }, expect: 202 })
      return activate(demo, inbox)
    }
    requireAnswer('POST /auth/login', answer, { expect: 401, code: 'invalid_credentials' })
    await api.call('POST', '/auth/register', { body: { email, password }, expect: 202 })
    return activate(demo, inbox)
  })
  if (tokens.user.role === 'ADMIN') return tokens
  throw new Surprise(
    `${email} to be ADMIN, as BOOTSTRAP_ADMIN_EMAIL says`,
    `${tokens.user.role}: there is another ADMIN. Let it make ${email} ADMIN, or start afresh (delete STATE_DIR)`,
  )
}

/** Only the email tells whether the address was free: the API answers the same in both cases. */
async function activate({ api }: Demo, inbox: Inbox): Promise<Tokens> {
  const mail = await inbox.next('an email about the registration')
  const token = linkToken(mail, api.url, '/activate')
  if (token === undefined) {
    throw new Surprise(
      `${email} to be free, or to have the demo's password`,
      `"${mail.subject}": the account exists with another password. ` +
        `Set it to "${password}" (${api.url}/reset-password), or start afresh (delete STATE_DIR)`,
    )
  }
  return api.call<Tokens>('POST', '/auth/activate', { body: { token, password }, expect: 200 })
}
