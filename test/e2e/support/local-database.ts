import { readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

export type Row = Record<string, SQLInputValue>

/** The file in which `wrangler dev` keeps the D1 database. */
export class LocalDatabase {
  readonly #directory: string

  constructor(stateDir: string) {
    this.#directory = join(stateDir, 'v3/d1/miniflare-D1DatabaseObject')
  }

  /** Asks, also while the Worker runs. */
  rows<T = Row>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#open(true, (database) => database.prepare(sql).all(...values) as T[])
  }

  /** Changes rows, and only while nobody else has the file open. */
  run(sql: string, ...values: SQLInputValue[]): void {
    this.#open(false, (database) => database.prepare(sql).run(...values))
  }

  /** All of the rows, which have the same columns, at once. */
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

  /** Fulfilled when the file system has seen so many writes to the database from now on. */
  async writes(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      let seen = 0
      const watcher = watch(this.#directory, { persistent: false }, (_, name) => {
        if (!name?.endsWith('.sqlite-wal') || ++seen < count) return
        watcher.close()
        resolve()
      })
    })
  }

  /** Fulfilled as soon as the answer to a question has been seen to change so many times from now on. */
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
    const name = readdirSync(this.#directory).find((each) => /^[0-9a-f]{64}\.sqlite$/.test(each)) ?? ''
    return new DatabaseSync(join(this.#directory, name), { readOnly, timeout: 5_000 })
  }
}
