/** Acts on another user's access: role, suspension, sessions. */
import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { type Role, mayReinstate, roleRules } from '../../permissions.ts'
import type { AdministeredUser } from '../../store/administered-users.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf, anyOf } from '../../store/db.ts'
import { voidEmailChange } from '../../store/email-changes.ts'
import { insertEmail } from '../../store/emails.ts'
import { isFreshIfFactored } from '../../store/session-strength.ts'
import { deleteSessionsOf, hasLiveSession } from '../../store/sessions.ts'
import {
  emailOf,
  hasFactors,
  hasOtherRoleThan,
  isNotSuspended,
  isSuspendedBy,
  leavesAnActiveAdmin,
  statusBeforeSuspension,
  wasActivated,
  withoutTrust,
} from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { decideAct, decideFreeAct, findChangedTarget, findUnchangedTarget } from './act.ts'
import { auditEvent } from '../audit/trail.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import { assertFreshIfFactored } from '../sessions/strength.ts'

/**
 * Gives a user another role and ends its sessions, so that no token with the old role remains valid. An account that
 * was never activated stays a USER: whoever registered the address of a colleague first must not find a role there. An
 * actor with a second factor has to have shown it within ten minutes.
 *
 * @throws {AppError} as `findUnchangedTarget`; `own_account`, `last_admin`, `not_activated`
 */
export async function assignRole(ctx: Ctx, actor: Principal, id: string, role: Role): Promise<AdministeredUser> {
  assertFreshIfFactored(actor, ctx.now())
  if (id === actor.user.id && role !== actor.user.role) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.role_changed', { actorId: actor.user.id, userId: id, detail: { role } })
  const mayHave = role === 'USER' ? undefined : wasActivated(id)
  const when = allOf(hasOtherRoleThan(id, role), mayHave, leavesAnActiveAdmin(id))
  const email = newEmail(ctx, 'role_changed', emailOf(id), id, { role })
  const ifDone = happened(event.id)
  const rows = await batch(ctx.db, decideAct(ctx, actor, id, event, when, isFreshIfFactored(event.at)), {
    updated: updateUser(ctx.db, id, { role, updatedAt: event.at }, ifDone),
    ended: deleteSessionsOf(ctx.db, id, ifDone),
    email: insertEmail(ctx.db, email, allOf(ifDone, wasActivated(id))),
  })
  const updated = findChangedTarget(rows)
  if (!updated) {
    const target = findUnchangedTarget(ctx, actor, rows)
    if (target.role === role) return target
    throw new AppError(target.activatedAt === null ? 'not_activated' : 'last_admin')
  }
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.email)
  return updated
}

/**
 * Suspends an account, and ends its sessions, the trust in its devices and a pending change of its address. The reason
 * goes into the audit event and into the email to the user.
 *
 * @throws {AppError} as `findUnchangedTarget`; `own_account`, `last_admin`, `user_suspended`
 */
export async function suspendUser(ctx: Ctx, actor: Principal, id: string, reason: string): Promise<AdministeredUser> {
  if (id === actor.user.id) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.suspended', { actorId: actor.user.id, userId: id, detail: { reason } })
  const email = newEmail(ctx, 'account_suspended', emailOf(id), id, { reason })
  const ifDone = happened(event.id)
  const when = allOf(isNotSuspended(id), leavesAnActiveAdmin(id))
  const suspended = {
    ...withoutTrust,
    status: 'suspended',
    suspendedByRole: actor.user.role,
    updatedAt: event.at,
  } as const
  const rows = await batch(ctx.db, decideAct(ctx, actor, id, event, when), {
    updated: updateUser(ctx.db, id, suspended, ifDone),
    ended: deleteSessionsOf(ctx.db, id, ifDone),
    emailChange: voidEmailChange(ctx.db, id, event.at, ifDone),
    email: insertEmail(ctx.db, email, allOf(ifDone, wasActivated(id))),
  })
  const updated = findChangedTarget(rows)
  if (!updated) {
    const target = findUnchangedTarget(ctx, actor, rows)
    throw new AppError(target.status === 'suspended' ? 'user_suspended' : 'last_admin')
  }
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.email)
  return updated
}

/**
 * Ends a suspension: the account gets the status it had before. The actor needs at least the reach of whoever suspended
 * it.
 *
 * @throws {AppError} as `findUnchangedTarget`; `insufficient_permission` also for a suspension by a higher role;
 *   `not_suspended`
 */
export async function reinstateUser(ctx: Ctx, actor: Principal, id: string): Promise<AdministeredUser> {
  const event = auditEvent(ctx, 'user.reinstated', { actorId: actor.user.id, userId: id })
  const email = newEmail(ctx, 'account_reinstated', emailOf(id), id)
  const ifDone = happened(event.id)
  const reinstated = { status: statusBeforeSuspension, suspendedByRole: null, updatedAt: event.at }
  const when = isSuspendedBy(id, roleRules[actor.user.role].reinstates)
  const rows = await batch(ctx.db, decideAct(ctx, actor, id, event, when), {
    updated: updateUser(ctx.db, id, reinstated, ifDone),
    email: insertEmail(ctx.db, email, allOf(ifDone, wasActivated(id))),
  })
  const updated = findChangedTarget(rows)
  if (!updated) {
    const { status, suspendedByRole } = findUnchangedTarget(ctx, actor, rows)
    const isOutOfReach = status === 'suspended' && !mayReinstate(actor, suspendedByRole)
    throw isOutOfReach
      ? new AppError('insufficient_permission', { reason: 'suspended_by_higher_role' })
      : new AppError('not_suspended')
  }
  announceStored(ctx, rows.email)
  return updated
}

/**
 * Ends every session of a user, and the trust in every device. Without either, nothing happens.
 *
 * @throws {AppError} as `findUnchangedTarget`
 */
export async function endSessionsOfUser(ctx: Ctx, actor: Principal, id: string): Promise<void> {
  const detail = { sessions: 'all' }
  const event = auditEvent(ctx, 'session.ended', { actorId: actor.user.id, userId: id, detail })
  const ifDone = happened(event.id)
  const hasAny = anyOf(hasLiveSession(id, event.at), hasFactors(id))
  const rows = await batch(ctx.db, decideFreeAct(ctx, actor, id, event, hasAny), {
    distrusted: updateUser(ctx.db, id, withoutTrust, allOf(ifDone, hasFactors(id))),
    ended: deleteSessionsOf(ctx.db, id, ifDone),
  })
  if (rows.decided.length === 0) findUnchangedTarget(ctx, actor, rows)
  revoke(ctx, rows.ended)
}
