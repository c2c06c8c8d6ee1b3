import type { Ctx } from '../../context.ts'
import { invalidToken } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { orderedBatch } from '../../store/db.ts'
import type { User } from '../../store/schema.ts'
import { type Actor, actorExists } from '../../store/sessions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'

/** What a user may say about itself. `null` clears, `undefined` leaves as it is. */
export interface ProfileChanges {
  firstName?: string | null | undefined
  lastName?: string | null | undefined
  avatarUrl?: string | null | undefined
  bio?: string | null | undefined
  locale?: string | null | undefined
}

/** @throws {AppError} `invalid_token` when the session ended meanwhile */
export async function updateOwnProfile(ctx: Ctx, { user, session }: Actor, changes: ProfileChanges): Promise<User> {
  const given = givenOf(changes)
  if (Object.keys(given).length === 0) return user
  const event = auditEvent(ctx, 'user.profile_updated', {
    actorId: user.id,
    userId: user.id,
    detail: { fields: namesOf(given) },
  })
  const [, [updated]] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, actorExists(session.id, user.id, event.at)),
    updateUser(ctx.db, user.id, { ...given, updatedAt: event.at }, happened(event.id)),
  ])
  if (!updated) throw invalidToken('ended_meanwhile')
  return updated
}

/** The changed fields as clients know them. What they were changed to is nobody's business but the profile's. */
export function namesOf(given: object): string {
  return Object.keys(given)
    .map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
    .join(' ')
}

/** Only the fields that are there, so that an absent one is not written. */
export function givenOf(changes: ProfileChanges): { [K in keyof ProfileChanges]?: string | null } {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
}
