import type { Ctx } from '../../context.ts'
import { repeatPeriodMs, replayMs } from '../../config/policy.ts'
import { AppError } from '../../errors.ts'
import { repeatableBatch } from '../../store/batch.ts'
import { type Presented, selectPresentedSession } from '../../store/repetition.ts'
import { rotateSession } from '../../store/rotation.ts'
import type { Session } from '../../store/schema/sessions.ts'
import { selectUserOfSession } from '../../store/sessions.ts'
import { sessionOrigin } from './origin.ts'
import { repeatRotation } from './repetition.ts'
import { isKnownToBeRevoked } from './revocation.ts'
import { type Tokens, issueTokens, readToken, sessionLifetime } from './tokens.ts'

/**
 * Rotates a refresh token. One guarded statement decides: if several callers present the same token, one of them moves
 * the session on. For 30 seconds the others get the same successor, as far as `repeatRotation` believes them. Any other
 * use of an old token is theft (RFC 9700 §4.14.2).
 *
 * @throws {AppError} `invalid_refresh_token`; `refresh_token_reused` after ending the session
 */
export async function refresh(ctx: Ctx, token: string): Promise<Tokens> {
  const now = ctx.now()
  const { sid, gen } = await readToken(ctx, 'rt+jwt', token, 'invalid_refresh_token')
  if (await isKnownToBeRevoked(ctx, sid)) throw new AppError('invalid_refresh_token', { reason: 'revoked' })

  const from = await sessionOrigin(ctx)
  const presented: Presented = { id: sid, generation: gen, now, from, replayMs, periodMs: repeatPeriodMs }
  // Repeatable: a second run finds the session moved on, and gives the successor that the first one made.
  const { rows, wasRepeated } = await repeatableBatch(ctx.db, {
    rotated: rotateSession(ctx.db, { id: sid, generation: gen, now, ...sessionLifetime, from }),
    found: selectPresentedSession(ctx.db, presented),
    user: selectUserOfSession(ctx.db, { id: sid }),
  })
  const [[rotated], [found], [user]] = [rows.rotated, rows.found, rows.user]
  if (!found || !user || user.status !== 'active' || found.session.expiresAt <= now) {
    throw new AppError('invalid_refresh_token', { reason: 'ended' })
  }
  const { session, isServed } = found
  if (rotated || isServed || (wasRepeated && isRotationOf(presented, session))) return issueTokens(ctx, user, session)
  // Whoever closed the chain proved the password and alone has the tokens since, so an old token harms nobody.
  if (gen < (session.firstGeneration ?? 0)) {
    throw new AppError('invalid_refresh_token', { reason: 'closed_by_password_change' })
  }
  // A token newer than its row: the database was restored from a backup.
  if (session.generation <= gen) throw new AppError('invalid_refresh_token', { reason: 'unknown_generation' })
  return issueTokens(ctx, user, await repeatRotation(ctx, user, presented))
}

/** The session was moved on by the first run of this very batch, whose answer the database lost. */
function isRotationOf({ generation, now, from }: Presented, session: Session): boolean {
  return (
    session.generation === generation + 1 &&
    session.lastUsedAt.getTime() === now.getTime() &&
    isSame(session.network, from.network) &&
    isSame(session.userAgentDigest, from.userAgentDigest)
  )
}

function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one?.toString() === other?.toString()
}
