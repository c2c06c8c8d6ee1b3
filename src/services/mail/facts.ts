import type { Ctx } from '../../context.ts'
import { batch } from '../../store/batch.ts'
import { selectEmailChanges, selectReservations } from '../../store/email-changes.ts'
import { selectNewestRegistrations, selectRegistrations } from '../../store/registrations.ts'
import type { Email } from '../../store/schema/emails.ts'
import { selectUsersByEmail } from '../../store/users.ts'
import { findKind } from './kinds.ts'
import type { Facts } from './plan.ts'

/** Looks up what the kinds of some emails ask for, in one round trip for all of them. */
export async function findFacts(ctx: Ctx, emails: readonly Email[]): Promise<(email: Email) => Facts> {
  const now = ctx.now()
  const asking = emails.filter(({ template }) => findKind(template)?.asks)
  const nothing = { now, user: undefined, registration: undefined, reservedFor: undefined, change: undefined }
  if (asking.length === 0) return () => nothing
  const wantNewest = asking.filter(({ template }) => findKind(template)?.asks === 'newest_registration')
  const changing = asking.filter(({ template }) => findKind(template)?.asks === 'email_change')
  const rows = await batch(ctx.db, {
    users: selectUsersByEmail(ctx.db, listRecipients(asking)),
    own: selectRegistrations(
      ctx.db,
      asking.flatMap(({ params }) => params.registrationId ?? []),
    ),
    newest: selectNewestRegistrations(ctx.db, listRecipients(wantNewest)),
    reservations: selectReservations(ctx.db, listRecipients(asking), now),
    changes:
      changing.length > 0
        ? selectEmailChanges(
            ctx.db,
            changing.flatMap(({ userId }) => userId ?? []),
          )
        : undefined,
  })
  const userAt = new Map(rows.users.map((user) => [user.email, user]))
  const ownById = new Map(rows.own.map((registration) => [registration.id, registration]))
  const newestAt = new Map(rows.newest.map((registration) => [registration.email, registration]))
  const reservedAt = new Map(rows.reservations.map(({ oldEmail, userId }) => [oldEmail, userId]))
  const changeOf = new Map(rows.changes.map((change) => [change.userId, change]))
  return ({ template, recipient, params, userId }) => ({
    now,
    user: userAt.get(recipient),
    reservedFor: reservedAt.get(recipient),
    change: changeOf.get(userId ?? ''),
    registration:
      findKind(template)?.asks === 'newest_registration'
        ? newestAt.get(recipient)
        : ownById.get(params.registrationId ?? ''),
  })
}

function listRecipients(emails: readonly Email[]): string[] {
  return [...new Set(emails.map(({ recipient }) => recipient))]
}
