/** People who use the service, and the mails they read. */
import { expect } from 'vitest'
import type { Service } from './service.ts'

export const goodPassword = 'nine quiet lanterns drift'
export const otherPassword = 'seven copper kettles hum'

export interface SignedIn {
  id: string
  email: string
  password: string
  accessToken: string
  refreshToken: string
}

/** The newest mail to an address. */
export function newestMail(service: Service, to: string) {
  const mail = service.mailbox.mails().find((candidate) => candidate.to.includes(to))
  expect(mail, `a mail to ${to}`).toBeDefined()
  return mail!
}

/** The emails to an address, newest first. */
export function mailsTo(service: Service, to: string) {
  return service.mailbox.mails().filter((mail) => mail.to.includes(to))
}

/** The token of the link in a mail, from the fragment where a log never sees it. */
export function tokenIn(mail: { text?: string | null }): string {
  const token = /#token=([A-Za-z0-9._-]+)/.exec(mail.text ?? '')?.[1]
  expect(token, 'a link in the mail').toBeDefined()
  return token!
}

export async function register(service: Service, email: string, password = goodPassword): Promise<string> {
  const answer = await service.call('POST', '/auth/register', { body: { email, password } })
  expect(answer.status).toBe(202)
  await service.deliver()
  return tokenIn(newestMail(service, email))
}

export async function signUp(service: Service, email: string, password = goodPassword): Promise<SignedIn> {
  const token = await register(service, email, password)
  const answer = await service.call('POST', '/auth/activate', { body: { token, password } })
  expect(answer.status).toBe(200)
  await service.deliver()
  return signedIn(answer.json, password)
}

export async function signIn(service: Service, email: string, password = goodPassword): Promise<SignedIn> {
  const answer = await service.call('POST', '/auth/login', { body: { email, password } })
  expect(answer.status).toBe(200)
  return signedIn(answer.json, password)
}

/** The first ADMIN, by the bootstrap address. */
export function signUpAdmin(service: Service): Promise<SignedIn> {
  return signUp(service, 'admin@example.com')
}

/** Somebody with a role that an ADMIN gave. */
export async function signUpAs(
  service: Service,
  role: 'MODERATOR' | 'ADMIN',
  email: string,
  admin: SignedIn,
): Promise<SignedIn> {
  const { id } = await signUp(service, email)
  const answer = await service.call('PUT', `/users/${id}/role`, { token: admin.accessToken, body: { role } })
  expect(answer.status).toBe(200)
  return signIn(service, email)
}

export async function resetToken(service: Service, email: string): Promise<string> {
  const answer = await service.call('POST', '/auth/password-reset/request', { body: { email } })
  expect(answer.status).toBe(202)
  await service.deliver()
  return tokenIn(newestMail(service, email))
}

// oxlint-disable-next-line no-explicit-any -- the token answer as it came
function signedIn(answer: any, password: string): SignedIn {
  const { access_token: accessToken, refresh_token: refreshToken, user } = answer
  return { id: user.id, email: user.email, password, accessToken, refreshToken }
}
