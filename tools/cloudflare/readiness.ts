import { Stop } from '../command.ts'

interface Surroundings {
  fetch: typeof globalThis.fetch
  sleep: (ms: number) => Promise<void>
  say: (line: string) => void
}

/** A new address, a certificate or a new version may need a moment to be everywhere. */
const tries = 10
const pauseMs = 6_000

/**
 * Asks a Worker that was just deployed what it finds, and says it.
 *
 * @throws {Stop} when it is not ready after a minute.
 */
export async function reportReadiness(publicUrl: string, { fetch, sleep, say }: Surroundings): Promise<void> {
  const url = `${publicUrl}/readyz`
  let found = ''
  for (let attempt = 1; attempt <= tries; attempt++) {
    found = await ask(url, fetch)
    if (found.startsWith('ok')) return say(`${url} says that it is ready${found.slice(2)}.`)
    if (found.startsWith('maintenance')) return say(`${url} says: ${found}`)
    if (attempt === 1) say(`${url} says: ${found}. Asking again for a minute …`)
    if (attempt < tries) await sleep(pauseMs)
  }
  throw new Stop(`The Worker is deployed and not ready. ${url} says: ${found}`)
}

async function ask(url: string, fetch: typeof globalThis.fetch): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) })
    const text = await answer.text()
    const readiness = parse(text)
    if (answer.status === 200) return `ok${warningsOf(readiness)}`
    return readiness ? describe(readiness) : `status ${answer.status}`
  } catch (error) {
    return error instanceof Error ? `no answer (${error.message})` : 'no answer'
  }
}

interface Readiness {
  status: string
  checks: Record<string, string>
  missing_migrations?: string[]
  warnings?: string[]
}

/** docs/operations.md says what each means. */
function warningsOf({ warnings = [] }: Partial<Readiness> = {}): string {
  return warnings.length > 0 ? `, and warns: ${warnings.join(', ')}` : ''
}

function parse(text: string): Readiness | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null && 'checks' in json ? (json as Readiness) : undefined
  } catch {
    return undefined
  }
}

function describe({ status, checks, missing_migrations: missing = [] }: Readiness): string {
  const states = Object.entries(checks).map(([name, state]) => `${name} ${state}`)
  return `${status} (${[...states, ...(missing.length > 0 ? [`missing ${missing.join(', ')}`] : [])].join(', ')})`
}
