import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { instant, uuid } from './columns.ts'
import { users } from './users.ts'

/** Authenticator apps, one for each account. */
export const totps = sqliteTable('totps', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id),
  /** The seed, sealed with `DATA_KEYS` for this user. */
  secret: text('secret').notNull(),
  /** The time step of the last code that was accepted: no code of it or an older one counts again (RFC 6238 §5.2). */
  lastStep: integer('last_step').notNull(),
  createdAt: instant('created_at').notNull(),
  lastUsedAt: instant('last_used_at'),
})

export type Totp = typeof totps.$inferSelect
