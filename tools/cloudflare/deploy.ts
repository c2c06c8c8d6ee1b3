import { Stop } from '../command.ts'
import { type Wrangler, reasonOf } from '../wrangler.ts'
import { listSecrets } from './account.ts'
import { type Asker, confirm } from './ask.ts'
import { firstJson, requireLogin } from './login.ts'
import { readPublicUrl } from './public-url.ts'
import { reportReadiness } from './readiness.ts'
import { replicationNote } from './replication.ts'
import { largeTables, pendingMigrations } from './schema.ts'
import { type WranglerSettings, isPlaceholder, readSettings } from './wrangler-toml.ts'

export interface DeploySurroundings {
  wrangler: Wrangler
  /** Path of wrangler.toml. */
  toml: string
  /** The folder of the migrations. */
  migrations: string
  env: NodeJS.ProcessEnv
  asker: Asker | null
  say: (line: string) => void
  fetch: typeof globalThis.fetch
  sleep: (ms: number) => Promise<void>
}

/**
 * Migrates the database, then deploys the Worker. In this order a new Worker never meets an old schema.
 *
 * @param isConfirmed a migration of a large table is applied without a question
 */
export async function deploy(around: DeploySurroundings, { isConfirmed }: { isConfirmed: boolean }): Promise<void> {
  const { wrangler, toml, env, say } = around
  const settings = await readSettings(toml)
  await requireAll([() => requireLogin(wrangler, env), () => requireProvisioned(settings)])
  const present = await listSecrets(wrangler)
  const absent = settings.secrets.required.filter((name) => !present.includes(name))
  if (absent.length > 0) throw new Stop(`The Worker has no ${absent.join(', ')}: run \`npm run provision\`.`)
  if (isExampleAddress(settings.vars.MAIL_FROM)) {
    say(`Note: no email will be sent while MAIL_FROM in wrangler.toml is ${settings.vars.MAIL_FROM}.`)
  }

  const replication = await replicationNote(wrangler, settings)
  if (replication) say(replication)

  const large = await largeTables(wrangler, await pendingMigrations(wrangler, around.migrations))
  if (large.length > 0) {
    for (const line of large) say(line)
    say(
      'Postern answers nothing while a migration walks through a table, about 5 seconds for each million rows and index. D1 ends it after 30 seconds; then nothing has changed. Choose a quiet hour, see "Large tables" in docs/operations.md.',
    )
    await confirm(around.asker, isConfirmed, '--yes-large')
  }

  say(await bookmarkLine(wrangler))
  await show(wrangler, ['d1', 'migrations', 'apply', 'DB', '--remote'], 'The migrations failed; nothing was deployed.')
  await show(
    wrangler,
    ['deploy'],
    'The deployment failed. The database has the new schema; the Worker that is still deployed works with it.',
  )
  say('\nDeployed.')
  await reportReadiness(settings.vars.PUBLIC_URL, around)
}

/** The domains of RFC 2606. Resend sends nothing from them. */
export function isExampleAddress(mailFrom: string): boolean {
  return /@example\.(com|org|net)\b/.test(mailFrom)
}

/** @throws {Stop} with everything that is missing on one line, so that one run is enough to learn of it. */
async function requireAll(requirements: (() => Promise<void> | void)[]): Promise<void> {
  const missing: string[] = []
  for (const requirement of requirements) {
    try {
      await requirement()
    } catch (error) {
      if (!(error instanceof Stop)) throw error
      missing.push(error.message)
    }
  }
  if (missing.length > 0) throw new Stop(missing.join(' '))
}

/** @throws {Stop} when wrangler.toml still has the values of a fresh clone. */
function requireProvisioned({ d1_databases: [database], kv_namespaces: [namespace], vars }: WranglerSettings): void {
  if (isPlaceholder(database.database_id) || isPlaceholder(namespace.id)) {
    throw new Stop('wrangler.toml has no ids yet: run `npm run provision` first.')
  }
  if (vars.PUBLIC_URL === '') {
    throw new Stop('PUBLIC_URL in wrangler.toml is empty: set it, or run `npm run provision`.')
  }
  readPublicUrl(vars.PUBLIC_URL)
}

/** Tells how to restore the database if the migration turns out to be wrong. */
async function bookmarkLine(wrangler: Wrangler): Promise<string> {
  const { exitCode, stdout } = await wrangler(['d1', 'time-travel', 'info', 'DB', '--json'])
  const info = exitCode === 0 ? (firstJson(stdout) as { bookmark?: string } | undefined) : undefined
  return info?.bookmark
    ? `To restore the database to this moment: npx wrangler d1 time-travel restore DB --bookmark=${info.bookmark}`
    : 'Note: Cloudflare gave no Time Travel bookmark for this moment. To restore the database, name a time instead.'
}

async function show(wrangler: Wrangler, args: string[], failure: string): Promise<void> {
  const outcome = await wrangler(args, { isShown: true })
  if (outcome.exitCode !== 0) throw new Stop(`${failure} The reason: ${reasonOf(outcome)}`)
}
