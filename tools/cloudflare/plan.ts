import { Stop } from '../stop.ts'
import type { Account } from './account.ts'
import { type WranglerSettings, isPlaceholder } from './wrangler-toml.ts'

/** A resource that is there already has an id; one that is to be made has none yet. */
export interface Plan {
  database: { name: string; id: string | null }
  namespace: { title: string; id: string | null }
  queuesToCreate: string[]
  queuesToReuse: string[]
  secretsToUpload: string[]
  secretsToKeep: string[]
}

/**
 * Decides what provisioning has to do, out of what there is. An id in wrangler.toml counts before a name.
 *
 * @throws {Stop} when wrangler.toml names a resource that this account does not have: a wrong account, most likely.
 */
export function makePlan(settings: WranglerSettings, account: Account): Plan {
  const title = `${settings.name}-revocations`
  const { queues, requiredSecrets } = settings
  return {
    database: {
      name: settings.databaseName,
      id: existing('database_id', settings.databaseId, account.databases, ({ name }) => name === settings.databaseName),
    },
    namespace: {
      title,
      id: existing('id of the KV namespace', settings.kvId, account.namespaces, (each) => each.title === title),
    },
    queuesToCreate: queues.filter((name) => !account.queues.includes(name)),
    queuesToReuse: queues.filter((name) => account.queues.includes(name)),
    secretsToUpload: requiredSecrets.filter((name) => !account.secrets.includes(name)),
    secretsToKeep: requiredSecrets.filter((name) => account.secrets.includes(name)),
  }
}

function existing<T extends { id: string }>(
  what: string,
  configured: string,
  found: T[],
  hasName: (each: T) => boolean,
): string | null {
  if (isPlaceholder(configured)) return found.find(hasName)?.id ?? null
  if (found.some(({ id }) => id === configured)) return configured
  throw new Stop(`The ${what} in wrangler.toml (${configured}) is not in this Cloudflare account.`)
}

/** The plan in words, a line for each thing. */
export function describePlan(plan: Plan, settings: WranglerSettings, publicUrl: string): string[] {
  const { database, namespace } = plan
  const willRewrite = [
    settings.databaseId !== database.id && 'database_id',
    settings.kvId !== namespace.id && 'the id of the KV namespace',
    settings.publicUrl !== publicUrl && `PUBLIC_URL = "${publicUrl}"`,
  ].filter((each) => each !== false)
  return [
    `${database.id ? 'keep  ' : 'create'}  D1 database "${database.name}"`,
    `${namespace.id ? 'keep  ' : 'create'}  KV namespace "${namespace.title}"`,
    ...plan.queuesToReuse.map((name) => `keep    queue "${name}"`),
    ...plan.queuesToCreate.map((name) => `create  queue "${name}"`),
    ...plan.secretsToKeep.map((name) => `keep    secret ${name}`),
    ...plan.secretsToUpload.map(
      (name) => `upload  secret ${name}${name === 'RESEND_API_KEY' ? '' : ' (generated now)'}`,
    ),
    ...(willRewrite.length > 0 ? [`write   wrangler.toml: ${willRewrite.join(', ')}`] : []),
  ]
}

/** What a person should know before agreeing to the plan. */
export function warningsOf(plan: Plan): string[] {
  const warnings: string[] = []
  if (plan.secretsToUpload.length > 0 && plan.secretsToKeep.length === 0) {
    warnings.push(
      'A Worker that does not exist yet is made now, empty, to hold the secrets; `npm run deploy` fills it.',
    )
  }
  if (plan.database.id !== null && plan.secretsToUpload.includes('PASSWORD_PEPPER')) {
    warnings.push(
      'The database is older than the new PASSWORD_PEPPER: if there are accounts in it, their passwords will no longer be right.',
    )
  }
  return warnings
}
