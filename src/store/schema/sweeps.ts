import { customType, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** A primary key of any table, as it is there: the bytes of an id or a text. An empty text is before every key. */
const anyKey = customType<{ data: unknown }>({ dataType: () => 'any' })

/** How far the cleanup has walked each table: a run that stops in the middle leaves the rest to the next one. */
export const sweeps = sqliteTable('sweeps', {
  /** The table that is walked. */
  name: text('name').primaryKey(),
  /** The first key of the last step. */
  start: anyKey('start').notNull(),
  /** The key after its last one, where the next step starts. Null: it reached the end, and the next one starts anew. */
  stop: anyKey('stop'),
})
