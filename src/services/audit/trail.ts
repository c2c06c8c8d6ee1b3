import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { type AuditFilter, listAuditEvents } from '../../store/audit.ts'
import type { AuditEvent } from '../../store/schema.ts'

/** Everything the trail can say. Refreshes are not in it: they are many and change nothing. */
export const auditTypes = [
  'user.registered',
  'user.activation_requested',
  'user.activated',
  'user.activation_refused',
  'user.signed_in',
  'user.sign_in_refused',
  'user.password_changed',
  'user.password_change_refused',
  'user.password_reset_requested',
  'user.password_reset',
  'user.profile_updated',
  'user.role_changed',
  'user.suspended',
  'user.reinstated',
  'user.deleted',
  'user.deletion_refused',
  'user.expired',
  'session.ended',
  'session.reuse_detected',
  'email.failed',
  'email.undeliverable',
  'email.suppression_lifted',
] as const

export type AuditType = (typeof auditTypes)[number]

interface About {
  /** Who did it; nobody known for a refused sign-in or a job. */
  actorId?: string | null
  /** Whom it was done to. */
  userId?: string | null
  detail?: NonNullable<AuditEvent['detail']>
}

/** An event as it happened now, from where the request came. Ids only: no address, no name, no secret. */
export function auditEvent(ctx: Ctx, type: AuditType, { actorId = null, userId = null, detail }: About): AuditEvent {
  const at = ctx.now()
  return { id: uuidv7(at), at, type, actorId, userId, ...ctx.origin, detail: detail ?? null }
}

export interface AuditPage {
  events: AuditEvent[]
  /** The id to go on after, when there is more. */
  next: string | null
}

export async function listAudit(ctx: Ctx, filter: AuditFilter, limit: number): Promise<AuditPage> {
  const rows = await listAuditEvents(ctx.db, filter, limit + 1)
  const events = rows.slice(0, limit)
  return { events, next: rows.length > limit ? (events.at(-1)?.id ?? null) : null }
}
