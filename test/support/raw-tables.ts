/** The rows of whole tables as they are stored, to be copied. */
import { env } from 'cloudflare:workers'
import { hexOf } from './readable.ts'

/** A row as D1 gives it, where a BLOB is an array of numbers. */
export type RawRow = Record<string, string | number | null | readonly number[]>

/** Every table of the schema, asked of the database so that a new one is not forgotten. */
export async function tableNames(): Promise<string[]> {
  const { results } = await env.DB.prepare(
    String.raw`select name from sqlite_master where type = 'table' and name not like 'sqlite\_%' escape '\' and name not like '\_cf%' escape '\' and name not like 'd1\_%' escape '\' order by name`,
  ).all<{ name: string }>()
  return results.map(({ name }) => name)
}

/** The rows of tables as they are stored. */
export type RawTables = ReadonlyMap<string, readonly RawRow[]>

export function selectAll(database: D1Database, names: readonly string[]): D1PreparedStatement[] {
  return names.map((name) => database.prepare(`select * from ${name}`))
}

/** The statements that make a database hold these rows and no others. */
export function replaceAll(database: D1Database, raw: RawTables): D1PreparedStatement[] {
  // Every foreign key leads to `users`.
  const names = [...raw.keys()].toSorted((a, b) => Number(a === 'users') - Number(b === 'users'))
  const filled = names.toReversed().filter((name) => raw.get(name)!.length > 0)
  return [
    ...names.map((name) => database.prepare(`delete from ${name}`)),
    ...filled.map((name) => insertion(database, name, raw.get(name)!)),
  ]
}

function insertion(database: D1Database, table: string, rows: readonly RawRow[]): D1PreparedStatement {
  const columns = Object.keys(rows[0] ?? {})
  const values = columns.map((column) => {
    const value = `value ->> '$.${column}'`
    return rows.some((row) => Array.isArray(row[column])) ? `unhex(${value})` : value
  })
  const json = JSON.stringify(rows, (_, value: unknown) => (isByteArray(value) ? hexOf(value) : value))
  return database
    .prepare(`insert into ${table} (${columns.join()}) select ${values.join()} from json_each(?)`)
    .bind(json)
}

export const isByteArray = (value: unknown): value is number[] => Array.isArray(value) && typeof value[0] === 'number'
