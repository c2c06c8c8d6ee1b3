import type { Ctx } from '../../context.ts'
import { verifyToken } from '../../crypto/tokens.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { describeSignOut, hasOpenSession, holderOfToken } from '../../store/rotation.ts'
import { allOf, anyOf } from '../../store/db.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { ListedSession } from '../../store/schema/sessions.ts'
import {
  deleteOtherSessionsOf,
  deleteSession,
  deleteSessionsOf,
  hasLiveSession,
  isSignedIn,
  listSessionsOf,
  ownerOfSession,
  selectSignedInUser,
  sessionExists,
} from '../../store/sessions.ts'
import { hasFactors, withoutTrust } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent, condense } from '../audit/trail.ts'
import { revoke } from './revocation.ts'
import type { Principal } from './signed-in.ts'

/**
 * Ends the session of a refresh token. A token that is not valid is no failure (RFC 7009 §2.2). An old token ends the
 * session, too: a client whose last answer was lost has to be able to sign out, and `refresh` would end it as stolen.
 * The event then names nobody as its actor. A token that a change of the password closed ends nothing.
 */
export async function signOut(ctx: Ctx, token: string): Promise<void> {
  const verified = await verifyToken(ctx.tokens, 'rt+jwt', token, ctx.now())
  if (verified.kind === 'refused') return
  const { sid, gen } = verified.claims
  const event = auditEvent(ctx, 'session.ended', {})
  const about = { userId: ownerOfSession(sid), actorId: holderOfToken(sid, gen), ...describeSignOut(sid, gen) }
  const { ended } = await batch(ctx.db, {
    decided: insertAuditEvent(ctx.db, { ...event, ...about }, hasOpenSession(sid, gen)),
    ended: deleteSession(ctx.db, sid, happened(event.id)),
    ...condense(ctx, [event]),
  })
  revoke(ctx, ended)
}

/** The principal's sessions, newest first. */
export async function listSessions(ctx: Ctx, { user }: Principal): Promise<ListedSession[]> {
  return listSessionsOf(ctx.db, user.id, ctx.now())
}

/**
 * Ends one session of the principal, which may be the current one.
 *
 * @throws {AppError} `not_found`, for another user's session too; `invalid_token` when the current session ended
 *   meanwhile
 */
export async function endSession(ctx: Ctx, principal: Principal, sessionId: string): Promise<void> {
  const { user, session } = principal
  const event = newEndEvent(ctx, principal, { session_id: sessionId })
  const mayEnd = allOf(isSignedIn(session.id, user.id, event.at), sessionExists(sessionId, user.id))
  const { ended, acting } = await batch(ctx.db, {
    decided: insertAuditEvent(ctx.db, event, mayEnd),
    ended: deleteSession(ctx.db, sessionId, happened(event.id)),
    acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
    ...condense(ctx, [event]),
  })
  // After a success `acting` is empty when the current session was the one to end.
  if (ended.length === 0) throw acting.length > 0 ? new AppError('not_found') : invalidToken('ended_meanwhile')
  revoke(ctx, ended)
}

/**
 * Ends every session of the principal, the current one included, and the trust in every device.
 *
 * @throws {AppError} `invalid_token` when the current session ended meanwhile
 */
export async function endAllSessions(ctx: Ctx, principal: Principal): Promise<void> {
  await endSessions(ctx, principal, 'all')
}

/**
 * Ends every session of the principal except the current one, and the trust in every device: a lost one may have no
 * session any more. Without either, nothing happens.
 *
 * @throws {AppError} `invalid_token` when the current session ended meanwhile
 */
export async function endOtherSessions(ctx: Ctx, principal: Principal): Promise<void> {
  await endSessions(ctx, principal, 'others')
}

function newEndEvent(ctx: Ctx, { user }: Principal, detail: NonNullable<AuditEvent['detail']>): AuditEvent {
  return auditEvent(ctx, 'session.ended', { actorId: user.id, userId: user.id, detail })
}

async function endSessions(ctx: Ctx, principal: Principal, which: 'all' | 'others'): Promise<void> {
  const { user, session } = principal
  const event = newEndEvent(ctx, principal, { sessions: which })
  const ifDone = happened(event.id)
  const keptId = which === 'others' ? session.id : undefined
  const hasAny = anyOf(hasLiveSession(user.id, event.at, keptId), hasFactors(user.id))
  const mayEnd = allOf(isSignedIn(session.id, user.id, event.at), hasAny)
  const { acting, ended } = await batch(ctx.db, {
    decided: insertAuditEvent(ctx.db, event, mayEnd),
    acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
    distrusted: updateUser(ctx.db, user.id, withoutTrust, allOf(ifDone, hasFactors(user.id))),
    ended: keptId ? deleteOtherSessionsOf(ctx.db, user.id, keptId, ifDone) : deleteSessionsOf(ctx.db, user.id, ifDone),
    ...condense(ctx, [event]),
  })
  if (acting.length === 0) throw invalidToken('ended_meanwhile')
  revoke(ctx, ended)
}
