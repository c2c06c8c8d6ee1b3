import { type SQL, and, eq, gte, inArray, lt, lte, sql } from 'drizzle-orm'
import { type Db, always, insertWhere } from './db.ts'
import { attemptCounters } from './schema.ts'

export interface AttemptPolicy {
  /** Tries in a row that need not wait. */
  free: number
  /** Tries in a row after which there is none any more. */
  max: number
  firstPauseMs: number
  maxPauseMs: number
}

export interface AttemptConditions {
  /** Without it the try is not even counted. */
  guard?: SQL | undefined
  /** What a series that has begun needs besides. */
  goesOn?: SQL | undefined
}

/**
 * Takes one try out of a budget, before the password is looked at: of any number of tries at the same moment only the
 * allowed ones get a row back. The pause after a try doubles with each one in a row.
 */
export function claimAttempt(
  db: Db,
  key: SQL,
  now: Date,
  policy: AttemptPolicy,
  { guard = always, goesOn }: AttemptConditions = {},
) {
  const { free, max, firstPauseMs, maxPauseMs } = policy
  const nowMs = now.getTime()
  const next = sql`${attemptCounters.count} + 1`
  // The shift is bounded, since 2^100 ms is no number for SQLite.
  const pause = sql`case when ${next} < ${free} then 0
    else min(${maxPauseMs}, ${firstPauseMs} * (1 << min(${next} - ${free}, 30))) end`
  const row = { key, count: 1, allowedAt: now, updatedAt: now }
  return insertWhere(db, attemptCounters, row, guard)
    .onConflictDoUpdate({
      target: attemptCounters.key,
      set: { count: next, allowedAt: sql`${nowMs} + ${pause}`, updatedAt: now },
      setWhere: sql`${and(lte(attemptCounters.allowedAt, now), lt(attemptCounters.count, max), goesOn)}`,
    })
    .returning({ count: attemptCounters.count })
}

/** The budget as it is, to tell how long to wait. */
export function selectAttempts(db: Db, key: SQL) {
  return db.select().from(attemptCounters).where(eq(attemptCounters.key, key))
}

/** A series of fewer tries than this. */
export function isSeriesBelow(tries: number): SQL {
  return lt(attemptCounters.count, tries)
}

/** Gives back the newest try of a series, if that is still this one: it was none at the password that the series is about. */
export function returnAttempt(db: Db, key: SQL, count: number, now: Date, guard: SQL) {
  return db
    .update(attemptCounters)
    .set({ count: count - 1, allowedAt: now })
    .where(and(eq(attemptCounters.key, key), eq(attemptCounters.count, count), guard))
}

/** Ends a series. */
export function deleteAttempts(db: Db, key: SQL, guard: SQL) {
  return db.delete(attemptCounters).where(and(eq(attemptCounters.key, key), guard))
}

/** The budget that everybody has in common for an address, whether or not it has an account. */
export function accountBudget(email: string | SQL): SQL {
  return sql`('account:' || ${email})`
}

/** The budget of a device that signed in to an address before. */
export function deviceBudget(email: string, deviceId: string): SQL {
  return sql`('device:' || ${email} || ':' || ${deviceId})`
}

/** Every budget of an address: no address holds a colon, and a semicolon is the next character after it. */
export function deleteAttemptsFor(db: Db, email: string | SQL, guard: SQL) {
  const { key } = attemptCounters
  const isOfDevice = sql`(${key} >= 'device:' || ${email} || ':' and ${key} < 'device:' || ${email} || ';')`
  return db.delete(attemptCounters).where(and(sql`(${key} = ${accountBudget(email)} or ${isOfDevice})`, guard))
}

/** One chunk of the budgets that nobody drew on since a time. Exhausted ones have a time of their own. */
export function deleteIdleAttempts(
  db: Db,
  { max }: AttemptPolicy,
  idleSince: Date,
  exhaustedSince: Date,
  limit: number,
) {
  const chunk = db
    .select({ key: attemptCounters.key })
    .from(attemptCounters)
    .where(
      sql`(${and(lt(attemptCounters.count, max), lt(attemptCounters.updatedAt, idleSince))})
        or (${and(gte(attemptCounters.count, max), lt(attemptCounters.updatedAt, exhaustedSince))})`,
    )
    .limit(limit)
  return db.delete(attemptCounters).where(inArray(attemptCounters.key, chunk))
}
