import { readFileSync, writeFileSync } from 'node:fs'
import * as z from 'zod'
import { Stop } from '../command.ts'

/** The part of wrangler.toml that the commands use. */
const settings = z.object({
  name: z.string(),
  vars: z.object({
    PUBLIC_URL: z.string(),
    MAIL_FROM: z.string(),
    BOOTSTRAP_ADMIN_EMAIL: z.string(),
    SECOND_FACTOR: z.string().optional(),
    READ_REPLICAS: z.string().optional(),
  }),
  d1_databases: z.tuple([z.object({ database_name: z.string(), database_id: z.string() })]),
  kv_namespaces: z.tuple([z.object({ id: z.string() })]),
  r2_buckets: z.array(z.object({ binding: z.string(), bucket_name: z.string().optional() })).optional(),
  queues: z.object({
    producers: z.tuple([z.object({ queue: z.string() })]),
    consumers: z.tuple([z.object({ dead_letter_queue: z.string() })], z.unknown()),
  }),
  secrets: z.object({ required: z.array(z.string()) }),
  triggers: z.object({ crons: z.array(z.string()) }),
})

export type WranglerSettings = z.infer<typeof settings>

/** Reads a configuration as wrangler does. wrangler is loaded here because that takes a second or two. */
export async function readSettings(path: string): Promise<WranglerSettings> {
  const { unstable_readConfig: readConfig } = await import('wrangler')
  const parsed = settings.safeParse(readConfig({ config: path }, { hideWarnings: true }))
  if (!parsed.success) throw new Stop(`${path} lacks what this command needs:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** A string of wrangler.toml: `key` under the first `[table]` or `[[table]]` of that name. */
export interface Place {
  table: string
  key: string
}

export const places = {
  publicUrl: { table: 'vars', key: 'PUBLIC_URL' },
  secondFactor: { table: 'vars', key: 'SECOND_FACTOR' },
  databaseId: { table: 'd1_databases', key: 'database_id' },
  kvId: { table: 'kv_namespaces', key: 'id' },
} as const satisfies Record<string, Place>

/**
 * Replaces one string in place. By hand, because wrangler's `experimental_patchConfig` refuses a TOML file that has
 * comments, and comments, order and layout belong to the owner.
 *
 * @throws {Stop} when the file has no such string.
 */
export function replaceString(path: string, { table, key }: Place, value: string): void {
  const lines = readFileSync(path, 'utf8').split('\n')
  const isHeader = (line: string) => /^\s*\[/.test(line)
  const start = lines.findIndex((line) => /^\s*\[\[?\s*([^\]]+?)\s*\]/.exec(line)?.[1] === table)
  const pattern = new RegExp(`^(\\s*${key}\\s*=\\s*)(?:"(?:[^"\\\\]|\\\\.)*"|'[^']*')`)
  const at = lines.findIndex((line, index) => index > start && (isHeader(line) || pattern.test(line)))
  const line = lines[at] ?? ''
  if (start < 0 || !pattern.test(line)) throw new Stop(`${path} has no string ${table}.${key}.`)
  // A function as the replacement: a `$` in the value must not be read as a pattern.
  const replaced = line.replace(pattern, (_, before: string) => before + JSON.stringify(value))
  writeFileSync(path, lines.with(at, replaced).join('\n'))
}

/** Takes the `# ` off each of the lines that the pattern matches together: a binding that is switched off. */
export function uncomment(path: string, lines: RegExp): void {
  const text = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    text.replace(lines, (found) => found.replaceAll(/^# /gm, '')),
  )
}

/** The names under `[vars]`, without loading wrangler. */
export function variableNames(path: string): string[] {
  const [, variables = ''] = /^\[vars\]$(.*?)^\[/ms.exec(readFileSync(path, 'utf8')) ?? []
  return Array.from(variables.matchAll(/^(\w+) *=/gm), ([, name = '']) => name)
}

/** An id of zeros stands for "not provisioned yet". */
export function isPlaceholder(id: string): boolean {
  return /^[0-]*$/.test(id)
}
