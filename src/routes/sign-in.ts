import * as z from 'zod/mini'
import { readJson } from '../http/body.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { assertOwnPage, handOver } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { signIn } from '../services/sign-in/password.ts'
import { signInAnswer } from './answers.ts'
import { deviceToken, email, password, transport, turnstileToken } from './fields.ts'

const credentials = z.object({ email, password, device_token: deviceToken, turnstile_token: turnstileToken, transport })

export const signInRoutes = new Hono<HttpEnv>().post(
  '/login',
  limitRate('login'),
  readJson,
  valid('json', credentials),
  async (c) => {
    const { device_token: known, turnstile_token: solved, transport: kept, ...rest } = c.req.valid('json')
    assertOwnPage(c, kept)
    const outcome = await signIn(c.get('ctx'), { ...rest, deviceToken: known, turnstileToken: solved })
    return c.json(handOver(c, kept, signInAnswer(outcome)))
  },
)
