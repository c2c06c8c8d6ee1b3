import type { Ctx } from '../../context.ts'
import { type Claims, type TokenType, epochSeconds, signToken, verifyToken } from '../../crypto/tokens.ts'
import { accessTokenSeconds, refreshTokenSeconds, sessionMaxSeconds } from '../../config/policy.ts'
import { AppError } from '../../errors.ts'
import type { ProblemCode } from '../../problems.ts'
import { permissionsFor } from '../../permissions.ts'
import type { Session } from '../../store/schema/sessions.ts'
import type { User } from '../../store/schema/users.ts'
import type { PrincipalSession } from '../../store/sessions.ts'
import { acrOf, amrOf, authenticatedAt, isConfined } from './strength.ts'

/** The `client_id` in tokens of Postern's own sign-in (RFC 9068 §2.2). */
export const ownClientId = 'postern'

export const sessionLifetime = { idleMs: refreshTokenSeconds * 1000, maxMs: sessionMaxSeconds * 1000 }

export interface Tokens {
  accessToken: string
  expiresInSeconds: number
  refreshToken: string
  refreshExpiresInSeconds: number
  user: User
}

/** A sign-in also gives the device a token by which it is recognized next time. */
export interface SignInTokens extends Tokens {
  deviceToken: string
}

/**
 * The claims of a token that a client sent in a request body.
 *
 * @throws {AppError} `code`, with the reason for the log
 */
export async function readToken<T extends TokenType>(
  ctx: Ctx,
  typ: T,
  token: string,
  code: ProblemCode,
): Promise<Claims<T>> {
  const verified = await verifyToken(ctx.tokens, typ, token, ctx.now())
  if (verified.kind === 'refused') throw new AppError(code, { reason: verified.reason })
  return verified.claims
}

/**
 * The generation of a refresh token that a client sent beside an access token. Whether the session still knows it is
 * decided by the statement that uses it.
 *
 * @throws {AppError} `invalid_refresh_token`, for a token of another session too
 */
export async function readTokenOfSession(ctx: Ctx, token: string, sessionId: string): Promise<number> {
  const { sid, gen } = await readToken(ctx, 'rt+jwt', token, 'invalid_refresh_token')
  if (sid !== sessionId) throw new AppError('invalid_refresh_token', { reason: 'other_session' })
  return gen
}

/**
 * Signs both tokens of a stored session. The refresh token depends on the row alone, so a repeated refresh returns the
 * same one.
 */
export async function issueTokens(ctx: Ctx, user: User, session: Session): Promise<Tokens> {
  const now = ctx.now()
  const refresh = { sid: session.id, gen: session.generation }
  const [accessToken, refreshToken] = await Promise.all([
    issueAccessToken(ctx, user, session),
    signToken(ctx.tokens, 'rt+jwt', refresh, session.lastUsedAt, session.expiresAt),
  ])
  return {
    accessToken,
    expiresInSeconds: accessTokenSeconds,
    refreshToken,
    refreshExpiresInSeconds: Math.max(0, epochSeconds(session.expiresAt) - epochSeconds(now)),
    user,
  }
}

/** Signs an access token. How and when the user signed in comes from the session, so a refresh does not renew it. */
export async function issueAccessToken(ctx: Ctx, user: User, session: PrincipalSession): Promise<string> {
  const now = ctx.now()
  const amr = amrOf(session)
  // Nobody may use the role of an account that lacks the factor it must have.
  const role = isConfined(user, session, ctx.config) ? 'USER' : user.role
  const claims = {
    client_id: ownClientId,
    sub: user.id,
    sid: session.id,
    jti: crypto.randomUUID(),
    role,
    scope: permissionsFor({ user: { role } }).join(' '),
    auth_time: epochSeconds(authenticatedAt(session)),
    amr,
    acr: acrOf(amr),
    bookmark: ctx.replicas?.newestBookmark(),
  }
  return signToken(ctx.tokens, 'at+jwt', claims, now, new Date(now.getTime() + accessTokenSeconds * 1000))
}
