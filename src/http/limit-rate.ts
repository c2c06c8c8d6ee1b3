import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../errors.ts'
import { describeError, log } from '../log.ts'
import { type RateLimitName, ratePeriodSeconds, rateLimits } from '../config/rate-limits.ts'
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
    if (c.get('ctx').config.limitsRates && !(await isWithinLimit(c, name))) {
      throw new AppError('rate_limited', { reason: 'client_address', retryAfterSeconds: ratePeriodSeconds })
    }
    await next()
  })
  return Object.assign(middleware, { [limits]: name })
}

/**
 * Asks the binding. If it fails the call continues: these limits save cost, while those in D1 protect accounts, and a broken
 * counter must not stop all sign-ins.
 */
async function isWithinLimit(c: Context<HttpEnv>, name: RateLimitName): Promise<boolean> {
  const { ip, requestId } = c.get('origin')
  // Every request from the internet has an address; one from another Worker of the account has none.
  if (ip === null) return true
  try {
    const { success } = await c.env[rateLimits[name].binding].limit({ key: clientKey(ip) })
    return success
  } catch (error) {
    log('error', 'rate_limit.failed', { request_id: requestId, limit: name, ...describeError(error) })
    return true
  }
}
