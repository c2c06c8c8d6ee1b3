import { ceilings } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { readTrail } from '../../store/audit-seals.ts'
import { type AuditFilter, listAuditEvents } from '../../store/audit.ts'
import { condenseEvents } from '../../store/condensed-events.ts'
import type { Expression } from '../../store/db.ts'
import { type Page, pageOf } from '../../store/page.ts'
import type { AuditEvent, AuditType } from '../../store/schema/audit.ts'
import { startOfHour } from './archive-name.ts'

interface About {
  /** The user who acted; null for a job and for a refused sign-in, where nobody proved who they are. */
  actorId?: string | null
  /** The user whose account it concerns. */
  userId?: string | null
  detail?: NonNullable<AuditEvent['detail']>
}

/** An event of this moment, with the origin of the request. It holds ids only: no email address, no name, no secret. */
export function auditEvent(ctx: Ctx, type: AuditType, { actorId = null, userId = null, detail }: About): AuditEvent {
  const at = ctx.now()
  return { id: uuidv7(at), at, type, actorId, userId, ...ctx.origin, detail: detail ?? null }
}

/**
 * For the end of a batch that may be caused again and again and that nothing refuses, such as a sign-in: its events stay as
 * long as their user has had few of their type in this hour and on this day. From then on they are counted.
 *
 * @param isKept when they stay, whatever the number
 */
export function condense(ctx: Ctx, events: readonly Pick<AuditEvent, 'id' | 'type'>[], isKept?: Expression) {
  const { userEventsPerHour: hour, userEventsPerDay: day } = ceilings
  return condenseEvents(ctx.db, ctx.now(), events, { hour, day }, isKept)
}

export async function listAudit(ctx: Ctx, filter: AuditFilter, limit: number): Promise<Page<AuditEvent>> {
  return pageOf(await listAuditEvents(ctx.db, filter, limit + 1), limit, ({ id }) => id)
}

/** The same, and the moment before which events are in the archive instead; `null` when none is. */
export async function listTrail(
  ctx: Ctx,
  filter: AuditFilter,
  limit: number,
): Promise<Page<AuditEvent> & { archivedBefore: Date | null }> {
  const { newest, events } = await readTrail(ctx.db, filter, limit + 1)
  const archivedBefore = newest ? startOfHour(newest.hour + 1) : null
  return { ...pageOf(events, limit, ({ id }) => id), archivedBefore }
}
