import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../errors.ts'
import { describeError, log } from '../log.ts'
import type { Reason } from '../reasons.ts'
import { type Limit, type RateLimitName, ratePeriodSeconds, rateLimits, userLimit } from '../config/rate-limits.ts'
import { clientKey } from './client-address.ts'
import type { HttpEnv } from './env.ts'

/** Marks a middleware with the limit it enforces, for the OpenAPI document. */
export const limits = Symbol('limits')

/**
 * Refuses a client that calls too often. Comes first in a route, so that a flood is not even parsed.
 *
 * @throws {AppError} `rate_limited`
 */
export function limitRate(name: RateLimitName) {
  const middleware = createMiddleware<HttpEnv>(async function limitRate(c, next) {
    const { ip } = c.get('origin')
    // Every request from the internet has an address; one from another Worker of the account has none.
    if (ip !== null) await assertWithin(c, rateLimits[name], { name, key: clientKey(ip), reason: 'client_address' })
    await next()
  })
  return Object.assign(middleware, { [limits]: name })
}

/**
 * Refuses a user who writes too often, from however many addresses.
 *
 * @throws {AppError} `rate_limited`
 */
export async function limitWrites(c: Context<HttpEnv>, userId: string): Promise<void> {
  await assertWithin(c, userLimit, { name: 'userWrites', key: userId, reason: 'user' })
}

/**
 * Counts a call as a write of its user. Comes after `authenticate`. Not for a route by which an owner gets rid of a
 * thief, who could use the limit up first.
 *
 * @throws {AppError} `rate_limited`
 */
export const limitOwnWrites = createMiddleware<HttpEnv>(async function limitOwnWrites(c, next) {
  await limitWrites(c, c.get('actor')!.user.id)
  await next()
})

interface Counted {
  name: string
  key: string
  reason: Reason
}

/**
 * Asks the binding. If it fails the call continues: these limits save cost, while those in D1 protect accounts, and a
 * broken counter must not stop all sign-ins.
 */
async function assertWithin(c: Context<HttpEnv>, { binding }: Limit, { name, key, reason }: Counted): Promise<void> {
  if (!c.get('ctx').config.limitsRates) return
  try {
    const { success } = await c.env[binding].limit({ key })
    if (success) return
  } catch (error) {
    log('error', 'rate_limit.failed', { request_id: c.get('origin').requestId, limit: name, ...describeError(error) })
    return
  }
  throw new AppError('rate_limited', { reason, retryAfterSeconds: ratePeriodSeconds })
}
