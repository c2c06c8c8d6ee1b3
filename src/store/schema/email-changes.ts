import { index, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { instant, uuid } from './columns.ts'
import { users } from './users.ts'

/** The last change of address of an account: asked for, and then applied. */
export const emailChanges = sqliteTable(
  'email_changes',
  {
    userId: uuid('user_id')
      .primaryKey()
      .references(() => users.id),
    /** Names this request in both links, and says when it was made. */
    linkId: uuid('link_id').notNull(),
    newEmail: text('new_email').notNull(),
    oldEmail: text('old_email').notNull(),
    /** The second factors at the request: other ones since then void it. */
    factorsId: uuid('factors_id'),
    /** The end of the link to the new address. */
    expiresAt: instant('expires_at').notNull(),
    appliedAt: instant('applied_at'),
    /** Until then the old address counts as taken, and its owner can undo the change. */
    revertUntil: instant('revert_until').notNull(),
  },
  (table) => [index('email_changes_old').on(table.oldEmail)],
)

export type EmailChange = typeof emailChanges.$inferSelect
