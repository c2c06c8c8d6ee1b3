import type { Context } from 'hono'
import { routePath } from 'hono/route'
import { log } from '../log.ts'
import type { Ctx } from '../context.ts'
import { measureIn } from '../metrics.ts'
import type { HttpEnv } from './env.ts'

/**
 * Logs one line for each request, with the pattern of the route instead of the URL: a query may contain an email
 * address. The platform's clock stops while the CPU works, so the duration is time spent waiting.
 */
export function logRequest(c: Context<HttpEnv>, startMs: number): void {
  const { requestId, country } = c.get('origin')
  const { status } = c.res
  const route = routePath(c)
  const [outcome, reason, durationMs] = [c.get('outcome') ?? 'ok', c.get('reason'), Date.now() - startMs]
  log(status >= 500 ? 'error' : 'info', 'request', {
    request_id: requestId,
    method: c.req.method,
    route,
    status,
    outcome,
    reason,
    duration_ms: durationMs,
    user_id: c.get('actor')?.user.id ?? c.get('claims')?.sub,
    country,
  })
  // The health checks need no context.
  const { calls, ms } = (c.get('ctx') as Ctx | undefined)?.tally ?? { calls: 0, ms: 0 }
  const numbers = { status, duration_ms: durationMs, d1_calls: calls, d1_ms: ms }
  measureIn(c.env)('request', { subject: `${c.req.method} ${route}`, outcome, reason, numbers })
}
