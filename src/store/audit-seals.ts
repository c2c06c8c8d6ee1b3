import { type SQL, and, asc, desc, eq, gt, gte, inArray, lt, lte, max, ne, notExists, sql } from 'drizzle-orm'
import { eventOf } from './audit-rows.ts'
import { type AuditFilter, newestAuditEvents, oldestAuditEvents } from './audit.ts'
import { batch } from './batch.ts'
import { type Db, always, idList, insertWhere, unindexed } from './db.ts'
import { auditEvents } from './schema/audit.ts'
import { type AuditSeal, auditSeals } from './schema/audit-seals.ts'

/**
 * What the next object is made of, as of one moment.
 *
 * @param beforeId only events made before this id
 * @param expiredBefore objects of earlier hours have expired; in hours since 1970
 */
export async function readDue(db: Db, beforeId: string, limit: number, expiredBefore: number) {
  // Walks by number past the expired ones, of which there are few. The index by hour would find all others.
  const kept = db
    .select({ number: auditSeals.number })
    .from(auditSeals)
    .where(sql`${unindexed(auditSeals.hour)} >= ${expiredBefore}`)
    .orderBy(asc(auditSeals.number))
    .limit(1)
  const { newest, expired, events } = await batch(db, {
    newest: newestSeal(db),
    expired: newestSeal(db, lt(auditSeals.number, sql`coalesce((${kept}), ${Number.MAX_SAFE_INTEGER})`)),
    events: oldestAuditEvents(db, beforeId, limit),
  })
  return { newest: newest[0], lastExpired: expired[0], events: events.map(eventOf) }
}

/**
 * Deletes events and records the object that holds them, both or nothing. A second call does nothing, and neither does
 * one for another object of the same number. In a full database the record takes the room of the events, so they go
 * first.
 */
export async function settleSeal(db: Db, seal: AuditSeal, eventIds: readonly string[]): Promise<void> {
  const other = db
    .select({ number: auditSeals.number })
    .from(auditSeals)
    .where(and(eq(auditSeals.number, seal.number), ne(auditSeals.digest, seal.digest)))
  await batch(db, {
    events: db.delete(auditEvents).where(and(inArray(auditEvents.id, idList(eventIds)), notExists(other))),
    seal: insertWhere(db, auditSeals, seal, always).onConflictDoNothing(),
  })
}

/**
 * Some of the objects that a later one declares as expired, oldest first. Their rows stay until the objects are gone.
 */
export async function listExpiredSeals(db: Db, limit: number): Promise<AuditSeal[]> {
  const first = db.select({ first: max(auditSeals.first) }).from(auditSeals)
  return db
    .select()
    .from(auditSeals)
    .where(lt(auditSeals.number, sql`(${first})`))
    .orderBy(asc(auditSeals.number))
    .limit(limit)
}

/** Deletes the rows of all objects up to a number. */
export async function forgetSealsTo(db: Db, number: number): Promise<void> {
  await db.delete(auditSeals).where(lte(auditSeals.number, number))
}

/** Events of the trail, newest first, and the newest object of the archive as of the same moment. */
export async function readTrail(db: Db, filter: AuditFilter, limit: number) {
  const { newest, events } = await batch(db, { newest: newestSeal(db), events: newestAuditEvents(db, filter, limit) })
  return { newest: newest[0], events: events.map(eventOf) }
}

export interface SealRange {
  /** Only objects after this number. */
  after: number
  /** Both hours are included; in hours since 1970. */
  fromHour: number
  toHour: number
}

/** Oldest first. */
export async function listSeals(db: Db, { after, fromHour, toHour }: SealRange, limit: number): Promise<AuditSeal[]> {
  return db
    .select()
    .from(auditSeals)
    .where(and(gt(auditSeals.number, after), gte(auditSeals.hour, fromHour), lte(auditSeals.hour, toHour)))
    .orderBy(asc(auditSeals.number))
    .limit(limit)
}

/** The newest object, if there is one, of all or of some. */
function newestSeal(db: Db, condition?: SQL) {
  return db.select().from(auditSeals).where(condition).orderBy(desc(auditSeals.number)).limit(1)
}
