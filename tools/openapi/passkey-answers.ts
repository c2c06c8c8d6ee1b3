/** Schemas of the answers about passkeys. */
import * as z from 'zod'
import { challengeMs } from '../../src/config/policy.ts'
import type { passkeySignInRoutes } from '../../src/routes/passkeys.ts'
import { type Output, exactly } from './wire.ts'

const base64url = z.string().regex(/^[\w-]+$/)

const challenge = base64url.length(43)

const challengeToken = challenge.meta({
  description: 'Send it back with the response of the browser, within five minutes.',
})

const credentials = z.array(
  z.strictObject({ type: z.literal('public-key'), id: base64url, transports: z.array(z.string()) }),
)

const requestOptions = z
  .strictObject({
    challenge,
    rpId: z.string(),
    timeout: z.literal(challengeMs).meta({ description: 'Milliseconds.' }),
    userVerification: z.enum(['required', 'preferred']),
    allowCredentials: credentials.optional().meta({ description: 'Absent before a first factor.' }),
  })
  .meta({ description: 'For `PublicKeyCredential.parseRequestOptionsFromJSON()`.' })

export const passkeyRequest = exactly<Output<typeof passkeySignInRoutes, '/passkey/options', '$post'>>()(
  z.strictObject({ challenge_token: challengeToken, public_key: requestOptions }),
).meta({ description: 'Options with which a browser asks for a passkey.' })
