import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { describeError, log } from '../../log.ts'
import type { Expression } from '../../store/db.ts'
import { type EmailFilter, type ListedEmail, listEmails } from '../../store/email-list.ts'
import { type NewEmail, announceAtOf } from '../../store/emails.ts'
import type { Page } from '../../store/page.ts'
import type { Email, EmailParams } from '../../store/schema/emails.ts'
import { type EmailTemplate, emailKinds } from './kinds.ts'

/**
 * A row for the outbox, to be inserted in the batch that causes the email. Its id is time-ordered, and its link gets
 * the same one. The emails that administrators cause have a budget of their own.
 */
export function newEmail(
  ctx: Ctx,
  template: EmailTemplate,
  recipient: string | Expression,
  userId: string | null,
  params: EmailParams = {},
): NewEmail {
  const now = ctx.now()
  const { budget, needsOrigin } = emailKinds[template]
  const from = needsOrigin && !params.byAdministrator ? ctx.origin : {}
  return {
    id: uuidv7(now),
    template,
    recipient,
    userId,
    budget: params.byAdministrator ? `${budget}:administrator` : budget,
    params: { ...from, ...params },
    status: 'queued',
    attempts: 0,
    dueAt: now,
    announceAt: announceAtOf(now),
    inDoubtSince: null,
    linkedAt: null,
    batchId: null,
    batchPlace: null,
    providerId: null,
    fate: null,
    deliveredAt: null,
    lastError: null,
    finishedAt: null,
  }
}

/**
 * Tells the queue about a committed row, after the response. A failure loses nothing: the row stays `queued` and the
 * five-minute job finds it.
 */
export function announceEmail(ctx: Ctx, { id }: Pick<Email, 'id'>): void {
  ctx.defer(
    ctx.mailQueue.send({ id }).then(
      () => undefined,
      (error: unknown) => log('warn', 'mail.queue_failed', { email_id: id, ...describeError(error) }),
    ),
  )
}

/** As `announceEmail`, for what an insert returned: a guard can keep its row out. */
export function announceStored(ctx: Ctx, stored: readonly Pick<Email, 'id'>[]): void {
  for (const email of stored) announceEmail(ctx, email)
}

export type EmailPage = Page<ListedEmail>

/** A page of the outbox, newest first. */
export async function listOutbox(ctx: Ctx, filter: EmailFilter, limit: number): Promise<EmailPage> {
  return listEmails(ctx.db, filter, limit)
}
