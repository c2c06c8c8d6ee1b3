/** What there is to say about a change of address. The requests for one look nothing up, so delivery decides. */
import type { Message } from '../../../emails/render.ts'
import { isPendingChange } from '../../store/email-changes.ts'
import type { Email } from '../../store/schema/emails.ts'
import { type Facts, type Plan, readWhereabouts, say } from './plan.ts'

/** A pending account at the new address makes way: anybody could have registered it. */
export function planEmailChange({ id, linkedAt }: Email, { now, change, user, reservedFor }: Facts): Plan | undefined {
  if (change?.linkId !== id || change.appliedAt) return undefined
  const isTaken = reservedFor !== undefined || (user !== undefined && user.status !== 'pending')
  // As in `planRefusal`: one that carried a link has arrived.
  if (isTaken) return linkedAt ? undefined : say({ template: 'email_change_taken' })
  const { userId } = change
  return {
    userId,
    link: { purpose: 'email_change', userId, registrationId: null, guard: isPendingChange(change, now) },
    message: ({ url: link, expiresAt }) => ({ template: 'email_change', link, expiresAt }),
  }
}

/** For the old address, when somebody asks for another one: with the link that stops it. */
export function planChangeNotice(email: Email, facts: Facts): Plan | undefined {
  const from = readWhereabouts(email.params)
  return planRevert(email, facts, (undo) => ({ template: 'email_change_notice', ...undo, from }))
}

/** For both addresses, after the change. Only the old one gets the link that undoes it. */
export function planChanged(email: Email, facts: Facts): Plan {
  const from = readWhereabouts(email.params)
  const withoutLink = say({ template: 'email_changed', undo: null, from })
  return planRevert(email, facts, (undo) => ({ template: 'email_changed', undo, from })) ?? withoutLink
}

/** For the old address alone: whoever has the new one must not undo the change. */
function planRevert(
  { recipient }: Email,
  { change }: Facts,
  message: (undo: { link: string; expiresAt: Date }) => Message,
): Plan | undefined {
  if (change?.oldEmail !== recipient) return undefined
  const { userId, linkId, firstLinkId } = change
  return {
    userId,
    link: { purpose: 'email_revert', userId, firstLinkId: firstLinkId ?? linkId },
    message: ({ url: link, expiresAt }) => message({ link, expiresAt }),
  }
}
