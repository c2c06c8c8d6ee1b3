import { Stop } from '../stop.ts'
import type { Wrangler } from '../wrangler.ts'
import { listSecrets } from './account.ts'
import { firstJson, requireLogin } from './login.ts'
import { readPublicUrl } from './public-url.ts'
import { type WranglerSettings, isPlaceholder, readSettings } from './wrangler-toml.ts'

export interface DeploySurroundings {
  wrangler: Wrangler
  toml: string
  env: NodeJS.ProcessEnv
  say: (line: string) => void
}

/** Migrates the database and deploys the Worker, in this order: a new Worker never meets an old schema. */
export async function deploy({ wrangler, toml, env, say }: DeploySurroundings): Promise<void> {
  const settings = readSettings(toml)
  await requireAll([() => requireLogin(wrangler, env), () => requireProvisioned(settings)])
  const present = await listSecrets(wrangler)
  const absent = settings.requiredSecrets.filter((name) => !present.includes(name))
  if (absent.length > 0) throw new Stop(`The Worker has no ${absent.join(', ')}: run \`npm run provision\`.`)
  if (/@example\.(com|org|net)\b/.test(settings.mailFrom)) {
    say(`Note: no mail will go out while MAIL_FROM in wrangler.toml is ${settings.mailFrom}.`)
  }

  say(await bookmarkLine(wrangler))
  await show(wrangler, ['d1', 'migrations', 'apply', 'DB', '--remote'], 'The migrations failed; nothing was deployed.')
  await show(
    wrangler,
    ['deploy'],
    'The deployment failed. The database has the new schema, which the old Worker can bear.',
  )
  say(`\nDeployed. See ${settings.publicUrl}/readyz`)
}

/** @throws {Stop} saying on one line all that is missing: nobody wants to hear of the second thing after the first. */
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

/** @throws {Stop} when wrangler.toml still has the values it came with. */
function requireProvisioned(settings: WranglerSettings): void {
  if (isPlaceholder(settings.databaseId) || isPlaceholder(settings.kvId)) {
    throw new Stop('wrangler.toml has no ids yet: run `npm run provision` first.')
  }
  if (settings.publicUrl === '') {
    throw new Stop('PUBLIC_URL in wrangler.toml is empty: set it, or run `npm run provision`.')
  }
  readPublicUrl(settings.publicUrl)
}

/** Where the database can be taken back to, should the migration turn out wrong. */
async function bookmarkLine(wrangler: Wrangler): Promise<string> {
  const { exitCode, stdout } = await wrangler(['d1', 'time-travel', 'info', 'DB', '--json'])
  const info = exitCode === 0 ? (firstJson(stdout) as { bookmark?: string } | undefined) : undefined
  return info?.bookmark
    ? `To take the database back to this moment: npx wrangler d1 time-travel restore DB --bookmark=${info.bookmark}`
    : 'Note: Cloudflare gives no Time Travel bookmark for this moment; restoring would go by time.'
}

async function show(wrangler: Wrangler, args: string[], failure: string): Promise<void> {
  const { exitCode } = await wrangler(args, { isShown: true })
  if (exitCode !== 0) throw new Stop(failure)
}
