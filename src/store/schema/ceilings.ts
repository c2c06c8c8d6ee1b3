import { integer, primaryKey, sqliteTable } from 'drizzle-orm/sqlite-core'
import { bytes, instant, uuid } from './columns.ts'

/** How much a network, a user or all strangers together have done in a day or an hour. Ended periods are deleted. */
export const ceilings = sqliteTable(
  'ceilings',
  {
    /** The start of the day or hour, UTC. */
    period: instant('period').notNull(),
    /** Who or what is counted. The bytes are listed in `services/protection/ceilings.ts`. */
    subject: bytes('subject').notNull(),
    count: integer('count').notNull(),
    /** The act that took the last place. The other statements of its batch depend on it. */
    last: uuid('last').notNull(),
  },
  (table) => [primaryKey({ columns: [table.period, table.subject] })],
)
