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
    /** Names this request in the link to the new address. It is the id of that email. */
    linkId: uuid('link_id').notNull(),
    /**
     * The first of several requests in a row; null for a single one. All links that undo the change name it, and its
     * time is that of the first request.
     */
    firstLinkId: uuid('first_link_id'),
    newEmail: text('new_email').notNull(),
    oldEmail: text('old_email').notNull(),
    /** The password at the request, see `passwordIdOf`, and the second factors: other ones since then void it. */
    passwordId: uuid('password_id'),
    factorsId: uuid('factors_id'),
    /** Until then an email that was delayed may still bring the link to the new address. */
    expiresAt: instant('expires_at').notNull(),
    appliedAt: instant('applied_at'),
    /** Until then the owner of the old address can undo it all. Once it is applied, that address counts as taken. */
    revertUntil: instant('revert_until').notNull(),
  },
  (table) => [index('email_changes_old').on(table.oldEmail)],
)

export type EmailChange = typeof emailChanges.$inferSelect
