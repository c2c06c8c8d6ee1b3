import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { generateSecrets } from '../keys/generate.ts'
import { Stop } from '../command.ts'
import { localVariables } from './local-variables.ts'
import { readLocalServer } from './settings.ts'

/** The mailbox accepts any key. This one is visibly not from Resend. */
const localResendKey = 're_local_mailbox'

const introduction = `# Settings and secrets of this machine only, made by \`npm ci\` or \`npm run dev\`. Never commit this file.
# wrangler reads it at \`npx wrangler dev\`. \`npm run dev\` takes the secrets from it and makes the settings itself.`

/** What files of older versions lack and what depends on nothing else in the file. */
const addedLater = ['SECOND_FACTOR', 'DATA_KEYS']

/**
 * Writes the development settings and new secrets of this machine, unless the file exists. Only its owner can read it.
 * To a file of an older version it adds what that version did not know.
 *
 * @returns whether the file is new.
 * @throws {Stop} when the file exists but lacks a secret. It is never overwritten: it may hold the owner's own values.
 */
export function ensureDevVars(path: string): boolean {
  const secrets: Record<string, string> = { ...generateSecrets(), RESEND_API_KEY: localResendKey }
  const values = { ...localVariables(readLocalServer({}), {}), ...secrets }
  try {
    writeFileSync(path, `${introduction}\n${linesOf(values, Object.keys(values))}`, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const present = readDevVars(path)
  const addable = addedLater.filter((name) => present[name] === undefined)
  const absent = Object.keys(secrets).filter((name) => present[name] === undefined && !addable.includes(name))
  if (absent.length > 0) {
    throw new Stop(`.dev.vars has no ${absent.join(', ')}: add it, or delete the file to have a new one generated.`)
  }
  if (addable.length > 0) appendFileSync(path, `\n${linesOf(values, addable)}`)
  return false
}

function linesOf(values: Record<string, string>, names: readonly string[]): string {
  return names.map((name) => `${name}='${values[name]}'\n`).join('')
}

/** The development settings that an older file lacks: `npx wrangler dev` needs them, `npm run dev` does not. */
export function settingsLackingIn(path: string): string[] {
  const present = readDevVars(path)
  return Object.keys(localVariables(readLocalServer({}), {})).filter((name) => present[name] === undefined)
}

export function readDevVars(path: string): Record<string, string> {
  return { ...parseEnv(readFileSync(path, 'utf8')) } as Record<string, string>
}
