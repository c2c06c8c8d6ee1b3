import { watch } from 'node:fs'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { localDatabase } from '../../../tools/dev/database.ts'

export type Row = Record<string, SQLInputValue>

/** The SQLite file in which `wrangler dev` keeps the D1 database. */
export class LocalDatabase {
  readonly #stateDir: string

  constructor(stateDir: string) {
    this.#stateDir = stateDir
  }

  /** Reads rows, also while the Worker runs. */
  rows<T = Row>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#open(true, (database) => database.prepare(sql).all(...values) as T[])
  }

  /** Changes rows. Only while no other process has the file open. */
  run(sql: string, ...values: SQLInputValue[]): void {
    this.#open(false, (database) => database.prepare(sql).run(...values))
  }

  /** Inserts rows with the same columns in one transaction. */
  insert(table: string, rows: readonly Row[]): void {
    const names = Object.keys(rows[0] ?? {})
    this.#open(false, (database) => {
      const statement = database.prepare(
        `insert into ${table} (${names.join()}) values (${names.map(() => '?').join()})`,
      )
      database.exec('begin')
      for (const row of rows) statement.run(...Object.values(row))
      database.exec('commit')
    })
  }

  /** Resolves after `count` further writes to the write-ahead log. */
  async writes(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      let seen = 0
      const watcher = watch(dirname(localDatabase(this.#stateDir)), { persistent: false }, (_, name) => {
        if (!name?.endsWith('.sqlite-wal') || ++seen < count) return
        watcher.close()
        resolve()
      })
    })
  }

  /** Resolves as soon as the result of a query has changed `count` times. */
  async changes(sql: string, count: number): Promise<void> {
    const database = this.#connect(true)
    try {
      const query = database.prepare(sql)
      let seen = 0
      for (let last = JSON.stringify(query.get()); seen < count; await setImmediate()) {
        const next = JSON.stringify(query.get())
        if (next !== last) seen++
        last = next
      }
    } finally {
      database.close()
    }
  }

  #open<T>(readOnly: boolean, act: (database: DatabaseSync) => T): T {
    const database = this.#connect(readOnly)
    try {
      return act(database)
    } finally {
      database.close()
    }
  }

  #connect(readOnly: boolean): DatabaseSync {
    return new DatabaseSync(localDatabase(this.#stateDir), { readOnly, timeout: 5_000 })
  }
}
