import { Column, SQL, is } from 'drizzle-orm'

/** A selected value, as drizzle describes it: its path in the result, and the column or expression. */
export interface Selected {
  path: readonly string[]
  field: object
}

type Row = Record<string, unknown>

interface Decoder {
  mapFromDriverValue: (value: unknown) => unknown
}

/**
 * Reads the rows of a statement as drizzle does, but looks for the decoder of each value only once; drizzle does it for each
 * row. Not for an outer join, where a whole group of columns may be null.
 */
export function rowReader(selected: readonly Selected[]): (rows: readonly (readonly unknown[])[]) => Row[] {
  const values = selected.map(({ path, field }) => {
    return { groups: path.slice(0, -1), name: path.at(-1)!, decoder: decoderOf(field) }
  })
  const read = (row: readonly unknown[]) => {
    const result: Row = {}
    for (const [place, { groups, name, decoder }] of values.entries()) {
      let group = result
      for (const step of groups) group = (group[step] ??= {}) as Row
      const value = row[place]
      group[name] = value === null ? null : decoder.mapFromDriverValue(value)
    }
    return result
  }
  return (rows) => rows.map(read)
}

function decoderOf(field: object): Decoder {
  if (is(field, Column)) return field
  const expression = is(field, SQL.Aliased) ? field.sql : field
  return (expression as { decoder: Decoder }).decoder
}
