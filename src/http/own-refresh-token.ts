import { createMiddleware } from 'hono/factory'
import { readTokenOfSession } from '../services/sessions/tokens.ts'
import type { HttpEnv } from './env.ts'
import { type Presentation, presentedToken } from './refresh-cookie.ts'

/**
 * Reads the refresh token that a body may have beside the access token. Comes after `requireToken` and the validation of
 * the body, and before anything is counted or stored: a wrong token changes nothing.
 *
 * @throws {AppError} `origin_not_allowed`; `invalid_refresh_token`, for a token of another session too
 */
export const readOwnRefreshToken = createMiddleware<HttpEnv, string, { out: { json: Presentation } }>(
  async function readOwnRefreshToken(c, next) {
    const token = presentedToken(c, c.req.valid('json'))
    if (token !== undefined) {
      c.set('presentedGeneration', await readTokenOfSession(c.get('ctx'), token, c.get('claims').sid))
    }
    await next()
  },
)
