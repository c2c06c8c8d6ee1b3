import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { bytes, coded, uuid } from './columns.ts'

/**
 * Every kind of event in the audit trail, and its number in D1, which never changes. Refreshes are not recorded: they
 * are frequent and change nothing.
 */
export const auditCodes = {
  'user.registered': 1,
  'user.activation_requested': 2,
  'user.activated': 3,
  'user.activation_refused': 4,
  'user.signed_in': 5,
  'user.sign_in_refused': 6,
  'user.password_changed': 7,
  'user.password_change_refused': 8,
  'user.password_reset_requested': 9,
  'user.password_reset': 10,
  'user.profile_updated': 11,
  'user.role_changed': 12,
  'user.suspended': 13,
  'user.reinstated': 14,
  'user.deleted': 15,
  'user.deletion_refused': 16,
  'user.expired': 17,
  'session.ended': 18,
  'session.refresh_repeated': 19,
  'session.reuse_detected': 20,
  'email.failed': 21,
  'email.undeliverable': 22,
  'email.suppression_lifted': 23,
  'user.second_factor_refused': 24,
  'user.stepped_up': 25,
  'user.step_up_refused': 26,
  'user.factor_added': 27,
  'user.factor_removed': 28,
  'user.recovery_code_used': 29,
  'user.recovery_codes_renewed': 30,
  'user.factors_reset': 31,
  'user.email_change_requested': 32,
  'user.email_changed': 33,
  'user.email_change_reverted': 34,
  'user.exported': 35,
  'user.passkey_doubted': 36,
  'user.passkey_renamed': 37,
} as const

export type AuditType = keyof typeof auditCodes

export const auditTypes = Object.keys(auditCodes) as AuditType[]

/** Append-only. Ids only and no foreign key: the trail outlives the account and holds no email address. */
export const auditEvents = sqliteTable(
  'audit_events',
  {
    id: uuid('id').primaryKey(),
    type: coded('type', auditCodes).notNull(),
    userId: uuid('user_id'),
    /** The user acted. Then `actorId` is null: most events are of this kind. */
    byUser: integer('by_user', { mode: 'boolean' }).notNull(),
    actorId: uuid('actor_id'),
    /** What the event is about besides the user: an email for `email.*`, a session for every other type. */
    subjectId: uuid('subject_id'),
    ip: bytes('ip'),
    country: text('country'),
    /** See `userAgents`. Null for a request without one. */
    userAgentId: integer('user_agent_id'),
    requestId: bytes('request_id'),
    detail: text('detail', { mode: 'json' }).$type<Record<string, string | number | boolean | null>>(),
  },
  (table) => [
    index('audit_events_user').on(table.userId, table.id),
    index('audit_events_type').on(table.type, table.id),
  ],
)

/** An event as the services make and read it. */
export interface AuditEvent {
  id: string
  at: Date
  type: AuditType
  actorId: string | null
  userId: string | null
  ip: string | null
  country: string | null
  userAgent: string | null
  requestId: string | null
  detail: Record<string, string | number | boolean | null> | null
}
