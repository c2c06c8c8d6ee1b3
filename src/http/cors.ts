import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { readSettings } from '../config/settings.ts'
import type { HttpEnv } from './env.ts'

/** Every header of an answer that means something to a client. A test compares it with the document. */
const exposedHeaders = [
  'Allow',
  'Retry-After',
  'WWW-Authenticate',
  'X-Auth-Acr',
  'X-Auth-Role',
  'X-Auth-Scope',
  'X-Auth-Session-Id',
  'X-Auth-Time',
  'X-Auth-User-Id',
  'X-Request-Id',
].join(', ')

/** The answer to a preflight. */
const permission = {
  // It need not name GET, HEAD and POST, but the full list is easier to read.
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Cache-Control, Content-Type, X-Request-Id',
  // Seconds for which browsers cache it, and so for which an origin can still send after it is removed from the list.
  'Access-Control-Max-Age': '600',
}

/**
 * Lets pages of the listed origins read the answers (Fetch standard §3.2; OWASP ASVS 3.4.2). The whole origin is
 * compared: no pattern, no `*`, and never `null`, which every sandboxed frame has. Credentials are never allowed, since
 * cookies are for our own origin, which needs no CORS. Other pages get the same answer without these headers, and
 * browsers withhold it.
 */
export const allowOrigins = createMiddleware<HttpEnv>(async function allowOrigins(c, next) {
  const allowed = await allowedOrigins(c.env)
  const origin = c.req.header('Origin')
  const isAllowed = origin !== undefined && allowed.includes(origin)
  // Not Hono's `cors`: it names methods and headers to every origin, and answers every OPTIONS with 204.
  if (isAllowed && isPreflight(c)) {
    c.res = c.body(null, 204, permission)
  } else {
    await next()
    if (isAllowed) c.res.headers.set('Access-Control-Expose-Headers', exposedHeaders)
  }
  if (isAllowed) c.res.headers.set('Access-Control-Allow-Origin', origin)
  // Also without an Origin: a cache must not give that answer to a page (Fetch standard, "CORS protocol and HTTP
  // caches").
  if (allowed.length > 0) c.res.headers.append('Vary', 'Origin')
})

/** None if the configuration is invalid: `withContext` reports that. */
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
