import * as z from 'zod/mini'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { assertOwnPage, handOver } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { passSecondFactor } from '../services/sign-in/second-factor.ts'
import { signInAnswer } from './answers.ts'
import { factorMembers, oneFactor, readFactor } from './factor-response.ts'
import { optional, token, transport } from './fields.ts'

const step = z
  .object({ factor_token: token, ...factorMembers, trust_device: optional(z.boolean()), transport })
  .check(oneFactor)

export const secondFactorRoutes = new Hono<HttpEnv>().post(
  '/second-factor',
  limitRate('secondFactor'),
  valid('json', step),
  async (c) => {
    const body = c.req.valid('json')
    assertOwnPage(c, body.transport)
    const signedIn = await passSecondFactor(c.get('ctx'), {
      factorToken: body.factor_token,
      response: readFactor(body),
      trustsDevice: body.trust_device === true,
    })
    return c.json(handOver(c, body.transport, signInAnswer(signedIn)))
  },
)
