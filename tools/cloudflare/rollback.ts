import { Stop } from '../command.ts'
import { type Wrangler, failed } from '../wrangler.ts'
import { type Asker, confirm } from './ask.ts'
import { requireLogin } from './login.ts'
import { readVersions, secretsOf } from './versions.ts'

export interface RollbackSurroundings {
  wrangler: Wrangler
  env: NodeJS.ProcessEnv
  asker: Asker | null
  say: (line: string) => void
}

export interface RollbackOptions {
  /** The version to go back to; by default the one that was deployed before. */
  version: string | undefined
  isConfirmed: boolean
}

/** What Cloudflare says when the version to deploy has other secrets than the deployed one. */
const secretsDiffer = 10220

/**
 * Deploys an earlier version of the Worker, unless it has other secrets: a version holds the secrets of its time, and
 * `wrangler rollback` brings them back, without a question when there is no terminal. A retired key would be valid
 * again.
 *
 * @throws {Stop} when nothing was done, and what to do instead.
 */
export async function rollback(around: RollbackSurroundings, options: RollbackOptions): Promise<void> {
  const { wrangler, env, asker, say } = around
  await requireLogin(wrangler, env)
  const { versions, deployed, before } = await readVersions(wrangler)
  const target = options.version ?? before
  if (deployed === undefined) {
    throw new Stop('No version of the Worker takes all requests: see `npx wrangler deployments list`.')
  }
  if (target === undefined)
    throw new Stop('No earlier deployment is known: name a version of `npx wrangler versions list`.')
  if (target === deployed) throw new Stop(`Version ${target} is deployed already.`)

  const changed = await changedSecrets(wrangler, target, deployed)
  const places = [target, deployed].map((id) => versions.findIndex((each) => each.id === id))
  const between = places.includes(-1) ? [] : versions.slice(Math.min(...places) + 1, Math.max(...places) + 1)
  if (changed.length > 0 || between.some(({ isSecretChange }) => isSecretChange)) throw refusal(target, changed)

  say(`Version ${deployed} is deployed. This deploys version ${target} instead; its secrets are the same.`)
  say('The database stays as it is: migrations only add, so earlier code works with it.')
  await confirm(asker, options.isConfirmed)
  const args = ['versions', 'deploy', `${target}@100%`, '--message', 'Rollback', '--yes']
  const outcome = await wrangler(args)
  if (outcome.exitCode !== 0) {
    const failure = failed(args, outcome)
    if (failure.codes.includes(secretsDiffer)) throw refusal(target, namesIn(failure.message))
    // wrangler does more after the deployment, which may have been made already.
    const now = (await readVersions(wrangler)).deployed
    if (now !== target) throw failure
    say(`Note: ${failure.message}`)
  }
  say(`Version ${target} is deployed.`)
  say('Before you change a secret, check out its code and run `npm run deploy`: Cloudflare refuses it until then.')
}

/** Names only: nobody can read a value. Cloudflare compares the values itself. */
async function changedSecrets(wrangler: Wrangler, target: string, deployed: string): Promise<string[]> {
  const [then, now] = [await secretsOf(wrangler, target), await secretsOf(wrangler, deployed)]
  return [...then.filter((name) => !now.includes(name)), ...now.filter((name) => !then.includes(name))]
}

function namesIn(message: string): string[] {
  const [, names = ''] = /secrets have changed:\s*([\w, ]+)/.exec(message) ?? []
  return names.split(',').flatMap((name) => name.trim() || [])
}

function refusal(target: string, names: readonly string[]): Stop {
  const which = names.length > 0 ? ` (${names.join(', ')})` : ''
  return new Stop(
    `Nothing was done: version ${target} has other secrets${which}, and deploying it would bring the old ones back, with keys that were retired since. Instead check out the code of that version and run \`npm run deploy\`, which keeps the present secrets.`,
  )
}
