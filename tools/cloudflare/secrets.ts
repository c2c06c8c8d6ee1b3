import { existsSync, writeFileSync } from 'node:fs'
import type { SigningAlgorithm } from '../../src/crypto/keys.ts'
import { generateSecrets } from '../keys/generate.ts'
import { addSecrets, isJson, readKeyFile } from '../keys/key-file.ts'
import { Stop, messageOf } from '../command.ts'
import { type Wrangler, WranglerFailure, run } from '../wrangler.ts'
import type { Plan } from './plan.ts'
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

/**
 * @throws {Stop} before anything is created, when the file exists. Only a copy of the other secrets of this deployment
 *   may exist, for a new version that needs one more: that one is added to it.
 */
export function requireRoom(path: string, { secretsToUpload, secretsToKeep }: SecretsPlan): void {
  if (!existsSync(path) || hasRoom(path, secretsToUpload, secretsToKeep)) return
  throw new Stop(
    `The secrets cannot be saved to ${path}: the file exists. If it is from a run that failed before it printed "uploaded", none of its secrets are in use: delete it and run this again. Otherwise it may be the only copy of older secrets: choose another name.`,
  )
}

type SecretsPlan = Pick<Plan, 'secretsToUpload' | 'secretsToKeep'>

function hasRoom(path: string, added: readonly string[], kept: readonly string[]): boolean {
  const { text, secrets } = readKeyFile(path)
  const isCopy = isJson(text) && kept.some((name) => secrets[name] !== undefined)
  return isCopy && added.every((name) => secrets[name] === undefined)
}

/** Writes a copy that only its owner can read. Never overwrites a secret: it may be the only copy of it. */
export function saveSecrets(path: string, secrets: Record<string, string>): void {
  try {
    if (existsSync(path)) addSecrets(readKeyFile(path), secrets)
    else writeFileSync(path, `${JSON.stringify(secrets, null, 2)}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    throw new Stop(`The secrets cannot be saved to ${path}: ${messageOf(error)}`)
  }
}
