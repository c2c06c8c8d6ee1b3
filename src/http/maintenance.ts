import { createMiddleware } from 'hono/factory'
import { readSettings } from '../config/settings.ts'
import { unavailable } from '../errors.ts'
import type { HttpEnv } from './env.ts'

/** Long enough that clients which wait do not crowd the moment of the return. */
const retryAfterSeconds = 120

const healthChecks = ['/healthz', '/readyz']

/**
 * Answers 503 to everything but the health checks while `MAINTENANCE` is on, before anything is read.
 *
 * @throws {AppError} `service_unavailable`
 */
export const refuseDuringMaintenance = createMiddleware<HttpEnv>(async function refuseDuringMaintenance(c, next) {
  if (!healthChecks.includes(c.req.path) && (await isUnderMaintenance(c.env))) {
    throw unavailable('maintenance', undefined, retryAfterSeconds)
  }
  await next()
})

/** Not if the configuration is invalid: `withContext` reports that. */
async function isUnderMaintenance(env: Env): Promise<boolean> {
  try {
    return (await readSettings(env)).config.isUnderMaintenance
  } catch {
    return false
  }
}
