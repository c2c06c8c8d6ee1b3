/** Every event of the log. docs/operations.md explains each; a test compares the two lists. */
export const logEvents = [
  'request',
  'request.failed',
  'request.unavailable',
  'rate_limit.failed',
  'rate_limit.exceeded',
  'lock_out.refused',
  'readiness.failed',
  'schema.behind',
  'passkeys.unusable',
  'gauge',
  'config.invalid',
  'replica.failed',
  'revocation.write_failed',
  'revocation.read_failed',
  'turnstile.refused',
  'turnstile.unavailable',
  'password.breach_check_failed',
  'password.breach_cache_failed',
  'mail.queue_failed',
  'mail.no_mailbox',
  'mail.postponed',
  'mail.failed',
  'mail.delivery_failed',
  'mail.dead_letter_failed',
  'mail.requeued',
  'job',
  'job.failed',
  'job.unknown',
  'job.paused',
  'archive',
  'cleanup',
  'cleanup.failed',
] as const

export type LogEvent = (typeof logEvents)[number]

/**
 * The fields of a line: ids, patterns, numbers, codes. Never a token, a link, a key, a password or an email address.
 */
export type LogFields = Record<string, string | number | boolean | null | undefined | readonly string[]>

export type LogLevel = 'info' | 'warn' | 'error'

/** Writes one JSON line, which Workers Logs indexes by field. */
export function log(level: LogLevel, event: LogEvent, fields: LogFields = {}): void {
  // oxlint-disable-next-line no-console -- the one place that writes the log
  console[level](JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }))
}

/**
 * Describes an error without leaking. A message may hold what a client sent, so the line has the class of each error in
 * the chain of causes, and the message only of the first one made by the platform.
 */
export function describeError(error: unknown): LogFields {
  const chain = causesOf(error)
  const root = chain.at(-1)
  return {
    error: chain.map(nameOf).join(' < ') || typeof error,
    error_message: chain.map(platformMessage).find((message) => message !== undefined),
    error_at: root && sourceLine(root),
  }
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let current = error; current instanceof Error && chain.length < 5; current = current.cause) chain.push(current)
  return chain
}

/** jose takes the name of an error from its class, which is minified in a deployed Worker. Its codes are not. */
function nameOf(error: Error): string {
  return 'code' in error && /^ERR_J[A-Z_]+$/.test(String(error.code)) ? String(error.code) : error.name
}

/**
 * Messages of D1, KV and Queues name a constraint or column. A value in one (`D1_TYPE_ERROR`) is quoted, so cut there.
 */
function platformMessage({ message }: Error): string | undefined {
  const isOfPlatform = /^(D1_|KV |Queue |Network connection lost|internal error)/.test(message)
  return isOfPlatform ? message.replace(/['"`].*/s, '…') : undefined
}

/** The first frame of the stack. The search starts after the message, because a line of it may look like a frame. */
function sourceLine({ message, stack = '' }: Error): string | undefined {
  const start = stack.indexOf(message)
  return start < 0 ? undefined : /\n\s+at (.+)/.exec(stack.slice(start + message.length))?.[1]
}
