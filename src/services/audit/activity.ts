import type { Ctx } from '../../context.ts'
import { listAuditEvents } from '../../store/audit.ts'
import { type Page, pageOf } from '../../store/page.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'

/** An event as its user may see it. */
export interface Activity extends Pick<AuditEvent, 'id' | 'at' | 'type' | 'detail' | OriginColumn> {
  /** Null when the event has no known actor: a refused sign-in, a stolen token, a job. */
  actor: 'you' | 'administrator' | null
}

type OriginColumn = 'ip' | 'country' | 'userAgent' | 'requestId'

/** The events of the user's own account, newest first. */
export async function listActivity(
  ctx: Ctx,
  userId: string,
  before: string | undefined,
  limit: number,
): Promise<Page<Activity>> {
  return activityPageOf(userId, await listAuditEvents(ctx.db, { userId, before }, limit + 1), limit)
}

/** @param events up to one more than `limit` */
export function activityPageOf(userId: string, events: readonly AuditEvent[], limit: number): Page<Activity> {
  const { items, next } = pageOf(events, limit, ({ id }) => id)
  return { items: items.map((event) => seenBy(userId, event)), next }
}

const hidden = { ip: null, country: null, userAgent: null, requestId: null }

/** Hides which administrator acted, and from where. A stranger's address stays visible: the owner needs to see it. */
function seenBy(userId: string, { id, at, type, detail, actorId, ...rest }: AuditEvent): Activity {
  const { ip, country, userAgent, requestId } = rest
  if (actorId !== null && actorId !== userId) return { id, at, type, detail, actor: 'administrator', ...hidden }
  return { id, at, type, detail, actor: actorId === null ? null : 'you', ip, country, userAgent, requestId }
}
