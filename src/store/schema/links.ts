import { index, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { instant } from './columns.ts'
import { users } from './users.ts'

export const linkPurposes = ['activation', 'reset'] as const
export type LinkPurpose = (typeof linkPurposes)[number]

/** A link's id is the id of the email that carries it. The row holds no secret: the email holds a signed token. */
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

export type OneTimeLink = typeof oneTimeLinks.$inferSelect
