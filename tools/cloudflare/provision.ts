import type { SigningAlgorithm } from '../../src/crypto/keys.ts'
import { Stop } from '../command.ts'
import { signingAlgorithms } from '../keys/generate.ts'
import { type Wrangler, run } from '../wrangler.ts'
import { listDatabases, listNamespaces, readAccount } from './account.ts'
import { type Asker, confirm } from './ask.ts'
import { type BucketPlan, describeBucket, makeBucket, planBucket } from './audit-archive.ts'
import { isExampleAddress } from './deploy.ts'
import { type Location, placeStores } from './location.ts'
import { requireLogin } from './login.ts'
import { bindMetrics, lacksMetrics } from './metrics.ts'
import { requireOurs } from './ours.ts'
import { type Plan, describePlan, findStores, makePlan, warningsOf } from './plan.ts'
import { readPublicUrl } from './public-url.ts'
import { makeSecrets, requireRoom, saveSecrets, uploadSecrets } from './secrets.ts'
import { type WranglerSettings, places, readSettings, replaceString } from './wrangler-toml.ts'

export interface ProvisionOptions extends Location {
  isConfirmed: boolean
  /** Whether somebody says that the account is on the Workers Paid plan. wrangler cannot ask Cloudflare. */
  isPaidPlan: boolean
  publicUrl: string | undefined
  saveSecretsTo: string | undefined
  /** Whether to make a bucket for the archive of the audit trail. */
  hasAuditArchive?: boolean
  /** Whether to bind a dataset for metrics. */
  hasMetrics?: boolean
  /** Of the first signing key: EdDSA or ES256. */
  algorithm?: string | undefined
}

export interface Surroundings {
  wrangler: Wrangler
  /** Path of wrangler.toml. */
  toml: string
  env: NodeJS.ProcessEnv
  asker: Asker | null
  say: (line: string) => void
}

/**
 * Creates what Postern needs at Cloudflare and writes the ids into wrangler.toml.
 *
 * It can run any number of times, also after a failure: existing resources are kept and no secret is overwritten.
 */
export async function provision(around: Surroundings, options: ProvisionOptions): Promise<void> {
  const { wrangler, toml, say } = around
  const algorithm = readAlgorithm(options)
  await requireLogin(wrangler, around.env)
  const settings = await readSettings(toml)
  say('Looking at what the account has …')
  const account = await readAccount(wrangler)
  const plan = makePlan(settings, account)
  await requireOurs(wrangler, settings, account, plan)
  const placed = placeStores(options, plan)
  const bucket = await planBucket(wrangler, toml, settings, options.hasAuditArchive ?? false)
  if (algorithm && !plan.secretsToUpload.includes('SIGNING_KEYS')) {
    throw new Stop(
      'Nothing was done. The Worker has SIGNING_KEYS, so --algorithm would change nothing: use `npm run keys -- announce SIGNING_KEYS --algorithm …`.',
    )
  }
  const bindsMetrics = (options.hasMetrics ?? false) && lacksMetrics(toml)
  const publicUrl = await choosePublicUrl(around, options, settings)

  say('Provisioning will:')
  const lines = [...describePlan(plan, settings, publicUrl), ...(bucket ? describeBucket(bucket) : [])]
  for (const line of lines) say(`  ${line}`)
  if (bindsMetrics) {
    say('  write   wrangler.toml: the binding METRICS')
    say('Note: Analytics Engine has to be enabled in the dashboard before the first deployment.')
  }
  if (placed.database.length > 0) say(`Note: the database is created with ${placed.database[0]}, for good.`)
  for (const line of warningsOf(plan, settings)) say(`Note: ${line}`)
  if (plan.secretsToUpload.length > 0 && options.saveSecretsTo === undefined) {
    say('Note: without --save-secrets you keep no copy of the generated keys, and `npm run keys` cannot replace them.')
  }
  await requirePaidPlan(around, options)
  await confirm(around.asker, options.isConfirmed)
  if (plan.secretsToUpload.length > 0 && options.saveSecretsTo !== undefined) requireRoom(options.saveSecretsTo, plan)
  // Asks for the API key before anything is created, so that a missing key does not leave half a deployment.
  const secrets = makeSecrets(plan.secretsToUpload, await resendApiKey(around, plan), algorithm)

  replaceString(toml, places.publicUrl, publicUrl)
  if (plan.asksStaffForSecondFactor) replaceString(toml, places.secondFactor, 'staff')
  if (bindsMetrics) bindMetrics(toml)
  await createResources(around, plan, placed, bucket)
  if (plan.secretsToUpload.length > 0) {
    if (options.saveSecretsTo !== undefined) saveSecrets(options.saveSecretsTo, secrets)
    await uploadSecrets(wrangler, secrets)
    say(`uploaded ${plan.secretsToUpload.join(', ')}`)
  }
  for (const line of closingLines(settings)) say(line)
}

