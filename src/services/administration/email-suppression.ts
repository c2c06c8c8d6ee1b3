import type { Ctx } from '../../context.ts'
import { happened } from '../../store/audit.ts'
import { orderedBatch } from '../../store/db.ts'
import type { Actor } from '../../store/sessions.ts'
import { hasEmailProblem, updateUser } from '../../store/users.ts'
import { decision, unchangedTarget } from './act.ts'
import { auditEvent } from '../audit/trail.ts'

/**
 * Lets mail go to a user's address again, after a bounce or a complaint.
 *
 * @throws {AppError} `not_found`, `insufficient_permission`
 */
export async function liftEmailSuppression(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  const event = auditEvent(ctx, 'email.suppression_lifted', { actorId: actor.user.id, userId: id })
  const [decided, acting, before] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, hasEmailProblem(id)),
    updateUser(ctx.db, id, { emailProblem: null }, happened(event.id)),
  ])
  if (decided.length === 0) unchangedTarget(actor, acting, before)
}
