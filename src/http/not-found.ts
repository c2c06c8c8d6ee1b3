import type { Context, Hono } from 'hono'
import { AppError } from '../errors.ts'
import type { HttpEnv } from './env.ts'
import { answerProblem } from './problem.ts'

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** 404 for an unknown path; 405 with `Allow` for a known one (RFC 9110 §15.5.6). */
export function answerNotFound(app: Hono<HttpEnv>) {
  return (c: Context<HttpEnv>) => {
    const allowed = methods.filter((method) => hasRoute(app, method, c.req.path))
    if (allowed.length === 0) return answerProblem(c, new AppError('not_found'))
    const allow = allowed.includes('GET') ? ['HEAD', ...allowed] : allowed
    c.header('Allow', allow.join(', '))
    return answerProblem(c, new AppError('method_not_allowed'))
  }
}

/** Whether there is a handler for this method besides the middleware of every path. */
function hasRoute(app: Hono<HttpEnv>, method: string, path: string): boolean {
  const [handlers] = app.router.match(method, path)
  return handlers.some(([[, route]]) => route.method === method)
}
