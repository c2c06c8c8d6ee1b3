import { type Bytes, demand } from './malformed.ts'

/**
 * What a response is compared with. Browsers bind it to RP ID and origin, so a page of another origin gets none
 * (phishing).
 */
export interface Expectation {
  rpId: string
  /** Complete origins. A suffix would let every page of a subdomain in (WebAuthn Level 3 §13.4.9). */
  origins: readonly string[]
  /** In base64url. */
  challenge: string
  /** With `required` a response is refused when the authenticator did not verify the user, by PIN or biometrics. */
  userVerification: 'required' | 'preferred'
}

export type Ceremony = 'webauthn.create' | 'webauthn.get'

/**
 * Checks client data (WebAuthn Level 3 §5.8.1, §7.1, §7.2). A page inside a frame of another origin is refused
 * (§13.4.9).
 *
 * @throws {Malformed | SyntaxError | TypeError} unless it is this ceremony with this challenge on a page of ours
 */
export function checkClientData(
  bytes: Bytes,
  type: Ceremony,
  { challenge, origins }: Pick<Expectation, 'challenge' | 'origins'>,
): void {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  const data = JSON.parse(text) as Record<string, unknown> | null
  demand(typeof data === 'object' && data !== null && data['type'] === type && data['challenge'] === challenge)
  const { origin, crossOrigin = false, topOrigin } = data
  demand(typeof origin === 'string' && origins.includes(origin))
  demand(crossOrigin === false && topOrigin === undefined)
}
