/** The owner of the old address undoes a change of address, or stops one. */
import { emailChange } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { timeOf, uuidv7 } from '../../crypto/random.ts'
import { AppError } from '../../errors.ts'
import { deleteAttemptsFor, deleteFactorAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf } from '../../store/db.ts'
import {
  canRevert,
  deleteEmailChange,
  newEmailIsNobodyElses,
  newEmailOf,
  oldEmailOf,
  unchangedEmail,
} from '../../store/email-changes.ts'
import { insertEmail } from '../../store/emails.ts'
import { factorsIdUnlessLost } from '../../store/factors.ts'
import { deleteFactorsSince } from '../../store/late-factors.ts'
import { deleteLinksOf } from '../../store/links.ts'
import { deleteSessionsOf } from '../../store/sessions.ts'
import { emailOf } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import { readToken } from '../sessions/tokens.ts'

/**
 * Gives an account its old address back, with the link that was mailed there when somebody asked for another one, and
 * takes everything from whoever asked: the password, sessions, links, trusted devices, and the factors that were added
 * since the day before. Older factors stay. The owner gets an email to choose a new password. Works before and after
 * the change.
 *
 * @throws {AppError} `invalid_link`
 */
export async function revertEmailChange(ctx: Ctx, token: string): Promise<void> {
  const { jti: firstLinkId, sub: id } = await readToken(ctx, 'email-revert+jwt', token, 'invalid_link')
  const event = auditEvent(ctx, 'user.email_change_reverted', { userId: id })
  const { at } = event
  const ifDone = happened(event.id)
  const since = new Date(timeOf(firstLinkId).getTime() - emailChange.factorsMs)
  const atOld = newEmail(ctx, 'email_reverted', oldEmailOf(id), id)
  const atNew = newEmail(ctx, 'email_reverted', newEmailOf(id), id)
  const reset = newEmail(ctx, 'password_reset', oldEmailOf(id), id, { isOnRecord: true })
  // A budget apart from the emails that a stranger can ask for: whoever undoes a change has no password afterwards.
  reset.budget = 'password_reset:email_reverted'
  const restored = {
    email: oldEmailOf(id),
    emailProblem: null,
    ...unchangedEmail(id),
    passwordHash: null,
    passwordId: uuidv7(at),
    factorsId: factorsIdUnlessLost(id, uuidv7(at)),
    updatedAt: at,
  }
  const rows = await batch(
    ctx.db,
    {
      decided: insertAuditEvent(ctx.db, event, canRevert(id, firstLinkId, at)),
      atOld: insertEmail(ctx.db, atOld, ifDone),
      atNew: insertEmail(ctx.db, atNew, allOf(ifDone, newEmailIsNobodyElses(id))),
      reset: insertEmail(ctx.db, reset, ifDone),
      ended: deleteSessionsOf(ctx.db, id, ifDone),
      links: deleteLinksOf(ctx.db, id, ifDone),
      attempts: deleteAttemptsFor(ctx.db, emailOf(id), ifDone),
      // Otherwise the wrong codes of whoever asked would lock the owner's remaining factor, and the recovery codes may
      // be gone.
      factorAttempts: deleteFactorAttempts(ctx.db, id, ifDone),
    },
    deleteFactorsSince(ctx.db, id, since, ifDone),
    {
      user: updateUser(ctx.db, id, restored, ifDone),
      change: deleteEmailChange(ctx.db, id, ifDone),
    },
  )
  if (rows.decided.length === 0) throw new AppError('invalid_link', { reason: 'ended' })
  revoke(ctx, rows.ended)
  announceStored(ctx, [...rows.atOld, ...rows.atNew, ...rows.reset])
}
