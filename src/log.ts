/** What may stand in a line: ids, patterns, numbers, codes. Never a token, a link, a key, a password or an address. */
export type LogFields = Record<string, string | number | boolean | null | undefined | readonly string[]>

export type LogLevel = 'info' | 'warn' | 'error'

/** Writes one JSON line, which Workers Logs indexes by field. */
export function log(level: LogLevel, event: string, fields: LogFields = {}): void {
  // oxlint-disable-next-line no-console -- the one place that writes the log
  console[level](JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }))
}

/**
 * What of an error may be logged. Its own message may hold bound parameters (drizzle's does) or what a client sent, so it
 * is the class of each error in the chain of causes, and the message of the first one that the platform made.
 */
export function describeError(error: unknown): LogFields {
  const chain = causesOf(error)
  const root = chain.at(-1)
  return {
    error: chain.map(({ name }) => name).join(' < ') || typeof error,
    error_message: chain.map(platformMessage).find((message) => message !== undefined),
    error_at: root && sourceLine(root),
  }
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let current = error; current instanceof Error && chain.length < 5; current = current.cause) chain.push(current)
  return chain
}

/** D1, KV and Queues name the failing constraint or column. A value, if there is one (`D1_TYPE_ERROR`), stands in quotes. */
function platformMessage({ message }: Error): string | undefined {
  const isOfPlatform = /^(D1_|KV |Queue |Network connection lost|internal error)/.test(message)
  return isOfPlatform ? message.replace(/['"`].*/s, '…') : undefined
}

/** The first frame of the stack. The message stands before it and may hold lines that look like frames. */
function sourceLine({ message, stack = '' }: Error): string | undefined {
  const start = stack.indexOf(message)
  return start < 0 ? undefined : /\n\s+at (.+)/.exec(stack.slice(start + message.length))?.[1]
}
