import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { AppError } from '../../errors.ts'
import { deleteAttemptsFor } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { choose } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import { deleteLinksOf, findUserOfLink, linkExists } from '../../store/links.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import { deleteSessionsOf } from '../../store/sessions.ts'
import { activatedByReset, addressHasPassword } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { storeAskedEmail } from '../protection/asked-emails.ts'
import { resetPlace } from '../protection/ceilings.ts'
import { readDevice } from '../protection/devices.ts'
import { assertHuman } from '../protection/human-check.ts'
import { assertRoomForStrangers } from '../protection/room.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { assertReturnTo } from '../mail/return-to.ts'
import { hashInTurn } from './hashing.ts'
import { assertStrongPassword } from './policy.ts'
import { revoke } from '../sessions/revocation.ts'
import { readToken } from '../sessions/tokens.ts'

export interface ResetRequest {
  email: string
  deviceToken?: string | undefined
  turnstileToken?: string | undefined
  /** Where the sign-in after the reset leads. */
  returnTo?: string | undefined
}

/**
 * Queues a reset email. Looks nothing up: delivery does, so the answer and its time are the same for every address.
 *
 * @throws {AppError} as `assertReturnTo`, `assertRoomForStrangers`, `assertHuman` and `storeAskedEmail`
 */
export async function requestPasswordReset(ctx: Ctx, request: ResetRequest): Promise<void> {
  const { email, deviceToken, turnstileToken } = request
  const returnTo = assertReturnTo(ctx, request.returnTo)
  const device = await readDevice(ctx, email, deviceToken)
  // Only somebody who knew the password has the token of a device.
  if (!device) assertRoomForStrangers(ctx)
  await assertHuman(ctx, turnstileToken, 'password_reset')
  const isKnown = device && addressHasPassword(email, device.passwordId)
  const reset = newEmail(ctx, 'password_reset', email, null, { ...(returnTo !== undefined && { returnTo }) })
  if (isKnown) {
    // All known devices share one budget, since anybody who once had the password could have made any number of them.
    reset.budget = choose(isKnown, 'password_reset:known_device', 'password_reset')
  }
  await storeAskedEmail(ctx, reset, resetPlace(ctx, reset.id), isKnown)
}

/**
 * Sets a new password with the link from an email, and ends every session. The link proves control of the mailbox, so a
 * pending account becomes active, with this password and without anything from its registrations. A suspended account
 * stays suspended.
 *
 * @throws {AppError} `invalid_link`; as `assertStrongPassword` and `inTurn`, after which the link stays valid
 */
export async function completePasswordReset(ctx: Ctx, token: string, newPassword: string): Promise<void> {
  const { jti: linkId } = await readToken(ctx, 'reset+jwt', token, 'invalid_link')
  const user = await findUserOfLink(ctx.db, linkId, 'reset', ctx.now())
  if (!user) throw new AppError('invalid_link', { reason: 'ended' })
  await assertStrongPassword(ctx, newPassword, user, '/new_password')
  const passwordHash = await hashInTurn(ctx, newPassword)

  const event = auditEvent(ctx, 'user.password_reset', { actorId: user.id, userId: user.id })
  const email = newEmail(ctx, 'password_changed', user.email, user.id)
  const ifDone = happened(event.id)
  const changes = { passwordHash, passwordId: uuidv7(event.at), updatedAt: event.at, ...activatedByReset(event.at) }
  const rows = await batch(ctx.db, {
    decided: insertAuditEvent(ctx.db, event, linkExists(linkId, 'reset', event.at)),
    user: updateUser(ctx.db, user.id, changes, ifDone),
    ended: deleteSessionsOf(ctx.db, user.id, ifDone),
    links: deleteLinksOf(ctx.db, user.id, ifDone),
    registrations: deleteRegistrationsOf(ctx.db, user.email, ifDone),
    email: insertEmail(ctx.db, email, ifDone),
    series: deleteAttemptsFor(ctx.db, user.email, ifDone),
  })
  if (rows.decided.length === 0) throw new AppError('invalid_link', { reason: 'used_meanwhile' })
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.email)
}
