import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { Stop, messageOf } from '../command.ts'

/** A file of secrets by name: JSON, as `npm run provision -- --save-secrets` writes it, or lines as in `.dev.vars`. */
export interface KeyFile {
  path: string
  text: string
  secrets: Readonly<Record<string, string>>
}

/** @throws {Stop} when the file cannot be read or has neither form. */
export function readKeyFile(path: string): KeyFile {
  try {
    const text = readFileSync(path, 'utf8')
    return { path, text, secrets: secretsIn(text) }
  } catch (error) {
    if (error instanceof Stop) throw new Stop(`${path} ${error.message}`)
    throw new Stop(`${path} cannot be read: ${messageOf(error)}`)
  }
}

/**
 * Replaces one secret and leaves the rest. Only the owner can read the new file. It replaces the old one atomically,
 * because it may be the only copy of keys that every password depends on.
 *
 * @throws {Stop} when the secret does not fill exactly one line
 */
export function replaceSecret({ path, text, secrets }: KeyFile, name: string, value: string): void {
  const replaced = isJson(text)
    ? `${JSON.stringify({ ...secrets, [name]: value }, null, 2)}\n`
    : replaceLine(text, name, secrets[name] ?? '', value)
  if (replaced === undefined) throw new Stop(`${path} was not changed: ${name} is not on a single line.`)
  writeAtomically(path, replaced)
}

/** Adds secrets to a file of JSON. One that it has already keeps its value. */
export function addSecrets({ path, secrets }: KeyFile, added: Record<string, string>): void {
  writeAtomically(path, `${JSON.stringify({ ...added, ...secrets }, null, 2)}\n`)
}

function writeAtomically(path: string, text: string): void {
  const target = realpathSync(path)
  const draft = `${target}.${process.pid}.new`
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, target)
}

function secretsIn(text: string): Record<string, string> {
  if (!isJson(text)) return { ...parseEnv(text) } as Record<string, string>
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new Stop('is not well-formed JSON.')
  }
  const isOfTexts =
    typeof parsed === 'object' && parsed !== null && Object.values(parsed).every((value) => typeof value === 'string')
  if (!isOfTexts) throw new Stop('is not a JSON object of strings by name.')
  return parsed as Record<string, string>
}

export function isJson(text: string): boolean {
  return text.trimStart().startsWith('{')
}

/** `undefined` unless one line holds the whole old value: the rest of a longer value would stay in the file. */
function replaceLine(text: string, name: string, old: string, value: string): string | undefined {
  const lines = text.split('\n')
  const places = lines.flatMap((line, place) => (parseEnv(line)[name] === undefined ? [] : [place]))
  const [place = -1, another] = places
  const line = lines[place] ?? ''
  if (another !== undefined || parseEnv(line)[name] !== old) return undefined
  // The JSON of a key set contains no single quote.
  return lines.with(place, `${line.slice(0, line.indexOf('=') + 1)}'${value}'`).join('\n')
}
