import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import { log } from '../log.ts'
import type { HttpEnv } from './env.ts'

/**
 * One line for each request. The route's pattern and never the URL: a query may hold an address. The duration is that
 * of the platform's clock, which stands still while the CPU works.
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
