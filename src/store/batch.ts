import type { BatchItem } from 'drizzle-orm/batch'
import type { Db } from './db.ts'
import { pacingOf, retrying } from './retry.ts'

type Statement = BatchItem<'sqlite'>

/**
 * One statement, several whose rows are read as one list, or `undefined` for a statement that this batch leaves out.
 */
type Slot = Statement | readonly Statement[] | undefined

/** Statements by the name under which the batch gives their rows back. */
export type Statements = Readonly<Record<string, Slot>>

type RowsOf<S> = S extends readonly (infer Each extends Statement)[]
  ? RowsOf<Each>
  : S extends Statement
    ? S['_']['result']
    : never[]

type UnionToIntersection<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never

/** The rows of each statement by its name. A write without `returning` gives D1's own result, with `meta.changes`. */
export type BatchRows<G extends readonly Statements[]> = UnionToIntersection<
  { [I in keyof G]: { [Name in keyof G[I]]: RowsOf<G[I][Name]> } }[number]
>

/**
 * Runs statements as one transaction, all or nothing, in one round trip, in the order in which they are given. Each
 * group is an object, so a caller reads `rows.ended` and never the third of nine results.
 *
 * @throws {Error} for a name that two groups share: merged into one object, one of the two statements would be lost.
 */
export async function batch<const G extends readonly Statements[]>(db: Db, ...groups: G): Promise<BatchRows<G>> {
  const slots = groups.flatMap((group) => Object.entries(group))
  const names = slots.map(([name]) => name)
  const repeated = names.find((name, place) => names.indexOf(name) !== place)
  if (repeated !== undefined) throw new Error(`two statements of a batch are called ${repeated}`)
  const statements = slots.flatMap(([, slot]) => listOf(slot))
  const results = statements.length > 0 ? await db.batch(statements) : []
  const rows = slots.map(([name, slot]) => {
    const own = results.splice(0, listOf(slot).length)
    // A list of statements gives one list of rows, and so does a statement that was left out.
    return [name, slot !== undefined && !Array.isArray(slot) ? own[0] : own.flat()] as const
  })
  return Object.fromEntries(rows) as BatchRows<G>
}

function listOf(slot: Slot): readonly Statement[] {
  if (slot === undefined) return []
  return Array.isArray(slot) ? (slot as readonly Statement[]) : [slot as Statement]
}

/**
 * A batch with writes that may run a second time after its first answer was lost, because that changes nothing and
 * answers the same. The caller has to show that.
 *
 * Other batches must not be repeated: a lost answer may hide a commit. The event that guards such a batch then exists,
 * so the repetition would read it as permission: it would end sessions that began in between, would not learn which
 * ones the first run ended, and would count one password as two attempts. So such a batch runs once, and a failure is a
 * 503.
 */
export async function repeatableBatch<const G extends readonly Statements[]>(
  db: Db,
  ...groups: G
): Promise<{ rows: BatchRows<G>; wasRepeated: boolean }> {
  let runs = 0
  const rows = await retrying(pacingOf.get(db), () => {
    runs++
    return batch(db, ...groups)
  })
  return { rows, wasRepeated: runs > 1 }
}
