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
 * What an access token says. One of an earlier release does not say how its user signed in: with the password, when the
 * session began. A token from before `SECOND_FACTOR` asked for a factor has no role any more without one.
 */
export function readIdentity(claims: Claims<'at+jwt'>, config: Pick<Config, 'secondFactor'>): Identity {
  const { sub: userId, sid: sessionId, auth_time, acr = 'urn:postern:1' } = claims
  const authTime = auth_time ?? epochSeconds(timeOf(sessionId))
  const isConfined = acr === 'urn:postern:1' && mustHaveFactor(claims.role, config)
  const { role, scope } = isConfined ? { role: 'USER', scope: '' } : claims
  return { userId, sessionId, role, scope, authTime, acr }
}
