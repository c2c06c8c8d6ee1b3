import { ceilings } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { readTrail } from '../../store/audit-seals.ts'
import type { AuditFilter } from '../../store/audit.ts'
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
 * The last statements of a batch that no ceiling refuses, such as a sign-in. They keep its events while the user has
 * had few events of the same type in this hour and on this day. Later ones are only counted.
 *
 * @param isKept a condition under which the events are kept in any case
 */
export function condense(ctx: Ctx, events: readonly Pick<AuditEvent, 'id' | 'type'>[], isKept?: Expression) {
  const { userEventsPerHour: hour, userEventsPerDay: day } = ceilings
  return condenseEvents(ctx.db, ctx.now(), events, { hour, day }, isKept)
}

/**
 * A page of events, newest first, and the time before which events are in the archive; `null` when none is archived.
 */
export async function listTrail(
  ctx: Ctx,
  filter: AuditFilter,
  limit: number,
): Promise<Page<AuditEvent> & { archivedBefore: Date | null }> {
  const { newest, events } = await readTrail(ctx.db, filter, limit + 1)
  const archivedBefore = newest ? startOfHour(newest.hour + 1) : null
  return { ...pageOf(events, limit, ({ id }) => id), archivedBefore }
}
