import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { Stop } from '../stop.ts'
import { seededEnding } from './random.ts'
import { type Put, type Row, type Table, tables } from './rows.ts'

/**
 * Replaces what an earlier run has put into a local database, in one transaction that holds the file alone. There is no
 * way to a remote database here: it is the file that `npm run dev` keeps, opened as a file.
 *
 * @param write puts the new rows; `isTaken` tells addresses that belong to somebody who was not seeded.
 * @throws {Stop} when something else has the database open.
 */
export function replaceSeeded(stateDir: string, write: (put: Put, isTaken: (email: string) => boolean) => void): void {
  // A server that nobody calls lets go of the file after some ten seconds.
  const database = new DatabaseSync(localDatabase(stateDir), { timeout: 15_000 })
  try {
    lock(database)
    forgetSeeded(database)
    const inserts = new Map<Table, StatementSync>()
    const taken = new Set(
      database
        .prepare('SELECT email FROM users')
        .all()
        .map(({ email }) => email),
    )
    write(
      (table, row) => {
        let insert = inserts.get(table)
        if (!insert) inserts.set(table, (insert = database.prepare(insertion(table, row))))
        insert.run(row)
      },
      (email) => taken.has(email),
    )
    database.exec('COMMIT')
  } finally {
    // Without a COMMIT before it, this takes everything back.
    database.close()
  }
}

/** @throws {Stop} when there is not exactly one, as after a change of `database_id`. */
function localDatabase(stateDir: string): string {
  const folder = join(stateDir, 'v3', 'd1', 'miniflare-D1DatabaseObject')
  const files = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))
  const [file] = files
  if (file === undefined || files.length > 1) {
    throw new Stop(`${folder} holds ${files.length} databases instead of one: delete ${stateDir} to start afresh.`)
  }
  return join(folder, file)
}

function lock(database: DatabaseSync): void {
  try {
    // A reader's lock is in the way of an exclusive one, so that a server that has the file open is noticed.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = ON; BEGIN EXCLUSIVE')
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy)) throw error
    throw new Stop('The local database is in use: stop `npm run dev`, seed, and start it again.')
  }
}

const sqliteBusy = 5

/** Also what people have done since with seeded accounts: a session cannot stay without its user. */
function forgetSeeded(database: DatabaseSync): void {
  for (const table of [...tables].toReversed()) {
    const owner = ['sessions', 'one_time_links'].includes(table) ? `OR user_id LIKE '%${seededEnding}'` : ''
    database.exec(`DELETE FROM ${table} WHERE id LIKE '%${seededEnding}' ${owner}`)
  }
}

function insertion(table: Table, row: Row): string {
  const columns = Object.keys(row)
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((column) => `:${column}`).join(', ')})`
}
