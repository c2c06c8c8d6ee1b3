import { existsSync, writeFileSync } from 'node:fs'
import { generateSecrets } from '../keys/generate.ts'
import { Stop } from '../stop.ts'
import type { Wrangler } from '../wrangler.ts'
import { run } from './account.ts'

/** The values for the secrets that are missing: made here, but for the key that only Resend can give. */
export function makeSecrets(names: readonly string[], resendApiKey: string | undefined): Record<string, string> {
  const generated: Record<string, string> = { ...generateSecrets() }
  return Object.fromEntries(
    names.map((name) => {
      const value = name === 'RESEND_API_KEY' ? resendApiKey : generated[name]
      if (value === undefined)
        throw new Stop(`wrangler.toml requires the secret ${name}, which provisioning cannot make.`)
      return [name, value]
    }),
  )
}

/** Uploads secrets through stdin: an argument would stand in the list of processes and in the shell's history. */
export async function uploadSecrets(wrangler: Wrangler, secrets: Record<string, string>): Promise<void> {
  await run(wrangler, ['secret', 'bulk'], JSON.stringify(secrets))
}

/** @throws {Stop} before anything is made, when the copy would be written over another. */
export function requireNewFile(path: string): void {
  if (!existsSync(path)) return
  throw new Stop(
    `The secrets cannot be saved to ${path}: it is there already. After a run that broke off before it said "uploaded", nothing in it is in use: delete it and run this again. Otherwise it may be the only copy of older secrets: give another name.`,
  )
}

/** Keeps a copy for the owner only. Refuses to write over a file: it may hold the only copy of older secrets. */
export function saveSecrets(path: string, secrets: Record<string, string>): void {
  try {
    writeFileSync(path, `${JSON.stringify(secrets, null, 2)}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    throw new Stop(`The secrets cannot be saved to ${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
