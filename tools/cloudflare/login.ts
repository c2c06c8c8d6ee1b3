import { Stop } from '../command.ts'
import { type Wrangler, reasonOf } from '../wrangler.ts'

/**
 * Checks that wrangler is logged in and that it is clear which account it will use.
 *
 * @throws {Stop} that says what to do about it.
 */
export async function requireLogin(wrangler: Wrangler, env: NodeJS.ProcessEnv): Promise<void> {
  const { exitCode, stdout, stderr } = await wrangler(['whoami', '--json'])
  const identity = firstJson(stdout) as { loggedIn?: boolean; accounts?: { id: string; name: string }[] } | undefined
  if (identity?.loggedIn === false) {
    throw new Stop('Not logged in to Cloudflare: run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.')
  }
  if (exitCode !== 0) throw new Stop(`Cloudflare refused this login: ${reasonOf({ stdout, stderr })}`)
  const accounts = identity?.accounts ?? []
  if (accounts.length > 1 && !env['CLOUDFLARE_ACCOUNT_ID']) {
    const names = accounts.map(({ id, name }) => `${id} (${name})`).join(', ')
    throw new Stop(`This login has several accounts: set CLOUDFLARE_ACCOUNT_ID to one of ${names}.`)
  }
}

/** The first JSON value that starts a line, because wrangler may print a notice before it. `undefined` without one. */
export function firstJson(stdout: string): unknown {
  const start = /^[[{]/m.exec(stdout)?.index
  if (start === undefined) return undefined
  try {
    return JSON.parse(stdout.slice(start))
  } catch {
    return undefined
  }
}
