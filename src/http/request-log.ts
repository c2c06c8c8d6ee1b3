import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import { log } from '../log.ts'
import type { HttpEnv } from './env.ts'

/**
 * Logs one line for each request, with the pattern of the route instead of the URL: a query may contain an email address.
 * The platform's clock stops while the CPU works, so the duration is time spent waiting.
 */
export const logRequest = createMiddleware<HttpEnv>(async function logRequest(c, next) {
  const start = Date.now()
  await next()
  const { requestId, country } = c.get('origin')
  const { status } = c.res
  log(status >= 500 ? 'error' : 'info', 'request', {
    request_id: requestId,
    method: c.req.method,
    route: routePath(c),
    status,
    outcome: c.get('outcome') ?? 'ok',
    reason: c.get('reason'),
    duration_ms: Date.now() - start,
    user_id: c.get('actor')?.user.id ?? c.get('claims')?.sub,
    country,
  })
})
