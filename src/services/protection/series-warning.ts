import type { Ctx } from '../../context.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { allOf, always, orderedBatch, never } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import type { AuditEvent } from '../../store/schema.ts'
import { addressIsActive } from '../../store/users.ts'
import { passwordAttempts } from './attempts.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'

/** How many wrong passwords in a row the owner of the address hears of. */
const suspicious: readonly number[] = [10, passwordAttempts.max]

/** A wrong password. */
export interface WrongPassword {
  email: string
  userId: string | null
  /** Which one in a row it is, wherever the others were tried. */
  tries: number
}

/**
 * The mail that tells the owner of a mailbox of a series of wrong passwords and offers a reset, and the statement that
 * stores it. The statement runs, and `announce` tells the queue, when there is no owner as well.
 */
export function seriesWarning(ctx: Ctx, { email, userId, tries }: WrongPassword) {
  const warning = newEmail(ctx, 'sign_in_attempts', email, userId)
  const isDue = suspicious.includes(tries)
  const mayWarn = allOf(isDue ? always : never, addressIsActive(email), mailBudgetLeft(warning, ctx.now()))
  return {
    insertWarning: insertEmail(ctx.db, warning, mayWarn),
    announce: () => {
      if (isDue) announceEmail(ctx, warning)
    },
  }
}

/** Records a wrong password of who is known by a link or a session; it stays counted. */
export async function recordWrongPassword(ctx: Ctx, event: AuditEvent, wrong: WrongPassword): Promise<void> {
  const { insertWarning, announce } = seriesWarning(ctx, wrong)
  await orderedBatch(ctx.db, [insertAuditEvent(ctx.db, event), insertWarning])
  announce()
}
