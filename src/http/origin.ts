import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { Origin } from '../context.ts'
import type { HttpEnv } from './env.ts'

const requestIdPattern = /^[A-Za-z0-9._-]{1,128}$/
const maxUserAgentLength = 256

/**
 * Notes who asks. The request id is the client's when it is harmless in a log and a header. The address comes from
 * `CF-Connecting-IP` alone: Cloudflare sets that one, anybody can send the others.
 */
export const noteOrigin = createMiddleware<HttpEnv>(async function noteOrigin(c, next) {
  const origin = originOf(c)
  c.set('origin', origin)
  await next()
  // Last: a file that is passed on has headers of its own.
  c.header('X-Request-Id', origin.requestId)
})

function originOf(c: Context<HttpEnv>): Origin {
  const requestId = c.req.header('X-Request-Id')
  const country = (c.req.raw.cf as { country?: unknown } | undefined)?.country
  return {
    requestId: requestId !== undefined && requestIdPattern.test(requestId) ? requestId : crypto.randomUUID(),
    ip: c.req.header('CF-Connecting-IP') ?? null,
    country: typeof country === 'string' ? country : null,
    userAgent: printable(c.req.header('User-Agent')),
  }
}

/** Without control characters: it is shown in session lists, mails and audit events. */
function printable(text: string | undefined): string | null {
  if (!text) return null
  return text.slice(0, maxUserAgentLength).replace(/\p{C}/gu, ' ').trim() || null
}
