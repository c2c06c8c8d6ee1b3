import { renderEmail } from '../../emails/render.ts'
import type { Context } from '../context.ts'
import { type SendOutcome, sendEmail } from '../mailer.ts'
import { log } from '../log.ts'
import { insertAuditEvent } from '../store/audit.ts'
import { batch } from '../store/db.ts'
import {
  type EmailOutcome,
  claimEmail,
  emailIsClaimed,
  emailIsOpen,
  failedOrUnknown,
  findEmailSubject,
  finishClaim,
  postponeStrandedEmails,
  updateEmail,
} from '../store/emails.ts'
import type { Email } from '../store/schema.ts'
import { auditEvent } from './audit.ts'
import { contentOf } from './email-content.ts'
import type { MailJob } from '../context.ts'

/** How long one consumer may take over a row before another may have it. */
const claimMs = 2 * 60_000
/** Resend forgets idempotency keys at 24 hours; after this nothing that may have been accepted is sent again. */
const doubtMs = 23 * 60 * 60_000
/** With the back-off below, about a day. */
const maxAttempts = 30
const firstPauseSeconds = 15
const maxPauseSeconds = 3600
/** A row that should have been taken up this long ago was lost on the way to the queue. */
const strandedMs = 5 * 60_000

/**
 * Delivers one outbox row, whatever happened to it before: claims it, decides what it has to say, sends that under a key
 * made from the row, and writes down the outcome.
 *
 * @returns the seconds after which to try again; `undefined` when there is nothing more to do
 */
export async function deliverEmail(ctx: Context, id: string): Promise<number | undefined> {
  const now = ctx.now()
  const email = await claimEmail(ctx.db, id, now, claimMs)
  if (!email) return undefined
  if (email.inDoubtSince && email.inDoubtSince.getTime() <= now.getTime() - doubtMs) {
    await close(ctx, email, { status: 'unknown', lastError: 'in_doubt_too_long' })
    return undefined
  }
  const message = await contentOf(ctx, email)
  if (!message) {
    await finish(ctx, email, { status: 'skipped', finishedAt: ctx.now() })
    return undefined
  }
  const { config, secrets } = ctx
  const rendered = renderEmail(message, config)
  const outcome = await sendEmail(config, secrets, { to: email.recipient, ...rendered }, `email/${email.id}`)
  return record(ctx, email, now, outcome)
}

async function record(ctx: Context, email: Email, claimedAt: Date, outcome: SendOutcome): Promise<number | undefined> {
  switch (outcome.kind) {
    case 'accepted':
      await finish(ctx, email, {
        status: 'sent',
        providerId: outcome.providerId,
        inDoubtSince: null,
        lastError: null,
        finishedAt: ctx.now(),
      })
      return undefined
    case 'refused':
      await close(ctx, email, { status: 'failed', lastError: outcome.reason })
      return undefined
    case 'postponed':
    case 'in_doubt': {
      const lastError = outcome.reason
      // A refusal for now settles this attempt, but no earlier one that nobody knows about.
      const isSettled = outcome.kind === 'postponed' && email.inDoubtSince?.getTime() === claimedAt.getTime()
      if (email.attempts >= maxAttempts) {
        await close(ctx, email, { status: isSettled ? 'failed' : 'unknown', lastError })
        return undefined
      }
      const pause = Math.max(outcome.afterSeconds, pauseSeconds(email.attempts))
      const dueAt = new Date(ctx.now().getTime() + pause * 1000)
      await finish(ctx, email, { status: 'queued', dueAt, lastError, ...(isSettled && { inDoubtSince: null }) })
      log('warn', 'mail.postponed', { email_id: email.id, reason: lastError, attempts: email.attempts, seconds: pause })
      return pause
    }
  }
}

/** Seconds before try number `attempts` + 1: doubling, up to an hour. */
export function pauseSeconds(attempts: number): number {
  return Math.min(maxPauseSeconds, firstPauseSeconds * 2 ** Math.max(0, attempts - 1))
}

async function finish(ctx: Context, email: Email, outcome: EmailOutcome): Promise<void> {
  await finishClaim(ctx.db, email, forgetting(email, outcome))
}

/** Gives a row up, which is an event of the account it was for. */
async function close(ctx: Context, email: Email, outcome: EmailOutcome & { lastError: string }): Promise<void> {
  const { id, template, userId } = email
  const event = auditEvent(ctx, 'email.failed', {
    userId,
    detail: { email_id: id, template, reason: outcome.lastError },
  })
  await batch(ctx.db, [
    insertAuditEvent(ctx.db, event, emailIsClaimed(email)),
    finishClaim(ctx.db, email, forgetting(email, { ...outcome, finishedAt: ctx.now() })),
  ])
  log('error', 'mail.failed', { email_id: id, template, reason: outcome.lastError })
}

/** The farewell is the last thing that knows the address of a deleted account. */
function forgetting(email: Pick<Email, 'template'>, outcome: EmailOutcome): EmailOutcome {
  const isOver = outcome.status !== 'queued'
  return email.template === 'account_deleted' && isOver ? { ...outcome, recipient: '' } : outcome
}

/** Marks the row of a message that the queue gave up. */
export async function closeDeadLetter(ctx: Context, id: string): Promise<void> {
  const email = await findEmailSubject(ctx.db, id)
  if (!email) return
  const { template, userId } = email
  const lastError = 'dead_letter'
  const event = auditEvent(ctx, 'email.failed', { userId, detail: { email_id: id, template, reason: lastError } })
  const isOpen = emailIsOpen(id)
  const outcome = forgetting(email, { status: failedOrUnknown, lastError, finishedAt: ctx.now() })
  const [[closed]] = await batch(ctx.db, [
    insertAuditEvent(ctx.db, event, isOpen),
    updateEmail(ctx.db, id, outcome, isOpen),
  ])
  if (closed) log('error', 'mail.failed', { email_id: id, template, reason: lastError })
}

/** What one call to the queue takes. */
const queueBatch = 100

/**
 * Sends the rows that never reached the queue, or whose consumer died, to the queue again.
 *
 * @returns how many there were
 */
export async function requeueStrandedEmails(ctx: Context): Promise<number> {
  let count = 0
  for (;;) {
    const now = ctx.now()
    const dueBefore = new Date(now.getTime() - strandedMs)
    const ids = await postponeStrandedEmails(ctx.db, dueBefore, now, queueBatch)
    if (ids.length === 0) return count
    await ctx.mailQueue.sendBatch(ids.map((id): { body: MailJob } => ({ body: { id } })))
    count += ids.length
  }
}
