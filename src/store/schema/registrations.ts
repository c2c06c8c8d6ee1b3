import { index, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { bytes, uuid } from './columns.ts'

/** One row for each registration of an address: until a mailbox is proven, several people may claim it. */
export const registrations = sqliteTable(
  'registrations',
  {
    id: uuid('id').primaryKey(),
    email: text('email').notNull(),
    passwordHash: bytes('password_hash').notNull(),
    firstName: text('first_name'),
    lastName: text('last_name'),
    locale: text('locale'),
  },
  (table) => [index('registrations_email').on(table.email)],
)

export type Registration = typeof registrations.$inferSelect
