/**
 * What one user does to another. Each act is one batch. Its first statement inserts the audit event only if everything
 * that permits the act holds at that moment: the actor's session, role and status, the target's role, and the target's
 * state. Every other statement depends on that event. The same batch reads why an act was refused.
 */
import type { Ctx } from '../../context.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { mayActOn, roleRules } from '../../permissions.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { type AdministeredUser, selectAdministeredUser } from '../../store/administered-users.ts'
import { hasPlace, selectSpent, takePlace } from '../../store/ceilings.ts'
import { type Expression, allOf } from '../../store/db.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { User } from '../../store/schema/users.ts'
import { isSignedInAs, selectSignedInUser } from '../../store/sessions.ts'
import { selectStale } from '../../store/session-strength.ts'
import { hasRoleAmong } from '../../store/user-conditions.ts'
import { aboveCeiling, userPlace } from '../protection/ceilings.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { explainStale } from '../sessions/strength.ts'

/**
 * The first statements of an act: `decided` has a row if the act happens, `acting` is the actor if still signed in,
 * `before` is the target as it was. Each act takes a place below the actor's ceiling; `spent` has a row when there is
 * none.
 *
 * @param when what must hold of the target for the act to change anything
 * @param isFresh what must hold of the actor's session, for an act that needs a step-up: see `session-strength.ts`
 */
export function decideAct(
  ctx: Ctx,
  actor: Principal,
  id: string,
  event: AuditEvent,
  when?: Expression,
  isFresh?: Expression,
) {
  const place = userPlace(ctx, actor.user.id, event.id)
  return {
    place: takePlace(ctx.db, place, isPermitted(actor, id, event, when, isFresh)),
    spent: selectSpent(ctx.db, place),
    decided: insertAuditEvent(ctx.db, event, hasPlace(place)),
    ...readBoth(ctx, actor, id, event, isFresh),
  } as const
}

/** The same without a ceiling, for an act that frees space, or that a locked-out person waits for. */
export function decideFreeAct(
  ctx: Ctx,
  actor: Principal,
  id: string,
  event: AuditEvent,
  when?: Expression,
  isFresh?: Expression,
) {
  return {
    decided: insertAuditEvent(ctx.db, event, isPermitted(actor, id, event, when, isFresh)),
    ...readBoth(ctx, actor, id, event, isFresh),
  } as const
}

function isPermitted(
  { user, session }: Principal,
  id: string,
  event: AuditEvent,
  when?: Expression,
  isFresh?: Expression,
): Expression {
  const isActing = isSignedInAs(session.id, user.id, user.role, event.at, isFresh)
  return allOf(isActing, hasRoleAmong(id, roleRules[user.role].actsOn), when)
}

function readBoth(ctx: Ctx, { user, session }: Principal, id: string, event: AuditEvent, isFresh?: Expression) {
  return {
    acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
    stale: isFresh && selectStale(ctx.db, session.id, user.id, event.at, isFresh),
    before: selectAdministeredUser(ctx.db, id),
  } as const
}

/**
 * Explains an act that did not happen. If it was permitted, it had nothing to change, and the target is returned as it
 * is.
 *
 * @throws {AppError} `invalid_token` when the session or the role ended meanwhile; `insufficient_user_authentication`
 *   for an act that needs a step-up; `not_found`; `insufficient_permission` for a target out of reach; `rate_limited`
 *   above the actor's ceiling, if the act has one
 */
export function findUnchangedTarget(
  ctx: Ctx,
  actor: Principal,
  rows: {
    acting: readonly User[]
    stale: readonly Pick<User, 'factorsId'>[]
    before: readonly AdministeredUser[]
    spent?: readonly unknown[]
  },
): AdministeredUser {
  const [acting] = rows.acting
  const [target] = rows.before
  if (acting?.role !== actor.user.role) throw invalidToken('ended_meanwhile')
  explainStale(rows.stale)
  if (!target) throw new AppError('not_found')
  if (!mayActOn(actor, target.role)) throw new AppError('insufficient_permission', { reason: 'target_out_of_reach' })
  if (rows.spent && rows.spent.length > 0) throw aboveCeiling(ctx, 'user_ceiling')
  return target
}

/** The target after an act that changed it. Its factors are read before the act: no act that ends here changes them. */
export function findChangedTarget(rows: {
  before: readonly AdministeredUser[]
  updated: readonly User[]
}): AdministeredUser | undefined {
  const [[target], [updated]] = [rows.before, rows.updated]
  return target && updated && { ...updated, factors: target.factors }
}
