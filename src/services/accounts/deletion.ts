import type { Ctx } from '../../context.ts'
import { verifyPassword } from '../../crypto/password.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { accountBudget, deleteAttempts, deleteAttemptsFor } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf, always, type Db } from '../../store/db.ts'
import { deleteEmailsTo, insertEmail } from '../../store/emails.ts'
import { deleteLinksOf } from '../../store/links.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import { actorStillHasPassword, deleteSessionsOf, selectActingUser } from '../../store/sessions.ts'
import { deleteUser, emailOf, leavesAnActiveAdmin, passwordIdOf, takesMail, wasActivated } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { type NewEmail, announceEmail, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import { recordWrongPassword } from '../protection/series-warning.ts'
import type { PasswordActor } from '../sessions/signed-in.ts'

/**
 * Deletes the account of who is signed in: account, sessions, links, registrations and every mail kept for the address.
 *
 * @throws {AppError} `wrong_password`, `last_admin`; `invalid_token` when the session or the password ended meanwhile
 */
export async function deleteOwnAccount(ctx: Ctx, actor: PasswordActor, password: string): Promise<void> {
  const { user, tries } = actor
  const { matches } = await verifyPassword(password, user.passwordHash, ctx.work, ctx.secrets.peppers)
  if (!matches || user.passwordHash === null) {
    const refusal = auditEvent(ctx, 'user.deletion_refused', { actorId: user.id, userId: user.id })
    await recordWrongPassword(ctx, refusal, { email: user.email, userId: user.id, tries })
    throw new AppError('wrong_password')
  }
  const event = auditEvent(ctx, 'user.deleted', { actorId: user.id, userId: user.id })
  const mail = newEmail(ctx, 'account_deleted', user.email, user.id)
  const mayDelete = allOf(actorStillHasPassword(actor, event.at), leavesAnActiveAdmin(user.id))
  const { decided, acting, ended } = await batch(
    ctx.db,
    {
      decided: insertAuditEvent(ctx.db, event, mayDelete),
      acting: selectActingUser(ctx.db, actor.session.id, user.id, event.at),
    },
    eraseUser(ctx.db, user.id, mail, event.id),
    // The password was right, whatever else prevents the deletion: its owner does not have to wait.
    { series: deleteAttempts(ctx.db, accountBudget(user.email), always) },
  )
  if (decided.length === 0) {
    const [current] = acting
    const isSamePassword = current && passwordIdOf(current) === passwordIdOf(user)
    throw isSamePassword ? new AppError('last_admin') : invalidToken('changed_meanwhile')
  }
  revoke(ctx, ended)
  announceEmail(ctx, mail)
}

/**
 * The statements that leave nothing of a user but ids in the audit trail, children first. The first gives the ended
 * sessions. The farewell comes after the other mails to the address are gone, and only to a mailbox that was proven and takes
 * mail.
 */
export function eraseUser(db: Db, id: string, farewell: NewEmail, eventId: string) {
  const ifDone = happened(eventId)
  return {
    ended: deleteSessionsOf(db, id, ifDone),
    links: deleteLinksOf(db, id, ifDone),
    registrations: deleteRegistrationsOf(db, emailOf(id), ifDone),
    emails: deleteEmailsTo(db, emailOf(id), ifDone),
    attempts: deleteAttemptsFor(db, emailOf(id), ifDone),
    farewell: insertEmail(db, farewell, allOf(ifDone, wasActivated(id), takesMail(id))),
    user: deleteUser(db, id, ifDone),
  } as const
}
