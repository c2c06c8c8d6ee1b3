/** A D1 database of the pretended account: SQLite in memory, with an export as D1 writes it. */
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'

type Row = Record<string, SQLOutputValue>

export class FakeDatabase {
  readonly #sqlite = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true })

  /** Runs statements. Returns the rows of a single query. */
  run(sql: string): Row[] {
    if (/^\s*select\b/i.test(sql)) return this.#sqlite.prepare(sql).all()
    this.#sqlite.exec(sql)
    return []
  }

  /** Runs an export as D1 does: as a whole, so that rows may stand before those that they refer to. */
  import(sql: string): void {
    this.#sqlite.exec('BEGIN')
    this.#sqlite.exec(sql)
    this.#sqlite.exec('COMMIT')
  }

  /** Statements that make the same database. */
  export(): string {
    const made = this.run("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'")
    const tables = made.filter(({ type }) => type === 'table').map(({ name }) => String(name))
    const rows = tables.flatMap((table) => this.#insertsOf(table))
    return ['PRAGMA defer_foreign_keys=TRUE', ...made.map(({ sql }) => String(sql)), ...rows]
      .map((line) => `${line};\n`)
      .join('')
  }

  #insertsOf(table: string): string[] {
    const columns = this.run(`SELECT name FROM pragma_table_info('${table}')`).map(({ name }) => `"${String(name)}"`)
    const values = columns.map((column) => `quote(${column})`).join(` || ',' || `)
    return this.run(`SELECT ${values} AS line FROM "${table}"`).map(
      ({ line }) => `INSERT INTO "${table}" (${columns.join()}) VALUES (${String(line)})`,
    )
  }
}
