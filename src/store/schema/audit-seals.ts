import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * The objects of the audit archive, in the order in which they were made. A row is added in the batch that deletes the
 * events of its object, so an event is either in `audit_events` or in an object that has a row.
 */
export const auditSeals = sqliteTable(
  'audit_seals',
  {
    /** From 1, without gaps. */
    number: integer('number').primaryKey(),
    /** Of the events: hours since 1970. It never gets smaller from one object to the next. */
    hour: integer('hour').notNull(),
    /** SHA-256 of the seal, which holds the SHA-256 of the events and the digest of the seal before. */
    digest: text('digest').notNull(),
    /** The key that signed the seal. */
    kid: text('kid').notNull(),
    /** The lowest number that had not expired when this object was made. */
    first: integer('first').notNull(),
  },
  (table) => [index('audit_seals_hour').on(table.hour)],
)

export type AuditSeal = typeof auditSeals.$inferSelect
