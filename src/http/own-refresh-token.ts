import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { invalidToken } from '../errors.ts'
import { findSignedIn } from '../services/sessions/signed-in.ts'
import { readTokenOfSession } from '../services/sessions/tokens.ts'
import type { HttpEnv } from './env.ts'
import { type Presentation, presentedToken } from './refresh-cookie.ts'

/**
 * Reads the refresh token that a body may have beside the access token. Comes after `requireToken` and the validation
 * of the body, and before anything is counted or stored: a wrong token changes nothing.
 *
 * @throws {AppError} `origin_not_allowed`; `invalid_token` when the session has ended; `invalid_refresh_token`, for a
 *   token of another session too
 */
export const readOwnRefreshToken = createMiddleware<HttpEnv, string, { out: { json: Presentation } }>(
  async function readOwnRefreshToken(c, next) {
    const token = presentedToken(c, c.req.valid('json'))
    if (token !== undefined) c.set('presentedGeneration', await readGeneration(c, token))
    await next()
  },
)

async function readGeneration(c: Context<HttpEnv>, token: string): Promise<number> {
  const ctx = c.get('ctx')
  const { sid, sub } = c.get('claims')!
  try {
    return await readTokenOfSession(ctx, token, sid)
  } catch (error) {
    // Of two tokens that are no good the client hears about the access token, as at every other call.
    if (!(await findSignedIn(ctx, sid, sub))) throw invalidToken('ended')
    throw error
  }
}
