import type { Ctx } from '../../context.ts'
import { invalidToken } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import type { User } from '../../store/schema/users.ts'
import { isSignedIn } from '../../store/sessions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import type { Principal } from '../sessions/signed-in.ts'

/** The fields that users edit themselves. `null` clears one, `undefined` leaves it as it is. */
export interface ProfileChanges {
  firstName?: string | null | undefined
  lastName?: string | null | undefined
  avatarUrl?: string | null | undefined
  bio?: string | null | undefined
  locale?: string | null | undefined
}

/** @throws {AppError} `invalid_token` when the session ended meanwhile */
export async function updateOwnProfile(ctx: Ctx, { user, session }: Principal, changes: ProfileChanges): Promise<User> {
  const given = omitAbsent(changes)
  if (Object.keys(given).length === 0) return user
  const event = auditEvent(ctx, 'user.profile_updated', {
    actorId: user.id,
    userId: user.id,
    detail: { fields: listFieldNames(given) },
  })
  const rows = await batch(ctx.db, {
    decided: insertAuditEvent(ctx.db, event, isSignedIn(session.id, user.id, event.at)),
    updated: updateUser(ctx.db, user.id, { ...given, updatedAt: event.at }, happened(event.id)),
  })
  const [updated] = rows.updated
  if (!updated) throw invalidToken('ended_meanwhile')
  return updated
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
