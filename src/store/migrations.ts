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
  /** The migrations of another version that made the database, whose tables this code cannot read. */
  foreign?: readonly string[] | undefined
  /** What is in use of the database. `undefined` when nobody said. */
  bytes: number | undefined
}

/** Reads one row for each migration. */
export async function readSchemaState(database: D1Database): Promise<SchemaState> {
  try {
    const { results, meta } = await database.prepare('select name from d1_migrations').all<{ name: string }>()
    const applied = new Set(results.map(({ name }) => name))
    const isForeign = applied.size > 0 && !applied.has(names[0]!)
    return {
      missing: names.filter((name) => !applied.has(name)),
      foreign: isForeign ? [...applied] : undefined,
      bytes: meta.size_after,
    }
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
 * Asks until the database was seen to be current: usually once in each isolate. Each request asks for itself, because a
 * promise of another request never settles when that request is canceled. A database that does not answer is not
 * behind: the call itself will fail.
 *
 * @returns what is missing; undefined when nothing is
 */
export async function findSchemaGap(database: D1Database): Promise<Omit<SchemaState, 'bytes'> | undefined> {
  if (current.has(database)) return undefined
  try {
    const { bytes: _, ...gap } = await readSchemaState(database)
    if (gap.missing.length > 0) return gap
    trustSchema(database)
  } catch {
    // The call that follows reports the failure.
  }
  return undefined
}
