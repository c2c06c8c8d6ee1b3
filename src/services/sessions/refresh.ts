import type { Ctx } from '../../context.ts'
import { replayMs } from '../../config/policy.ts'
import { AppError } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch, repeatableBatch } from '../../store/batch.ts'
import { insertEmail } from '../../store/emails.ts'
import type { Session } from '../../store/schema/sessions.ts'
import type { User } from '../../store/schema/users.ts'
import { isOldToken, rotateSession } from '../../store/rotation.ts'
import { deleteSession, selectSession, selectUserOfSession } from '../../store/sessions.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { isKnownToBeRevoked, revoke } from './revocation.ts'
import { type Tokens, issueTokens, readToken, sessionLifetime } from './tokens.ts'

/**
 * Rotates a refresh token. One guarded statement decides: if several callers present the same token, one of them moves the
 * session on, and for 30 seconds the others get the same successor. An older token is theft (RFC 9700 §4.14.2).
 *
 * @throws {AppError} `invalid_refresh_token`; `refresh_token_reused` after ending the session
 */
export async function refresh(ctx: Ctx, token: string): Promise<Tokens> {
  const now = ctx.now()
  const { sid, gen } = await readToken(ctx, 'rt+jwt', token, 'invalid_refresh_token')
  if (await isKnownToBeRevoked(ctx, sid)) throw new AppError('invalid_refresh_token', { reason: 'revoked' })

  const { ip, country, userAgent } = ctx.origin
  const from = { ip, country, userAgent }
  // Repeatable: a second run finds the session moved on, and the answer is that of a replay, with the same successor.
  const rows = await repeatableBatch(ctx.db, {
    rotated: rotateSession(ctx.db, { id: sid, generation: gen, now, ...sessionLifetime, from }),
    session: selectSession(ctx.db, sid),
    user: selectUserOfSession(ctx.db, sid),
  })
  const [[rotated], [session], [user]] = [rows.rotated, rows.session, rows.user]
  if (!session || !user || user.status !== 'active' || session.expiresAt <= now) {
    throw new AppError('invalid_refresh_token', { reason: 'ended' })
  }
  if (rotated) return issueTokens(ctx, user, rotated)
  // Whoever closed the chain proved the password and alone has the tokens since, so an old token harms nobody.
  if (gen < (session.firstGeneration ?? 0)) throw closed()
  const isRepeatable = session.generation === gen + 1 && session.generation !== session.settledGeneration
  if (isRepeatable && session.lastUsedAt.getTime() > now.getTime() - replayMs) return issueTokens(ctx, user, session)
  // A token newer than its row: the database was restored from a backup.
  if (session.generation <= gen) throw new AppError('invalid_refresh_token', { reason: 'unknown_generation' })
  await endStolenSession(ctx, user, session, gen)
  throw new AppError('refresh_token_reused')
}

function closed(): AppError {
  return new AppError('invalid_refresh_token', { reason: 'closed_by_password_change' })
}

/** @throws {AppError} `invalid_refresh_token` when the session ended meanwhile, or a change of the password closed the token */
async function endStolenSession(ctx: Ctx, user: User, session: Session, generation: number): Promise<void> {
  const event = auditEvent(ctx, 'session.reuse_detected', { userId: user.id, detail: { session_id: session.id } })
  const email = newEmail(ctx, 'session_reuse', user.email, user.id)
  const ifDone = happened(event.id)
  const { ended } = await batch(ctx.db, {
    // Generations only grow, so an old token stays old. Meanwhile the session can have ended or closed the token.
    decided: insertAuditEvent(ctx.db, event, isOldToken(session.id, generation)),
    ended: deleteSession(ctx.db, session.id, ifDone),
    email: insertEmail(ctx.db, email, ifDone),
  })
  if (ended.length === 0) return
  revoke(ctx, ended)
  announceEmail(ctx, email)
}
