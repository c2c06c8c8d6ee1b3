import { existsSync, writeFileSync } from 'node:fs'
import type { SigningAlgorithm } from '../../src/crypto/keys.ts'
import { generateSecrets } from '../keys/generate.ts'
import { Stop, messageOf } from '../command.ts'
import { type Wrangler, WranglerFailure, run } from '../wrangler.ts'
import { newestIsNotDeployed } from './versions.ts'

/** Values for the missing secrets. All are generated here, except the API key, which only Resend can issue. */
export function makeSecrets(
  names: readonly string[],
  resendApiKey: string | undefined,
  algorithm?: SigningAlgorithm,
): Record<string, string> {
  const generated: Record<string, string> = { ...generateSecrets(algorithm) }
  return Object.fromEntries(
    names.map((name) => {
      const value = name === 'RESEND_API_KEY' ? resendApiKey : generated[name]
      if (value === undefined)
        throw new Stop(`wrangler.toml requires the secret ${name}, which provisioning cannot generate.`)
      return [name, value]
    }),
  )
}

/** Uploads through stdin: an argument would show in the process list. */
export async function uploadSecrets(wrangler: Wrangler, secrets: Record<string, string>): Promise<void> {
  try {
    await run(wrangler, ['secret', 'bulk'], { stdin: JSON.stringify(secrets) })
  } catch (error) {
    const isStale = error instanceof WranglerFailure && error.codes.includes(10214)
    throw isStale ? new Stop(newestIsNotDeployed) : error
  }
}

/** @throws {Stop} before anything is created, when the copy would overwrite another file. */
export function requireNewFile(path: string): void {
  if (!existsSync(path)) return
  throw new Stop(
    `The secrets cannot be saved to ${path}: the file exists. If it is from a run that failed before it printed "uploaded", none of its secrets are in use: delete it and run this again. Otherwise it may be the only copy of older secrets: choose another name.`,
  )
}

/** Writes a copy that only its owner can read. Never overwrites a file: it may be the only copy of older secrets. */
export function saveSecrets(path: string, secrets: Record<string, string>): void {
  try {
    writeFileSync(path, `${JSON.stringify(secrets, null, 2)}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    throw new Stop(`The secrets cannot be saved to ${path}: ${messageOf(error)}`)
  }
}
