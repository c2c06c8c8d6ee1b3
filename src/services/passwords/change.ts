import type { Ctx } from '../../context.ts'
import { hashPassword, verifyPassword } from '../../crypto/password.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { accountBudget, deleteAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { allOf, always, orderedBatch } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { deleteLinksOf } from '../../store/links.ts'
import { actorStillHasPassword, deleteOtherSessionsOf } from '../../store/sessions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { assertStrongPassword } from './policy.ts'
import { revoke } from '../sessions/revocation.ts'
import { recordWrongPassword } from '../protection/series-warning.ts'
import type { PasswordActor } from '../sessions/signed-in.ts'

/**
 * Changes the password of who is signed in. Every other session ends, and so does every reset link that was made.
 *
 * @throws {AppError} `wrong_password`, `weak_password`; `invalid_token` when the session or the password ended meanwhile
 */
export async function changePassword(
  ctx: Ctx,
  actor: PasswordActor,
  oldPassword: string,
  newPassword: string,
): Promise<void> {
  const { user, session, tries } = actor
  const { matches } = await verifyPassword(oldPassword, user.passwordHash, ctx.work, ctx.secrets.peppers)
  if (!matches || user.passwordHash === null) {
    const refusal = auditEvent(ctx, 'user.password_change_refused', { actorId: user.id, userId: user.id })
    await recordWrongPassword(ctx, refusal, { email: user.email, userId: user.id, tries })
    throw new AppError('wrong_password')
  }
  await assertStrongPassword(ctx, newPassword, user, '/new_password').catch(async (error: unknown) => {
    // The old password was right: a weak new one is no reason to make its owner wait.
    await deleteAttempts(ctx.db, accountBudget(user.email), always)
    throw error
  })
  const passwordHash = await hashPassword(newPassword, ctx.work, ctx.secrets.peppers)
  const event = auditEvent(ctx, 'user.password_changed', { actorId: user.id, userId: user.id })
  const mail = newEmail(ctx, 'password_changed', user.email, user.id)
  const ifDone = happened(event.id)
  const [[changed], , ended] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, actorStillHasPassword(actor, event.at)),
    updateUser(ctx.db, user.id, { passwordHash, passwordId: uuidv7(event.at), updatedAt: event.at }, ifDone),
    deleteOtherSessionsOf(ctx.db, user.id, session.id, ifDone),
    deleteLinksOf(ctx.db, user.id, ifDone, 'reset'),
    insertEmail(ctx.db, mail, allOf(ifDone, mailBudgetLeft(mail, event.at))),
    deleteAttempts(ctx.db, accountBudget(user.email), always),
  ])
  if (!changed) throw invalidToken('changed_meanwhile')
  revoke(ctx, ended)
  announceEmail(ctx, mail)
}
