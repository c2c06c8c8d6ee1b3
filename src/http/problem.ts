/** Turns anything thrown into an RFC 9457 answer. The client sees only texts of the catalogue. */
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { AppError, type ProblemCode, problems } from '../errors.ts'
import { describeError, log } from '../log.ts'
import type { HttpEnv } from './env.ts'

export function answerProblem(c: Context<HttpEnv>, code: ProblemCode, error?: Pick<AppError, 'errors' | 'headers'>) {
  const { status, title, detail } = problems[code]
  c.set('outcome', code)
  for (const [name, value] of Object.entries(error?.headers ?? {})) c.header(name, value)
  const body = { type: `/problems/${code}`, title, status, detail, code, request_id: c.get('origin').requestId }
  return c.body(
    JSON.stringify(error?.errors ? { ...body, errors: error.errors } : body),
    status as ContentfulStatusCode,
    {
      'Content-Type': 'application/problem+json',
    },
  )
}

/** The error handler of the app. */
export function answerError(error: Error, c: Context<HttpEnv>) {
  const known = knownError(error)
  if (!known) {
    log('error', 'request.failed', { request_id: c.get('origin').requestId, ...describeError(error) })
    return answerProblem(c, 'internal_error')
  }
  c.set('reason', known.reason)
  if (known.code === 'service_unavailable') {
    const { requestId } = c.get('origin')
    log('error', 'request.unavailable', { request_id: requestId, reason: known.reason, ...describeError(known.cause) })
  }
  return answerProblem(c, known.code, known)
}

/** Drizzle wraps the errors of its driver, so those of the store are one level down. */
function knownError(error: Error): AppError | undefined {
  if (error instanceof AppError) return error
  if (error.cause instanceof AppError) return error.cause
  // Hono throws these itself only for a request that it cannot read.
  return error instanceof HTTPException && error.status < 500 ? new AppError('malformed_json') : undefined
}
