import type { Ctx } from '../../context.ts'
import { warnedAttempts, warnedFactorAttempts } from '../../config/policy.ts'
import { type CountedAttempt, settleAttempt } from '../../store/attempts.ts'
import { batch } from '../../store/batch.ts'
import { recordRefusal } from '../../store/condensed-events.ts'
import { always, never } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { User } from '../../store/schema/users.ts'
import { userExists } from '../../store/user-conditions.ts'
import { announceEmail, announceStored, newEmail } from '../mail/outbox.ts'
import { refusalPlace } from './ceilings.ts'

export interface WrongPassword {
  email: string
  /** How many wrong passwords in a row, this one included, wherever they were tried. */
  attemptsInARow: number
}

/**
 * Prepares the email that warns the owner of an account about a series of wrong passwords and offers a reset. The
 * statement has to run, and `announce` to be called, for an address without an account too, so that both look the same
 * from outside. Delivery looks up the account, and skips an email to an address without one.
 */
export function prepareSeriesWarning(ctx: Ctx, { email, attemptsInARow }: WrongPassword) {
  const warning = newEmail(ctx, 'sign_in_attempts', email, null)
  const isDue = warnedAttempts.includes(attemptsInARow)
  return {
    insertWarning: insertEmail(ctx.db, warning, isDue ? always : never),
    announce: () => {
      if (isDue) announceEmail(ctx, warning)
    },
  }
}

/**
 * Records a wrong second factor from somebody who has shown the password, or who has a session. It stays counted, and
 * the owner is told of five in a row.
 *
 * @param attempt `undefined` for a passkey, which nobody can guess
 */
export async function recordWrongFactor(
  ctx: Ctx,
  event: AuditEvent,
  { id, email }: Pick<User, 'id' | 'email'>,
  attempt: CountedAttempt | undefined,
): Promise<void> {
  const warning = newEmail(ctx, 'second_factor_attempts', email, id)
  const isDue = attempt !== undefined && warnedFactorAttempts.includes(attempt.inARow)
  const rows = await batch(ctx.db, recordRefusal(ctx.db, event, refusalPlace(ctx, event)), {
    warning: isDue ? insertEmail(ctx.db, warning, userExists(id)) : undefined,
    settled: attempt && settleAttempt(ctx.db, attempt, { isGivenBack: false, now: event.at }),
  })
  announceStored(ctx, rows.warning)
}

/** Records a wrong password from somebody who holds a link or a session of the account. It stays counted. */
export async function recordWrongPassword(
  ctx: Ctx,
  event: AuditEvent,
  { email }: Pick<User, 'email'>,
  attempt: CountedAttempt,
): Promise<void> {
  const { insertWarning, announce } = prepareSeriesWarning(ctx, { email, attemptsInARow: attempt.inARow })
  const settled = settleAttempt(ctx.db, attempt, { isGivenBack: false, now: event.at })
  await batch(ctx.db, recordRefusal(ctx.db, event, refusalPlace(ctx, event)), { insertWarning, settled })
  announce()
}
