import { integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { instant } from './columns.ts'

/** The number of every user agent that is not in the table. */
export const otherUserAgent = 0

/**
 * The user agents that somebody signed in with. Only a successful sign-in adds one, and only up to `maxUserAgents`, so
 * nobody fills it with invented ones. Sessions and events hold the number.
 */
export const userAgents = sqliteTable(
  'user_agents',
  {
    id: integer('id').primaryKey(),
    text: text('text').notNull(),
    /** The last sign-in, to the day: an old one makes room for new ones. */
    seenAt: instant('seen_at').notNull(),
    /** In the newest row, how many rows there are: counting them at a sign-in would read every one. */
    rowCount: integer('row_count').notNull(),
  },
  (table) => [uniqueIndex('user_agents_text').on(table.text)],
)
