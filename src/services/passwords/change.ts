import type { Ctx } from '../../context.ts'
import { hashPassword } from '../../crypto/password.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { invalidToken } from '../../errors.ts'
import { accountBudget, deleteAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { always } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import { deleteLinksOf } from '../../store/links.ts'
import { deleteOtherSessionsOf, isSignedInWithPassword } from '../../store/sessions.ts'
import { passwordIdOf } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import type { PasswordPrincipal } from '../sessions/signed-in.ts'
import { assertOwnPassword } from './own-password.ts'
import { assertStrongPassword } from './policy.ts'

/**
 * Changes the principal's password. Ends every other session and every reset link.
 *
 * @throws {AppError} `wrong_password`, `weak_password`; `invalid_token` when the session or the password ended meanwhile
 */
export async function changePassword(
  ctx: Ctx,
  principal: PasswordPrincipal,
  oldPassword: string,
  newPassword: string,
): Promise<void> {
  const { user, session } = principal
  await assertOwnPassword(ctx, principal, oldPassword, 'user.password_change_refused')
  await assertStrongPassword(ctx, newPassword, user, '/new_password').catch(async (error: unknown) => {
    // The old password was right, so a weak new one must not count towards the lock-out.
    await deleteAttempts(ctx.db, accountBudget(user.email), always)
    throw error
  })
  const passwordHash = await hashPassword(newPassword, ctx.work, ctx.secrets.peppers)
  const event = auditEvent(ctx, 'user.password_changed', { actorId: user.id, userId: user.id })
  const email = newEmail(ctx, 'password_changed', user.email, user.id)
  const ifDone = happened(event.id)
  const mayChange = isSignedInWithPassword(session.id, user.id, passwordIdOf(user), event.at)
  const { decided, ended } = await batch(ctx.db, {
    decided: insertAuditEvent(ctx.db, event, mayChange),
    user: updateUser(ctx.db, user.id, { passwordHash, passwordId: uuidv7(event.at), updatedAt: event.at }, ifDone),
    ended: deleteOtherSessionsOf(ctx.db, user.id, session.id, ifDone),
    links: deleteLinksOf(ctx.db, user.id, ifDone, 'reset'),
    email: insertEmail(ctx.db, email, ifDone),
    series: deleteAttempts(ctx.db, accountBudget(user.email), always),
  })
  if (decided.length === 0) throw invalidToken('changed_meanwhile')
  revoke(ctx, ended)
  announceEmail(ctx, email)
}
