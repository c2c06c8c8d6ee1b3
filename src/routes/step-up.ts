import * as z from 'zod/mini'
import { authenticate, requireToken } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { valid } from '../http/validate.ts'
import { offerStepUp, stepUp } from '../services/factors/step-up.ts'
import { stepUpAnswer, stepUpOptionsAnswer } from './answers.ts'
import { factorMembers, readFactor } from './factor-response.ts'
import { optional, password } from './fields.ts'

const proof = z.object({ ...factorMembers, password: optional(password) }).check(
  z.refine((body) => Object.values(body).filter((given) => given !== undefined).length === 1, {
    error: 'must have exactly one of passkey, totp, recovery_code and password',
  }),
)

export const stepUpRoutes = new Hono<HttpEnv>()
  .post('/step-up/options', limitRate('passkey'), authenticate, async (c) =>
    c.json(stepUpOptionsAnswer(await offerStepUp(c.get('ctx'), c.get('actor')))),
  )
  .post('/step-up', limitRate('secondFactor'), requireToken, valid('json', proof), async (c) => {
    const { password: given, ...factor } = c.req.valid('json')
    const { sid, sub } = c.get('claims')
    const response = given === undefined ? readFactor(factor) : { password: given }
    return c.json(stepUpAnswer(await stepUp(c.get('ctx'), sid, sub, response)))
  })
