/** Registration, activation, sign-in and passwords. */
import * as z from 'zod'
import { authenticateForPassword, requireToken } from '../http/authenticate.ts'
import { readJson } from '../http/body.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { assertOwnPage, handOver } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { activate } from '../services/accounts/activation.ts'
import { changePassword } from '../services/passwords/change.ts'
import { completePasswordReset, requestPasswordReset } from '../services/passwords/reset.ts'
import { register, resendActivation } from '../services/accounts/registration.ts'
import { signIn } from '../services/sign-in/password.ts'
import { accepted, signInAnswer } from './answers.ts'
import { deviceToken, email, locale, name, newPassword, password, token, transport, turnstileToken } from './fields.ts'

const registration = z.object({
  email,
  password: newPassword,
  first_name: name.nullish(),
  last_name: name.nullish(),
  locale: locale.nullish(),
  turnstile_token: turnstileToken,
})
const credentials = z.object({ email, password, device_token: deviceToken, turnstile_token: turnstileToken, transport })
const proofs = z.object({ token, password, transport })
const resetRequest = z.object({ email, device_token: deviceToken, turnstile_token: turnstileToken })

export const accountRoutes = new Hono<HttpEnv>()
  .post('/register', limitRate('register'), readJson, valid('json', registration), async (c) => {
    const { first_name: firstName, last_name: lastName, turnstile_token: solved, ...rest } = c.req.valid('json')
    await register(c.get('ctx'), { firstName, lastName, ...rest }, solved)
    return c.json(accepted.registration, 202)
  })
  .post('/activate', limitRate('activate'), readJson, valid('json', proofs), async (c) => {
    const body = c.req.valid('json')
    assertOwnPage(c, body.transport)
    const outcome = await activate(c.get('ctx'), body.token, body.password)
    return c.json(handOver(c, body.transport, signInAnswer(outcome)))
  })
  .post(
    '/resend-activation',
    limitRate('resendActivation'),
    readJson,
    valid('json', z.object({ email })),
    async (c) => {
      await resendActivation(c.get('ctx'), c.req.valid('json').email)
      return c.json(accepted.activation, 202)
    },
  )
  .post('/login', limitRate('login'), readJson, valid('json', credentials), async (c) => {
    const { device_token: known, turnstile_token: solved, transport: kept, ...rest } = c.req.valid('json')
    assertOwnPage(c, kept)
    const outcome = await signIn(c.get('ctx'), { ...rest, deviceToken: known, turnstileToken: solved })
    return c.json(handOver(c, kept, signInAnswer(outcome)))
  })
  .post(
    '/change-password',
    limitRate('ownPassword'),
    requireToken,
    readJson,
    valid('json', z.object({ old_password: password, new_password: newPassword })),
    authenticateForPassword,
    async (c) => {
      const body = c.req.valid('json')
      await changePassword(c.get('ctx'), c.get('passwordActor'), body.old_password, body.new_password)
      return c.body(null, 204)
    },
  )
  .post('/password-reset/request', limitRate('requestReset'), readJson, valid('json', resetRequest), async (c) => {
    const body = c.req.valid('json')
    await requestPasswordReset(c.get('ctx'), body.email, body.device_token, body.turnstile_token)
    return c.json(accepted.passwordReset, 202)
  })
  .post(
    '/password-reset/complete',
    limitRate('completeReset'),
    readJson,
    valid('json', z.object({ token, new_password: newPassword })),
    async (c) => {
      const body = c.req.valid('json')
      await completePasswordReset(c.get('ctx'), body.token, body.new_password)
      return c.body(null, 204)
    },
  )
