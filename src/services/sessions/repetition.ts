import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { insertEmail } from '../../store/emails.ts'
import {
  type Presented,
  countRepetition,
  describeRepetition,
  describeTheft,
  isStolen,
  mayStray,
  recordStray,
  selectPresentedSession,
} from '../../store/repetition.ts'
import type { Session } from '../../store/schema/sessions.ts'
import type { User } from '../../store/schema/users.ts'
import { deleteSession } from '../../store/sessions.ts'
import { auditEvent, condense } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { revoke } from './revocation.ts'

/**
 * The session with the successor of a refresh token that was used before, for a client whose answer was lost. It
 * believes
 *
 * - within 30 seconds of the rotation, only the token that was used last;
 * - only the user agent of the rotation, from its network, or once in 24 hours from another one, which is recorded;
 * - at most three rotations in 24 hours. Repeating one again is the same repetition, and writes nothing.
 *
 * Everything else ends the session as stolen. A thief who follows the rotations of a session, though from the network
 * and under the user agent of its owner, is caught at the fourth.
 *
 * @throws {AppError} `refresh_token_reused` after ending the session; `invalid_refresh_token` when it ended meanwhile,
 *   or the password was changed since the rotation
 */
export async function repeatRotation(ctx: Ctx, { id: userId, email }: User, presented: Presented): Promise<Session> {
  const repeated = auditEvent(ctx, 'session.refresh_repeated', { userId })
  const theft = auditEvent(ctx, 'session.reuse_detected', { userId })
  const warning = newEmail(ctx, 'session_reuse', email, userId)
  const ifStolen = happened(theft.id)
  const rows = await batch(ctx.db, {
    counted: countRepetition(ctx.db, presented),
    strays: insertAuditEvent(ctx.db, { ...repeated, ...describeRepetition(presented) }, mayStray(presented)),
    strayed: recordStray(ctx.db, presented, happened(repeated.id)),
    found: selectPresentedSession(ctx.db, presented),
    stolen: insertAuditEvent(ctx.db, { ...theft, ...describeTheft(presented) }, isStolen(presented)),
    ended: deleteSession(ctx.db, presented.id, ifStolen),
    warning: insertEmail(ctx.db, warning, ifStolen),
    ...condense(ctx, [repeated, theft]),
  })
  const [found] = rows.found
  if (found?.isServed) return found.session
  if (rows.stolen.length === 0) {
    throw new AppError('invalid_refresh_token', { reason: found ? 'closed_by_password_change' : 'ended_meanwhile' })
  }
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.warning)
  throw new AppError('refresh_token_reused')
}
