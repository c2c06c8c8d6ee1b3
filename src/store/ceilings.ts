/**
 * Ceilings: how much one subject may do in a period. One statement counts and decides, so callers at once do not exceed
 * it.
 */
import { type SQL, and, eq, gte, lt, ne, sql } from 'drizzle-orm'
import { type Db, type Expression, always, choose, insertWhere } from './db.ts'
import { ceilings } from './schema/ceilings.ts'

/** A place below a ceiling, for one act. */
export interface Place {
  period: Date
  subject: Uint8Array<ArrayBuffer> | Expression
  max: number
  /** The id of the act that asks for it. */
  act: string
  /** How much it counts. The last act that gets a place may exceed the ceiling. */
  weight?: number
}

/** The first of two subjects if the condition holds, otherwise the second. It may not change within the batch. */
export function chooseSubject(condition: SQL, ...subjects: [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>]) {
  const [subject, otherwise] = subjects.map((bytes) => sql`${sql.param(bytes, ceilings.subject)}`) as [SQL, SQL]
  return choose(condition, subject, otherwise)
}

/** Takes a place if `guard` holds and there is one. It returns a row only then. */
export function takePlace(db: Db, place: Place, guard: SQL = always) {
  const { period, subject, max, act: last, weight: count = 1 } = place
  return insertWhere(db, ceilings, { period, subject, count, last }, guard)
    .onConflictDoUpdate({
      target: [ceilings.period, ceilings.subject],
      set: { count: sql`${ceilings.count} + ${count}`, last },
      setWhere: lt(ceilings.count, max),
    })
    .returning({ count: ceilings.count })
}

/**
 * The same, but it also adds to the count when there is no place: for an act that must write as much, and so take as
 * long, whether or not it gets one.
 */
export function takePlaceOrCount(db: Db, { period, subject, max, act: last }: Place, guard: SQL) {
  return insertWhere(db, ceilings, { period, subject, count: 1, last }, guard).onConflictDoUpdate({
    target: [ceilings.period, ceilings.subject],
    set: {
      count: sql`${ceilings.count} + 1`,
      last: sql`case when ${lt(ceilings.count, max)} then excluded.last else ${ceilings.last} end`,
    },
  })
}

/** The act has taken its place, earlier in the same batch. */
export function hasPlace({ act, ...place }: Place): SQL {
  return sql`exists (select 1 from ${ceilings} where ${and(isOf(place), eq(ceilings.last, act))})`
}

/** The act that took the last place. */
export function lastOf(place: Pick<Place, 'period' | 'subject'>): SQL {
  return sql`(select ${ceilings.last} from ${ceilings} where ${isOf(place)})`
}

/** A row if there is no place left for this act, for a batch. */
export function selectSpent(db: Db, place: Place, guard: SQL = always) {
  return db
    .select({ count: ceilings.count })
    .from(ceilings)
    .where(and(isSpentRow(place), guard))
}

function isSpentRow({ max, act, ...place }: Place) {
  return and(isOf(place), gte(ceilings.count, max), ne(ceilings.last, act))
}

function isOf({ period, subject }: Pick<Place, 'period' | 'subject'>) {
  return and(eq(ceilings.period, period), eq(ceilings.subject, subject))
}

/** Deletes one chunk of the periods that began before a moment. */
export function deleteCeilingsBefore(db: Db, before: Date, limit: number) {
  const chunk = sql`(select period, subject from ceilings where period < ${before.getTime()} limit ${limit})`
  return db.delete(ceilings).where(sql`(period, subject) in ${chunk}`)
}
