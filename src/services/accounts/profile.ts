import type { Ctx } from '../../context.ts'
import { invalidToken } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { hasPlace, selectSpent, takePlace } from '../../store/ceilings.ts'
import type { User } from '../../store/schema/users.ts'
import { isSignedIn, selectSignedInUser } from '../../store/sessions.ts'
import { differsFrom } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent, condense } from '../audit/trail.ts'
import { aboveCeiling, userPlace } from '../protection/ceilings.ts'
import type { Principal } from '../sessions/signed-in.ts'

/** The fields that users edit themselves. `null` clears one, `undefined` leaves it as it is. */
export interface ProfileChanges {
  firstName?: string | null | undefined
  lastName?: string | null | undefined
  avatarUrl?: string | null | undefined
  bio?: string | null | undefined
  locale?: string | null | undefined
}

/**
 * Changes the principal's profile. Values that are there already change nothing, and leave no event.
 *
 * @throws {AppError} `invalid_token` when the session ended meanwhile; `rate_limited` above the user's ceiling
 */
export async function updateOwnProfile(ctx: Ctx, { user, session }: Principal, changes: ProfileChanges): Promise<User> {
  const given = omitAbsent(changes)
  if (Object.keys(given).length === 0) return user
  const event = auditEvent(ctx, 'user.profile_updated', {
    actorId: user.id,
    userId: user.id,
    detail: { fields: listFieldNames(given) },
  })
  const place = userPlace(ctx, user.id, event.id)
  const rows = await batch(ctx.db, {
    place: takePlace(ctx.db, place, isSignedIn(session.id, user.id, event.at, differsFrom(given))),
    spent: selectSpent(ctx.db, place),
    decided: insertAuditEvent(ctx.db, event, hasPlace(place)),
    updated: updateUser(ctx.db, user.id, { ...given, updatedAt: event.at }, happened(event.id)),
    acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
    ...condense(ctx, [event]),
  })
  const [current] = rows.acting
  if (!current) throw invalidToken('ended_meanwhile')
  if (rows.spent.length > 0) throw aboveCeiling(ctx, 'user_ceiling')
  return current
}

/** The names of the changed fields as in the API. The audit trail keeps the names only, not the values. */
export function listFieldNames(given: object): string {
  return Object.keys(given)
    .map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
    .join(' ')
}

/** Without the absent fields, so that they are not written. */
export function omitAbsent(changes: ProfileChanges): { [K in keyof ProfileChanges]?: string | null } {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
}
