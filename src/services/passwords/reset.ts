import type { Ctx } from '../../context.ts'
import { hashPassword } from '../../crypto/password.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { verifyToken } from '../../crypto/tokens.ts'
import { AppError } from '../../errors.ts'
import { deleteAttemptsFor } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { allOf, orderedBatch, choose } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { deleteLinksOf, findUserOfLink, linkExists } from '../../store/links.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import { deleteSessionsOf } from '../../store/sessions.ts'
import { activatedByReset, addressHasPassword, updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { readDevice } from '../protection/devices.ts'
import { assertHuman } from '../protection/human-check.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { assertStrongPassword } from './policy.ts'
import { revoke } from '../sessions/revocation.ts'

/**
 * Asks for a reset mail. Looks nothing up: delivery does, so the answer and its time are the same for every address.
 *
 * @throws {AppError} as `assertHuman`
 */
export async function requestPasswordReset(
  ctx: Ctx,
  email: string,
  deviceToken?: string,
  turnstileToken?: string,
): Promise<void> {
  await assertHuman(ctx, turnstileToken, 'password_reset')
  const device = await readDevice(ctx, email, deviceToken)
  const mail = newEmail(ctx, 'password_reset', email, null)
  if (device) {
    // One budget for all known devices: whoever had the password once could have made any number of them.
    const isKnown = addressHasPassword(email, device.passwordId)
    mail.budget = choose(isKnown, 'password_reset:known_device', 'password_reset')
  }
  await insertEmail(ctx.db, mail, mailBudgetLeft(mail, ctx.now()))
  announceEmail(ctx, mail)
}

/**
 * Sets a new password with the link from a mail, and ends every session. The mailbox is proven by that, so a pending
 * account becomes active, with this password and nothing of what anybody registered; a suspended one stays suspended.
 *
 * @throws {AppError} `invalid_link`; `weak_password`, and the link stays good
 */
export async function completePasswordReset(ctx: Ctx, token: string, newPassword: string): Promise<void> {
  const now = ctx.now()
  const verified = await verifyToken(ctx.tokens, 'reset+jwt', token, now)
  if (verified.kind === 'refused') throw new AppError('invalid_link', { reason: verified.reason })
  const { jti: linkId } = verified.claims
  const user = await findUserOfLink(ctx.db, linkId, 'reset', now)
  if (!user) throw new AppError('invalid_link', { reason: 'ended' })
  await assertStrongPassword(ctx, newPassword, user, '/new_password')
  const passwordHash = await hashPassword(newPassword, ctx.work, ctx.secrets.peppers)

  const event = auditEvent(ctx, 'user.password_reset', { actorId: user.id, userId: user.id })
  const mail = newEmail(ctx, 'password_changed', user.email, user.id)
  const ifDone = happened(event.id)
  const [[reset], , ended] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, linkExists(linkId, 'reset', event.at)),
    updateUser(
      ctx.db,
      user.id,
      { passwordHash, passwordId: uuidv7(event.at), updatedAt: event.at, ...activatedByReset(event.at) },
      ifDone,
    ),
    deleteSessionsOf(ctx.db, user.id, ifDone),
    deleteLinksOf(ctx.db, user.id, ifDone),
    deleteRegistrationsOf(ctx.db, user.email, ifDone),
    insertEmail(ctx.db, mail, allOf(ifDone, mailBudgetLeft(mail, event.at))),
    deleteAttemptsFor(ctx.db, user.email, ifDone),
  ])
  if (!reset) throw new AppError('invalid_link', { reason: 'used_meanwhile' })
  revoke(ctx, ended)
  announceEmail(ctx, mail)
}
