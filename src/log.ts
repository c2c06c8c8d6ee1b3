/** What may stand in a line: ids, patterns, numbers, codes. Never a token, a link, a key, a password or an address. */
export type LogFields = Record<string, string | number | boolean | null | undefined | readonly string[]>

export type LogLevel = 'info' | 'warn' | 'error'

/** Writes one JSON line, which Workers Logs indexes by field. */
export function log(level: LogLevel, event: string, fields: LogFields = {}): void {
  // oxlint-disable-next-line no-console -- the one place that writes the log
  console[level](JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }))
}

/**
 * What of an error may be logged. Its own message may hold bound parameters (drizzle's does), so it is the class and
 * the messages of the platform's errors at the root of the chain of causes.
 */
export function describeError(error: unknown): LogFields {
  const chain: string[] = []
  let current: unknown = error
  while (current instanceof Error && chain.length < 5) {
    chain.push(current.name)
    if (!current.cause) break
    current = current.cause
  }
  const root = current instanceof Error ? platformMessage(current) : undefined
  return { error: chain.join(' < ') || typeof error, error_message: root, error_at: sourceLine(current) }
}

/** D1, KV and Queues name the failing constraint or column, never a value. Other messages may hold what a client sent. */
function platformMessage(error: Error): string | undefined {
  return /^(D1_|KV |Queue |Network connection lost|internal error)/.test(error.message) ? error.message : undefined
}

function sourceLine(error: unknown): string | undefined {
  return error instanceof Error ? /\n\s+at (.+)/.exec(error.stack ?? '')?.[1] : undefined
}
