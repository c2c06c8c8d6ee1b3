import type { Ctx } from '../../context.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { allOf } from '../../store/db.ts'
import type { User } from '../../store/schema/users.ts'
import { canBecomeFirstAdmin } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'

/**
 * The statements that make the account with the bootstrap address the first ADMIN, for the end of the batch that signs
 * it in. `promoted` has the user after a promotion. For any other account there are no statements, and none has an
 * effect on an account that was registered with another address: whoever changes to this one has proven only the
 * mailbox.
 *
 * @param eventId the event that guards the batch
 */
export function promoteFirstAdmin(ctx: Ctx, { id, email }: Pick<User, 'id' | 'email'>, eventId: string) {
  if (email !== ctx.config.bootstrapAdminEmail) return { promotion: undefined, promoted: undefined }
  const detail = { role: 'ADMIN', bootstrap: true }
  const event = auditEvent(ctx, 'user.role_changed', { actorId: id, userId: id, detail })
  return {
    promotion: insertAuditEvent(ctx.db, event, allOf(happened(eventId), canBecomeFirstAdmin(id))),
    promoted: updateUser(ctx.db, id, { role: 'ADMIN', updatedAt: event.at }, happened(event.id)),
  }
}
