/** What a row takes in the file, with its indexes: measured on a hundred thousand rows as they are in life. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { before, test } from 'node:test'
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { type RowBytes, bytesPerUser, habits, usersThatFit } from '../../tools/scale/capacity.ts'
import { section } from './support/documents.ts'
import { makers, rows } from './support/real-rows.ts'

const migrations = new URL('../../migrations/', import.meta.url)

const database = new DatabaseSync(':memory:')

/** In bytes. */
const budgets = { users: 370, sessions: 180, emails: 500, audit_events: 180 }

/** What the tests below measure. */
const measured: RowBytes = { users: NaN, sessions: NaN, emails: NaN, audit_events: NaN }

/** As the Worker stores it: by the column's own conversion. */
function insertAll(table: SQLiteTable, row: (place: number) => Record<string, unknown>): void {
  const columns = Object.entries(getTableColumns(table))
  const names = columns.map(([, { name }]) => name).join()
  const insert = database.prepare(
    `INSERT INTO ${getTableName(table)} (${names}) VALUES (${columns.map(() => '?').join()})`,
  )
  database.exec('BEGIN')
  for (let place = 0; place < rows; place++) {
    const values = row(place)
    insert.run(
      ...columns.map(([key, column]): SQLInputValue => {
        const value = values[key] ?? null
        const stored: unknown = value === null ? null : column.mapToDriverValue(value)
        return stored instanceof ArrayBuffer ? new Uint8Array(stored) : (stored as SQLInputValue)
      }),
    )
  }
  database.exec('COMMIT')
}

/** The pages of a table and of each of its indexes. */
function bytesPerRow(table: SQLiteTable): Record<string, number> {
  const parts = database
    .prepare(
      'SELECT part.name, sum(page.pgsize) AS bytes FROM sqlite_schema AS part JOIN dbstat AS page ON page.name = part.name WHERE part.tbl_name = ? GROUP BY part.name',
    )
    .all(getTableName(table))
  return Object.fromEntries(parts.map(({ name, bytes }) => [String(name), Number(bytes) / rows]))
}

before(() => {
  for (const file of readdirSync(migrations)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()) {
    database.exec(readFileSync(new URL(file, migrations), 'utf8'))
  }
})

for (const name of ['users', 'sessions', 'emails', 'audit_events'] as const) {
  const [{ table, row }, budget] = [makers[name], budgets[name]]
  test(`a row of ${name} takes at most ${budget} bytes with its indexes`, (context) => {
    insertAll(table, row)
    const parts = bytesPerRow(table)
    const total = Object.values(parts).reduce((sum, bytes) => sum + bytes, 0)
    measured[name] = total
    const shown = Object.entries(parts).map(([part, bytes]) => `${part} ${bytes.toFixed(1)}`)
    context.diagnostic(`${total.toFixed(1)}: ${shown.join(', ')}`)
    assert.ok(total <= budget, `${total.toFixed(1)} bytes: ${shown.join(', ')}`)
  })
}

test('as many users fit into a database as the documents say, and as many as were aimed at', (context) => {
  const thousands = (count: number) => `${Math.floor(count / 100_000) / 10} million`
  const lines = habits.map((habit) => {
    const [one, two] = [1, 2].map((events) => usersThatFit(measured, habit, events)) as [number, number]
    assert.ok(one >= habit.target, `${habit.name}: ${one} users`)
    const bytes = Math.round(bytesPerUser(measured, habit, 1) / 10) * 10
    return `| ${[habit.name, `${habit.trailDays} days`, bytes.toLocaleString('en-US'), thousands(one), thousands(two)].join(' | ')} |`
  })
  context.diagnostic(lines.join('\n'))
  for (const line of lines) assert.ok(section('docs/scaling.md', 'Users in one database').includes(line), line)
})
