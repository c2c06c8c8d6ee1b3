import { readFileSync, writeFileSync } from 'node:fs'
import { generateSecrets } from '../keys/generate.ts'
import { Stop } from '../stop.ts'

/** The mailbox takes any key; this one says on sight that it is none of Resend's. */
const localResendKey = 're_local_mailbox'

/**
 * Makes the local secrets when there are none.
 *
 * @returns whether the file was made now.
 * @throws {Stop} when the file is there but lacks a secret: it is never written over, it may hold what a person put there.
 */
export function ensureLocalSecrets(path: string): boolean {
  const secrets: Record<string, string> = { ...generateSecrets(), RESEND_API_KEY: localResendKey }
  const lines = Object.entries(secrets).map(([name, value]) => `${name}='${value}'`)
  const text = `# Secrets of this machine only, made by \`npm run dev\`. Never commit this file.\n${lines.join('\n')}\n`
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const present = readFileSync(path, 'utf8')
  const absent = Object.keys(secrets).filter((name) => !new RegExp(`^\\s*(export\\s+)?${name}\\s*=`, 'm').test(present))
  if (absent.length > 0) {
    throw new Stop(
      `.dev.vars has no ${absent.join(', ')}: add what is missing, or delete the file to have a new one made.`,
    )
  }
  return false
}
