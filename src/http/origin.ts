import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { Origin } from '../context.ts'
import { isRequestId } from '../request-id.ts'
import type { HttpEnv } from './env.ts'

const maxUserAgentLength = 256

/**
 * Notes where the request comes from. A request id of the client is taken if it is harmless in logs and headers (Hono's
 * `requestId` allows other characters than we document). The address comes only from `CF-Connecting-IP`: Cloudflare sets
 * it, while any client can send the other headers.
 */
export const noteOrigin = createMiddleware<HttpEnv>(async function noteOrigin(c, next) {
  const origin = originOf(c)
  c.set('origin', origin)
  await next()
  // After the handler, because the answer of a static file brings its own headers.
  c.res.headers.set('X-Request-Id', origin.requestId)
})

function originOf(c: Context<HttpEnv>): Origin {
  const requestId = c.req.header('X-Request-Id')
  const country = (c.req.raw.cf as { country?: unknown } | undefined)?.country
  return {
    requestId: requestId !== undefined && isRequestId(requestId) ? requestId : crypto.randomUUID(),
    ip: c.req.header('CF-Connecting-IP') ?? null,
    country: typeof country === 'string' ? country : null,
    userAgent: printable(c.req.header('User-Agent')),
  }
}

/** Without control characters, because it is shown in session lists, emails and audit events. */
function printable(text: string | undefined): string | null {
  if (!text) return null
  return text.slice(0, maxUserAgentLength).replace(/\p{C}/gu, ' ').trim() || null
}
