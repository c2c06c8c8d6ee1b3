import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Role } from '../../permissions.ts'
import { instant } from './columns.ts'

export const emailStatuses = ['queued', 'sending', 'sent', 'skipped', 'failed', 'unknown'] as const
export type EmailStatus = (typeof emailStatuses)[number]

/**
 * What the provider reports about an accepted email. Reports arrive late, twice and out of order. A fate only ever moves
 * forward in this list, so any order of reports leads to the same result.
 */
export const emailFates = [
  'delivery_delayed',
  'delivered',
  'failed',
  'soft_bounced',
  'suppressed',
  'bounced',
  'complained',
] as const
export type EmailFate = (typeof emailFates)[number]

/** The fates after which an address gets no more mail. */
export const emailProblems = ['suppressed', 'bounced', 'complained'] as const satisfies EmailFate[]
export type EmailProblem = (typeof emailProblems)[number]

/** What an email needs besides its recipient. Never a secret. */
export interface EmailParams {
  registrationId?: string
  /** Where the page behind the link leads afterwards: an address that `findDestination` let pass. */
  returnTo?: string
  reason?: string
  role?: Role
  /** An ADMIN asked for it. The audit trail has their origin; the email must not. */
  byAdministrator?: true
  ip?: string | null
  country?: string | null
  userAgent?: string | null
  requestId?: string
}

/** The outbox. */
export const emails = sqliteTable(
  'emails',
  {
    id: text('id').primaryKey(),
    template: text('template').notNull(),
    recipient: text('recipient').notNull(),
    userId: text('user_id'),
    /** Emails with the same budget count together for their recipient. Null only in rows that are older than this rule. */
    budget: text('budget'),
    params: text('params', { mode: 'json' }).$type<EmailParams>().notNull(),
    status: text('status', { enum: emailStatuses }).notNull(),
    attempts: integer('attempts').notNull(),
    /** When an open row is taken up again: the next try of a queued one, the end of the claim of one being sent. */
    dueAt: instant('due_at').notNull(),
    /** The first try with an unknown outcome. The provider remembers our idempotency key for 24 hours from here. */
    inDoubtSince: instant('in_doubt_since'),
    /** When the link was made: once, so that a used link does not come back when the email is sent again. */
    linkedAt: instant('linked_at'),
    /**
     * The request to the provider that carries this email; the row's own id for a request of its own. Kept while that
     * request may have been accepted: the email is repeated in the same request or not at all.
     */
    batchId: text('batch_id'),
    /** The place in that request. */
    batchPlace: integer('batch_place'),
    providerId: text('provider_id'),
    fate: text('fate', { enum: emailFates }),
    deliveredAt: instant('delivered_at'),
    lastError: text('last_error'),
    createdAt: instant('created_at').notNull(),
    finishedAt: instant('finished_at'),
  },
  (table) => [
    index('emails_recipient').on(table.recipient, table.id),
    index('emails_due')
      .on(table.dueAt)
      .where(sql`status IN ('queued', 'sending')`),
    index('emails_batch')
      .on(table.batchId)
      .where(sql`batch_id IS NOT NULL AND status IN ('queued', 'sending')`),
    // The list filtered by user alone is the union of one range for each status, each already in order.
    index('emails_status').on(table.status, table.id),
    index('emails_user')
      .on(table.userId, table.status, table.id)
      .where(sql`user_id IS NOT NULL`),
    index('emails_provider')
      .on(table.providerId)
      .where(sql`provider_id IS NOT NULL`),
  ],
)

export type Email = typeof emails.$inferSelect
