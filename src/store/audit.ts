import { type SQL, and, asc, desc, eq, getTableColumns, gt, gte, inArray, lt, sql } from 'drizzle-orm'
import { timeOf, uuidv7Floor } from '../crypto/random.ts'
import { type NewAuditEvent, eventOf, rowOf } from './audit-rows.ts'
import { type Db, insertWhere, unindexed } from './db.ts'
import { type AuditEvent, type AuditType, auditEvents } from './schema/audit.ts'
import { userAgentText } from './user-agents.ts'

/**
 * Records an event if `guard` holds. As the first statement of a batch it is the guard of all the others: see
 * `happened`.
 */
export function insertAuditEvent(db: Db, event: NewAuditEvent, guard: SQL = sql`true`) {
  return insertWhere(db, auditEvents, rowOf(event), guard).onConflictDoNothing().returning({ id: auditEvents.id })
}

/**
 * The condition under which the statements after a guarded event act. A batch does not stop at a statement that changes
 * no row; this does what a rollback would.
 */
export function happened(eventId: string): SQL {
  return sql`exists (select 1 from ${auditEvents} where ${eq(auditEvents.id, eventId)})`
}

/** The session began with the activation of the account, which proved its mailbox. */
export function wasBegunByActivation(sessionId: string, userId: string): SQL {
  const of = and(eq(auditEvents.userId, userId), gte(auditEvents.id, uuidv7Floor(timeOf(sessionId))))
  const type = sql`+${auditEvents.type} = ${sql.param('user.activated', auditEvents.type)}`
  return sql`exists (select 1 from ${auditEvents} where ${of} and ${type} and ${eq(auditEvents.subjectId, sessionId)})`
}

/** The user has had an event of one of these types after this id. */
export function hadEventSince(userId: string, sinceId: string, types: readonly AuditType[]): SQL {
  const isMeant = inArray(
    unindexed(auditEvents.type),
    types.map((type) => sql.param(type, auditEvents.type)),
  )
  return sql`exists (select 1 from ${auditEvents}
    where ${and(eq(auditEvents.userId, userId), gt(auditEvents.id, sinceId), isMeant)})`
}

export interface AuditFilter {
  userId?: string | undefined
  type?: AuditType | undefined
  /** Only events before this one. */
  before?: string | undefined
}

const eventColumns = { ...getTableColumns(auditEvents), userAgent: userAgentText(sql`${auditEvents.userAgentId}`) }

/** Newest first. */
export async function listAuditEvents(db: Db, filter: AuditFilter, limit: number): Promise<AuditEvent[]> {
  return (await newestAuditEvents(db, filter, limit)).map(eventOf)
}

/** The rows of a list, newest first: see `eventOf`. */
export function newestAuditEvents(db: Db, { userId, type, before }: AuditFilter, limit: number) {
  // A user has few events, a type has those of all users: use the index by user.
  const typeColumn = userId === undefined ? auditEvents.type : unindexed(auditEvents.type)
  return db
    .select(eventColumns)
    .from(auditEvents)
    .where(
      and(
        userId === undefined ? undefined : eq(auditEvents.userId, userId),
        type === undefined ? undefined : sql`${typeColumn} = ${sql.param(type, auditEvents.type)}`,
        before === undefined ? undefined : lt(auditEvents.id, before),
      ),
    )
    .orderBy(desc(auditEvents.id))
    .limit(limit)
}

/** The rows made before an id, oldest first: see `eventOf`. */
export function oldestAuditEvents(db: Db, beforeId: string, limit: number) {
  return db
    .select(eventColumns)
    .from(auditEvents)
    .where(lt(auditEvents.id, beforeId))
    .orderBy(asc(auditEvents.id))
    .limit(limit)
}
