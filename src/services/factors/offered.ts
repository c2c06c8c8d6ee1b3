import type { Factors } from '../../store/factors.ts'

export type OfferedFactor = 'passkey' | 'totp' | 'recovery_code'

/** With what an account can answer when a second factor is asked for, the strongest first. */
export function offeredFactors({ passkeys, totp, recoveryDigests }: Factors): OfferedFactor[] {
  const offered: OfferedFactor[] = []
  if (passkeys.length > 0) offered.push('passkey')
  if (totp) offered.push('totp')
  if (recoveryDigests.length > 0) offered.push('recovery_code')
  return offered
}
