import { index, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { instant } from './columns.ts'

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
  'session.refresh_repeated',
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

export type AuditEvent = typeof auditEvents.$inferSelect
