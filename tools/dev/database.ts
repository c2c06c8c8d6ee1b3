import { globSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { stripVTControlCharacters } from 'node:util'
import { Stop } from '../command.ts'
import { isForeign, migrationNames } from '../migrations.ts'
import { runWrangler } from '../wrangler.ts'

/**
 * Path of the SQLite file in which `wrangler dev` keeps the D1 database.
 *
 * @throws {Stop} unless there is exactly one. A change of `database_id` leaves two.
 */
export function localDatabase(stateDir: string): string {
  const files = databaseFiles(stateDir)
  const [file] = files
  if (file === undefined || files.length > 1) {
    throw new Stop(`${stateDir} holds ${files.length} databases instead of one: delete it to start afresh.`)
  }
  return file
}

/**
 * Brings the local database to the newest schema.
 *
 * @throws {Stop} for a database that other migrations made.
 */
export async function applyLocalMigrations(stateDir: string, signal: AbortSignal): Promise<void> {
  const applied = appliedMigrations(stateDir)
  if (isForeign(applied)) {
    throw new Stop(
      `The database in ${stateDir} was made by another version of Postern, and this one cannot read it. Delete the folder to start afresh.`,
    )
  }
  if (hasAll(applied)) return
  const { exitCode, stdout, stderr } = await runWrangler(
    ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', stateDir],
    { signal },
  )
  if (exitCode !== 0)
    throw new Stop(`The local migrations failed.\n${stripVTControlCharacters(stdout + stderr).trim()}`)
}

/** Looks into the file itself: wrangler takes several seconds to find out that it has nothing to apply. */
export function isMigrated(stateDir: string): boolean {
  return hasAll(appliedMigrations(stateDir))
}

function hasAll(applied: readonly string[]): boolean {
  return migrationNames().every((name) => applied.includes(name))
}

/** Empty when there is no database, and when it cannot be read. */
function appliedMigrations(stateDir: string): string[] {
  const [file, ...others] = databaseFiles(stateDir)
  if (file === undefined || others.length > 0) return []
  try {
    using database = new DatabaseSync(file, { readOnly: true })
    const rows = database.prepare('SELECT name FROM d1_migrations').all()
    return rows.map(({ name }) => String(name))
  } catch {
    // The table does not exist yet, or the file is locked: wrangler decides.
    return []
  }
}

function databaseFiles(stateDir: string): string[] {
  const folder = join(stateDir, 'v3/d1/miniflare-D1DatabaseObject')
  const names = globSync('*.sqlite', { cwd: folder }).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))
  return names.map((name) => join(folder, name))
}
