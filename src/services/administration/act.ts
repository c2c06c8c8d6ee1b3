/**
 * What one user does to another. Each act is one batch whose first statement, the audit event, holds the whole decision:
 * the actor's session, role and status as they are now, whom the actor may act on, and the state of the target. Why an
 * act was refused is read in the same batch.
 */
import type { Ctx } from '../../context.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { type Expression, allOf } from '../../store/db.ts'
import type { AuditEvent, User } from '../../store/schema.ts'
import { type Actor, actorStillHasRole, selectActingUser } from '../../store/sessions.ts'
import { hasRoleAmong, selectUser } from '../../store/users.ts'
import { rolesInReachOf } from '../../permissions.ts'

/**
 * The first statements of every act: the event, if the act is permitted and has something to do; the actor, if still
 * acting; and the target as it was before.
 */
export function decision(ctx: Ctx, actor: Actor, id: string, event: AuditEvent, when?: Expression) {
  const isPermitted = allOf(actorStillHasRole(actor, event.at), hasRoleAmong(id, rolesInReachOf(actor.user.role)), when)
  return [
    insertAuditEvent(ctx.db, event, isPermitted),
    selectActingUser(ctx.db, actor.session.id, actor.user.id, event.at),
    selectUser(ctx.db, id),
  ] as const
}

/** The target of an act that did nothing, when there was nothing to do; otherwise the refusal. */
export function unchangedTarget(actor: Actor, [acting]: readonly User[], [target]: readonly User[]): User {
  if (!acting || acting.role !== actor.user.role) throw invalidToken('ended_meanwhile')
  if (!target) throw new AppError('not_found')
  if (!rolesInReachOf(actor.user.role).includes(target.role)) {
    throw new AppError('insufficient_permission', { reason: 'target_out_of_reach' })
  }
  return target
}
