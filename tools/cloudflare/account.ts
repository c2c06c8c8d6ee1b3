import { stripVTControlCharacters } from 'node:util'
import { Stop } from '../command.ts'
import { type Wrangler, failed, run } from '../wrangler.ts'
import { firstJson } from './login.ts'

/** The resources of a Cloudflare account that Postern can use. */
export interface Account {
  databases: { name: string; id: string }[]
  namespaces: { title: string; id: string }[]
  queues: string[]
  /** Names only: Cloudflare never shows a secret again. Empty when the Worker does not exist yet. */
  secrets: string[]
}

/** Runs one command after another: in parallel, each would refresh the same OAuth login. */
export async function readAccount(wrangler: Wrangler): Promise<Account> {
  return {
    databases: await listDatabases(wrangler),
    namespaces: await listNamespaces(wrangler),
    queues: await listQueues(wrangler),
    secrets: await listSecrets(wrangler),
  }
}

export async function listDatabases(wrangler: Wrangler): Promise<Account['databases']> {
  const databases = await listJson(wrangler, ['d1', 'list', '--json'])
  return databases.map(({ name, uuid }) => ({ name: String(name), id: String(uuid) }))
}

export async function listNamespaces(wrangler: Wrangler): Promise<Account['namespaces']> {
  const namespaces = await listJson(wrangler, ['kv', 'namespace', 'list'])
  return namespaces.map(({ title, id }) => ({ title: String(title), id: String(id) }))
}

/** The names of the Worker's secrets; empty for a Worker that does not exist. */
export async function listSecrets(wrangler: Wrangler): Promise<string[]> {
  const { exitCode, stdout, stderr } = await wrangler(['secret', 'list'])
  if (exitCode !== 0) {
    if (/Worker "[^"]*"[^\n]* not found/.test(stripVTControlCharacters(stdout + stderr))) return []
    throw failed(['secret', 'list'], { stdout, stderr })
  }
  const secrets = firstJson(stdout)
  if (!Array.isArray(secrets)) throw new Stop('`wrangler secret list` gave no list.')
  return secrets.map(({ name }: { name: string }) => name)
}

async function listJson(wrangler: Wrangler, args: string[]): Promise<Record<string, unknown>[]> {
  const list = firstJson(await run(wrangler, args))
  if (!Array.isArray(list)) throw new Stop(`\`wrangler ${args.join(' ')}\` gave no list.`)
  return list as Record<string, unknown>[]
}

/** `wrangler queues list` has no JSON output. It prints one page as a table and does not say which page is the last. */
async function listQueues(wrangler: Wrangler): Promise<string[]> {
  const names = new Set<string>()
  for (let page = 1; ; page++) {
    const before = names.size
    for (const name of queueNames(await run(wrangler, ['queues', 'list', '--page', String(page)]))) names.add(name)
    if (names.size === before) return [...names]
  }
}

/** The column `name` of the table that `wrangler queues list` prints. */
export function queueNames(output: string): string[] {
  const rows = stripVTControlCharacters(output)
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .map((line) => line.split('│').map((cell) => cell.trim()))
  const column = rows[0]?.indexOf('name') ?? -1
  if (column < 0) return []
  return rows.slice(1).flatMap((cells) => cells[column] || [])
}
