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

/** A member of the result: a value and its place in the row, or a group of members. */
type Member = { name: string; place: number; decoder: Decoder } | { name: string; members: readonly Member[] }

/**
 * Reads the rows of a statement as drizzle does, but looks for the decoder of each value only once; drizzle does it for
 * each row. Not for an outer join, where a whole group of columns may be null.
 */
export function rowReader(selected: readonly Selected[]): (rows: readonly (readonly unknown[])[]) => Row[] {
  const members = membersOf(selected.map(({ path, field }, place) => ({ path, place, decoder: decoderOf(field) })))
  return (rows) => rows.map((row) => readMembers(members, row))
}

interface Placed {
  path: readonly string[]
  place: number
  decoder: Decoder
}

function membersOf(values: readonly Placed[]): Member[] {
  const byName = Map.groupBy(values, ({ path }) => path[0]!)
  return [...byName].map(([name, [first, ...others]]) => {
    if (first!.path.length === 1) return { name, place: first!.place, decoder: first!.decoder }
    const inside = [first!, ...others].map(({ path, ...value }) => ({ ...value, path: path.slice(1) }))
    return { name, members: membersOf(inside) }
  })
}

function readMembers(members: readonly Member[], row: readonly unknown[]): Row {
  return Object.fromEntries(
    members.map((member) => [
      member.name,
      'members' in member ? readMembers(member.members, row) : readValue(member.decoder, row[member.place]),
    ]),
  )
}

function readValue(decoder: Decoder, value: unknown): unknown {
  return value === null ? null : decoder.mapFromDriverValue(value)
}

function decoderOf(field: object): Decoder {
  if (is(field, Column)) return field
  const expression = is(field, SQL.Aliased) ? field.sql : field
  return (expression as { decoder: Decoder }).decoder
}
