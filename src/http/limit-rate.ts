import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../errors.ts'
import { describeError, log } from '../log.ts'
import { type RateLimitName, ratePeriodSeconds, rateLimits } from '../config/rate-limits.ts'
import { clientKey } from './client-address.ts'
import type { HttpEnv } from './env.ts'

/** Marks a middleware with the limit it enforces, from which the OpenAPI document is made. */
export const limits = Symbol('limits')

/**
 * Turns away who calls too often. Comes first in a route: what floods us is not even parsed.
 *
 * @throws {AppError} `rate_limited`
 */
export function limitRate(name: RateLimitName) {
  const middleware = createMiddleware<HttpEnv>(async function limitRate(c, next) {
    if (c.get('ctx').config.limitsRates && !(await isWithinLimit(c, name))) {
      throw new AppError('rate_limited', {
        reason: 'client_address',
        headers: { 'Retry-After': String(ratePeriodSeconds) },
      })
    }
    await next()
  })
  return Object.assign(middleware, { [limits]: name })
}

/**
 * Asks the binding. When it fails, the call goes on: this ring saves money, the one in D1 guards accounts, and a counter
 * that is out of order must not end everybody's sign-in.
 */
async function isWithinLimit(c: Context<HttpEnv>, name: RateLimitName): Promise<boolean> {
  const { ip, requestId } = c.get('origin')
  // Whatever comes over the internet has an address; without one there is nobody to count.
  if (ip === null) return true
  try {
    const { success } = await c.env[rateLimits[name].binding].limit({ key: clientKey(ip) })
    return success
  } catch (error) {
    log('error', 'rate_limit.failed', { request_id: requestId, limit: name, ...describeError(error) })
    return true
  }
}
