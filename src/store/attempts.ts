import { type SQL, and, eq, gt, gte, lt, lte, or, sql } from 'drizzle-orm'
import { type Db, always, insertWhere } from './db.ts'
import { attemptCounters } from './schema/attempts.ts'

export interface AttemptPolicy {
  /** Attempts in a row without a pause. */
  free: number
  /** Attempts in a row after which no further one is granted. */
  max: number
  firstPauseMs: number
  maxPauseMs: number
  /** An attempt that is not judged after this time never will be: its request broke off. */
  inFlightMs: number
}

export interface AttemptConditions {
  /** Where it does not hold, the attempt is not even counted. */
  guard?: SQL | undefined
  /** What every attempt after the first of a series needs in addition. */
  goesOn?: SQL | undefined
  /**
   * Only an attempt without a pause is granted: for a client that waited for attempts in flight, not for a pause to
   * end.
   */
  needsFreeAttempt?: boolean | undefined
}

/** An attempt that was counted, and what it is settled by. */
export interface CountedAttempt {
  /** The key of the counter. It stays the same when the address gets an account meanwhile. */
  budget: string
  series: string
  /** How many attempts in a row, this one included. */
  inARow: number
}

/**
 * Counts an attempt in a budget, before the password is verified. It returns a row only for an attempt that is granted,
 * so parallel attempts get no further than consecutive ones. The pause doubles with each attempt in a row. The attempts
 * without a pause are granted in any order of arrival: no time decides, because the clocks of two machines differ.
 */
export function claimAttempt(
  db: Db,
  key: SQL,
  now: Date,
  policy: AttemptPolicy,
  { guard = always, goesOn, needsFreeAttempt = false }: AttemptConditions = {},
) {
  const { free, max, firstPauseMs, maxPauseMs, inFlightMs } = policy
  const nowMs = now.getTime()
  const next = sql`${attemptCounters.count} + 1`
  // The shift is bounded, because 2^100 does not fit into an integer of SQLite.
  const pause = sql`case when ${next} < ${free} then 0
    else min(${maxPauseMs}, ${firstPauseMs} * (1 << min(${next} - ${free}, 30))) end`
  const isFree = lt(attemptCounters.count, free)
  const mayStart = needsFreeAttempt ? isFree : or(isFree, lte(attemptCounters.allowedAt, now))
  const isStale = lt(attemptCounters.updatedAt, new Date(nowMs - inFlightMs))
  const inFlight = sql`case when ${isStale} then 1 else ${attemptCounters.inFlight} + 1 end`
  const series = sql`lower(hex(randomblob(8)))`
  const row = { key, count: 1, allowedAt: now, updatedAt: now, inFlight: 1, series }
  return insertWhere(db, attemptCounters, row, guard)
    .onConflictDoUpdate({
      target: attemptCounters.key,
      set: { count: next, allowedAt: sql`${nowMs} + ${pause}`, updatedAt: now, inFlight },
      setWhere: sql`${and(mayStart, lt(attemptCounters.count, max), goesOn)}`,
    })
    .returning({ key: attemptCounters.key, count: attemptCounters.count, series: attemptCounters.series })
}

/** A series without attempts. */
export function newSeries(now: Date) {
  return { count: 0, allowedAt: now, updatedAt: now, inFlight: 0, series: sql`lower(hex(randomblob(8)))` }
}

/** Starts a budget anew, for attempts that need one to be there: see `hasBudget`. */
export function startBudget(db: Db, key: SQL, now: Date, guard: SQL) {
  const anew = newSeries(now)
  return insertWhere(db, attemptCounters, { key, ...anew }, guard).onConflictDoUpdate({
    target: attemptCounters.key,
    set: anew,
  })
}

/** Somebody has started the budget, see `startBudget`. */
export function hasBudget(key: SQL): SQL {
  return sql`exists (select 1 from ${attemptCounters} where ${eq(attemptCounters.key, key)})`
}

/** Another attempt would be granted now. Counts none. */
export function mayAttempt(key: SQL, now: Date, { free, max }: Pick<AttemptPolicy, 'free' | 'max'>): SQL {
  const isOver = gte(attemptCounters.count, max)
  const isPausing = and(gte(attemptCounters.count, free), gt(attemptCounters.allowedAt, now))
  return sql`not exists (select 1 from ${attemptCounters}
    where ${and(eq(attemptCounters.key, key), or(isOver, isPausing))})`
}

/** The state of a budget, to tell how long to wait. */
export function selectAttempts(db: Db, key: SQL) {
  return db.select().from(attemptCounters).where(eq(attemptCounters.key, key))
}

