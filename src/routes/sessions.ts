/** Tokens: renewed, ended, verified. */
import { Hono } from 'hono'
import * as z from 'zod'
import { authenticate, verifyAtEdge } from '../http/authenticate.ts'
import { readJson } from '../http/body.ts'
import type { HttpEnv } from '../http/env.ts'
import { limitRate } from '../http/limit-rate.ts'
import { valid } from '../http/validate.ts'
import { endAllSessions, refresh, signOut } from '../services/sessions.ts'
import { tokenAnswer } from './answers.ts'
import { token } from './fields.ts'

const refreshToken = z.object({ refresh_token: token })

export const sessionRoutes = new Hono<HttpEnv>()
  .post('/refresh', limitRate('refresh'), readJson, valid('json', refreshToken), async (c) =>
    c.json(tokenAnswer(await refresh(c.get('ctx'), c.req.valid('json').refresh_token))),
  )
  .post('/logout', readJson, valid('json', refreshToken), async (c) => {
    await signOut(c.get('ctx'), c.req.valid('json').refresh_token)
    return c.body(null, 204)
  })
  .post('/logout-all', authenticate, async (c) => {
    await endAllSessions(c.get('ctx'), c.get('actor'))
    return c.body(null, 204)
  })
  .get('/verify', verifyAtEdge, (c) => {
    const { sub, sid, role, scope } = c.get('claims')
    c.header('X-Auth-User-Id', sub)
    c.header('X-Auth-Session-Id', sid)
    c.header('X-Auth-Role', role)
    c.header('X-Auth-Scope', scope)
    return c.body(null, 204)
  })
