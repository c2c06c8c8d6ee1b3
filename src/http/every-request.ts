import { createMiddleware } from 'hono/factory'
import type { Platform } from '../context.ts'
import type { HttpEnv } from './env.ts'
import { addSecurityHeaders } from './headers.ts'
import { originOf } from './origin.ts'
import { logRequest } from './request-log.ts'

/**
 * What every request gets: an origin, a line in the log and the headers of its answer. One middleware, because Hono
 * makes two promises for each one.
 */
export function serveEveryRequest(platform: Platform) {
  return createMiddleware<HttpEnv>(async function serveEveryRequest(c, next) {
    const startMs = Date.now()
    const origin = originOf(c.req.raw)
    c.set('platform', platform)
    c.set('origin', origin)
    await next()
    // After the handler, because the answer of a static file brings its own headers. Not `c.header`, which copies the
    // whole response for each header that is set after the handler.
    addSecurityHeaders(c.res)
    c.res.headers.set('X-Request-Id', origin.requestId)
    // Last: when it fails, the problem that is answered instead keeps these headers.
    logRequest(c, startMs)
  })
}
