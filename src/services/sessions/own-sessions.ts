import type { Ctx } from '../../context.ts'
import { verifyToken } from '../../crypto/tokens.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { repeatableBatch } from '../../store/batch.ts'
import { allOf, orderedBatch } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import type { Session, User } from '../../store/schema.ts'
import {
  type Actor,
  actorExists,
  deleteOtherSessionsOf,
  deleteSession,
  deleteSessionsOf,
  listSessionsOf,
  ownerOfSession,
  rotateSession,
  selectActingUser,
  selectSession,
  selectUserOfSession,
  sessionExists,
} from '../../store/sessions.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { isKnownToBeRevoked, revoke } from './revocation.ts'
import { type Tokens, issueTokens, sessionLifetime } from './tokens.ts'

/** How long the token presented last may be presented again: an answer got lost, or two tabs woke up at once. */
export const replayMs = 30_000

/**
 * Rotates a refresh token. One guarded statement decides: of any number of callers with the same token one moves the
 * session on, and the others get the same successor within 30 seconds. Anything older is theft (RFC 9700 §4.14.2).
 *
 * @throws {AppError} `invalid_refresh_token`; `refresh_token_reused`, and the session has ended
 */
export async function refresh(ctx: Ctx, token: string): Promise<Tokens> {
  const now = ctx.now()
  const verified = await verifyToken(ctx.tokens, 'rt+jwt', token, now)
  if (verified.kind === 'refused') throw new AppError('invalid_refresh_token', { reason: verified.reason })
  const { sid, gen } = verified.claims
  if (await isKnownToBeRevoked(ctx, sid)) throw new AppError('invalid_refresh_token', { reason: 'revoked' })

  const { ip, country, userAgent } = ctx.origin
  // Repeatable: a second run finds the session moved on and is answered like any repetition, with the same successor.
  const rows = await repeatableBatch(ctx.db, {
    rotated: rotateSession(ctx.db, {
      id: sid,
      generation: gen,
      now,
      ...sessionLifetime,
      from: { ip, country, userAgent },
    }),
    session: selectSession(ctx.db, sid),
    user: selectUserOfSession(ctx.db, sid),
  })
  const [[rotated], [session], [user]] = [rows.rotated, rows.session, rows.user]
  if (!session || !user || user.status !== 'active' || session.expiresAt <= now) {
    throw new AppError('invalid_refresh_token', { reason: 'ended' })
  }
  if (rotated) return issueTokens(ctx, user, rotated)
  const isReplay = session.generation === gen + 1 && session.lastUsedAt.getTime() > now.getTime() - replayMs
  if (isReplay) return issueTokens(ctx, user, session)
  // A token from the future of this row: the database was restored from a back-up.
  if (session.generation <= gen) throw new AppError('invalid_refresh_token', { reason: 'unknown_generation' })
  throw await endStolenSession(ctx, user, session)
}

async function endStolenSession(ctx: Ctx, user: User, session: Session): Promise<AppError> {
  const event = auditEvent(ctx, 'session.reuse_detected', { userId: user.id, detail: { session_id: session.id } })
  const mail = newEmail(ctx, 'session_reuse', user.email, user.id)
  const ifDone = happened(event.id)
  const [, ended] = await orderedBatch(ctx.db, [
    // A generation that was too old once stays so: all that can have changed is that the session is over.
    insertAuditEvent(ctx.db, event, sessionExists(session.id)),
    deleteSession(ctx.db, session.id, ifDone),
    insertEmail(ctx.db, mail, allOf(ifDone, mailBudgetLeft(mail, event.at))),
  ])
  if (ended.length > 0) {
    revoke(ctx, ended)
    announceEmail(ctx, mail)
  }
  return new AppError('refresh_token_reused')
}

/** Ends the session of a refresh token. A token that is no longer good is no failure (RFC 7009 §2.2). */
export async function signOut(ctx: Ctx, token: string): Promise<void> {
  const verified = await verifyToken(ctx.tokens, 'rt+jwt', token, ctx.now())
  if (verified.kind === 'refused') return
  const { sid } = verified.claims
  const event = auditEvent(ctx, 'session.ended', { detail: { session_id: sid } })
  const owner = ownerOfSession(sid)
  const [, ended] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, { ...event, actorId: owner, userId: owner }, sessionExists(sid)),
    deleteSession(ctx.db, sid, happened(event.id)),
  ])
  revoke(ctx, ended)
}

/** Newest first. */
export async function listSessions(ctx: Ctx, { user }: Actor): Promise<Session[]> {
  return listSessionsOf(ctx.db, user.id, ctx.now())
}

/** @throws {AppError} `not_found`, for another user's session too; `invalid_token` when the own one ended meanwhile */
export async function endSession(ctx: Ctx, actor: Actor, sessionId: string): Promise<void> {
  const { user } = actor
  const event = auditEvent(ctx, 'session.ended', {
    actorId: user.id,
    userId: user.id,
    detail: { session_id: sessionId },
  })
  const [, ended, [acting]] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, allOf(stillSignedIn(actor, event.at), sessionExists(sessionId, user.id))),
    deleteSession(ctx.db, sessionId, happened(event.id)),
    selectActingUser(ctx.db, actor.session.id, user.id, event.at),
  ])
  // Who ends the session that asks is not acting any more afterwards, and need not be.
  if (ended.length === 0) throw acting ? new AppError('not_found') : invalidToken('ended_meanwhile')
  revoke(ctx, ended)
}

/**
 * Ends every session of the user.
 *
 * @throws {AppError} `invalid_token` when the session ended meanwhile
 */
export async function endAllSessions(ctx: Ctx, actor: Actor): Promise<void> {
  const { user } = actor
  const event = auditEvent(ctx, 'session.ended', { actorId: user.id, userId: user.id, detail: { sessions: 'all' } })
  const [[recorded], ended] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, stillSignedIn(actor, event.at)),
    deleteSessionsOf(ctx.db, user.id, happened(event.id)),
  ])
  if (!recorded) throw invalidToken('ended_meanwhile')
  revoke(ctx, ended)
}

/**
 * Ends every session of the user but the one that asks.
 *
 * @throws {AppError} `invalid_token` when the session ended meanwhile
 */
export async function endOtherSessions(ctx: Ctx, actor: Actor): Promise<void> {
  const { user, session } = actor
  const event = auditEvent(ctx, 'session.ended', { actorId: user.id, userId: user.id, detail: { sessions: 'others' } })
  const [[recorded], ended] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, stillSignedIn(actor, event.at)),
    deleteOtherSessionsOf(ctx.db, user.id, session.id, happened(event.id)),
  ])
  if (!recorded) throw invalidToken('ended_meanwhile')
  revoke(ctx, ended)
}

function stillSignedIn({ user, session }: Actor, now: Date) {
  return actorExists(session.id, user.id, now)
}
