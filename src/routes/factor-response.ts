/** What a client shows besides a password: a code or a passkey, for every call that takes one. */
import * as z from 'zod/mini'
import type { FactorResponse } from '../services/factors/proof.ts'
import { assertion, optional, token, typedCode } from './fields.ts'

const totp = typedCode.check(z.meta({ description: 'Of the authenticator app.', examples: ['492039'] }))

const recoveryCode = typedCode.check(
  z.meta({ description: 'In any case, with or without hyphens.', examples: ['7GQ2-M4ZX-9KTB-0DWR-5HVC-8JNE'] }),
)

/** The members of a body of which exactly one has to be there. */
export const factorMembers = {
  totp: optional(totp),
  passkey: optional(z.object({ challenge_token: token, credential: assertion })),
  recovery_code: optional(recoveryCode),
}

type FactorMembers = { [Name in keyof typeof factorMembers]?: z.output<(typeof factorMembers)[Name]> }

/** The rule for a whole body. */
export const oneFactor = z.refine<FactorMembers>(
  ({ totp: code, passkey, recovery_code: recovery }) =>
    [code, passkey, recovery].filter((given) => given !== undefined).length === 1,
  { error: 'must have exactly one of totp, passkey and recovery_code' },
)

/** The factor in a body that `oneFactor` let pass. */
export function readFactor({ totp: code, passkey, recovery_code: recovery = '' }: FactorMembers): FactorResponse {
  if (code !== undefined) return { totp: code }
  if (passkey === undefined) return { recoveryCode: recovery }
  return { passkey: { challengeToken: passkey.challenge_token, credential: passkey.credential } }
}
