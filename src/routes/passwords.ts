/** Change and reset of a password. */
import * as z from 'zod/mini'
import { authenticateForPassword, requireToken } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { readOwnRefreshToken } from '../http/own-refresh-token.ts'
import { handOver } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { changePassword } from '../services/passwords/change.ts'
import { completePasswordReset, requestPasswordReset } from '../services/passwords/reset.ts'
import { accepted, tokenAnswer } from './answers.ts'
import {
  deviceToken,
  email,
  newPassword,
  ownPassword,
  ownRefreshToken,
  returnTo,
  token,
  transport,
  turnstileToken,
} from './fields.ts'

const passwordChange = z.object({
  old_password: ownPassword,
  new_password: newPassword,
  refresh_token: ownRefreshToken,
  transport,
})
const resetRequest = z.object({
  email,
  device_token: deviceToken,
  turnstile_token: turnstileToken,
  return_to: returnTo,
})

export const passwordRoutes = new Hono<HttpEnv>()
  .post(
    '/change-password',
    limitRate('ownPassword'),
    requireToken,
    valid('json', passwordChange),
    readOwnRefreshToken,
    authenticateForPassword('old_password'),
    async (c) => {
      const { old_password: oldPassword, new_password: newPassword, transport: kept } = c.req.valid('json')
      const generation = c.get('presentedGeneration')
      const tokens = await changePassword(c.get('ctx'), c.get('passwordActor'), {
        oldPassword,
        newPassword,
        generation,
      })
      return tokens ? c.json(handOver(c, kept, tokenAnswer(tokens))) : c.body(null, 204)
    },
  )
  .post('/password-reset/request', limitRate('requestReset'), valid('json', resetRequest), async (c) => {
    const body = c.req.valid('json')
    await requestPasswordReset(c.get('ctx'), {
      email: body.email,
      deviceToken: body.device_token,
      turnstileToken: body.turnstile_token,
      returnTo: body.return_to,
    })
    return c.json(accepted.passwordReset, 202)
  })
  .post(
    '/password-reset/complete',
    limitRate('completeReset'),
    valid('json', z.object({ token, new_password: newPassword })),
    async (c) => {
      const body = c.req.valid('json')
      await completePasswordReset(c.get('ctx'), body.token, body.new_password)
      return c.body(null, 204)
    },
  )
