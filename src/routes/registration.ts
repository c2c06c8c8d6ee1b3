/** Registration and activation. */
import * as z from 'zod/mini'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { assertOwnPage, handOver, presentedTrust } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { activate } from '../services/accounts/activation.ts'
import { register, resendActivation } from '../services/accounts/registration.ts'
import { accepted, signInAnswer } from './answers.ts'
import {
  email,
  locale,
  name,
  newPassword,
  optional,
  password,
  returnTo,
  token,
  transport,
  trustToken,
  turnstileToken,
} from './fields.ts'

const registration = z.object({
  email,
  password: newPassword,
  first_name: optional(name),
  last_name: optional(name),
  locale: optional(locale),
  turnstile_token: turnstileToken,
  return_to: returnTo,
})
const proofs = z.object({ token, password, trust_token: trustToken, transport })

export const registrationRoutes = new Hono<HttpEnv>()
  .post('/register', limitRate('register'), valid('json', registration), async (c) => {
    const body = c.req.valid('json')
    const { first_name: firstName, last_name: lastName, turnstile_token: solved, return_to: returnTo, ...rest } = body
    await register(c.get('ctx'), { firstName, lastName, returnTo, ...rest }, solved)
    return c.json(accepted.registration, 202)
  })
  .post('/activate', limitRate('activate'), valid('json', proofs), async (c) => {
    const body = c.req.valid('json')
    assertOwnPage(c, body.transport)
    const outcome = await activate(c.get('ctx'), body.token, body.password, presentedTrust(c, body))
    return c.json(handOver(c, body.transport, signInAnswer(outcome)))
  })
  .post(
    '/resend-activation',
    limitRate('resendActivation'),
    valid('json', z.object({ email, return_to: returnTo })),
    async (c) => {
      const body = c.req.valid('json')
      await resendActivation(c.get('ctx'), body.email, body.return_to)
      return c.json(accepted.activation, 202)
    },
  )
