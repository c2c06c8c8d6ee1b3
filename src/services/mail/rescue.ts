/** Emails that the queue gave up, or never got. */
import { maxTries, strandedMs } from '../../config/policy.ts'
import type { Ctx, MailJob } from '../../context.ts'
import { log } from '../../log.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { emailIsUsedUp } from '../../store/email-claims.ts'
import { failedOrUnknown, findEmailSubject, postponeStrandedEmails, updateEmail } from '../../store/emails.ts'
import { auditEvent } from '../audit/trail.ts'
import { findKind } from './kinds.ts'

/** What one call to the queue takes. */
const queueBatch = 100

/**
 * Closes the row of a message that the queue gave up, if the row has no tries left and none is under way. A claim counts as
 * a try, so an email that breaks its consumer every time ends here. A row with tries left was hardly looked at, for example because D1 was
 * down for an hour or two: it stays open, and the five-minute job sends it to the queue again.
 */
export async function closeDeadLetter(ctx: Ctx, id: string): Promise<void> {
  const email = await findEmailSubject(ctx.db, id)
  if (!email) return
  const { template, userId } = email
  const lastError = 'dead_letter'
  const event = auditEvent(ctx, 'email.failed', { userId, detail: { email_id: id, template, reason: lastError } })
  const now = ctx.now()
  const isUsedUp = emailIsUsedUp(id, maxTries, now)
  const closed = { status: failedOrUnknown, lastError, finishedAt: now, ...findKind(template)?.forgets }
  const { recorded } = await batch(ctx.db, {
    recorded: insertAuditEvent(ctx.db, event, isUsedUp),
    closed: updateEmail(ctx.db, id, closed, isUsedUp),
  })
  if (recorded.length > 0) log('error', 'mail.failed', { email_id: id, template, reason: lastError })
}

/**
 * Sends the rows that never reached the queue, or whose consumer died, to the queue again. All become due at the same
 * moment, so the rows of one request stay together even if they are in two chunks.
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
