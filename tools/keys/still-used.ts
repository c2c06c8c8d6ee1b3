/** Whether a key may be removed: what the database says about it. */
import { requireLogin } from '../cloudflare/login.ts'
import { queryDatabase } from '../cloudflare/database.ts'
import { isMigrated } from '../dev/database.ts'
import { readLocalServer } from '../dev/settings.ts'
import { Stop } from '../command.ts'
import type { Query } from '../query.ts'
import { describeRetirement } from './dependents.ts'
import { type SetName, type StoredKey, minuteOf, unusedSince } from './key-set.ts'
import type { KeysOptions, KeysSurroundings } from './surroundings.ts'
import { isStoredSet, usesOf } from './uses.ts'

/**
 * @returns what is lost, in words
 * @throws {Stop} when something in the database was made with the key, or may be while Cloudflare's locations learn of
 *   its successor. With `--force` it returns what is lost instead.
 */
export async function requireUnused(
  around: KeysSurroundings,
  set: SetName,
  key: StoredKey,
  options: KeysOptions,
): Promise<string[]> {
  if (!isStoredSet(set) || key.announced !== undefined) return []
  const since = unusedSince(key)
  if (since !== undefined && since > around.now().getTime() && !options.isForced && !options.isLocal) {
    throw new Stop(
      `The key ${key.kid} was replaced at ${minuteOf(key.replaced)}: some of Cloudflare's locations may use it until ${minuteOf(since)}. After a leak, use --force.`,
    )
  }
  const query = await databaseOf(around, options)
  const uses = query === null ? [] : await usesOf(query, set, key.kid)
  if (uses.length === 0 || options.isForced) return uses
  const [way] = describeRetirement(set, key, uses, around.now())
  throw new Stop(
    [
      `The key ${key.kid} is needed. ${way}`,
      ...(set === 'DATA_KEYS'
        ? [`Bring them under the active key first: npm run keys -- rewrap --file ${options.file}`]
        : []),
      'docs/keys.md says how they come to an end. After a leak, --force retires the key all the same.',
    ].join('\n'),
  )
}

/** `null` on a developer's machine that has no database yet. */
export async function databaseOf({ wrangler, env }: KeysSurroundings, { isLocal }: KeysOptions): Promise<Query | null> {
  if (!isLocal) {
    await requireLogin(wrangler, env)
    return queryDatabase(wrangler)
  }
  const { stateDir } = readLocalServer(env)
  return isMigrated(stateDir) ? queryDatabase(wrangler, stateDir) : null
}
