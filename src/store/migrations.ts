/**
 * Whether the database has the schema that this code was written for. `npm run deploy` migrates first, but a plain
 * `wrangler deploy`, or a restore from before a migration, leaves a database that is behind.
 */
import journal from '../../migrations/meta/_journal.json' with { type: 'json' }

const names = journal.entries.map(({ tag }) => `${tag}.sql`)

/** A database that was never migrated lacks even the table that wrangler keeps about it. */
const neverMigrated = /no such table: d1_migrations/

export interface SchemaState {
  /** The migrations that this code needs and the database does not have, oldest first. */
  missing: readonly string[]
  /** The size of the database file. `undefined` when nobody said. */
  bytes: number | undefined
}

/** Reads one row for each migration. */
export async function readSchemaState(database: D1Database): Promise<SchemaState> {
  try {
    const { results, meta } = await database.prepare('select name from d1_migrations').all<{ name: string }>()
    const applied = new Set(results.map(({ name }) => name))
    return { missing: names.filter((name) => !applied.has(name)), bytes: meta.size_after }
  } catch (error) {
    if (error instanceof Error && neverMigrated.test(error.message)) return { missing: names, bytes: undefined }
    throw error
  }
}

const current = new WeakSet<D1Database>()

/** From now on a database counts as current. */
export function trustSchema(database: D1Database): void {
  current.add(database)
}

/**
 * Asks until the database was seen to be current: usually once for each start of the Worker. Each request asks for itself,
 * because a promise of another request never settles when that request is cancelled. A database that does not answer is
 * not behind: the call itself will fail.
 *
 * @returns what is missing
 */
export async function missingMigrations(database: D1Database): Promise<readonly string[]> {
  if (current.has(database)) return []
  try {
    const { missing } = await readSchemaState(database)
    if (missing.length === 0) trustSchema(database)
    return missing
  } catch {
    return []
  }
}
