import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import {
  accessTokenSeconds,
  epochSeconds,
  refreshTokenSeconds,
  sessionMaxSeconds,
  signToken,
} from '../../crypto/tokens.ts'
import type { Session, User } from '../../store/schema.ts'
import { permissionsFor } from '../../permissions.ts'

/** The `client_id` of tokens that Postern's own sign-in issues (RFC 9068 §2.2). */
const ownClientId = 'postern'

export const sessionLifetime = { idleMs: refreshTokenSeconds * 1000, maxMs: sessionMaxSeconds * 1000 }

/** What a sign-in, an activation and a refresh give. */
export interface Tokens {
  accessToken: string
  expiresIn: number
  refreshToken: string
  refreshExpiresIn: number
  user: User
}

/** A sign-in also tells the device how to be recognised. */
export interface SignInTokens extends Tokens {
  deviceToken: string
}

/** A session that starts now, not yet stored. */
export function newSession(ctx: Ctx, userId: string): Session {
  const now = ctx.now()
  const { ip, country, userAgent } = ctx.origin
  return {
    id: uuidv7(now),
    userId,
    generation: 1,
    createdAt: now,
    lastUsedAt: now,
    expiresAt: new Date(now.getTime() + sessionLifetime.idleMs),
    ip,
    country,
    userAgent,
  }
}

/**
 * Signs both tokens of a session as it is stored. The refresh token follows from the row alone, so whoever repeats a
 * refresh gets the same one.
 */
export async function issueTokens(ctx: Ctx, user: User, session: Session): Promise<Tokens> {
  const now = ctx.now()
  const claims = {
    client_id: ownClientId,
    sub: user.id,
    sid: session.id,
    jti: crypto.randomUUID(),
    role: user.role,
    scope: permissionsFor({ user }).join(' '),
  }
  const [accessToken, refreshToken] = await Promise.all([
    signToken(ctx.tokens, 'at+jwt', claims, now, new Date(now.getTime() + accessTokenSeconds * 1000)),
    signToken(
      ctx.tokens,
      'rt+jwt',
      { sid: session.id, gen: session.generation },
      session.lastUsedAt,
      session.expiresAt,
    ),
  ])
  return {
    accessToken,
    expiresIn: accessTokenSeconds,
    refreshToken,
    refreshExpiresIn: Math.max(0, epochSeconds(session.expiresAt) - epochSeconds(now)),
    user,
  }
}
