/** Second factors on the wire. */
import { timeOf } from '../crypto/random.ts'
import type { Enrolled } from '../services/factors/enrolment.ts'
import type { listFactors } from '../services/factors/own-factors.ts'
import type { TotpSetup } from '../services/factors/totp.ts'
import type { Passkey } from '../store/schema/passkeys.ts'

export function factorsAnswer({ passkeys, totp, recoveryDigests }: Awaited<ReturnType<typeof listFactors>>) {
  return {
    passkeys: passkeys.map(passkeyAnswer),
    totp: totp && {
      created_at: totp.createdAt.toISOString(),
      last_used_at: totp.lastUsedAt?.toISOString() ?? null,
    },
    recovery_codes: recoveryDigests.length,
  }
}

export function passkeyAnswer({ id, name, lastUsedAt, isBackedUp, aaguid, transports }: Passkey) {
  return {
    id,
    name,
    created_at: timeOf(id).toISOString(),
    last_used_at: lastUsedAt?.toISOString() ?? null,
    backed_up: isBackedUp,
    aaguid,
    transports,
  }
}

export function totpSetupAnswer({ setupToken, secret, uri }: TotpSetup) {
  return { setup_token: setupToken, secret, uri }
}

/** Has recovery codes only after the first factor of an account. Nothing shows the same codes again. */
export function enrolledAnswer({ recoveryCodes }: Enrolled): { recovery_codes?: string[] | undefined } {
  return recoveryCodes ? { recovery_codes: recoveryCodes } : {}
}
