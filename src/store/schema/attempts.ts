import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { instant } from './columns.ts'

/** Consecutive passwords or second factors that were wrong or are being verified. */
export const attemptCounters = sqliteTable('attempt_counters', {
  /**
   * The budget: `account:` and an address that has one, `device:`, the address and the id of a device, `slot:` and a
   * number, `factor:` and the id of a user, or `mail-code:`, the id of a user and the id of a session.
   */
  key: text('key').primaryKey(),
  count: integer('count').notNull(),
  /** Once the attempts without a pause are used up: no password is verified before this time. */
  allowedAt: instant('allowed_at').notNull(),
  /** When the newest attempt was counted. */
  updatedAt: instant('updated_at').notNull(),
  /** Attempts that are counted and whose passwords nobody has judged yet. */
  inFlight: integer('in_flight').notNull().default(0),
  /** A random name of the series, so that an attempt of an ended series changes nothing in the next one. */
  series: text('series').notNull().default(''),
  /** Of a `factor:` budget: the ids of the factor tokens that signed in within the last five minutes, newest first. */
  usedTokens: text('used_tokens', { mode: 'json' }).$type<string[]>(),
})
