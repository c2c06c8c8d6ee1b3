import { Stop } from '../stop.ts'
import type { Wrangler } from '../wrangler.ts'
import { readAccount, run } from './account.ts'
import { type Asker, confirm } from './ask.ts'
import { requireLogin } from './login.ts'
import { type Plan, describePlan, makePlan, warningsOf } from './plan.ts'
import { readPublicUrl } from './public-url.ts'
import { makeSecrets, requireNewFile, saveSecrets, uploadSecrets } from './secrets.ts'
import { type WranglerSettings, places, readSettings, replaceString } from './wrangler-toml.ts'

/** wrangler.toml as a thing that can be read and written, so that tests need no file. */
export interface TomlFile {
  read: () => string
  write: (text: string) => void
}

export interface ProvisionOptions {
  isConfirmed: boolean
  publicUrl: string | undefined
  saveSecretsTo: string | undefined
}

export interface Surroundings {
  wrangler: Wrangler
  toml: TomlFile
  env: NodeJS.ProcessEnv
  asker: Asker | null
  say: (line: string) => void
}

/**
 * Makes what Postern needs at Cloudflare and notes the ids in wrangler.toml.
 *
 * It can be run again at any time, also after it broke off: what is there is kept, and no secret is ever written over.
 */
export async function provision(around: Surroundings, options: ProvisionOptions): Promise<void> {
  const { wrangler, toml, say } = around
  await requireLogin(wrangler, around.env)
  const settings = readSettings(toml.read())
  const plan = makePlan(settings, await readAccount(wrangler))
  const publicUrl = await choosePublicUrl(around, options, settings)

  say('Provisioning will:')
  for (const line of describePlan(plan, settings, publicUrl)) say(`  ${line}`)
  for (const line of warningsOf(plan)) say(`Note: ${line}`)
  if (plan.secretsToUpload.length > 0 && options.saveSecretsTo === undefined) {
    say('Note: without --save-secrets nobody has a copy of the generated keys, and `npm run keys` cannot replace them.')
  }
  await confirm(around.asker, options.isConfirmed)
  if (plan.secretsToUpload.length > 0 && options.saveSecretsTo !== undefined) requireNewFile(options.saveSecretsTo)
  // Asked for before anything is made, so that no run breaks off half-way for want of it.
  const secrets = makeSecrets(plan.secretsToUpload, await resendApiKey(around, plan))

  toml.write(replaceString(toml.read(), places.publicUrl, publicUrl))
  await createResources(around, plan)
  if (plan.secretsToUpload.length > 0) {
    if (options.saveSecretsTo !== undefined) saveSecrets(options.saveSecretsTo, secrets)
    await uploadSecrets(wrangler, secrets)
    say(`uploaded ${plan.secretsToUpload.join(', ')}`)
  }
  for (const line of closingLines(readSettings(toml.read()))) say(line)
}

async function createResources({ wrangler, toml, say }: Surroundings, plan: Plan): Promise<void> {
  const { database, namespace } = plan
  if (database.id === null) {
    await run(wrangler, ['d1', 'create', database.name])
    say(`created D1 database "${database.name}"`)
  }
  if (namespace.id === null) {
    await run(wrangler, ['kv', 'namespace', 'create', namespace.title])
    say(`created KV namespace "${namespace.title}"`)
  }
  for (const queue of plan.queuesToCreate) {
    await run(wrangler, ['queues', 'create', queue])
    say(`created queue "${queue}"`)
  }
  const ids = await resourceIds(wrangler, toml, plan)
  const withDatabase = replaceString(toml.read(), places.databaseId, ids.database)
  toml.write(replaceString(withDatabase, places.kvId, ids.namespace))
}

/** The lists say ids as data; what `create` prints is meant for people. */
async function resourceIds(
  wrangler: Wrangler,
  toml: TomlFile,
  plan: Plan,
): Promise<{ database: string; namespace: string }> {
  const isComplete = plan.database.id !== null && plan.namespace.id !== null
  const { database, namespace } = isComplete ? plan : makePlan(readSettings(toml.read()), await readAccount(wrangler))
  if (database.id === null || namespace.id === null) {
    throw new Stop('Cloudflare does not list yet what was just created: run `npm run provision` again in a minute.')
  }
  return { database: database.id, namespace: namespace.id }
}

async function choosePublicUrl(
  { asker }: Surroundings,
  { publicUrl }: ProvisionOptions,
  settings: WranglerSettings,
): Promise<string> {
  const given = publicUrl ?? settings.publicUrl
  if (given !== '') return readPublicUrl(given)
  if (!asker) throw new Stop('PUBLIC_URL is not set: give it with --public-url https://accounts.example.com')
  return readPublicUrl(await asker.text('The https address people will reach Postern at: '))
}

async function resendApiKey({ asker, env }: Surroundings, plan: Plan): Promise<string | undefined> {
  if (!plan.secretsToUpload.includes('RESEND_API_KEY')) return undefined
  const key = env['RESEND_API_KEY']?.trim() || (await asker?.secret('Resend API key (re_…, not shown): '))
  if (!key) throw new Stop('RESEND_API_KEY is not set: put the API key from resend.com into the environment.')
  return key
}

function closingLines({ mailFrom, bootstrapAdminEmail }: WranglerSettings): string[] {
  return [
    '',
    'Provisioned. The secrets cannot be read back from Cloudflare; replacing one of them later needs its old value.',
    ...(/@example\.(com|org|net)\b/.test(mailFrom)
      ? [`Still to do in wrangler.toml: MAIL_FROM, an address of a domain that is verified at Resend.`]
      : []),
    ...(bootstrapAdminEmail === '' ? ['Still to do in wrangler.toml: BOOTSTRAP_ADMIN_EMAIL, the first ADMIN.'] : []),
    'Next: npm run deploy',
  ]
}
