import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { instant } from './columns.ts'

/** Consecutive passwords that were wrong or are being verified. */
export const attemptCounters = sqliteTable('attempt_counters', {
  /** The budget: `account:` and the address, whether or not it has an account, or `device:`, the address and the id of a device. */
  key: text('key').primaryKey(),
  count: integer('count').notNull(),
  /** No password is verified before this time. */
  allowedAt: instant('allowed_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
})
