/** Schemas of the answers about passkeys. */
import { inMinutes } from './limits.ts'
import * as z from 'zod'
import { challengeMs } from '../../src/config/policy.ts'
import { coseAlgorithms } from '../../src/crypto/webauthn/cose-key.ts'
import type { ownPasskeyRoutes, passkeySignInRoutes } from '../../src/routes/passkeys.ts'
import { enrolled, passkey } from './factor-answers.ts'
import { type Output, exactly } from './wire.ts'

const base64url = z.string().regex(/^[\w-]+$/)

const challenge = base64url.length(43)

const challengeToken = challenge.meta({
  description: `Send it back with the response of the browser, within ${inMinutes(challengeMs)}.`,
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

const creationOptions = z
  .strictObject({
    challenge,
    rp: z.strictObject({ id: z.string(), name: z.string() }),
    user: z.strictObject({ id: base64url.length(22), name: z.string(), displayName: z.string() }),
    pubKeyCredParams: z.array(z.strictObject({ type: z.literal('public-key'), alg: z.literal([...coseAlgorithms]) })),
    timeout: z.literal(challengeMs).meta({ description: 'Milliseconds.' }),
    excludeCredentials: credentials,
    authenticatorSelection: z.strictObject({
      residentKey: z.literal('required'),
      requireResidentKey: z.boolean(),
      userVerification: z.literal('required'),
    }),
    attestation: z.literal('none'),
    extensions: z.strictObject({ credProps: z.boolean() }),
  })
  .meta({ description: 'For `PublicKeyCredential.parseCreationOptionsFromJSON()`.' })

export const passkeyCreation = exactly<Output<typeof ownPasskeyRoutes, '/options', '$post'>>()(
  z.strictObject({ challenge_token: challengeToken, public_key: creationOptions }),
).meta({ description: 'Options with which a browser makes a passkey.' })

export const newPasskey = exactly<Output<typeof ownPasskeyRoutes, '/', '$post'>>()(passkey.extend(enrolled.shape)).meta(
  { description: 'A passkey that was just added.' },
)
