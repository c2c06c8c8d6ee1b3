/** What becomes of anything that is thrown, whoever throws it. */
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AppError, unavailable } from '../../src/errors.ts'
import type { Reason } from '../../src/reasons.ts'
import type { HttpEnv } from '../../src/http/env.ts'
import { originOf } from '../../src/http/origin.ts'
import { answerError } from '../../src/http/problem.ts'
import { captureLog } from '../support/log-lines.ts'

const canary = 'select email from users where id = 7'

async function answerTo(thrown: Error) {
  const app = new Hono<HttpEnv>().onError(answerError)
  app.use(async (c, next) => {
    c.set('origin', originOf(c.req.raw))
    await next()
  })
  app.get('/', () => {
    throw thrown
  })
  const { entries, lines } = captureLog()
  const answer = await app.request('/', { headers: { 'X-Request-Id': 'asked' } })
  const text = await answer.text()
  expect(text + lines.join()).not.toContain(canary)
  return { status: answer.status, code: JSON.parse(text).code, logged: entries() }
}

afterEach(() => void vi.restoreAllMocks())

describe('what is thrown', () => {
  it.each([
    ['anything', new Error(canary)],
    ['anything with a cause', new Error(canary, { cause: new TypeError(canary) })],
    ['anything with a cause that is no error', new Error(canary, { cause: canary })],
    ['a failure of the framework', new HTTPException(500, { message: canary })],
    ['something with a status', Object.assign(new Error(canary), { status: 400 })],
  ])('is a 500 that says nothing, and a line of the log: %s', async (_, thrown) => {
    expect(await answerTo(thrown)).toEqual({
      status: 500,
      code: 'internal_error',
      logged: [expect.objectContaining({ event: 'request.failed', request_id: 'asked', error: expect.any(String) })],
    })
  })

  it.each([
    ['a refusal', new AppError('not_found', { reason: canary as Reason }), 404, 'not_found'],
    ['what the framework could not read', new HTTPException(400, { message: canary }), 400, 'malformed_json'],
  ])('is answered and not logged: %s', async (_, thrown, status, code) => {
    expect(await answerTo(thrown)).toEqual({ status, code, logged: [] })
  })

  it('is logged with its cause when a store is away', async () => {
    expect(await answerTo(unavailable('kv', new TypeError(canary)))).toEqual({
      status: 503,
      code: 'service_unavailable',
      logged: [
        expect.objectContaining({
          event: 'request.unavailable',
          request_id: 'asked',
          reason: 'kv',
          error: 'TypeError',
        }),
      ],
    })
  })
})
