/** Everything the stores hold, to be compared across runs and to be put back. */
import { env } from 'cloudflare:workers'
import { type RawRow, type RawTables, isByteArray, replaceAll, selectAll, tableNames } from './raw-tables.ts'
import { hexOf } from './readable.ts'
import { type Row, snapshot } from './state.ts'

export interface StoreImage {
  /** As people read them. */
  tables: ReadonlyMap<string, readonly Row[]>
  /** As they are stored. */
  raw: RawTables
  /** The keys of the revocation list. */
  revoked: readonly string[]
}

export async function takeImage(): Promise<StoreImage> {
  const names = await tableNames()
  const results = await env.DB.batch<RawRow>(selectAll(env.DB, names))
  const { keys } = await env.REVOCATIONS.list()
  return {
    tables: new Map(Array.from(await snapshot(), ([name, rows]) => [name, [...rows.values()]])),
    raw: new Map(names.map((name, place) => [name, results[place]!.results])),
    revoked: keys.map(({ name }) => name),
  }
}

/** Makes the stores hold that and nothing else. */
export async function putBack({ raw, revoked }: StoreImage): Promise<void> {
  await env.DB.batch(replaceAll(env.DB, raw))
  const { keys } = await env.REVOCATIONS.list()
  await Promise.all(keys.filter(({ name }) => !revoked.includes(name)).map(({ name }) => env.REVOCATIONS.delete(name)))
}

/** Bytes as hexadecimal digits, and those of an id as its text. */
function textOfBytes(bytes: readonly number[]): string {
  const digits = hexOf(bytes)
  return bytes.length === 16 ? digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') : digits
}

/** An id, the bytes of a password hash, or what is sealed or has a MAC under `DATA_KEYS`. */
const randomText = /test-data\.[\w.-]{43,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64,}/g
const instant = /(?<=":)\d{13}(?=[,}])/g

/** The name under which it stands beside the tables. */
export const revocationList = '(revocation list)'

interface Normalization {
  /** Whatever random text is in here stays as it is; what is new becomes a label. */
  since: StoreImage
  ignoringTime?: boolean
  ignoringColumns?: readonly string[]
}

/**
 * The rows of each table as text that is the same for two runs of the same thing: new ids and hashes are numbered in
 * the order of the rows, so that who refers to whom is still compared.
 */
export function normalized(image: StoreImage, { since, ignoringTime, ignoringColumns = [] }: Normalization) {
  const known = new Set(textOf(since).match(randomText))
  const anonymous = (text: string) => text.replace(randomText, (found) => (known.has(found) ? found : '?'))
  const labels = new Map<string, string>()
  const labelled = (text: string) =>
    text.replace(randomText, (found) => {
      if (known.has(found)) return found
      const label = labels.get(found) ?? `${found.includes('-') ? 'id' : 'hash'} ${labels.size + 1}`
      labels.set(found, label)
      return label
    })
  const comparable = (row: Row) => {
    const text = JSON.stringify(row, (key, value: unknown) =>
      ignoringColumns.includes(key) ? undefined : isByteArray(value) ? textOfBytes(value) : value,
    )
    return ignoringTime ? text.replace(instant, '"then"') : text
  }
  const tables = [...image.tables].map(([name, rows]): [string, string[]] => [
    name,
    rows
      .map(comparable)
      .toSorted((a, b) => compare(anonymous(a), anonymous(b)))
      .map(labelled),
  ])
  return Object.fromEntries([...tables, [revocationList, image.revoked.map(labelled).toSorted()]])
}

function textOf(image: StoreImage): string {
  const content = [[...image.tables], image.revoked]
  return JSON.stringify(content, (_, value: unknown) => (isByteArray(value) ? textOfBytes(value) : value))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
