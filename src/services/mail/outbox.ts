import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { describeError, log } from '../../log.ts'
import type { Expression } from '../../store/db.ts'
import { type EmailFilter, type ListedEmail, listEmails } from '../../store/email-list.ts'
import type { Email, EmailParams } from '../../store/schema.ts'

/**
 * What an outbox row asks for. `registration` leaves it to delivery whether an activation mail or "you already have an
 * account" is right, so that a request does the same for every address.
 */
export const emailTemplates = [
  'registration',
  'activation',
  'account_activated',
  'password_reset',
  'set_password',
  'password_changed',
  'account_suspended',
  'account_reinstated',
  'account_deleted',
  'role_changed',
  'session_reuse',
  'sign_in_attempts',
  'new_sign_in',
] as const

export type EmailTemplate = (typeof emailTemplates)[number]

/** A row that is not stored yet; its recipient and its budget may be left to the database. */
export type NewEmail = Omit<Email, 'recipient' | 'budget'> & {
  recipient: string | Expression
  budget: string | null | Expression
}

/** A row for the outbox, to be inserted in the batch that causes the mail. Its id is time-ordered and also the link's. */
export function newEmail(
  ctx: Ctx,
  template: EmailTemplate,
  recipient: string | Expression,
  userId: string | null,
  params: EmailParams = {},
): NewEmail {
  const now = ctx.now()
  const from = params.byAdministrator ? {} : ctx.origin
  return {
    id: uuidv7(now),
    template,
    recipient,
    userId,
    budget: budgetOf(template, params),
    params: { ...from, ...params },
    status: 'queued',
    attempts: 0,
    dueAt: now,
    inDoubtSince: null,
    linkedAt: null,
    batchId: null,
    batchPlace: null,
    providerId: null,
    fate: null,
    deliveredAt: null,
    lastError: null,
    createdAt: now,
    finishedAt: null,
  }
}

const repeatable: readonly EmailTemplate[] = [
  'registration',
  'activation',
  'password_reset',
  'password_changed',
  'session_reuse',
  'sign_in_attempts',
  'new_sign_in',
]

/** What can be caused again and again for an address has a budget, one for each kind, and one for what ADMINs cause. */
function budgetOf(template: EmailTemplate, { byAdministrator }: EmailParams): string | null {
  if (!repeatable.includes(template)) return null
  // Both are the same letter to a pending account.
  const kind = template === 'registration' ? 'activation' : template
  return byAdministrator ? `${kind}:administrator` : kind
}

/**
 * Tells the queue about a committed row, after the answer. A failure loses nothing: the row stays `queued` and the
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

export interface EmailPage {
  emails: ListedEmail[]
  /** The id to go on after, when there is more. */
  next: string | null
}

/** A page of the outbox, newest first. */
export async function listOutbox(ctx: Ctx, filter: EmailFilter, limit: number): Promise<EmailPage> {
  const rows = await listEmails(ctx.db, filter, limit + 1)
  const emails = rows.slice(0, limit)
  return { emails, next: rows.length > limit ? (emails.at(-1)?.id ?? null) : null }
}
