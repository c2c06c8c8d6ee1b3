/** Schemas of the answers about second factors. */
import { totpSetupMs } from '../../src/config/policy.ts'
import { inMinutes } from './limits.ts'
import * as z from 'zod'
import type { enrolledAnswer, factorsAnswer, passkeyAnswer, totpSetupAnswer } from '../../src/routes/factor-answers.ts'
import type { factorRoutes } from '../../src/routes/factors.ts'
import { id, time } from './fields.ts'
import { type Output, exactly } from './wire.ts'

export const passkey = exactly<ReturnType<typeof passkeyAnswer>>()(
  z.strictObject({
    id,
    name: z.string().max(100),
    created_at: time,
    last_used_at: time.nullable(),
    backed_up: z.boolean().meta({ description: 'Whether it is on more than one device.' }),
    aaguid: z.guid().meta({ description: 'The model of the authenticator, as it says.' }),
    transports: z.array(z.string()),
  }),
).meta({ description: 'A passkey, without its key.' })

export const factors = exactly<ReturnType<typeof factorsAnswer>>()(
  z.strictObject({
    passkeys: z.array(passkey).meta({ description: 'Oldest first.' }),
    totp: z.strictObject({ created_at: time, last_used_at: time.nullable() }).nullable().meta({
      description: 'The authenticator app.',
    }),
    recovery_codes: z.int().min(0).meta({ description: 'How many are left.' }),
  }),
).meta({ description: 'The second factors of an account.' })

export const totpSetup = exactly<ReturnType<typeof totpSetupAnswer>>()(
  z.strictObject({
    setup_token: z.string().meta({ description: `For the confirmation. It is good for ${inMinutes(totpSetupMs)}.` }),
    secret: z
      .string()
      .regex(/^[A-Z2-7]{32}$/)
      .meta({ description: 'For people who cannot scan the URI, in base32.' }),
    uri: z
      .string()
      .regex(/^otpauth:\/\/totp\//)
      .meta({ description: 'For a QR code.' }),
  }),
)

const codes = z.array(z.string().regex(/^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)).length(8)

export const enrolled = exactly<ReturnType<typeof enrolledAnswer>>()(
  z.strictObject({
    recovery_codes: codes.optional().meta({ description: 'With the first factor of the account, this once.' }),
  }),
)

export const recoveryCodes = exactly<Output<typeof factorRoutes, '/recovery-codes', '$post'>>()(
  z.strictObject({ recovery_codes: codes.meta({ description: 'Each counts once. Nobody sees them again.' }) }),
)
