import { type SQL, and, desc, eq, getTableColumns, lt, sql } from 'drizzle-orm'
import { type NewAuditEvent, eventOf, rowOf } from './audit-rows.ts'
import { type Db, insertWhere, unindexed } from './db.ts'
import { type AuditEvent, type AuditType, auditEvents } from './schema/audit.ts'
import { userAgentText } from './user-agents.ts'

/** Records an event if `guard` holds. As the first statement of a batch it is the guard of all the others: see `happened`. */
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

export interface AuditFilter {
  userId?: string | undefined
  type?: AuditType | undefined
  /** Only events before this one. */
  before?: string | undefined
}

/** Newest first. */
export async function listAuditEvents(
  db: Db,
  { userId, type, before }: AuditFilter,
  limit: number,
): Promise<AuditEvent[]> {
  // A user has few events, a type has those of all users: use the index by user.
  const typeColumn = userId === undefined ? auditEvents.type : unindexed(auditEvents.type)
  const rows = await db
    .select({ ...getTableColumns(auditEvents), userAgent: userAgentText(sql`${auditEvents.userAgentId}`) })
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
  return rows.map(eventOf)
}
