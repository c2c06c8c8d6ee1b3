import type { Wrangler } from '../wrangler.ts'
import { firstJson } from './login.ts'
import type { WranglerSettings } from './wrangler-toml.ts'

/** What to say when the Worker is to read from replicas and the database has none. The Worker itself cannot tell. */
export async function replicationNote(wrangler: Wrangler, settings: WranglerSettings): Promise<string | undefined> {
  if (settings.vars.READ_REPLICAS !== 'true') return undefined
  const name = settings.d1_databases[0].database_name
  const { exitCode, stdout } = await wrangler(['d1', 'info', name, '--json'])
  const info = exitCode === 0 ? (firstJson(stdout) as { read_replication?: { mode?: string } } | undefined) : undefined
  const mode = info?.read_replication?.mode
  if (mode === 'auto') return undefined
  const what = mode === undefined ? 'Cloudflare did not say whether the database has any' : 'the database has none'
  return `Note: READ_REPLICAS is "true", but ${what}. Without replicas the primary answers everything. To enable them: dashboard, D1, ${name}, Settings, Enable Read Replication.`
}
