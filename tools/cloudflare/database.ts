import type { Stop } from '../command.ts'
import type { Query, Row } from '../query.ts'
import { type Wrangler, failed } from '../wrangler.ts'
import { firstJson } from './login.ts'

/**
 * Asks the database of this login, or that of `npm run dev`.
 *
 * @param localState the folder in which `npm run dev` keeps its data
 * @throws {Stop} when it refuses. The message does not hold the statements.
 */
export function queryDatabase(wrangler: Wrangler, localState?: string): Query {
  const where = localState === undefined ? ['--remote'] : ['--local', '--persist-to', localState]
  const words = ['d1', 'execute', 'DB', ...where, '--json']
  return async (sql) => {
    const outcome = await wrangler([...words, '--command', sql])
    const answers = firstJson(outcome.stdout)
    if (outcome.exitCode !== 0 || !Array.isArray(answers)) throw failed(words, outcome) satisfies Stop
    return (answers as { results?: Row[] }[]).at(-1)?.results ?? []
  }
}
