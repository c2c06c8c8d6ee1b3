/** One page of a list that is sorted by a position (keyset pagination). */
export interface Page<Item> {
  items: Item[]
  /** The position to continue after; `null` on the last page. */
  next: string | null
}

/** @param rows up to one more than `limit`: the extra row shows that there is another page */
export function pageOf<Row>(rows: readonly Row[], limit: number, positionOf: (row: Row) => string): Page<Row> {
  const last = rows.length > limit ? rows[limit - 1] : undefined
  return { items: rows.slice(0, limit), next: last ? positionOf(last) : null }
}
