/** The real service, in the hands of the model's commands. */
import { type JWTPayload, decodeJwt } from 'jose'
import { expect } from 'vitest'
import { codeOf } from '../../support/answers.ts'
import type { Success } from '../../support/api.ts'
import type { Authenticator } from '../../support/authenticator.ts'
import { minute, second } from '../../support/clock.ts'
import type { Person } from '../../support/person.ts'
import { type Answer, type Call, type Service, startService } from '../../support/service.ts'
import { type StoreImage, putBack } from '../../support/store-image.ts'
import type { Account, Expected, Session } from './facts.ts'
import { Model } from './model.ts'
import { acrOf, isConfined } from './strength.ts'

/** With this, no replica that lags answers. */
export const askingForNewest = { headers: { 'Cache-Control': 'no-cache' } }

/** How often which call was answered how, so that a test can tell whether it got anywhere. */
export const answered = new Map<string, number>()

export const count = (name: string): void => void answered.set(name, (answered.get(name) ?? 0) + 1)

export interface Real {
  service: Service
  admin: Person
  adminSignedInAt: number
  /** With the passkey of the ADMIN. */
  authenticator: Authenticator
}

/** Staff must have a second factor there, and others may. */
export const startStrictService = () => startService({ env: { SECOND_FACTOR: 'staff' } })

export type Start = Pick<Real, 'admin' | 'authenticator'> & { image: StoreImage }

/** A service whose stores hold one ADMIN and nothing else, and the model of it. */
export async function start({ image, admin, authenticator }: Start): Promise<{ model: Model; real: Real }> {
  await putBack(image)
  const service = startStrictService()
  const now = service.clock.now().getTime()
  return { model: new Model(now), real: { service, admin: admin.at(service), adminSignedInAt: now, authenticator } }
}

/** Moves both clocks. */
export function advance(model: Model, { service }: Real, ms: number): void {
  service.clock.advance(ms)
  model.now += ms
}

/** The ADMIN with an access token that has not expired. */
export async function currentAdmin(model: Model, real: Real): Promise<Person> {
  if (model.now - real.adminSignedInAt > 9 * minute) {
    const { challenge_token, public_key } = await real.admin.passkeySignInOptions()
    const credential = await real.authenticator.get(public_key)
    real.admin = real.admin.holding(await real.admin.signInWithPasskey({ challenge_token, credential }))
    real.adminSignedInAt = model.now
  }
  return real.admin
}

/** Makes the call and holds its answer, and what it told the queue, to what the model expects. */
export async function compare(
  real: Real,
  expected: Expected,
  method: string,
  path: string,
  call: Call,
): Promise<Answer> {
  const { service } = real
  const queuedBefore = service.queued.length
  const answer = await service.call(method, path, call)
  const { outcome, retryAfter, session, lifted, row, rows = row ? [row] : undefined } = expected
  expect(codeOf(answer) ?? answer.status, `${method} ${path}`).toBe(outcome)
  const name = `${method} ${path.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '{id}')}: ${outcome}`
  count(name)
  if (retryAfter !== undefined) expect(Number(answer.headers.get('Retry-After'))).toBe(retryAfter)
  const queued = service.queued.slice(queuedBefore)
  if (rows) {
    expect(queued).toHaveLength(rows.length)
    for (const [place, each] of rows.entries()) each.id = queued[place]!.id
  }
  if (lifted) keepAccessToken(lifted, (answer.json as Success<'stepUp'>).access_token)
  if (session) keepTokens(session, answer.json as Success<'refresh'>)
  return answer
}

/** Looks at the tokens of an answer and gives them to the model's session. */
function keepTokens(session: Session, tokens: Success<'refresh'>): void {
  const refreshToken = tokens.refresh_token!
  const refresh = decodeJwt(refreshToken)
  const { account } = session
  expect(tokens.user).toMatchObject({ email: account.address, role: account.role, status: 'active', bio: account.bio })
  expect(Number(refresh.exp) * second).toBe(session.expiresAt)
  const access = keepAccessToken(session, tokens.access_token)
  expect(access).toMatchObject({ sub: tokens.user.id, sid: refresh['sid'] })
  const generation = Number(refresh['gen'])
  const askingForNewest = session.refreshTokens.length
  if (generation === askingForNewest) {
    // A repetition gives the very same successor.
    expect(refreshToken).toBe(session.refreshTokens.at(-1)!.text)
    return
  }
  expect(generation).toBe(askingForNewest + 1)
  session.refreshTokens.push({ text: refreshToken, expiresAt: session.expiresAt })
}

/** What it says of the session goes to whoever checks only the token. */
function keepAccessToken(session: Session, text: string): JWTPayload {
  const access = decodeJwt(text)
  expect(access).toMatchObject({
    role: isConfined(session) ? 'USER' : session.account.role,
    amr: session.ways,
    acr: acrOf(session),
    auth_time: session.provenAt / second,
  })
  session.access = { text, expiresAt: Number(access.exp) * second }
  return access
}

type AdministeredUser = Success<'listUsers'>['users'][number]

/** The user object as an ADMIN sees it, or nothing. */
export async function findUser(model: Model, real: Real, address: string): Promise<AdministeredUser | undefined> {
  const admin = await currentAdmin(model, real)
  const { users } = await admin.from(askingForNewest).users({ email: address })
  expect(users.length).toBeLessThanOrEqual(1)
  return users[0]
}

export function expectSame(account: Account | undefined, user: Success<'getMe'> | undefined): void {
  if (!account) {
    expect(user).toBeUndefined()
    return
  }
  expect(user).toMatchObject({
    email: account.address,
    status: account.status,
    role: account.role,
    bio: account.bio,
    activated_at: account.wasActivated ? expect.any(String) : null,
    created_at: new Date(account.createdAt).toISOString(),
  })
}
