/**
 * What carries our names at Cloudflare may belong to something else. Provisioning takes it only if it is empty or ours.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { Stop } from '../command.ts'
import { optionalSecrets } from '../dev/dev-config.ts'
import { isForeign, migrationNames } from '../migrations.ts'
import { type Wrangler, run } from '../wrangler.ts'
import type { Account } from './account.ts'
import { firstJson } from './login.ts'
import type { Plan } from './plan.ts'
import { type WranglerSettings, isPlaceholder } from './wrangler-toml.ts'

/**
 * Looks into what was found by its name. What wrangler.toml names by id was taken before.
 *
 * @throws {Stop} with everything that is somebody else's, before anything is made or changed.
 */
export async function requireOurs(
  wrangler: Wrangler,
  settings: WranglerSettings,
  { secrets }: Account,
  plan: Plan,
): Promise<void> {
  const { database, namespace } = plan
  const strange: string[] = []
  if (database.id !== null && isPlaceholder(settings.d1_databases[0].database_id)) {
    const tables = await tablesOf(wrangler, database.name, database.id)
    if (!isOurDatabase(tables))
      strange.push(`the D1 database "${database.name}" holds other tables: ${some(tables.names)}`)
  }
  if (namespace.id !== null && isPlaceholder(settings.kv_namespaces[0].id)) {
    const keys = await keysOf(wrangler, namespace.id)
    const foreign = keys.filter((key) => !key.startsWith('session:'))
    if (foreign.length > 0) strange.push(`the KV namespace "${namespace.title}" holds other keys: ${some(foreign)}`)
  }
  for (const queue of plan.queuesToReuse) {
    const workers = (await workersOf(wrangler, queue)).filter((name) => name !== settings.name)
    if (workers.length > 0) strange.push(`the queue "${queue}" is used by another Worker: ${some(workers)}`)
  }
  const known = new Set<string>([...settings.secrets.required, ...optionalSecrets])
  const foreign = secrets.filter((name) => !known.has(name))
  if (foreign.length > 0) strange.push(`the Worker "${settings.name}" has other secrets: ${some(foreign)}`)
  if (strange.length === 0) return
  throw new Stop(
    `Nothing was done: ${strange.join('; ')}. They seem to belong to something else. Choose other names in wrangler.toml, or empty or delete them.`,
  )
}

interface Tables {
  names: string[]
  migrations: string[]
}

/** Empty, or migrated by us: some of our migrations and no other. */
function isOurDatabase({ names, migrations }: Tables): boolean {
  if (names.length === 0) return true
  const ours = new Set(migrationNames())
  const isMigrated = migrations.length > 0 && !isForeign(migrations)
  return isMigrated && migrations.every((name) => ours.has(name)) && names.includes('users')
}

async function tablesOf(wrangler: Wrangler, name: string, id: string): Promise<Tables> {
  const names = await query(
    wrangler,
    name,
    id,
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%cf_%'",
  )
  const migrations = names.includes('d1_migrations')
    ? await query(wrangler, name, id, 'SELECT name FROM d1_migrations')
    : []
  return { names, migrations }
}

/** With a configuration of its own: wrangler.toml has no id yet, and wrangler would not look for the name. */
async function query(wrangler: Wrangler, name: string, id: string, sql: string): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  const config = join(directory, 'wrangler.toml')
  try {
    writeFileSync(
      config,
      `name = "look"\n[[d1_databases]]\nbinding = "DB"\ndatabase_name = ${JSON.stringify(name)}\ndatabase_id = "${id}"\n`,
    )
    const args = ['d1', 'execute', 'DB', '--remote', '--json', '--command', sql, '--config', config]
    const [answer] = firstJson(await run(wrangler, args)) as { results: { name: string }[] }[]
    return (answer?.results ?? []).map((row) => row.name)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function keysOf(wrangler: Wrangler, id: string): Promise<string[]> {
  const list = firstJson(await run(wrangler, ['kv', 'key', 'list', '--namespace-id', id, '--remote']))
  return Array.isArray(list) ? list.map(({ name }: { name: string }) => name) : []
}

/** The Workers that `wrangler queues info` names as producers and consumers. */
async function workersOf(wrangler: Wrangler, queue: string): Promise<string[]> {
  const output = stripVTControlCharacters(await run(wrangler, ['queues', 'info', queue]))
  return Array.from(output.matchAll(/worker:([\w-]+)/g), ([, name = '']) => name)
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`
}
