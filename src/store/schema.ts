/**
 * The tables. Times are milliseconds since the epoch in D1 and `Date` in code; ids are UUIDv7, so a primary key is in
 * the order of time and the sweeper walks it. Each further index costs a written row and has to earn its place.
 *
 * Foreign keys never cascade: on D1 a rebuilt parent table would silently delete every child.
 */
import { sql } from 'drizzle-orm'
import { type Role, roles } from '../permissions.ts'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const userStatuses = ['pending', 'active', 'suspended'] as const
export type UserStatus = (typeof userStatuses)[number]

export const linkPurposes = ['activation', 'reset'] as const
export type LinkPurpose = (typeof linkPurposes)[number]

export const emailStatuses = ['queued', 'sending', 'sent', 'skipped', 'failed', 'unknown'] as const
export type EmailStatus = (typeof emailStatuses)[number]

/**
 * What the provider says became of a mail that it accepted, in the order in which one replaces another. Events come late,
 * twice and out of order; since a fate only ever moves on in this list, they lead to the same end however they come.
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

/** The fates after which nothing more is mailed to an address. */
export const emailProblems = ['suppressed', 'bounced', 'complained'] as const satisfies EmailFate[]
export type EmailProblem = (typeof emailProblems)[number]

const instant = (name: string) => integer(name, { mode: 'timestamp_ms' })

export const users = sqliteTable(
  'users',
  {
    id: text('id').primaryKey(),
    email: text('email').notNull(),
    /** Null until the mailbox is proven, and after an activation by an ADMIN that could not tell whose password is right. */
    passwordHash: text('password_hash'),
    /** See `passwordIdOf`. */
    passwordId: text('password_id'),
    role: text('role', { enum: roles }).notNull(),
    status: text('status', { enum: userStatuses }).notNull(),
    firstName: text('first_name'),
    lastName: text('last_name'),
    avatarUrl: text('avatar_url'),
    bio: text('bio'),
    locale: text('locale'),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    activatedAt: instant('activated_at'),
    lastLoginAt: instant('last_login_at'),
    /** Why nothing is mailed to the address any more. */
    emailProblem: text('email_problem', { enum: emailProblems }),
  },
  (table) => [
    uniqueIndex('users_email').on(table.email),
    // Both carry role and status: a filter by one alone is the union of three ranges, each already in order.
    index('users_role_status_id').on(table.role, table.status, table.id),
    index('users_role_status_email').on(table.role, table.status, table.email),
  ],
)

export const sessions = sqliteTable(
  'sessions',
  {
    id: text('id').primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id),
    /** Which refresh token is the newest. The token itself is computed and never stored. */
    generation: integer('generation').notNull(),
    createdAt: instant('created_at').notNull(),
    /** Sign-in or the last rotation: the replay window runs from here. */
    lastUsedAt: instant('last_used_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    ip: text('ip'),
    country: text('country'),
    userAgent: text('user_agent'),
  },
  (table) => [index('sessions_user').on(table.userId)],
)

export const registrations = sqliteTable(
  'registrations',
  {
    id: text('id').primaryKey(),
    email: text('email').notNull(),
    passwordHash: text('password_hash').notNull(),
    firstName: text('first_name'),
    lastName: text('last_name'),
    locale: text('locale'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [index('registrations_email').on(table.email)],
)

/** Passwords that turned out to be wrong, or are being tried, in a row. */
export const attemptCounters = sqliteTable('attempt_counters', {
  /** Whose budget: `account:` and an address, whether or not there is an account; `device:`, the address and a device's id. */
  key: text('key').primaryKey(),
  count: integer('count').notNull(),
  /** No try before this is looked at. */
  allowedAt: instant('allowed_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
})

/** `id` is also the id of the outbox row that carries the link. There is no secret here: the mail holds a signed token. */
export const oneTimeLinks = sqliteTable(
  'one_time_links',
  {
    id: text('id').primaryKey(),
    purpose: text('purpose', { enum: linkPurposes }).notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id),
    registrationId: text('registration_id'),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [index('one_time_links_user').on(table.userId)],
)

/** What a message needs to be written, besides its recipient. Never a secret. */
export interface EmailParams {
  registrationId?: string
  reason?: string
  role?: Role
  /** An ADMIN asked for it: that is on record, and where they were is in no mail. */
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
    /** The mails that count as one kind for their recipient; null for those that nobody but the account itself causes. */
    budget: text('budget'),
    params: text('params', { mode: 'json' }).$type<EmailParams>().notNull(),
    status: text('status', { enum: emailStatuses }).notNull(),
    attempts: integer('attempts').notNull(),
    /** When a row nobody finished is taken up again: the next try when queued, the end of the claim when sending. */
    dueAt: instant('due_at').notNull(),
    /** First attempt whose outcome nobody knows; the provider remembers our idempotency key for 24 hours from here. */
    inDoubtSince: instant('in_doubt_since'),
    /** When this mail's link was made. Once: a link that was used must not come back when the mail is sent again. */
    linkedAt: instant('linked_at'),
    /**
     * The request that this mail is offered to the provider in; the row's own id when it goes by itself. Kept for as long
     * as that request may have been accepted: the mail is repeated in the same one or not at all.
     */
    batchId: text('batch_id'),
    /** Where in that request. */
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
    // For the list: a filter by user alone is the union of a range for each status, each already in order.
    index('emails_status').on(table.status, table.id),
    index('emails_user')
      .on(table.userId, table.status, table.id)
      .where(sql`user_id IS NOT NULL`),
    index('emails_provider')
      .on(table.providerId)
      .where(sql`provider_id IS NOT NULL`),
  ],
)

/** Every kind of event in the audit trail. Refreshes are not recorded: they are frequent and change nothing. */
export const auditTypes = [
  'user.registered',
  'user.activation_requested',
  'user.activated',
  'user.activation_refused',
  'user.signed_in',
  'user.sign_in_refused',
  'user.password_changed',
  'user.password_change_refused',
  'user.password_reset_requested',
  'user.password_reset',
  'user.profile_updated',
  'user.role_changed',
  'user.suspended',
  'user.reinstated',
  'user.deleted',
  'user.deletion_refused',
  'user.expired',
  'session.ended',
  'session.reuse_detected',
  'email.failed',
  'email.undeliverable',
  'email.suppression_lifted',
] as const

export type AuditType = (typeof auditTypes)[number]

/** Append-only. Ids only and no foreign key: the trail outlives the account and holds no email address. */
export const auditEvents = sqliteTable(
  'audit_events',
  {
    id: text('id').primaryKey(),
    at: instant('at').notNull(),
    type: text('type', { enum: auditTypes }).notNull(),
    actorId: text('actor_id'),
    userId: text('user_id'),
    ip: text('ip'),
    country: text('country'),
    userAgent: text('user_agent'),
    requestId: text('request_id'),
    detail: text('detail', { mode: 'json' }).$type<Record<string, string | number | boolean | null>>(),
  },
  (table) => [
    index('audit_events_user').on(table.userId, table.id),
    index('audit_events_type').on(table.type, table.id),
  ],
)

export type User = typeof users.$inferSelect
export type Session = typeof sessions.$inferSelect
export type Registration = typeof registrations.$inferSelect
export type OneTimeLink = typeof oneTimeLinks.$inferSelect
export type Email = typeof emails.$inferSelect
export type AuditEvent = typeof auditEvents.$inferSelect
