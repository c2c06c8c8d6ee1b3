import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrationNames, migrationsFolder } from '../../../tools/migrations.ts'
import { FakeDatabase } from './fake-database.ts'

/** The state of the pretended Cloudflare account. */
export interface FakeAccount {
  databases: { uuid: string; name: string; tables?: string[]; migrations?: string[] }[]
  namespaces: { id: string; title: string; keys?: string[] }[]
  /** The names of the R2 buckets; `null` while R2 is not switched on. */
  buckets: string[] | null
  queues: { queue_id: string; queue_name: string; worker?: string }[]
  /** The Worker's secrets with their values, or `null` while there is no Worker. */
  secrets: Record<string, string> | null
  /** Oldest first. Each deployment, and each change of a secret, makes one with the secrets of its time. */
  versions: FakeVersion[]
  /** The ids of the versions that were deployed, oldest first. */
  deployments: string[]
  isMailPaused?: boolean
  /** What the newest code was uploaded with, as text. */
  upload?: string
  /** What the database was asked to do, in order. */
  statements?: string[]
  /** By id: the contents of the databases that have any. */
  stores: Map<string, FakeDatabase>
}

interface FakeVersion {
  id: string
  secrets: Record<string, string>
  isSecretChange: boolean
}

export function emptyAccount(): FakeAccount {
  return {
    databases: [],
    namespaces: [],
    buckets: [],
    queues: [],
    secrets: null,
    versions: [],
    deployments: [],
    stores: new Map(),
  }
}

/** Gives the account a database with every migration, and no row. */
export function addDatabase(account: FakeAccount): FakeDatabase {
  const database = new FakeDatabase()
  for (const name of migrationNames()) database.run(readFileSync(join(migrationsFolder, name), 'utf8'))
  account.databases.push({ uuid: 'd', name: 'postern' })
  account.stores.set('d', database)
  return database
}

/** Uploads code, or changes secrets, and deploys the version that this makes. */
export function addVersion(account: FakeAccount, isSecretChange: boolean): string {
  const id = `00000000-0000-4000-8000-${String(account.versions.length + 1).padStart(12, '0')}`
  account.versions.push({ id, secrets: { ...account.secrets }, isSecretChange })
  account.deployments.push(id)
  return id
}

/** @returns the codes with which Cloudflare refuses, if it does */
export function changeSecrets(account: FakeAccount, changes: Record<string, string>): number | undefined {
  if (account.deployments.length > 0 && account.versions.at(-1)?.id !== account.deployments.at(-1)) return 10214
  account.secrets = { ...account.secrets, ...changes }
  if (account.versions.length > 0) addVersion(account, true)
  return undefined
}

/** Deploys an earlier version, as a rollback does. */
export function deployVersion(
  account: FakeAccount,
  id: string,
  isForced: boolean,
): { code?: number; names?: string[] } {
  const target = account.versions.find((version) => version.id === id)
  const current = account.versions.find((version) => version.id === account.deployments.at(-1))
  if (!target || !current) return { code: 10007 }
  const all = new Set([...Object.keys(target.secrets), ...Object.keys(current.secrets)])
  const names = [...all].filter((name) => target.secrets[name] !== current.secrets[name])
  if (names.length > 0 && !isForced) return { code: 10220, names }
  account.secrets = { ...target.secrets }
  account.deployments.push(id)
  return {}
}

/** What the API and `--json` say about versions and deployments. */
export const listVersions = ({ versions }: FakeAccount) =>
  versions.map(({ id, isSecretChange }, place) => ({
    id,
    number: place + 1,
    metadata: { created_on: timeOf(place), author_email: 'operator@example.com', source: 'wrangler' },
    annotations: { 'workers/triggered_by': isSecretChange ? 'secret' : 'upload' },
  }))

export const listDeployments = ({ deployments }: FakeAccount) =>
  deployments
    .map((version, place) => ({
      id: `deployment-${place}`,
      source: 'wrangler',
      strategy: 'percentage',
      author_email: 'operator@example.com',
      annotations: {},
      created_on: timeOf(place),
      versions: [{ version_id: version, percentage: 100 }],
    }))
    .toReversed()

export const viewVersion = (account: FakeAccount, id: string) => {
  const place = account.versions.findIndex((version) => version.id === id)
  const version = account.versions[place]
  return (
    version && {
      ...listVersions(account)[place],
      resources: {
        script: { etag: 'x', handlers: ['fetch'], last_deployed_from: 'wrangler' },
        script_runtime: { usage_model: 'standard' },
        bindings: Object.keys(version.secrets).map((name) => ({ type: 'secret_text', name })),
      },
    }
  )
}

function timeOf(place: number): string {
  return new Date(Date.UTC(2026, 10, 22, 12, place)).toISOString()
}
