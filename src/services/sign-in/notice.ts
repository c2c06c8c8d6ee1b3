import type { Ctx } from '../../context.ts'
import { deviceTokenSeconds } from '../../config/policy.ts'
import { type Expression, allOf, never } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import { isNewPlace } from '../../store/places.ts'
import type { User } from '../../store/schema/users.ts'
import { hasSignedInBefore } from '../../store/user-conditions.ts'
import { newEmail } from '../mail/outbox.ts'

/**
 * Prepares the email about a sign-in from a new device and a new place (OWASP ASVS 6.3.5). The first sign-in to an
 * account causes none. The statement has to run before those that store the session and the time of the last sign-in:
 * they would look like an earlier visit.
 *
 * @param ifDone the condition under which the sign-in happens
 */
export function prepareSignInNotice(
  ctx: Ctx,
  user: User,
  { eventId, isKnownDevice, ifDone }: { eventId: string; isKnownDevice: boolean; ifDone: Expression },
) {
  const now = ctx.now()
  const notice = newEmail(ctx, 'new_sign_in', user.email, user.id)
  const isNew = isNewPlace(user.id, ctx.origin, {
    now,
    since: new Date(now.getTime() - deviceTokenSeconds * 1000),
    eventId,
  })
  const isDue = isKnownDevice ? never : allOf(ifDone, hasSignedInBefore(user.id), isNew)
  return { notice, insertNotice: insertEmail(ctx.db, notice, isDue) }
}
