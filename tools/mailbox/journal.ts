import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Entry } from './mailbox.ts'

/** Reads the entries that `journal` wrote. Skips a last line that a crash cut short: its request was never answered. */
export function readJournal(path: string): Entry[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  const unfinished = lines.pop()
  if (unfinished) appendFileSync(path, '\n')
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as Entry]
    } catch {
      return []
    }
  })
}

/** Appends entries to a file, one JSON line each. Only its owner can read the file: emails contain live links. */
export function journal(path: string): (entry: Entry) => void {
  mkdirSync(dirname(path), { recursive: true })
  return (entry) => appendFileSync(path, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
}
