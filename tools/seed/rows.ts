/** One row for each table, under the columns' own names. Times are ms since the epoch. */
type Value = string | number | null
export type Row = Record<string, Value>

export const tables = ['users', 'sessions', 'registrations', 'one_time_links', 'emails', 'audit_events'] as const
export type Table = (typeof tables)[number]

/** Takes rows as they are made: two hundred thousand people need not fit into memory. */
export type Put = (table: Table, row: Row) => void
