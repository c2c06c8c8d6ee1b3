import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { hasEmailProblem } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { decideAct, findUnchangedTarget } from './act.ts'
import { auditEvent } from '../audit/trail.ts'
import type { Principal } from '../sessions/signed-in.ts'

/**
 * Allows mail to a user's address again after a bounce or a complaint.
 *
 * @throws {AppError} as `findUnchangedTarget`; `not_suppressed`
 */
export async function liftEmailSuppression(ctx: Ctx, actor: Principal, id: string): Promise<void> {
  const event = auditEvent(ctx, 'email.suppression_lifted', { actorId: actor.user.id, userId: id })
  const rows = await batch(ctx.db, decideAct(ctx, actor, id, event, hasEmailProblem(id)), {
    updated: updateUser(ctx.db, id, { emailProblem: null }, happened(event.id)),
  })
  if (rows.decided.length === 0) {
    findUnchangedTarget(ctx, actor, rows)
    throw new AppError('not_suppressed')
  }
}
