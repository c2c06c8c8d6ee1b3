import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stop } from '../command.ts'
import { projectRoot } from '../wrangler.ts'

/** Secrets that a deployment may do without. */
export const optionalSecrets = ['TURNSTILE_SECRET', 'RESEND_WEBHOOK_SECRET'] as const

const localArchive = '\n[[r2_buckets]]\nbinding = "AUDIT_ARCHIVE"\nbucket_name = "postern-audit"\n'

/**
 * Writes a copy of wrangler.toml that has a local archive of the audit trail and requires some of the optional secrets,
 * because `wrangler dev` takes no other secret from its environment. It holds their names only. It is beside
 * wrangler.toml, to which its paths are relative.
 *
 * @returns the path of the copy, and what removes it
 */
export function writeDevConfig(port: number, secrets: readonly string[]): { path: string; remove: () => void } {
  const text = readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8')
  const list = /^(required = \[[^\]]*)\]$/m
  if (!list.test(text)) throw new Stop('wrangler.toml has no list of required secrets on one line.')
  const path = join(projectRoot, `.wrangler-dev-${port}.toml`)
  const more = secrets.map((name) => `, "${name}"`).join('')
  const complete = text.replace(list, (_, start: string) => `${start}${more}]`)
  writeFileSync(path, /^\[\[r2_buckets\]\]/m.test(text) ? complete : complete + localArchive)
  return { path, remove: () => rmSync(path, { force: true }) }
}
