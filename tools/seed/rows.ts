/** A row by column name. Times are ms since the epoch. */
type Value = string | number | null
export type Row = Record<string, Value>

export const tables = ['users', 'sessions', 'registrations', 'one_time_links', 'emails', 'audit_events'] as const
export type Table = (typeof tables)[number]

/** Writes each row as it is made: the rows of two hundred thousand people need not fit into memory. */
export type Put = (table: Table, row: Row) => void
