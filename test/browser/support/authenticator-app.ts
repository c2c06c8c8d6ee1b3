import { Secret, TOTP } from 'otpauth'

const stepMs = 30_000

/**
 * What an authenticator app shows for a key.
 *
 * @param aheadSteps how many codes later: the service takes each code once, and the next one early
 */
export function codeOf(key: string, aheadSteps = 0): string {
  return new TOTP({ secret: Secret.fromBase32(key) }).generate({ timestamp: Date.now() + aheadSteps * stepMs })
}
