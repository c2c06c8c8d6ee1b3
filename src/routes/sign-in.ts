import * as z from 'zod/mini'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { assertOwnPage, handOver, presentedTrust } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { signIn } from '../services/sign-in/password.ts'
import { signInAnswer } from './answers.ts'
import { deviceToken, email, password, transport, trustToken, turnstileToken } from './fields.ts'

const credentials = z.object({
  email,
  password,
  device_token: deviceToken,
  trust_token: trustToken,
  turnstile_token: turnstileToken,
  transport,
})

export const signInRoutes = new Hono<HttpEnv>().post(
  '/login',
  limitRate('login'),
  valid('json', credentials),
  async (c) => {
    const body = c.req.valid('json')
    assertOwnPage(c, body.transport)
    const outcome = await signIn(c.get('ctx'), {
      email: body.email,
      password: body.password,
      deviceToken: body.device_token,
      trustToken: presentedTrust(c, body),
      turnstileToken: body.turnstile_token,
    })
    return c.json(handOver(c, body.transport, signInAnswer(outcome)))
  },
)
