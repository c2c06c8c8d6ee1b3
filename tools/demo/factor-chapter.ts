import { becomeUser } from './account-chapter.ts'
import type { Tokens, User } from './api.ts'
import { Authenticator, type CreationOptions, type RequestOptions } from './authenticator.ts'
import { Inbox, nextLink, subjectOf } from './inbox.ts'
import { oneTimeCode } from './one-time-code.ts'
import { type Person, newPerson } from './person.ts'
import type { Demo } from './steps.ts'
import { expectThat } from './surprise.ts'

interface Options<Kind> {
  challenge_token: string
  public_key: Kind
}

/** Second factors, a passkey, and a change of the address. */
export async function factorChapter(demo: Demo): Promise<void> {
  const person = newPerson()
  const inbox = new Inbox(demo.mailbox, person.email)
  const first = await becomeUser(demo, person, inbox)
  const [recoveryCode, tokens] = await addAuthenticatorApp(demo, person, first, inbox)
  const authenticator = new Authenticator(demo.api.url)
  await addPasskey(demo, tokens, authenticator, inbox)
  await useRecoveryCode(demo, person, recoveryCode, inbox)
  await changeAddress(demo, authenticator, inbox)
}

async function addAuthenticatorApp(
  { api, step }: Demo,
  { email, password }: Person,
  { access_token: token }: Tokens,
  inbox: Inbox,
): Promise<[recoveryCode: string, tokens: Tokens]> {
  const { secret, setup_token } = await step('set up an authenticator app', () =>
    api.call<{ secret: string; setup_token: string }>('POST', '/users/me/totp', { token, expect: 200 }),
  )
  const code = oneTimeCode(secret)
  const { recovery_codes: codes } = await step(
    'confirm it with a code, and get recovery codes',
    () => {
      const body = { setup_token, code }
      return api.call<{ recovery_codes: string[] }>('POST', '/users/me/totp/confirm', { token, body, expect: 201 })
    },
    ({ recovery_codes }) => `${recovery_codes.length} codes`,
  )
  await step(
    'read the email about it',
    () => inbox.next('an email about the app', isAbout(/second factor/i)),
    subjectOf,
  )
  const { factor_token } = await step('the password alone signs nobody in any more', () =>
    askedForFactor(api, { email, password }),
  )
  await step('the code of the setup counts only once', () => {
    const body = { factor_token, totp: code }
    return api.call('POST', '/auth/second-factor', { body, expect: 403, code: 'wrong_second_factor' })
  })
  const tokens = await step('sign in with the next code', () => {
    const body = { factor_token, totp: oneTimeCode(secret, 1) }
    return api.call<Tokens>('POST', '/auth/second-factor', { body, expect: 200 })
  })
  return [codes[0] ?? '', tokens]
}

async function addPasskey(
  { api, step }: Demo,
  { access_token: token }: Tokens,
  authenticator: Authenticator,
  inbox: Inbox,
): Promise<void> {
  await step('add a passkey', async () => {
    const path = '/users/me/passkeys'
    const { challenge_token, public_key } = await api.call<Options<CreationOptions>>('POST', `${path}/options`, {
      token,
      expect: 200,
    })
    const body = { challenge_token, credential: authenticator.create(public_key), name: 'Software authenticator' }
    return api.call('POST', path, { token, body, expect: 201 })
  })
  await step(
    'read the email about it',
    () => inbox.next('an email about the passkey', isAbout(/second factor/i)),
    subjectOf,
  )
}

async function useRecoveryCode({ api, step }: Demo, person: Person, code: string, inbox: Inbox): Promise<void> {
  await step('sign in with a recovery code', async () => {
    const { factor_token } = await askedForFactor(api, person)
    const body = { factor_token, recovery_code: code }
    return api.call<Tokens>('POST', '/auth/second-factor', { body, expect: 200 })
  })
  await step('read the email about it', () => inbox.next('an email about the code', isAbout(/recovery/i)), subjectOf)
  await step('it counts only once', async () => {
    const { factor_token } = await askedForFactor(api, person)
    const body = { factor_token, recovery_code: code }
    return api.call('POST', '/auth/second-factor', { body, expect: 403, code: 'wrong_second_factor' })
  })
}

async function changeAddress(demo: Demo, authenticator: Authenticator, inbox: Inbox): Promise<void> {
  const { api, mailbox, step } = demo
  const { access_token: token } = await signInWithPasskey(demo, authenticator)
  const { email } = newPerson()
  const newInbox = new Inbox(mailbox, email)
  await step(`change the address to ${email}`, () =>
    api.call('POST', '/users/me/email', { token, body: { email }, expect: 202 }),
  )
  const { token: stop } = await step(
    'the old mailbox is told, with a link to undo it',
    () => nextLink(inbox, 'a notice about the change', api.url, '/revert-email'),
    subjectOf,
  )
  const { token: link } = await step(
    'read the email to the new address',
    () => nextLink(newInbox, 'a link for the new address', api.url, '/confirm-email'),
    subjectOf,
  )
  await step('confirm the new address', async () => {
    const user = await api.call<User>('POST', '/users/me/email/confirm', { token, body: { token: link }, expect: 200 })
    expectThat(user.email === email, email, user)
  })
  await step('undo it from the old mailbox', () =>
    api.call('POST', '/auth/email/revert', { body: { token: stop }, expect: 204 }),
  )
  await step('every session has ended', () =>
    api.call('GET', '/users/me', { token, expect: 401, code: 'invalid_token' }),
  )
}

async function signInWithPasskey({ api, step }: Demo, authenticator: Authenticator): Promise<Tokens> {
  return step('sign in with the passkey alone', async () => {
    const { challenge_token, public_key } = await api.call<Options<RequestOptions>>('POST', '/auth/passkey/options', {
      expect: 200,
    })
    const body = { challenge_token, credential: authenticator.get(public_key) }
    return api.call<Tokens>('POST', '/auth/passkey', { body, expect: 200 })
  })
}

/** The answer to a right password. */
async function askedForFactor(api: Demo['api'], { email, password }: Person): Promise<{ factor_token: string }> {
  return api.call('POST', '/auth/login', { body: { email, password }, expect: 403, code: 'second_factor_required' })
}

function isAbout(subject: RegExp) {
  return (mail: { subject: string }) => subject.test(mail.subject)
}
