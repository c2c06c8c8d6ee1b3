import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { readSettings } from '../config/settings.ts'
import type { HttpEnv } from './env.ts'

/** GET, HEAD and POST need no permission in a preflight, but naming all of them does no harm and reads better. */
const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const requestHeaders = 'Authorization, Content-Type, X-Request-Id'
const exposedHeaders = 'X-Request-Id, Retry-After, WWW-Authenticate'

/** How long a browser may remember a preflight, and so how long an origin that was taken off the list may still send. */
const preflightSeconds = 600

/**
 * Lets pages of the listed origins read the answers (Fetch standard §3.2; OWASP ASVS 3.4.2). The origin is compared whole:
 * no pattern, no `*`, and `null`, which any sandboxed frame can have, is on no list. Cookies are for our own origin,
 * which needs no CORS, so credentials are never allowed. Any other page gets the same answer without these headers, and its browser withholds it.
 */
export const allowOrigins = createMiddleware<HttpEnv>(async function allowOrigins(c, next) {
  const allowed = await allowedOrigins(c.env)
  const origin = c.req.header('Origin')
  const isAllowed = origin !== undefined && allowed.includes(origin)
  // Not hono's `cors`: that one tells methods and headers to every origin, and answers each OPTIONS with 204.
  if (isAllowed && isPreflight(c)) {
    c.res = c.body(null, 204)
    c.header('Access-Control-Allow-Methods', methods)
    c.header('Access-Control-Allow-Headers', requestHeaders)
    c.header('Access-Control-Max-Age', String(preflightSeconds))
  } else {
    await next()
    if (isAllowed) c.header('Access-Control-Expose-Headers', exposedHeaders)
  }
  if (isAllowed) c.header('Access-Control-Allow-Origin', origin)
  // Without an Origin, too: a cache must not give that answer to a page (Fetch standard, "CORS protocol and HTTP caches").
  if (allowed.length > 0) c.header('Vary', 'Origin', { append: true })
})

/** None where the configuration is not fit: whoever needs it answers that. */
async function allowedOrigins(env: Env): Promise<readonly string[]> {
  try {
    return (await readSettings(env)).config.corsOrigins
  } catch {
    return []
  }
}

function isPreflight(c: Context<HttpEnv>): boolean {
  return c.req.method === 'OPTIONS' && c.req.header('Access-Control-Request-Method') !== undefined
}
