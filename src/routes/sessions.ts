/** Refresh, sign-out and verification of tokens. */
import * as z from 'zod/mini'
import { authenticate, verifyAtEdge } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { secureNoContent } from '../http/headers.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { clearSite, handOver, presentedToken } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { endAllSessions, signOut } from '../services/sessions/own-sessions.ts'
import { readIdentity } from '../services/sessions/identity.ts'
import { refresh } from '../services/sessions/refresh.ts'
import { tokenAnswer } from './answers.ts'
import { optionalRefreshToken, transport } from './fields.ts'

/** `transport` says whether the token is in the cookie or in the body. The other place is ignored. */
const refreshToken = z
  .object({
    refresh_token: optionalRefreshToken,
    transport,
  })
  .check(({ value, issues }) => {
    if (value.transport === 'cookie' || value.refresh_token !== undefined) return
    issues.push({ code: 'invalid_type', expected: 'string', input: undefined, path: ['refresh_token'] })
  })

export const sessionRoutes = new Hono<HttpEnv>()
  .post('/refresh', limitRate('refresh'), valid('json', refreshToken), async (c) => {
    const body = c.req.valid('json')
    const tokens = await refresh(c.get('ctx'), presentedToken(c, body)!)
    return c.json(handOver(c, body.transport, tokenAnswer(tokens)))
  })
  .post('/logout', valid('json', refreshToken), async (c) => {
    const body = c.req.valid('json')
    await signOut(c.get('ctx'), presentedToken(c, body)!)
    if (body.transport === 'cookie') clearSite(c)
    return c.body(null, 204)
  })
  .post('/logout-all', authenticate, async (c) => {
    await endAllSessions(c.get('ctx'), c.get('actor'))
    return c.body(null, 204)
  })
  .get('/verify', verifyAtEdge, (c) => {
    const { userId, sessionId, role, scope, authTime, acr } = readIdentity(c.get('claims'), c.get('ctx').config)
    const answer = secureNoContent()
    answer.headers.set('X-Auth-User-Id', userId)
    answer.headers.set('X-Auth-Session-Id', sessionId)
    answer.headers.set('X-Auth-Role', role)
    answer.headers.set('X-Auth-Scope', scope)
    answer.headers.set('X-Auth-Time', String(authTime))
    answer.headers.set('X-Auth-Acr', acr)
    return answer
  })
