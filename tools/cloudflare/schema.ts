/** What a deployment looks at before it changes the schema of the remote database. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stop } from '../command.ts'
import { isForeign, migrationNames } from '../migrations.ts'
import type { Wrangler } from '../wrangler.ts'
import { queryDatabase } from './database.ts'

/**
 * The SQL of the migrations that the remote database still needs, oldest first.
 *
 * @throws {Stop} when other migrations than ours made it.
 */
export async function pendingMigrations(wrangler: Wrangler, folder: string): Promise<string[]> {
  const query = queryDatabase(wrangler)
  const tables = await query("SELECT name FROM sqlite_master WHERE name = 'd1_migrations'")
  const rows = tables.length > 0 ? await query('SELECT name FROM d1_migrations ORDER BY id') : []
  const applied = rows.map(({ name }) => String(name))
  const names = migrationNames(folder)
  if (isForeign(applied, names)) {
    throw new Stop(
      `Nothing was done: the database was made by the migrations of another version of Postern (${applied[0]}, …), and this one cannot read it. Keep a copy with \`npx wrangler d1 export DB --remote --output old.sql\`, then follow "A database of another version" in docs/operations.md.`,
    )
  }
  return names.filter((name) => !applied.includes(name)).map((name) => readFileSync(join(folder, name), 'utf8'))
}

/**
 * D1 ends a query after 30 seconds, and answers nobody else meanwhile. An index on so many rows takes about 5 of them.
 */
const largeRows = 1_000_000

/**
 * Lists the tables that the migrations read or write row by row, and that are so large that it takes long: one line
 * each.
 */
export async function largeTables(wrangler: Wrangler, pending: readonly string[]): Promise<string[]> {
  const query = queryDatabase(wrangler)
  const lines: string[] = []
  for (const [table, statements] of walkedTables(pending.join('\n'))) {
    // Reads no more rows than it has to.
    const sql = `SELECT count(*) AS n FROM (SELECT 1 FROM ${table} LIMIT ${largeRows})`
    const [found] = await query(sql)
    if (Number(found?.['n']) >= largeRows) {
      lines.push(`${table} has a million rows or more: ${statements.join(', ')}`)
    }
  }
  return lines
}

/** By table that was there before, the kinds of statements that walk through all its rows. */
export function walkedTables(sql: string): Map<string, string[]> {
  const isNew = new Set(Array.from(sql.matchAll(/create\s+table\s+[`"]?(\w+)/gi), ([, name]) => name))
  const walked = new Map<string, string[]>()
  for (const [what, pattern] of walking) {
    for (const [, table = ''] of sql.matchAll(pattern)) {
      if (!isNew.has(table)) walked.set(table, [...(walked.get(table) ?? []), what])
    }
  }
  return walked
}

const walking: readonly [what: string, pattern: RegExp][] = [
  ['CREATE INDEX', /create\s+(?:unique\s+)?index\s+[`"]?\w+[`"]?\s+on\s+[`"]?(\w+)/gi],
  ['DROP COLUMN', /alter\s+table\s+[`"]?(\w+)[`"]?\s+drop\s/gi],
  ['UPDATE', /\bupdate\s+[`"]?(\w+)[`"]?\s+set\s/gi],
  ['DELETE', /\bdelete\s+from\s+[`"]?(\w+)/gi],
  ['SELECT', /\bselect\s[^;]*?\sfrom\s+[`"]?(\w+)/gi],
]
