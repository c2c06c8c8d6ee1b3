/** Schemas of the answers about step-up. */
import * as z from 'zod'
import { accessTokenSeconds } from '../../src/config/policy.ts'
import type { stepUpRoutes } from '../../src/routes/step-up.ts'
import { jwt } from './fields.ts'
import { passkeyRequest } from './passkey-answers.ts'
import { type Output, exactly } from './wire.ts'

export const stepUpOptions = exactly<Output<typeof stepUpRoutes, '/step-up/options', '$post'>>()(
  passkeyRequest.extend({
    methods: z
      .array(z.enum(['passkey', 'totp', 'recovery_code', 'password']))
      .min(1)
      .meta({
        description: 'The kinds of factor that the account has; `password` only when it has none.',
      }),
  }),
).meta({ description: 'How to step up, and options with which a browser asks for a passkey.' })

export const stepUp = exactly<Output<typeof stepUpRoutes, '/step-up', '$post'>>()(
  z.strictObject({
    access_token: jwt,
    token_type: z.literal('Bearer'),
    expires_in: z.int().min(1).max(accessTokenSeconds).meta({ description: 'Seconds.' }),
    auth_time: z.int().meta({ description: 'When the user has stepped up, in seconds since 1970.' }),
    acr: z.enum(['urn:postern:1', 'urn:postern:2', 'phr']).meta({
      description: '`phr` after a passkey, `urn:postern:2` after a code, `urn:postern:1` after a password.',
    }),
  }),
).meta({ description: 'A new access token of the same session. The refresh token stays.' })
