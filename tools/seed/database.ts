import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { localDatabase } from '../dev/database.ts'
import { Stop } from '../command.ts'
import { seededEnding } from './random.ts'
import { type Put, type Row, type Table, tables } from './rows.ts'

/**
 * Replaces the rows of an earlier run, in one transaction with an exclusive lock. It opens the local file of
 * `npm run dev`, so it cannot reach a remote database.
 *
 * @param write puts the new rows; `isTaken` tells whether an address belongs to an account that was not seeded.
 * @throws {Stop} when another process has the database open.
 */
export function replaceSeeded(stateDir: string, write: (put: Put, isTaken: (email: string) => boolean) => void): void {
  // An idle server closes the file after about ten seconds, so it is worth waiting for the lock.
  using database = new DatabaseSync(localDatabase(stateDir), { timeout: 15_000 })
  lock(database)
  deleteSeeded(database)
  const inserts = new Map<Table, StatementSync>()
  const users = database.prepare('SELECT email FROM users').all()
  const taken = new Set(users.map(({ email }) => email))
  write(
    (table, row) => {
      let insert = inserts.get(table)
      if (!insert) inserts.set(table, (insert = database.prepare(insertion(table, row))))
      insert.run(row)
    },
    (email) => taken.has(email),
  )
  // After an error the database is closed without a COMMIT, which rolls everything back.
  database.exec('COMMIT')
}

function lock(database: DatabaseSync): void {
  try {
    // A reader prevents the exclusive lock, so this also fails while an idle server has the file open.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = ON; BEGIN EXCLUSIVE')
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy)) throw error
    throw new Stop('The local database is in use: stop `npm run dev`, seed, and start it again.')
  }
}

const sqliteBusy = 5

/** Also deletes sessions and links that were added to seeded accounts since: they cannot exist without their user. */
function deleteSeeded(database: DatabaseSync): void {
  for (const table of [...tables].toReversed()) {
    const owner = ['sessions', 'one_time_links'].includes(table) ? `OR user_id LIKE '%${seededEnding}'` : ''
    database.exec(`DELETE FROM ${table} WHERE id LIKE '%${seededEnding}' ${owner}`)
  }
}

function insertion(table: Table, row: Row): string {
  const columns = Object.keys(row)
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((column) => `:${column}`).join(', ')})`
}
