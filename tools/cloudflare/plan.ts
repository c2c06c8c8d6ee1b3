import { Stop } from '../command.ts'
import type { Account } from './account.ts'
import { type WranglerSettings, isPlaceholder } from './wrangler-toml.ts'

/** An existing resource has an id; one that has to be created has `null`. */
export interface Plan {
  /** `alike` are other databases that a restore may have been made into. */
  database: { name: string; id: string | null; alike: string[] }
  namespace: { title: string; id: string | null }
  queuesToCreate: string[]
  queuesToReuse: string[]
  secretsToUpload: string[]
  secretsToKeep: string[]
  /**
   * Whether to write that MODERATOR and ADMIN must have a second factor: for a new deployment that has decided nothing.
   */
  asksStaffForSecondFactor: boolean
}

/**
 * Compares wrangler.toml with the account. An id in wrangler.toml takes precedence over a name.
 *
 * @throws {Stop} when wrangler.toml names a resource that this account does not have: probably the wrong account.
 */
export function makePlan(settings: WranglerSettings, account: Account): Plan {
  const { required } = settings.secrets
  const secretsToKeep = required.filter((name) => account.secrets.includes(name))
  const queues = [settings.queues.producers[0].queue, settings.queues.consumers[0].dead_letter_queue]
  return {
    ...findStores(settings, account),
    queuesToCreate: queues.filter((name) => !account.queues.includes(name)),
    queuesToReuse: queues.filter((name) => account.queues.includes(name)),
    secretsToUpload: required.filter((name) => !account.secrets.includes(name)),
    secretsToKeep,
    asksStaffForSecondFactor: secretsToKeep.length === 0 && settings.vars.SECOND_FACTOR === '',
  }
}

/** The part of a plan about the database and the KV namespace. Throws as `makePlan` does. */
export function findStores(
  { name: worker, d1_databases: [database], kv_namespaces: [namespace] }: WranglerSettings,
  { databases, namespaces }: Pick<Account, 'databases' | 'namespaces'>,
): Pick<Plan, 'database' | 'namespace'> {
  const name = database.database_name
  const title = `${worker}-revocations`
  const databaseId = existing('database_id', database.database_id, databases, (each) => each.name === name)
  const namespaceId = existing('id of the KV namespace', namespace.id, namespaces, (each) => each.title === title)
  // A database that is named by its id may have another name since a restore.
  const called = databases.find(({ id }) => id === databaseId)?.name ?? name
  const others = databases.filter(({ id }) => id !== databaseId).map((each) => each.name)
  const alike = isPlaceholder(database.database_id) ? others.filter((each) => each.startsWith(`${name}-`)) : []
  return { database: { name: called, id: databaseId, alike }, namespace: { title, id: namespaceId } }
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

/** The plan for a person to read, one line for each resource. */
export function describePlan(plan: Plan, settings: WranglerSettings, publicUrl: string): string[] {
  const { database, namespace } = plan
  const willRewrite = [
    settings.d1_databases[0].database_id !== database.id && 'database_id',
    settings.kv_namespaces[0].id !== namespace.id && 'the id of the KV namespace',
    settings.vars.PUBLIC_URL !== publicUrl && `PUBLIC_URL = "${publicUrl}"`,
    plan.asksStaffForSecondFactor && 'SECOND_FACTOR = "staff"',
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

/** Warnings to read before confirming the plan. */
export function warningsOf(plan: Plan, { d1_databases: [{ database_name: name }] }: WranglerSettings): string[] {
  const warnings: string[] = []
  if (plan.database.alike.length > 0) {
    warnings.push(
      `The account has the D1 database ${plan.database.alike.map((each) => `"${each}"`).join(', ')}, too. If the service was restored into it, put its name and id into wrangler.toml first.`,
    )
  }
  if (plan.database.id !== null && plan.database.name !== name) {
    warnings.push(
      `The database is "${plan.database.name}", by its id. Set database_name in wrangler.toml to that name.`,
    )
  }
  if (plan.secretsToUpload.length > 0 && plan.secretsToKeep.length === 0) {
    warnings.push(
      'The Worker does not exist yet. This creates it without code, to hold the secrets; `npm run deploy` adds the code.',
    )
  }
  if (plan.database.id !== null && plan.secretsToUpload.includes('PASSWORD_PEPPER')) {
    warnings.push(
      'The database exists, but its PASSWORD_PEPPER does not: a new one is generated. Passwords of existing accounts will be refused.',
    )
  }
  if (plan.database.id !== null && plan.secretsToUpload.includes('DATA_KEYS')) {
    warnings.push(
      'The database exists, but its DATA_KEYS do not: new ones are generated. A deployment that never had any loses nothing; otherwise every second factor stops working, see "Lost data keys" in docs/operations.md.',
    )
  }
  return warnings
}
