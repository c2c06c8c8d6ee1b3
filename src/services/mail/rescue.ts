/** Mails that the queue gave up, or never got. */
import type { Ctx, MailJob } from '../../context.ts'
import { log } from '../../log.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { orderedBatch } from '../../store/db.ts'
import { emailIsUsedUp } from '../../store/email-claims.ts'
import { failedOrUnknown, findEmailSubject, postponeStrandedEmails, updateEmail } from '../../store/emails.ts'
import { auditEvent } from '../audit/trail.ts'
import { forgottenWith, maxAttempts } from './settlement.ts'

/** A row that should have been taken up this long ago was lost on the way to the queue. */
const strandedMs = 5 * 60_000
/** What one call to the queue takes. */
const queueBatch = 100

/**
 * Marks the row of a message that the queue gave up, if the row has no try left: one that breaks its consumer each time
 * comes here so, since a claim counts as a try. One with tries to spare was hardly looked at, as when D1 was down for an
 * hour or two; it stays open, and the five-minute job sends it to the queue again.
 */
export async function closeDeadLetter(ctx: Ctx, id: string): Promise<void> {
  const email = await findEmailSubject(ctx.db, id)
  if (!email) return
  const { template, userId } = email
  const lastError = 'dead_letter'
  const event = auditEvent(ctx, 'email.failed', { userId, detail: { email_id: id, template, reason: lastError } })
  const isUsedUp = emailIsUsedUp(id, maxAttempts)
  const closed = { status: failedOrUnknown, lastError, finishedAt: ctx.now(), ...forgottenWith(template) }
  const [[recorded]] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, isUsedUp),
    updateEmail(ctx.db, id, closed, isUsedUp),
  ])
  if (recorded) log('error', 'mail.failed', { email_id: id, template, reason: lastError })
}

/**
 * Sends the rows that never reached the queue, or whose consumer died, to the queue again. All are due at one moment,
 * those of a request too, which may lie in two chunks.
 *
 * @returns how many there were
 */
export async function requeueStrandedEmails(ctx: Ctx): Promise<number> {
  const now = ctx.now()
  const dueBefore = new Date(now.getTime() - strandedMs)
  let count = 0
  for (;;) {
    const ids = await postponeStrandedEmails(ctx.db, dueBefore, now, queueBatch)
    if (ids.length === 0) return count
    await ctx.mailQueue.sendBatch(ids.map((id): { body: MailJob } => ({ body: { id } })))
    count += ids.length
  }
}