/** @throws {Stop} before anything is asked or made. */
function readAlgorithm({ algorithm: text }: ProvisionOptions): SigningAlgorithm | undefined {
  const algorithm = signingAlgorithms.find((each) => each === text)
  if (text !== undefined && !algorithm) throw new Stop(`--algorithm must be EdDSA or ES256, not "${text}".`)
  return algorithm
}

/**
 * The Free plan would be refused at the first deployment, after everything was made: `limits.cpu_ms` is for paid plans
 * (100328), and a password takes fifteen times the CPU that the Free plan allows.
 *
 * @throws {Stop} before anything is made.
 */
async function requirePaidPlan({ asker }: Surroundings, { isPaidPlan }: ProvisionOptions): Promise<void> {
  if (isPaidPlan) return
  const why = 'Postern needs the Workers Paid plan: Cloudflare refuses to deploy it on the Free plan.'
  if (!asker) throw new Stop(`Nothing was done. ${why} If this account has it, say so with --workers-paid.`)
  const answer = await asker.text(`${why} Is this account on it? [y/N] `)
  if (!/^y(es)?$/i.test(answer)) throw new Stop('Nothing was done.')
}

async function createResources(
  { wrangler, toml, say }: Surroundings,
  plan: Plan,
  placed: ReturnType<typeof placeStores>,
  bucket: BucketPlan | null,
): Promise<void> {
  const { database, namespace } = plan
  if (database.id === null) {
    await run(wrangler, ['d1', 'create', database.name, ...placed.database])
    say(`created D1 database "${database.name}"`)
  }
  if (namespace.id === null) {
    await run(wrangler, ['kv', 'namespace', 'create', namespace.title, ...placed.namespace])
    say(`created KV namespace "${namespace.title}"`)
  }
  for (const queue of plan.queuesToCreate) {
    await run(wrangler, ['queues', 'create', queue])
    say(`created queue "${queue}"`)
  }
  if (bucket) for (const line of await makeBucket(wrangler, toml, bucket)) say(line)
  const ids = await storeIds(wrangler, toml, plan)
  replaceString(toml, places.databaseId, ids.database)
  replaceString(toml, places.kvId, ids.namespace)
}

/** Ids of new resources come from the lists, which are JSON. The output of `create` is for people. */
async function storeIds(
  wrangler: Wrangler,
  toml: string,
  plan: Plan,
): Promise<{ database: string; namespace: string }> {
  const isComplete = plan.database.id !== null && plan.namespace.id !== null
  const { database, namespace } = isComplete
    ? plan
    : findStores(await readSettings(toml), {
        databases: await listDatabases(wrangler),
        namespaces: await listNamespaces(wrangler),
      })
  if (database.id === null || namespace.id === null) {
    throw new Stop('Cloudflare does not list the new resources yet: run `npm run provision` again in a minute.')
  }
  return { database: database.id, namespace: namespace.id }
}

async function choosePublicUrl(
  { asker }: Surroundings,
  { publicUrl }: ProvisionOptions,
  { vars }: WranglerSettings,
): Promise<string> {
  const given = publicUrl ?? vars.PUBLIC_URL
  if (given !== '') return readPublicUrl(given)
  if (!asker) throw new Stop('PUBLIC_URL is not set: pass it with --public-url https://accounts.example.com')
  return readPublicUrl(await asker.text('The https address at which people will reach Postern: '))
}

async function resendApiKey({ asker, env }: Surroundings, plan: Plan): Promise<string | undefined> {
  if (!plan.secretsToUpload.includes('RESEND_API_KEY')) return undefined
  const key = env['RESEND_API_KEY']?.trim() || (await asker?.secret('Resend API key (re_…, not shown): '))
  if (!key) throw new Stop('RESEND_API_KEY is not set: put the API key from resend.com into the environment.')
  return key
}

function closingLines({ vars }: WranglerSettings): string[] {
  return [
    '',
    'Provisioned. The secrets cannot be read back from Cloudflare, and replacing one later needs its old value.',
    ...(isExampleAddress(vars.MAIL_FROM)
      ? ['Still to set in wrangler.toml: MAIL_FROM, an address at a domain that is verified at Resend.']
      : []),
    ...(vars.BOOTSTRAP_ADMIN_EMAIL === ''
      ? ['Still to set in wrangler.toml: BOOTSTRAP_ADMIN_EMAIL, the address of the first ADMIN.']
      : []),
    'Next: npm run deploy',
  ]
}
