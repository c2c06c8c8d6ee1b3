import { DatabaseSync, type StatementSync, type SQLInputValue } from 'node:sqlite'
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { emailChanges } from '../../src/store/schema/email-changes.ts'
import { passkeys } from '../../src/store/schema/passkeys.ts'
import { recoveryCodes } from '../../src/store/schema/recovery-codes.ts'
import { totps } from '../../src/store/schema/totps.ts'
import { localDatabase } from '../dev/database.ts'
import { Stop } from '../command.ts'
import { seededEnding } from './random.ts'
import { type Put, type Table, tables } from './rows.ts'

export interface Seeding {
  put: Put
  /** Whether an address belongs to an account that was not seeded. */
  isTaken: (email: string) => boolean
  /** The number of a user agent, which is listed from now on. */
  numberOf: (userAgent: string) => number
}

/**
 * Replaces the rows of an earlier run, in one transaction with an exclusive lock. It opens the local file of
 * `npm run dev`, so it cannot reach a remote database.
 *
 * @param write puts the new rows
 * @throws {Stop} when another process has the database open.
 */
export function replaceSeeded(stateDir: string, write: (seeding: Seeding) => void): void {
  // An idle server closes the file after about ten seconds, so it is worth waiting for the lock.
  using database = new DatabaseSync(localDatabase(stateDir), { timeout: 15_000 })
  lock(database)
  deleteSeeded(database)
  const inserts = new Map<Table, Insert>()
  const users = database.prepare('SELECT email FROM users').all()
  const taken = new Set(users.map(({ email }) => email))
  write({
    put: (table, row) => {
      let insert = inserts.get(table)
      if (!insert) inserts.set(table, (insert = prepareInsert(database, table)))
      insert(row)
    },
    isTaken: (email) => taken.has(email),
    numberOf: (userAgent) => listUserAgent(database, userAgent),
  })
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

/** What people add to an account that was seeded. It cannot exist without its user. */
const addedLater = [passkeys, totps, recoveryCodes, emailChanges]

/** Also deletes what was added to seeded accounts since. */
function deleteSeeded(database: DatabaseSync): void {
  const isSeeded = (column: string) => `substr(${column}, -4) = x'${seededEnding}'`
  for (const table of addedLater) database.exec(`DELETE FROM ${getTableName(table)} WHERE ${isSeeded('user_id')}`)
  for (const table of tables.toReversed()) {
    const owner = 'userId' in table && 'expiresAt' in table ? `OR ${isSeeded('user_id')}` : ''
    database.exec(`DELETE FROM ${getTableName(table)} WHERE ${isSeeded('id')} ${owner}`)
  }
}

export type Insert = (row: Readonly<Record<string, unknown>>) => void

/** @param into the name of a table with the same columns */
export function prepareInsert(database: DatabaseSync, table: Table, into: string = getTableName(table)): Insert {
  const columns: [string, SQLiteColumn][] = Object.entries(getTableColumns(table))
  const names = columns.map(([, { name }]) => name)
  const statement: StatementSync = database.prepare(
    `INSERT INTO ${into} (${names.join()}) VALUES (${names.map(() => '?').join()})`,
  )
  return (row) => void statement.run(...columns.map(([key, column]) => stored(column, row[key])))
}

/** As the Worker stores it: by the column's own conversion. */
function stored(column: SQLiteColumn, value: unknown): SQLInputValue {
  if (value === null || value === undefined) return null
  const driverValue: unknown = column.mapToDriverValue(value)
  return driverValue instanceof ArrayBuffer ? new Uint8Array(driverValue) : (driverValue as SQLInputValue)
}

/** The number of a user agent, which is listed from now on. */
export function listUserAgent(database: DatabaseSync, text: string): number {
  database
    .prepare(`INSERT INTO user_agents (text, seen_at, row_count)
      SELECT ?, ?, count(*) + 1 FROM user_agents WHERE true ON CONFLICT (text) DO NOTHING`)
    .run(text, Date.now())
  return Number(database.prepare('SELECT id FROM user_agents WHERE text = ?').get(text)?.['id'])
}
