import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { deleteFactorAttempts } from '../../store/attempts.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import { deleteFactors } from '../../store/factors.ts'
import { isFreshIfFactored } from '../../store/session-strength.ts'
import { deleteSessionsOf } from '../../store/sessions.ts'
import { emailOf, hasFactors, wasActivated } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { assertFreshIfFactored } from '../sessions/strength.ts'
import { decideFreeAct, findUnchangedTarget } from './act.ts'

/**
 * Removes every second factor of a user who lost them, with the recovery codes, and ends the sessions. The password
 * alone then signs in, so the owner is told at once, with the reason. Without any factor nothing happens. An actor with
 * a second factor has to have shown it within ten minutes.
 *
 * @throws {AppError} as `findUnchangedTarget`; `own_account`
 */
export async function resetFactors(ctx: Ctx, actor: Principal, id: string, reason: string): Promise<void> {
  assertFreshIfFactored(actor, ctx.now())
  if (id === actor.user.id) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.factors_reset', { actorId: actor.user.id, userId: id, detail: { reason } })
  const email = newEmail(ctx, 'factors_reset', emailOf(id), id, { reason })
  const ifDone = happened(event.id)
  const rows = await batch(
    ctx.db,
    decideFreeAct(ctx, actor, id, event, hasFactors(id), isFreshIfFactored(event.at)),
    deleteFactors(ctx.db, id, ifDone),
    {
      updated: updateUser(ctx.db, id, { factorsId: null }, ifDone),
      ended: deleteSessionsOf(ctx.db, id, ifDone),
      attempts: deleteFactorAttempts(ctx.db, id, ifDone),
      email: insertEmail(ctx.db, email, allOf(ifDone, wasActivated(id))),
    },
  )
  if (rows.decided.length === 0) findUnchangedTarget(ctx, actor, rows)
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.email)
}
