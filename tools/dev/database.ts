import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { stripVTControlCharacters } from 'node:util'
import { Stop } from '../command.ts'
import { projectRoot, runWrangler } from '../wrangler.ts'

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

/** Brings the local database to the newest schema. */
export async function applyLocalMigrations(stateDir: string, signal: AbortSignal): Promise<void> {
  if (isMigrated(stateDir)) return
  const { exitCode, stdout, stderr } = await runWrangler(
    ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', stateDir],
    { signal },
  )
  if (exitCode !== 0)
    throw new Stop(`The local migrations failed.\n${stripVTControlCharacters(stdout + stderr).trim()}`)
}

/** Looks into the file itself: wrangler takes several seconds to find out that it has nothing to apply. */
export function isMigrated(stateDir: string): boolean {
  const [file, ...others] = databaseFiles(stateDir)
  if (file === undefined || others.length > 0) return false
  try {
    using database = new DatabaseSync(file, { readOnly: true })
    const applied = new Set(
      database
        .prepare('SELECT name FROM d1_migrations')
        .all()
        .map(({ name }) => name),
    )
    return globSync('migrations/*.sql', { cwd: projectRoot }).every((path) => applied.has(basename(path)))
  } catch {
    // The table does not exist yet, or the file is locked: wrangler decides.
    return false
  }
}

function databaseFiles(stateDir: string): string[] {
  const folder = join(stateDir, 'v3/d1/miniflare-D1DatabaseObject')
  const names = globSync('*.sqlite', { cwd: folder }).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))
  return names.map((name) => join(folder, name))
}
