import { index, sqliteTable } from 'drizzle-orm/sqlite-core'
import { coded, instant, uuid } from './columns.ts'
import { users } from './users.ts'

const linkCodes = { activation: 1, reset: 2, email_change: 3 } as const
export type LinkPurpose = keyof typeof linkCodes

/** A link's id is the id of the email that carries it. The row holds no secret: the email holds a signed token. */
export const oneTimeLinks = sqliteTable(
  'one_time_links',
  {
    id: uuid('id').primaryKey(),
    purpose: coded('purpose', linkCodes).notNull(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    registrationId: uuid('registration_id'),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [index('one_time_links_user').on(table.userId)],
)

export type OneTimeLink = typeof oneTimeLinks.$inferSelect
