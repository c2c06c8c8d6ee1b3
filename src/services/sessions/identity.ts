import type { Config } from '../../config/settings.ts'
import { timeOf } from '../../crypto/random.ts'
import { type Claims, epochSeconds } from '../../crypto/tokens.ts'
import { mustHaveFactor } from './strength.ts'

/** Who an access token is about, for services behind Postern. */
interface Identity {
  userId: string
  sessionId: string
  role: string
  scope: string
  /** When the user last proved who they are, in seconds. */
  authTime: number
  acr: string
}

/**
 * Reads an access token. Tokens of earlier releases lack `auth_time` and `acr`: their users signed in with the
 * password, when the session began. The role of a token with one factor does not count where `SECOND_FACTOR` now asks
 * the role for two.
 */
export function readIdentity(claims: Claims<'at+jwt'>, config: Pick<Config, 'secondFactor'>): Identity {
  const { sub: userId, sid: sessionId, auth_time, acr = 'urn:postern:1' } = claims
  const authTime = auth_time ?? epochSeconds(timeOf(sessionId))
  const isConfined = acr === 'urn:postern:1' && mustHaveFactor(claims.role, config)
  const { role, scope } = isConfined ? { role: 'USER', scope: '' } : claims
  return { userId, sessionId, role, scope, authTime, acr }
}
