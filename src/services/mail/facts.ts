import type { Ctx } from '../../context.ts'
import { batch } from '../../store/batch.ts'
import { selectNewestRegistrations, selectRegistrations } from '../../store/registrations.ts'
import type { Email } from '../../store/schema/emails.ts'
import { selectUsersByEmail } from '../../store/users.ts'
import { type Facts, findKind } from './kinds.ts'

/** Looks up what the kinds of some emails ask for, in one round trip for all of them. */
export async function findFacts(ctx: Ctx, emails: readonly Email[]): Promise<(email: Email) => Facts> {
  const asking = emails.filter(({ template }) => findKind(template)?.asks)
  if (asking.length === 0) return () => ({ user: undefined, registration: undefined })
  const wantNewest = asking.filter(({ template }) => findKind(template)?.asks === 'newest_registration')
  const { users, own, newest } = await batch(ctx.db, {
    users: selectUsersByEmail(ctx.db, listRecipients(asking)),
    own: selectRegistrations(
      ctx.db,
      asking.flatMap(({ params }) => params.registrationId ?? []),
    ),
    newest: selectNewestRegistrations(ctx.db, listRecipients(wantNewest)),
  })
  const userAt = new Map(users.map((user) => [user.email, user]))
  const ownById = new Map(own.map((registration) => [registration.id, registration]))
  const newestAt = new Map(newest.map((registration) => [registration.email, registration]))
  return ({ template, recipient, params }) => ({
    user: userAt.get(recipient),
    registration:
      findKind(template)?.asks === 'newest_registration'
        ? newestAt.get(recipient)
        : ownById.get(params.registrationId ?? ''),
  })
}

function listRecipients(emails: readonly Email[]): string[] {
  return [...new Set(emails.map(({ recipient }) => recipient))]
}
