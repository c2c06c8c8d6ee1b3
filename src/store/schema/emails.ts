import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Role } from '../../permissions.ts'
import { coded, instant, uuid } from './columns.ts'

const statusCodes = { queued: 0, sending: 1, sent: 2, skipped: 3, failed: 4, unknown: 5 } as const
export type EmailStatus = keyof typeof statusCodes
export const emailStatuses = Object.keys(statusCodes) as EmailStatus[]

/**
 * What the provider reports about an accepted email. Reports arrive late, twice and out of order. A fate only ever
 * moves forward in this list, so any order of reports leads to the same result.
 */
const fateCodes = {
  delivery_delayed: 1,
  delivered: 2,
  failed: 3,
  soft_bounced: 4,
  suppressed: 5,
  bounced: 6,
  complained: 7,
} as const
export type EmailFate = keyof typeof fateCodes
export const emailFates = Object.keys(fateCodes) as EmailFate[]

/** The fates after which an address gets no more mail. */
export const emailProblemCodes = { suppressed: 1, bounced: 2, complained: 3 } as const satisfies Partial<
  Record<EmailFate, number>
>
export type EmailProblem = keyof typeof emailProblemCodes
export const emailProblems = Object.keys(emailProblemCodes) as EmailProblem[]

export type FactorKind = 'passkey' | 'totp'

/** What an email needs besides its recipient. Never a secret. */
export interface EmailParams {
  registrationId?: string
  /** Where the page behind the link leads afterwards: an address that `findDestination` let pass. */
  returnTo?: string
  reason?: string
  role?: Role
  /** The kind of second factor that it is about. */
  kind?: FactorKind
  /** How many recovery codes are left. */
  left?: number
  /** The session that a code in it is good for. */
  sessionId?: string
  /** An ADMIN asked for it. The audit trail has their origin; the email must not. */
  byAdministrator?: true
  /** What caused it is in the audit trail already, so making its link is no event of its own. */
  isOnRecord?: true
  ip?: string | null
  country?: string | null
  userAgent?: string | null
  requestId?: string
}

/** The outbox. */
export const emails = sqliteTable(
  'emails',
  {
    id: uuid('id').primaryKey(),
    template: text('template').notNull(),
    recipient: text('recipient').notNull(),
    userId: uuid('user_id'),
    /** Emails with the same budget count together for their recipient. */
    budget: text('budget').notNull(),
    params: text('params', { mode: 'json' }).$type<EmailParams>().notNull(),
    status: coded('status', statusCodes).notNull(),
    attempts: integer('attempts').notNull(),
    /** When an open row is taken up again: the next try of a queued one, the end of the claim of one being sent. */
    dueAt: instant('due_at').notNull(),
    /**
     * When the five-minute job sends an open row to the queue again. The same for all rows of a request: they are found
     * by it and by `batchId`.
     */
    announceAt: instant('announce_at').notNull(),
    /** The first try with an unknown outcome. The provider remembers our idempotency key for 24 hours from here. */
    inDoubtSince: instant('in_doubt_since'),
    /** When the link was made: once, so that a used link does not come back when the email is sent again. */
    linkedAt: instant('linked_at'),
    /**
     * The request to the provider that carries this email; the row's own id for a request of its own. Kept while that
     * request may have been accepted: the email is repeated in the same request or not at all.
     */
    batchId: uuid('batch_id'),
    /** The place in that request. */
    batchPlace: integer('batch_place'),
    providerId: text('provider_id'),
    fate: coded('fate', fateCodes),
    deliveredAt: instant('delivered_at'),
    lastError: text('last_error'),
    finishedAt: instant('finished_at'),
  },
  (table) => [
    index('emails_recipient')
      .on(table.recipient, table.id)
      .where(sql`recipient <> ''`),
    // The last two columns save the counts and the lists a look at the table. An open row never changes them alone.
    index('emails_open')
      .on(table.announceAt, table.batchId, table.status, table.dueAt)
      .where(sql`status <= 1`),
    // Most emails are sent, so an index of those would be as long as the table: their list reads the table.
    index('emails_status')
      .on(table.status, table.id)
      .where(sql`status > 2`),
    index('emails_user')
      .on(table.userId, table.id)
      .where(sql`user_id IS NOT NULL`),
  ],
)

export type Email = typeof emails.$inferSelect
