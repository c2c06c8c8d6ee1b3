import { type Config, ConfigError, type Settings, readSettings } from '../config/settings.ts'
import { describeError, log } from '../log.ts'
import { reportForeignPasskeys } from '../services/factors/foreign-passkeys.ts'
import { probeRoom } from '../store/capacity.ts'
import { connect } from '../store/db.ts'
import { hasForeignPasskeys } from '../store/foreign-passkeys.ts'
import { readSchemaState } from '../store/migrations.ts'
import { type Fullness, fullnessOf } from '../store/room.ts'

type Check = 'ok' | 'unavailable'
/**
 * `behind`: it lacks a migration. `filling`: somebody should make room. `nearly_full`: strangers leave no more rows.
 * `full`: it reads and deletes, and every other write fails.
 */
type DatabaseCheck = Check | 'behind' | 'full' | Exclude<Fullness, 'ok'>

export interface Readiness {
  status: 'ok' | 'unavailable' | 'maintenance'
  checks: { config: Check; d1: DatabaseCheck; kv: Check }
  /** Only when there are any. */
  missing_migrations?: string[] | undefined
  /** What works, and is not as it should be. Only when there is something. */
  warnings?: Warning[] | undefined
}

/** `second_factor_unset`: nobody has decided who must have one. `foreign_passkeys`: some are bound to another RP ID. */
type Warning = 'second_factor_unset' | 'foreign_passkeys'

/** Sends each store the smallest possible query. Failures go to the log and not into the answer. */
export async function checkStores(env: Env, now: Date): Promise<Readiness> {
  let settings: Settings | undefined
  let missing: readonly string[] = []
  let foreign: readonly string[] | undefined
  let bytes: number | undefined
  const [config, schema, kv] = await Promise.all([
    check('config', async () => (settings = await readSettings(env))),
    check('d1', async () => ({ missing, foreign, bytes } = await readSchemaState(env.DB))),
    check('kv', () => env.REVOCATIONS.get('readyz')),
  ])
  if (missing.length > 0) log('error', 'schema.behind', { missing, foreign })
  const isCurrent = schema === 'ok' && missing.length === 0
  const room = isCurrent ? await checkRoom(env.DB, now) : schema === 'ok' ? 'behind' : schema
  const passkeys = isCurrent && settings ? await checkPasskeys(env.DB, settings.config) : 'ok'
  const database = room === 'ok' && passkeys === 'unavailable' ? passkeys : room
  const isReady = [config, database, kv].every((each) => each === 'ok')
  const d1 = database === 'ok' ? fullnessOf(bytes ?? 0) : database
  const status = settings?.config.isUnderMaintenance ? 'maintenance' : isReady ? 'ok' : 'unavailable'
  const warnings: Warning[] = settings?.config.secondFactor === null ? ['second_factor_unset'] : []
  if (passkeys === 'foreign') warnings.push('foreign_passkeys')
  return {
    status,
    checks: { config, d1, kv },
    ...(missing.length > 0 && { missing_migrations: [...missing] }),
    ...(warnings.length > 0 && { warnings }),
  }
}

async function checkPasskeys(database: D1Database, config: Config): Promise<Check | 'foreign'> {
  let isForeign = false
  const checked = await check('d1', async () => (isForeign = await hasForeignPasskeys(connect(database), config.rpId)))
  if (!isForeign) return checked
  reportForeignPasskeys(config)
  return 'foreign'
}

/** Anybody may call `/readyz`, and the probe holds up other writes: each isolate makes it once a minute. */
const probeEveryMs = 60_000
const probes = new WeakMap<D1Database, { atMs: number; found: DatabaseCheck }>()

async function checkRoom(database: D1Database, now: Date): Promise<DatabaseCheck> {
  const last = probes.get(database)
  const atMs = now.getTime()
  if (last && atMs - last.atMs < probeEveryMs) return last.found
  // Calls that come meanwhile get the last result. If they waited for this one, they would hang when it is canceled.
  const probe = { atMs, found: last?.found ?? 'ok' }
  probes.set(database, probe)
  probe.found = await findRoom(database)
  return probe.found
}

async function findRoom(database: D1Database): Promise<DatabaseCheck> {
  let isFull = false
  const checked = await check('d1', async () => (isFull = (await probeRoom(database)) === 'full'))
  if (!isFull) return checked
  log('error', 'readiness.failed', { check: 'd1_full' })
  return 'full'
}

async function check(name: string, ask: () => Promise<unknown>): Promise<Check> {
  try {
    await ask()
    return 'ok'
  } catch (error) {
    const why = error instanceof ConfigError ? { problems: error.problems } : describeError(error)
    log('error', 'readiness.failed', { check: name, ...why })
    return 'unavailable'
  }
}
