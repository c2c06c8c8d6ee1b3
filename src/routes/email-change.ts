/** Change of the email address. */
import * as z from 'zod/mini'
import { authenticate } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitOwnWrites, limitRate } from '../http/limit-rate.ts'
import { valid } from '../http/validate.ts'
import { confirmEmailChange, requestEmailChange } from '../services/accounts/email-change.ts'
import { revertEmailChange } from '../services/accounts/email-revert.ts'
import { accepted, userAnswer } from './answers.ts'
import { email, token } from './fields.ts'

/** In a session. */
export const emailChangeRoutes = new Hono<HttpEnv>()
  .post('/email', authenticate, limitOwnWrites, valid('json', z.object({ email })), async (c) => {
    await requestEmailChange(c.get('ctx'), c.get('actor'), c.req.valid('json').email)
    return c.json(accepted.emailChange, 202)
  })
  .post('/email/confirm', authenticate, limitOwnWrites, valid('json', z.object({ token })), async (c) => {
    const user = await confirmEmailChange(c.get('ctx'), c.get('actor'), c.req.valid('json').token)
    return c.json(userAnswer(user))
  })

/** By somebody who may have lost every session. */
export const emailRevertRoutes = new Hono<HttpEnv>().post(
  '/email/revert',
  limitRate('emailRevert'),
  valid('json', z.object({ token })),
  async (c) => {
    await revertEmailChange(c.get('ctx'), c.req.valid('json').token)
    return c.body(null, 204)
  },
)
