/** Turns anything thrown into an RFC 9457 answer. The client sees only texts of the catalogue. */
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { routePath } from 'hono/route'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { freshSeconds } from '../config/policy.ts'
import { AppError } from '../errors.ts'
import { problems } from '../problems.ts'
import type { Reason } from '../reasons.ts'
import { describeError, log } from '../log.ts'
import type { HttpEnv } from './env.ts'
import { pageInstead } from './page-for-people.ts'

/** The answer to an error: the problem with its headers, or a page where a person asked for one. */
export function answerProblem(c: Context<HttpEnv>, error: AppError) {
  const { code } = error
  const { title, detail } = problems[code]
  const status = error.status ?? problems[code].status
  c.set('outcome', code)
  if (error.retryAfterSeconds !== undefined) c.header('Retry-After', String(error.retryAfterSeconds))
  const challenge = challengeFor(error)
  if (challenge !== undefined) c.header('WWW-Authenticate', challenge)
  const { errors, members } = error
  const body = { type: `/problems/${code}`, title, status, detail, code, request_id: c.get('origin').requestId }
  const text = JSON.stringify({ ...body, ...(errors && { errors }), ...members })
  const problem = c.body(text, status as ContentfulStatusCode, { 'Content-Type': 'application/problem+json' })
  return pageInstead(c, code, problem)
}

/**
 * What the token lacked (RFC 6750 §3.1), or its session (RFC 9470 §3). A request without credentials, which has no
 * reason either, gets a challenge without an error.
 */
function challengeFor({ code, reason, permission, acceptedAcr }: AppError): string | undefined {
  if (acceptedAcr) return `Bearer error="${code}", max_age="${freshSeconds}", acr_values="${acceptedAcr.join(' ')}"`
  if (permission !== undefined) return bearerChallenge('error="insufficient_scope"', `scope="${permission}"`)
  if (code !== 'invalid_token') return undefined
  return reason === undefined ? bearerChallenge() : bearerChallenge('error="invalid_token"')
}

/** Names the accepted scheme, followed by at least one parameter (RFC 6750 §3). */
function bearerChallenge(...parameters: string[]): string {
  return `Bearer ${['realm="postern"', ...parameters].join(', ')}`
}

/** The error handler of the app. */
export function answerError(error: Error, c: Context<HttpEnv>) {
  const known = knownError(error)
  if (!known) {
    log('error', 'request.failed', { request_id: c.get('origin').requestId, ...describeError(error) })
    return answerProblem(c, new AppError('internal_error'))
  }
  c.set('reason', known.reason)
  logLimit(c, known)
  // Not for maintenance, which the operator turned on.
  if (known.code === 'service_unavailable' && known.reason !== 'maintenance') {
    const { requestId } = c.get('origin')
    log('error', 'request.unavailable', { request_id: requestId, reason: known.reason, ...describeError(known.cause) })
  }
  return answerProblem(c, known)
}

const floodReasons: readonly Reason[] = ['client_address', 'user', 'network_ceiling', 'user_ceiling']

/** Each kind of limit has its own log event: many of one mean a flood, many of the other mean guessed passwords. */
function logLimit(c: Context<HttpEnv>, { reason, retryAfterSeconds }: AppError): void {
  const { requestId } = c.get('origin')
  const [route, seconds] = [routePath(c), retryAfterSeconds]
  if (reason && floodReasons.includes(reason)) {
    log('warn', 'rate_limit.exceeded', { request_id: requestId, route, reason, seconds })
  }
  if (reason === 'password_attempts' || reason === 'factor_attempts') {
    log('warn', 'lock_out.refused', { request_id: requestId, route, reason, seconds })
  }
}

function knownError(error: Error): AppError | undefined {
  if (error instanceof AppError) return error
  // Hono throws these itself only for a request that it cannot read.
  return error instanceof HTTPException && error.status < 500 ? new AppError('malformed_json') : undefined
}
