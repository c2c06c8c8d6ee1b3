/** Acts on what another user may do: role, suspension, sessions. */
import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { happened } from '../../store/audit.ts'
import { allOf, orderedBatch } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import type { Role, User } from '../../store/schema.ts'
import { type Actor, deleteSessionsOf } from '../../store/sessions.ts'
import {
  emailOf,
  hasOtherRoleThan,
  hasStatus,
  isNotSuspended,
  leavesAnActiveAdmin,
  statusBeforeSuspension,
  updateUser,
  wasActivated,
} from '../../store/users.ts'
import { decision, unchangedTarget } from './act.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'

/**
 * Gives a user another role and ends its sessions, so that no token of the old role survives.
 *
 * @throws {AppError} `not_found`, `insufficient_permission`, `own_account`, `last_admin`
 */
export async function assignRole(ctx: Ctx, actor: Actor, id: string, role: Role): Promise<User> {
  if (id === actor.user.id && role !== actor.user.role) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.role_changed', { actorId: actor.user.id, userId: id, detail: { role } })
  const when = allOf(hasOtherRoleThan(id, role), role === 'ADMIN' ? undefined : leavesAnActiveAdmin(id))
  const mail = newEmail(ctx, 'role_changed', emailOf(id), id, { role })
  const ifDone = happened(event.id)
  const [, acting, before, [updated], ended] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, when),
    updateUser(ctx.db, id, { role, updatedAt: event.at }, ifDone),
    deleteSessionsOf(ctx.db, id, ifDone),
    insertEmail(ctx.db, mail, allOf(ifDone, wasActivated(id))),
  ])
  if (!updated) {
    const target = unchangedTarget(actor, acting, before)
    if (target.role !== role) throw new AppError('last_admin')
    return target
  }
  revoke(ctx, ended)
  announceEmail(ctx, mail)
  return updated
}

/**
 * Suspends an account and ends its sessions. The reason goes into the audit event and into the mail.
 *
 * @throws {AppError} `not_found`, `insufficient_permission`, `own_account`, `last_admin`
 */
export async function suspendUser(ctx: Ctx, actor: Actor, id: string, reason: string): Promise<User> {
  if (id === actor.user.id) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.suspended', { actorId: actor.user.id, userId: id, detail: { reason } })
  const mail = newEmail(ctx, 'account_suspended', emailOf(id), id, { reason })
  const ifDone = happened(event.id)
  const [, acting, before, [updated], ended] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, allOf(isNotSuspended(id), leavesAnActiveAdmin(id))),
    updateUser(ctx.db, id, { status: 'suspended', updatedAt: event.at }, ifDone),
    deleteSessionsOf(ctx.db, id, ifDone),
    insertEmail(ctx.db, mail, allOf(ifDone, wasActivated(id))),
  ])
  if (!updated) {
    const target = unchangedTarget(actor, acting, before)
    if (target.status !== 'suspended') throw new AppError('last_admin')
    return target
  }
  revoke(ctx, ended)
  announceEmail(ctx, mail)
  return updated
}

/** @throws {AppError} `not_found`, `insufficient_permission` */
export async function reinstateUser(ctx: Ctx, actor: Actor, id: string): Promise<User> {
  const event = auditEvent(ctx, 'user.reinstated', { actorId: actor.user.id, userId: id })
  const mail = newEmail(ctx, 'account_reinstated', emailOf(id), id)
  const ifDone = happened(event.id)
  const [, acting, before, [updated]] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, hasStatus(id, 'suspended')),
    updateUser(ctx.db, id, { status: statusBeforeSuspension, updatedAt: event.at }, ifDone),
    insertEmail(ctx.db, mail, allOf(ifDone, wasActivated(id))),
  ])
  if (!updated) return unchangedTarget(actor, acting, before)
  announceEmail(ctx, mail)
  return updated
}

/** @throws {AppError} `not_found`, `insufficient_permission` */
export async function endSessionsOfUser(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  const event = auditEvent(ctx, 'session.ended', {
    actorId: actor.user.id,
    userId: id,
    detail: { sessions: 'all' },
  })
  const [decided, acting, before, ended] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event),
    deleteSessionsOf(ctx.db, id, happened(event.id)),
  ])
  if (decided.length === 0) unchangedTarget(actor, acting, before)
  revoke(ctx, ended)
}
