import type { Ctx } from '../../context.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { accountBudget, deleteAttempts, deleteAttemptsFor, deleteFactorAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf, always, type Db } from '../../store/db.ts'
import { type NewEmail, deleteEmailsAbout, deleteEmailsTo, insertEmail } from '../../store/emails.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import { deleteSessionsOf, isSignedInWithPassword, selectSignedInUser } from '../../store/sessions.ts'
import { selectStale } from '../../store/session-strength.ts'
import { deleteRowsOfUser } from '../../store/user-rows.ts'
import { deleteUser } from '../../store/users.ts'
import { emailOf, leavesAnActiveAdmin, passwordIdOf, takesMail, wasActivated } from '../../store/user-conditions.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { assertOwnPassword } from '../passwords/own-password.ts'
import { revoke } from '../sessions/revocation.ts'
import { explainStale, isProvenFor } from '../sessions/strength.ts'
import type { PasswordPrincipal } from '../sessions/signed-in.ts'

/**
 * Deletes the principal's account: user, sessions, links, registrations and every stored email to the address.
 *
 * @param password `undefined` for an account without a password
 * @throws {AppError} `wrong_password`, `last_admin`; `invalid_token` when the session or the password ended meanwhile;
 *   `insufficient_user_authentication` when the session is not fresh any more
 */
export async function deleteOwnAccount(
  ctx: Ctx,
  principal: PasswordPrincipal,
  password: string | undefined,
): Promise<void> {
  const { user, session, attempt } = principal
  await assertOwnPassword(ctx, principal, password, 'user.deletion_refused')
  const event = auditEvent(ctx, 'user.deleted', { actorId: user.id, userId: user.id })
  const farewell = newEmail(ctx, 'account_deleted', user.email, user.id)
  const isProven = isProvenFor(principal, event.at)
  const isSame = isSignedInWithPassword(session.id, user.id, passwordIdOf(user), event.at, isProven)
  const { decided, acting, stale, ended } = await batch(
    ctx.db,
    {
      decided: insertAuditEvent(ctx.db, event, allOf(isSame, leavesAnActiveAdmin(user.id))),
      acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
      stale: selectStale(ctx.db, session.id, user.id, event.at, isProven),
    },
    eraseUser(ctx.db, user.id, farewell, event.id),
    // The password was right, so the attempt must not count, even if something else prevents the deletion.
    { series: attempt && deleteAttempts(ctx.db, accountBudget(user.email), always) },
  )
  if (decided.length === 0) {
    const [current] = acting
    const isSamePassword = current && passwordIdOf(current) === passwordIdOf(user)
    if (!isSamePassword) throw invalidToken('changed_meanwhile')
    explainStale(stale)
    throw new AppError('last_admin')
  }
  revoke(ctx, ended)
  announceEmail(ctx, farewell)
}

/**
 * The statements that delete everything about a user except ids in the audit trail. `ended` has the ended sessions. The
 * user row is deleted last, since the others refer to it, and the farewell is stored after the emails to the address are
 * deleted. It goes only to a mailbox that was proven and accepts mail.
 */
export function eraseUser(db: Db, id: string, farewell: NewEmail, eventId: string) {
  const ifDone = happened(eventId)
  return {
    ended: deleteSessionsOf(db, id, ifDone),
    rows: deleteRowsOfUser(db, id, ifDone),
    registrations: deleteRegistrationsOf(db, emailOf(id), ifDone),
    emails: deleteEmailsTo(db, emailOf(id), ifDone),
    // Also those to a former address and to one that was never confirmed.
    emailsAbout: deleteEmailsAbout(db, id, ifDone),
    attempts: deleteAttemptsFor(db, emailOf(id), ifDone),
    factorAttempts: deleteFactorAttempts(db, id, ifDone),
    farewell: insertEmail(db, farewell, allOf(ifDone, wasActivated(id), takesMail(id))),
    user: deleteUser(db, id, ifDone),
  } as const
}
