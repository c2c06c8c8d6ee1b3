import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './wrangler.ts'

export const migrationsFolder = join(projectRoot, 'migrations')

/** The file names of the migrations, oldest first. */
export function migrationNames(folder = migrationsFolder): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
}

/**
 * Whether other migrations than these made a database. Migrations only add, so a database that has more of them than
 * this code belongs to us: the code is older than the database.
 */
export function isForeign(applied: readonly string[], names = migrationNames()): boolean {
  return applied.length > 0 && !applied.includes(names[0]!)
}
