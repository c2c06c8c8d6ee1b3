/**
 * What users do to their own second factors. Each act is one batch, like those of administrators: the first statements
 * decide, every other one depends on the event, and the same batch reads why an act was refused.
 */
import type { Ctx } from '../../context.ts'
import { invalidToken } from '../../errors.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { hasPlace, selectSpent, takePlace } from '../../store/ceilings.ts'
import { type Expression, allOf } from '../../store/db.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { User } from '../../store/schema/users.ts'
import { isFreshSession, selectStale } from '../../store/session-strength.ts'
import { isSignedInAs, selectSignedInUser } from '../../store/sessions.ts'
import { aboveCeiling, factorPlace } from '../protection/ceilings.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { explainStale } from '../sessions/strength.ts'

/**
 * The first statements of an act: `decided` has a row if it happens. It needs a fresh session, and takes a place below
 * the user's ceiling. The other rows are for `explainRefusal`.
 *
 * @param when what else must hold
 * @param refusedIf a spent ceiling refuses the act only where this holds
 */
export function decideFactorAct(
  ctx: Ctx,
  { user, session }: Principal,
  event: AuditEvent,
  when: Expression,
  refusedIf?: Expression,
) {
  const { at } = event
  const place = factorPlace(ctx, user.id, event.id)
  const isActing = isSignedInAs(session.id, user.id, user.role, at, isFreshSession(at))
  return {
    place: takePlace(ctx.db, place, allOf(isActing, when)),
    spent: selectSpent(ctx.db, place, refusedIf),
    decided: insertAuditEvent(ctx.db, event, hasPlace(place)),
    acting: selectSignedInUser(ctx.db, session.id, user.id, at),
    stale: selectStale(ctx.db, session.id, user.id, at),
  } as const
}

interface RefusalRows {
  acting: readonly User[]
  stale: readonly Pick<User, 'factorsId'>[]
  spent?: readonly unknown[]
}

/**
 * Explains why the principal may not change factors now. Returns when the factors themselves were the reason.
 *
 * @throws {AppError} `invalid_token` when the session or the role ended meanwhile; `insufficient_user_authentication`;
 *   `rate_limited` above the user's ceiling
 */
export function explainRefusal(ctx: Ctx, { user }: Principal, { acting, stale, spent }: RefusalRows): void {
  if (acting[0]?.role !== user.role) throw invalidToken('ended_meanwhile')
  explainStale(stale)
  if (spent && spent.length > 0) throw aboveCeiling(ctx, 'user_ceiling')
}
