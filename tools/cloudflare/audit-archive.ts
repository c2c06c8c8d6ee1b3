/** The bucket of the audit archive, which a deployment may do without. */
import { readFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { Stop } from '../command.ts'
import { type Wrangler, failed, run } from '../wrangler.ts'
import { type WranglerSettings, uncomment } from './wrangler-toml.ts'

export interface BucketPlan {
  name: string
  exists: boolean
  /** Whether wrangler.toml has the binding already. */
  isBound: boolean
}

const binding = 'AUDIT_ARCHIVE'
const commentedOut = /^# \[\[r2_buckets\]\]\n# binding = "AUDIT_ARCHIVE"\n# bucket_name = "([^"\n]+)"$/m

/**
 * Looks for the bucket that wrangler.toml names.
 *
 * @param isWanted whether somebody asks for an archive; a binding asks for it, too
 * @returns `null` when there is to be no archive
 * @throws {Stop} when the account has the bucket and wrangler.toml does not bind it: it may be somebody else's
 */
export async function planBucket(
  wrangler: Wrangler,
  toml: string,
  settings: WranglerSettings,
  isWanted: boolean,
): Promise<BucketPlan | null> {
  const bound = settings.r2_buckets?.find((bucket) => bucket.binding === binding)
  if (!bound && !isWanted) return null
  const name = bound?.bucket_name ?? commentedOut.exec(readFileSync(toml, 'utf8'))?.[1]
  if (name === undefined) throw new Stop(`${toml} has no bucket for ${binding}, not even behind "#".`)
  const list = stripVTControlCharacters(await run(wrangler, ['r2', 'bucket', 'list']))
  const exists = Array.from(list.matchAll(/^name:\s+(\S+)$/gm), ([, each]) => each).includes(name)
  if (exists && !bound) {
    throw new Stop(
      `Nothing was done: there is an R2 bucket "${name}". If it is for the archive, take the "#" off its lines in wrangler.toml. Otherwise choose another name there.`,
    )
  }
  return { name, exists, isBound: bound !== undefined }
}

export function describeBucket({ name, exists, isBound }: BucketPlan): string[] {
  return [
    `${exists ? 'keep  ' : 'create'}  R2 bucket "${name}"`,
    ...(isBound ? [] : [`write   wrangler.toml: the binding ${binding}`]),
  ]
}

/** Cloudflare's code for a bucket that exists. The list shows only some buckets of an account that has many. */
const existsAlready = /\[code: 10004\]/

/** Creates the bucket unless it exists, and binds it in wrangler.toml. Returns what there is to say about it. */
export async function makeBucket(wrangler: Wrangler, toml: string, plan: BucketPlan): Promise<string[]> {
  const said: string[] = []
  if (!plan.exists) {
    const args = ['r2', 'bucket', 'create', plan.name]
    const outcome = await wrangler(args)
    const isOurs = plan.isBound && existsAlready.test(outcome.stderr + outcome.stdout)
    if (outcome.exitCode !== 0 && !isOurs) throw failed(args, outcome)
    if (!isOurs) said.push(`created R2 bucket "${plan.name}"`)
  }
  if (!plan.isBound) uncomment(toml, commentedOut)
  return said
}