/** The device has a counter, or the devices of its address have fewer than `max` counters. */
export function mayHaveCounter(email: string, deviceId: string, max: number): SQL {
  const own = sql`select 1 from ${attemptCounters} where ${eq(attemptCounters.key, deviceBudget(email, deviceId))}`
  const last = sql`select 1 from ${attemptCounters} where ${isOfDevice(email)} limit 1 offset ${max - 1}`
  return sql`(exists (${own}) or not exists (${last}))`
}

/** The series has fewer attempts than this. */
export function isSeriesBelow(attempts: number): SQL {
  return lt(attemptCounters.count, attempts)
}

/**
 * Notes that an attempt of a series was judged. One that is given back is not counted any more: if no other was counted
 * meanwhile, the next attempt needs no pause.
 */
export function settleAttempt(
  db: Db,
  { budget, series, inARow }: CountedAttempt,
  { isGivenBack, now }: { isGivenBack: boolean; now: Date },
) {
  const { key, count, allowedAt, inFlight } = attemptCounters
  const returned = {
    count: sql`${count} - 1`,
    allowedAt: sql`case when ${count} = ${inARow} then ${now.getTime()} else ${allowedAt} end`,
  }
  return db
    .update(attemptCounters)
    .set({ inFlight: sql`max(${inFlight} - 1, 0)`, ...(isGivenBack ? returned : {}) })
    .where(and(eq(key, budget), eq(attemptCounters.series, series)))
}

/** For an attempt that was not judged: the budget is as before. */
export function giveBackAttempt(db: Db, attempt: CountedAttempt, now: Date) {
  return {
    settled: settleAttempt(db, attempt, { isGivenBack: true, now }),
    series: deleteAttempts(db, attempt.budget, isSeriesBelow(1)),
  }
}

/** Ends the series of one budget. */
export function deleteAttempts(db: Db, key: SQL | string, guard: SQL) {
  return db.delete(attemptCounters).where(and(eq(attemptCounters.key, key), guard))
}

/** The budget that all unknown devices share for an address with an account. */
export function accountBudget(email: string | SQL): SQL {
  return sql`('account:' || ${email})`
}

/** The budget of the addresses without an account that fall into a slot, see `addressSlot`. */
export function slotBudget(slot: number): SQL {
  return sql`${`slot:${slot}`}`
}

/** The budget of a device that signed in with the address before. */
export function deviceBudget(email: string, deviceId: string): SQL {
  return sql`('device:' || ${email} || ':' || ${deviceId})`
}

/** The budget that all second factors of a user share. */
export function factorBudget(userId: string): SQL {
  return sql`${`factor:${userId}`}`
}

/** The budget of the codes that were mailed to a session. */
export function mailCodeBudget(userId: string, sessionId: string): SQL {
  return sql`${`mail-code:${userId}:${sessionId}`}`
}

/** The counter of a user's second factors, or of a code that was mailed to one of their sessions. */
export function isOfFactors(userId: string): SQL {
  const { key } = attemptCounters
  // No id has a semicolon, the character after the colon.
  const isOfMailCode = and(gte(key, `mail-code:${userId}:`), lt(key, `mail-code:${userId};`))
  return sql`(${or(eq(key, factorBudget(userId)), isOfMailCode)})`
}

/** Ends the series of every budget of a user's second factors. */
export function deleteFactorAttempts(db: Db, userId: string, guard: SQL) {
  return db.delete(attemptCounters).where(and(isOfFactors(userId), guard))
}

/** Ends the series of every budget of an address. */
export function deleteAttemptsFor(db: Db, email: string | SQL, guard: SQL) {
  const isOfAccount = eq(attemptCounters.key, accountBudget(email))
  return db.delete(attemptCounters).where(and(or(isOfAccount, isOfDevice(email)), guard))
}

/** For an account that gets another address. Its devices become unknown there, but wrong passwords go on counting. */
export function moveAttempts(db: Db, from: string, to: string, guard: SQL) {
  const { key } = attemptCounters
  return [
    deleteAttemptsFor(db, to, guard),
    db
      .update(attemptCounters)
      .set({ key: accountBudget(to) })
      .where(and(eq(key, accountBudget(from)), guard)),
    deleteAttemptsFor(db, from, guard),
  ]
}

/** The counter of a device of an address. No address has a colon, and the semicolon is the next character. */
export function isOfDevice(email: string | SQL): SQL {
  const { key } = attemptCounters
  return sql`(${key} >= 'device:' || ${email} || ':' and ${key} < 'device:' || ${email} || ';')`
}
