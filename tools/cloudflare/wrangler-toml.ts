import { Stop } from '../stop.ts'

/** What the commands need to know from wrangler.toml. */
export interface WranglerSettings {
  name: string
  publicUrl: string
  mailFrom: string
  bootstrapAdminEmail: string
  databaseName: string
  databaseId: string
  kvId: string
  /** The queue and its dead-letter queue. */
  queues: string[]
  requiredSecrets: string[]
  crons: string[]
}

/** Where a value stands: `key` under the first `[table]` or `[[table]]` of that name; `''` is the top of the file. */
export interface Place {
  table: string
  key: string
}

export const places = {
  publicUrl: { table: 'vars', key: 'PUBLIC_URL' },
  databaseId: { table: 'd1_databases', key: 'database_id' },
  kvId: { table: 'kv_namespaces', key: 'id' },
} as const satisfies Record<string, Place>

/** Reads wrangler.toml as far as the commands need it: single-line strings, and lists of them. */
export function readSettings(toml: string): WranglerSettings {
  return {
    name: readString(toml, { table: '', key: 'name' }),
    publicUrl: readString(toml, places.publicUrl),
    mailFrom: readString(toml, { table: 'vars', key: 'MAIL_FROM' }),
    bootstrapAdminEmail: readString(toml, { table: 'vars', key: 'BOOTSTRAP_ADMIN_EMAIL' }),
    databaseName: readString(toml, { table: 'd1_databases', key: 'database_name' }),
    databaseId: readString(toml, places.databaseId),
    kvId: readString(toml, places.kvId),
    queues: [
      readString(toml, { table: 'queues.producers', key: 'queue' }),
      readString(toml, { table: 'queues.consumers', key: 'dead_letter_queue' }),
    ],
    requiredSecrets: strings(valueAt(toml, { table: 'secrets', key: 'required' })),
    crons: strings(valueAt(toml, { table: 'triggers', key: 'crons' })),
  }
}

/** An id of zeros stands for "not provisioned yet". */
export function isPlaceholder(id: string): boolean {
  return /^[0-]*$/.test(id)
}

/** Replaces one string and nothing else: comments, order and layout are the owner's. */
export function replaceString(toml: string, place: Place, value: string): string {
  const lines = toml.split('\n')
  const index = lineOf(lines, place)
  const line = lines[index] ?? ''
  // A function, so that a `$` in the value stays one.
  lines[index] = line.replace(
    /(=\s*)("(?:[^"\\]|\\.)*"|'[^']*')/,
    (_, before: string) => before + JSON.stringify(value),
  )
  return lines.join('\n')
}

function readString(toml: string, place: Place): string {
  const [text] = strings(valueAt(toml, place))
  if (text === undefined) throw new Stop(`wrangler.toml: ${nameOf(place)} is not a string.`)
  return text
}

function valueAt(toml: string, place: Place): string {
  const lines = toml.split('\n')
  const start = lineOf(lines, place)
  const first = (lines[start] ?? '').replace(/^[^=]*=\s*/, '')
  if (!first.startsWith('[')) return first
  // A list may go over several lines, up to the bracket that closes it.
  const rest = [first, ...lines.slice(start + 1)]
  const end = rest.findIndex((line) => line.replace(/"[^"]*"|'[^']*'|#.*/g, '').includes(']'))
  return rest.slice(0, end + 1).join('\n')
}

function lineOf(lines: string[], { table, key }: Place): number {
  let current = ''
  for (const [index, line] of lines.entries()) {
    const header = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$/.exec(line)?.[1]
    if (header !== undefined) current = header
    else if (current === table && new RegExp(`^\\s*${key}\\s*=`).test(line)) return index
  }
  throw new Stop(`wrangler.toml has no ${nameOf({ table, key })}.`)
}

function strings(value: string): string[] {
  return Array.from(
    value.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|#.*/g),
    ([, double, single]) => double ?? single,
  ).filter((text) => text !== undefined)
}

function nameOf({ table, key }: Place): string {
  return table === '' ? key : `${table}.${key}`
}
