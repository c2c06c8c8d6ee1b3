/** What every answer of a kind must look like, said once. */
import { decodeJwt } from 'jose'
import { expect } from 'vitest'
import type { components } from '../../client/src/api.ts'
import type { Answer } from './service.ts'

export const uuidv7 = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
export const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const text = expect.stringMatching(/\S/)

type Problem = components['schemas']['ValidationProblem']

/** The code of a problem, and nothing of any other answer. */
export function codeOf({ json }: Answer): Problem['code'] | undefined {
  return (json as Problem | undefined)?.code
}

/** The field errors of a 422, and none of any other problem. */
function errorsOf({ json }: Answer): Problem['errors'] {
  return (json as Partial<Problem>).errors ?? []
}

/** What the problem of a sign-in says about its second step. */
const nextStep = {
  factor_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
  factors: expect.any(Array),
  passkey: expect.toSatisfy((options) => options === null || typeof options === 'object'),
  expires_in: 300,
}

/** An RFC 9457 problem of the catalogue, with every member the contract names and no other. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: codeOf(answer) }, answer.text).toEqual({ status, code })
  expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
  expect(answer.headers.get('Cache-Control')).toBe('no-store')
  expect(answer.json).toEqual({
    type: `/problems/${code}`,
    title: text,
    status,
    detail: text,
    code,
    request_id: answer.headers.get('X-Request-Id'),
    ...(status === 422 && { errors: expect.any(Array) }),
    ...(code === 'second_factor_required' && nextStep),
  })
  for (const error of errorsOf(answer)) {
    expect(error).toEqual({ pointer: expect.any(String), code: text, message: text })
  }
  if (code === 'invalid_token') expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Bearer/)
  if (status === 503) expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0)
}

/** A 422 that names exactly these fields, each for one broken rule or several. */
export function expectInvalid(answer: Answer, ...pointers: string[]): void {
  expectProblem(answer, 422, 'validation_failed')
  const named = new Set(errorsOf(answer).map(({ pointer }) => pointer))
  expect([...named]).toEqual(pointers)
}

/** A 422 for a password that is easily guessed, saying what to do. */
export function expectWeak(answer: Answer, pointer: string): void {
  expectProblem(answer, 422, 'weak_password')
  expect(errorsOf(answer).map(({ pointer }) => pointer)).toEqual([pointer])
}

/** A 204: nothing at all in the body. */
export function expectNoContent(answer: Answer): void {
  expect(answer.status, answer.text).toBe(204)
  expect(answer.text).toBe('')
  expect(answer.headers.get('Cache-Control')).toBe('no-store')
}

type OkBody<A extends Answer> = number extends A['status'] ? A['json'] : Extract<A, { status: 200 }>['json']

/** A 200 with a JSON body, which it gives. */
export function expectOk<A extends Answer>(answer: A): OkBody<A> {
  expect(answer.status, answer.text).toBe(200)
  expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/)
  return answer.json
}

/** What two answers have to share to tell nothing apart: all of it, when both were asked under one request id. */
export function bytesOf({ status, headers, text }: Answer) {
  return { status, headers: [...headers].toSorted(([a], [b]) => (a < b ? -1 : 1)), text }
}

/** Every field of the user object; the ones given are compared, the others are as for a USER who said nothing. */
export function userObject(fields: Record<string, unknown> & { email: string }) {
  return {
    id: uuidv7,
    role: 'USER',
    status: 'active',
    first_name: null,
    last_name: null,
    avatar_url: null,
    bio: null,
    locale: null,
    created_at: instant,
    updated_at: instant,
    activated_at: instant,
    last_login_at: instant,
    ...fields,
  }
}

/** The same, as those see it who administer it. */
export function administeredUser(fields: Parameters<typeof userObject>[0]) {
  return userObject({ email_deliverable: true, suspended_by_role: null, factors: [], ...fields })
}

const jwt = expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/)

/** Every field of the token answer. */
export function tokenAnswer(user: unknown) {
  return {
    access_token: jwt,
    token_type: 'Bearer',
    expires_in: 600,
    refresh_token: jwt,
    refresh_expires_in: 30 * 24 * 3600,
    user,
  }
}

/** The same after a sign-in, which also tells how the device is known again. */
export function signInAnswer(user: unknown) {
  return { ...tokenAnswer(user), device_token: jwt }
}

/** The session that a token belongs to. */
export function sessionOf(token: string): string {
  return String(decodeJwt(token)['sid'])
}
