import { primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { uuid } from './columns.ts'
import { users } from './users.ts'

/** The recovery codes that are left. A used one is deleted. */
export const recoveryCodes = sqliteTable(
  'recovery_codes',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    /** The id of the key and the HMAC over user and code. */
    digest: text('digest').notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.digest] })],
)
