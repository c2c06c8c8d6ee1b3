import type { Ctx } from '../../context.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { accountBudget, deleteAttempts, deleteAttemptsFor, deleteFactorAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { type Expression, allOf, always } from '../../store/db.ts'
import { hasRecentChange, oldEmailOf } from '../../store/email-changes.ts'
import { deleteEmailsAbout, deleteEmailsTo, insertEmail } from '../../store/emails.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import { deleteSessionsOf, isSignedInWithPassword, selectSignedInUser } from '../../store/sessions.ts'
import { selectStale } from '../../store/session-strength.ts'
import { deleteRowsOfUser } from '../../store/user-rows.ts'
import { deleteUser } from '../../store/users.ts'
import { emailOf, leavesAnActiveAdmin, passwordIdOf, takesMail, wasActivated } from '../../store/user-conditions.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
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
  const isProven = isProvenFor(principal, event.at)
  const isSame = isSignedInWithPassword(session.id, user.id, passwordIdOf(user), event.at, isProven)
  const { decided, acting, stale, ended, farewells } = await batch(
    ctx.db,
    {
      decided: insertAuditEvent(ctx.db, event, allOf(isSame, leavesAnActiveAdmin(user.id))),
      acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
      stale: selectStale(ctx.db, session.id, user.id, event.at, isProven),
    },
    eraseUser(ctx, user.id, event),
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
  announceStored(ctx, farewells)
}

/**
 * The statements that delete everything about a user except ids in the audit trail. `ended` has the ended sessions,
 * `farewells` the emails about the deletion. One goes to the address, if it was proven and accepts mail, and one to the
 * former address for as long as its owner could have undone the change. They are stored after all other emails about
 * the user are deleted, and before the change is. The user row is deleted last, since the others refer to it.
 */
export function eraseUser(ctx: Ctx, id: string, { id: eventId, at }: Pick<AuditEvent, 'id' | 'at'>) {
  const { db } = ctx
  const ifDone = happened(eventId)
  const farewellTo = (recipient: Expression, guard: Expression) =>
    insertEmail(db, newEmail(ctx, 'account_deleted', recipient, id), allOf(ifDone, guard))
  return {
    ended: deleteSessionsOf(db, id, ifDone),
    registrations: deleteRegistrationsOf(db, emailOf(id), ifDone),
    emails: deleteEmailsTo(db, emailOf(id), ifDone),
    // Also those to a former address and to one that was never confirmed.
    emailsAbout: deleteEmailsAbout(db, id, ifDone),
    farewells: [
      farewellTo(emailOf(id), allOf(wasActivated(id), takesMail(id))),
      farewellTo(oldEmailOf(id), hasRecentChange(id, at)),
    ],
    rows: deleteRowsOfUser(db, id, ifDone),
    attempts: deleteAttemptsFor(db, emailOf(id), ifDone),
    factorAttempts: deleteFactorAttempts(db, id, ifDone),
    user: deleteUser(db, id, ifDone),
  } as const
}
