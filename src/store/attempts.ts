import { type SQL, and, eq, gte, inArray, lt, lte, sql } from 'drizzle-orm'
import { type Db, always, insertWhere } from './db.ts'
import { attemptCounters } from './schema/attempts.ts'

export interface AttemptPolicy {
  /** Attempts in a row without a pause. */
  free: number
  /** Attempts in a row after which no further one is granted. */
  max: number
  firstPauseMs: number
  maxPauseMs: number
}

export interface AttemptConditions {
  /** Where it does not hold, the attempt is not even counted. */
  guard?: SQL | undefined
  /** What every attempt after the first of a series needs in addition. */
  goesOn?: SQL | undefined
}

/**
 * Counts an attempt in a budget, before the password is verified. It returns a row only for an attempt that is granted, so
 * parallel attempts get no further than consecutive ones. The pause doubles with each attempt in a row.
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
  // The shift is bounded, because 2^100 does not fit into an integer of SQLite.
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

/** The state of a budget, to tell how long to wait. */
export function selectAttempts(db: Db, key: SQL) {
  return db.select().from(attemptCounters).where(eq(attemptCounters.key, key))
}

/** The series has fewer attempts than this. */
export function isSeriesBelow(attempts: number): SQL {
  return lt(attemptCounters.count, attempts)
}

/** Undoes one attempt, unless a later one was counted meanwhile. */
export function returnAttempt(db: Db, key: SQL, count: number, now: Date, guard: SQL) {
  return db
    .update(attemptCounters)
    .set({ count: count - 1, allowedAt: now })
    .where(and(eq(attemptCounters.key, key), eq(attemptCounters.count, count), guard))
}

/** Ends the series of one budget. */
export function deleteAttempts(db: Db, key: SQL, guard: SQL) {
  return db.delete(attemptCounters).where(and(eq(attemptCounters.key, key), guard))
}

/** The budget that all unknown devices share for an address, with or without an account. */
export function accountBudget(email: string | SQL): SQL {
  return sql`('account:' || ${email})`
}

/** The budget of a device that signed in with the address before. */
export function deviceBudget(email: string, deviceId: string): SQL {
  return sql`('device:' || ${email} || ':' || ${deviceId})`
}

/** Ends the series of every budget of an address. No address has a colon, and the semicolon is the next character. */
export function deleteAttemptsFor(db: Db, email: string | SQL, guard: SQL) {
  const { key } = attemptCounters
  const isOfDevice = sql`(${key} >= 'device:' || ${email} || ':' and ${key} < 'device:' || ${email} || ';')`
  return db.delete(attemptCounters).where(and(sql`(${key} = ${accountBudget(email)} or ${isOfDevice})`, guard))
}

/** Deletes one chunk of the budgets unused since `idleSince`, or since `exhaustedSince` if they are exhausted. */
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
