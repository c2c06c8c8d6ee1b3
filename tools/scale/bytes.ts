import { DatabaseSync } from 'node:sqlite'

export interface TableBytes {
  table: string
  rows: number
  /** Of the table and its indexes. */
  bytes: number
}

/** Counts the pages of each table with its indexes, the largest first. */
export function measureBytes(path: string): TableBytes[] {
  using database = new DatabaseSync(path, { readOnly: true })
  const tables = database
    .prepare(`SELECT part.tbl_name AS name, sum(page.pgsize) AS bytes
      FROM dbstat AS page JOIN sqlite_schema AS part ON part.name = page.name
      WHERE page.aggregate = true GROUP BY part.tbl_name ORDER BY bytes DESC`)
    .all()
  return tables.map(({ name, bytes }) => {
    const table = String(name)
    const rows = Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
    return { table, rows, bytes: Number(bytes) }
  })
}
