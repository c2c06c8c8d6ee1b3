/** Emails that the queue gave up, or never got. */
import { announceAgainMs, maxAnnounced, maxTries } from '../../config/policy.ts'
import type { Ctx, MailJob } from '../../context.ts'
import { log } from '../../log.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { emailIsUsedUp } from '../../store/email-claims.ts'
import {
  failedOrUnknown,
  findEmailSubject,
  findStrandedEmails,
  postponeAnnouncement,
  updateEmail,
} from '../../store/emails.ts'
import { auditEvent } from '../audit/trail.ts'
import { findKind } from './kinds.ts'

/** What one call to the queue takes. */
const queueBatch = 100

/**
 * Closes the row of a message that the queue gave up, if the row has no tries left and none is under way. A claim
 * counts as a try, so an email that breaks its consumer every time ends here. A row with tries left was hardly looked
 * at, for example because D1 was down for an hour or two: it stays open, and the five-minute job sends it to the queue
 * again.
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
  if (recorded.length === 0) return
  log('error', 'mail.failed', { email_id: id, template, reason: lastError })
  ctx.measure('mail', { subject: template, outcome: 'failed', reason: lastError, numbers: { emails: 1 } })
}

/**
 * Sends rows that never reached the queue, or whose consumer died, to the queue again: the longest waiting first, a
 * bounded number in each run. A row is announced again after `announceAgainMs` at the earliest, since its message may
 * only be waiting. The rows are marked after all of them were sent: a run that fails announces the same ones in the
 * next run, and a row that is announced twice is delivered once.
 *
 * @returns how many there were
 */
export async function requeueStrandedEmails(ctx: Ctx): Promise<number> {
  const now = ctx.now()
  const ids = await findStrandedEmails(ctx.db, now, maxAnnounced)
  for (let start = 0; start < ids.length; start += queueBatch) {
    const messages = ids.slice(start, start + queueBatch).map((id): { body: MailJob } => ({ body: { id } }))
    await ctx.mailQueue.sendBatch(messages)
  }
  if (ids.length > 0) await postponeAnnouncement(ctx.db, ids, now, new Date(now.getTime() + announceAgainMs))
  return ids.length
}
