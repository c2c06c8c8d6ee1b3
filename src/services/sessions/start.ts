import type { Ctx } from '../../context.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { allOf } from '../../store/db.ts'
import type { Session } from '../../store/schema.ts'
import { deleteOldestSessionsOf, evictionDetail, insertSession, isBeyond } from '../../store/sessions.ts'
import { auditEvent } from '../audit/trail.ts'

/** A device that never signs out leaves a session behind; the oldest of them end. */
const maxSessionsPerUser = 50

/**
 * The statements that start a session, for the batch that signs in: the rows of the first are the session as it is
 * stored, those of the last the session that had to end for it, if any. That one is in the audit trail like any other
 * that ends; nothing is written when there is room.
 *
 * @param eventId the event that guards the batch
 */
export function openSession(ctx: Ctx, session: Session, eventId: string) {
  const { userId } = session
  const ifDone = happened(eventId)
  const eviction = auditEvent(ctx, 'session.ended', { actorId: userId, userId })
  const detail = evictionDetail(userId, maxSessionsPerUser)
  return [
    insertSession(ctx.db, session, ifDone),
    insertAuditEvent(ctx.db, { ...eviction, detail }, allOf(ifDone, isBeyond(userId, maxSessionsPerUser))),
    deleteOldestSessionsOf(ctx.db, userId, maxSessionsPerUser, happened(eviction.id)),
  ] as const
}
