import * as z from 'zod/mini'
import { readJson } from '../http/body.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { assertOwnPage, handOver } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { passkeySignInOptions, signInWithPasskey } from '../services/sign-in/passkey.ts'
import { passkeyOptionsAnswer, signInAnswer } from './answers.ts'
import { assertion, token, transport } from './fields.ts'

const passkeySignIn = z.object({ challenge_token: token, credential: assertion, transport })

export const passkeySignInRoutes = new Hono<HttpEnv>()
  .post('/passkey/options', limitRate('passkey'), async (c) =>
    c.json(passkeyOptionsAnswer(await passkeySignInOptions(c.get('ctx')))),
  )
  .post('/passkey', limitRate('passkey'), readJson, valid('json', passkeySignIn), async (c) => {
    const { challenge_token: challengeToken, credential, transport: kept } = c.req.valid('json')
    assertOwnPage(c, kept)
    const outcome = await signInWithPasskey(c.get('ctx'), { challengeToken, credential })
    return c.json(handOver(c, kept, signInAnswer(outcome)))
  })
