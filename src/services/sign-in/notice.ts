import type { Ctx } from '../../context.ts'
import { type Expression, allOf, never } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { isNewPlace } from '../../store/places.ts'
import type { User } from '../../store/schema.ts'
import { hasSignedInBefore } from '../../store/users.ts'
import { newEmail } from '../mail/outbox.ts'

/** As long as a device is known by its token. */
const rememberedMs = 180 * 24 * 60 * 60 * 1000

/**
 * The mail for a sign-in from a device and a place that the account was not used from before, and the statement that
 * stores it if it is one (OWASP ASVS 6.3.5). Has to run before the session starts and the time of the last sign-in is
 * written, since those would look like an earlier visit. The first sign-in of all is from wherever it is.
 *
 * @param ifDone the condition under which the sign-in happens
 */
export function newSignInNotice(
  ctx: Ctx,
  user: User,
  { eventId, isKnownDevice, ifDone }: { eventId: string; isKnownDevice: boolean; ifDone: Expression },
) {
  const now = ctx.now()
  const notice = newEmail(ctx, 'new_sign_in', user.email, user.id)
  const isNew = isNewPlace(user.id, ctx.origin, { now, since: new Date(now.getTime() - rememberedMs), eventId })
  const isDue = isKnownDevice ? never : allOf(ifDone, hasSignedInBefore(user.id), isNew, mailBudgetLeft(notice, now))
  return { notice, insertNotice: insertEmail(ctx.db, notice, isDue) }
}
