/** A new address for an account: asked for in a session, and proven by a link. */
import { emailChange } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { hourMs } from '../../durations.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { moveAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { hasPlace, selectSpent, takePlace } from '../../store/ceilings.ts'
import { allOf, always, never, noneOf } from '../../store/db.ts'
import {
  applyEmailChange,
  changedEmail,
  hasRecentChange,
  isFree,
  isPendingChange,
  selectEmailChanges,
  storeEmailChange,
} from '../../store/email-changes.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { deleteLinksOf, linkExists } from '../../store/links.ts'
import type { User } from '../../store/schema/users.ts'
import { isFresh, selectStale } from '../../store/session-strength.ts'
import { isSignedIn, selectSignedInUser } from '../../store/sessions.ts'
import { passwordIdOf } from '../../store/user-conditions.ts'
import { deletePendingUser, hasPendingUser, pendingUserAt } from '../../store/user-rows.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, announceStored, newEmail } from '../mail/outbox.ts'
import { aboveCeiling, emailChangePlace } from '../protection/ceilings.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { assertFresh, explainStale } from '../sessions/strength.ts'
import { readToken } from '../sessions/tokens.ts'

/**
 * Asks for another address. Looks the address up nowhere: delivery decides what its mailbox is told, so neither the
 * answer nor the email to the old address tells whether it has an account. Without a notice to the old address nothing
 * happens.
 *
 * @throws {AppError} `insufficient_user_authentication`; `invalid_token` when the session or the account changed
 *   meanwhile; `email_recently_changed`; `rate_limited` above the ceiling or the budget of notices
 */
export async function requestEmailChange(ctx: Ctx, principal: Principal, email: string): Promise<void> {
  const { user, session } = principal
  const now = ctx.now()
  assertFresh(principal, now)
  const event = auditEvent(ctx, 'user.email_change_requested', { actorId: user.id, userId: user.id })
  const offer = newEmail(ctx, 'email_change', email, user.id)
  const notice = newEmail(ctx, 'email_change_notice', user.email, user.id)
  const request = {
    userId: user.id,
    linkId: offer.id,
    newEmail: email,
    oldEmail: user.email,
    // As they were read: when they are others by now, the change is void.
    passwordId: passwordIdOf(user),
    factorsId: user.factorsId,
    expiresAt: new Date(now.getTime() + emailChange.offerMs),
    revertUntil: new Date(now.getTime() + emailChange.revertMs),
  }
  const ifDone = happened(event.id)
  const place = emailChangePlace(ctx, user.id, event.id)
  const isDifferent = email !== user.email
  const mayAsk = allOf(isFresh(session.id, user.id, now), noneOf(hasRecentChange(user.id, now)), mailBudgetLeft(notice))
  const rows = await batch(ctx.db, {
    place: takePlace(ctx.db, place, mayAsk),
    spent: selectSpent(ctx.db, place),
    decided: insertAuditEvent(ctx.db, event, hasPlace(place)),
    request: storeEmailChange(ctx.db, request, now, ifDone),
    offer: insertEmail(ctx.db, offer, ifDone),
    notice: insertEmail(ctx.db, notice, allOf(ifDone, isDifferent ? always : never)),
    acting: selectSignedInUser(ctx.db, session.id, user.id, now),
    stale: selectStale(ctx.db, session.id, user.id, now),
    recent: selectEmailChanges(ctx.db, [user.id]),
  })
  if (rows.decided.length === 0) {
    if (rows.acting.length === 0) throw invalidToken('ended_meanwhile')
    explainStale(rows.stale)
    if (rows.recent.some(({ appliedAt, revertUntil }) => appliedAt && revertUntil > now)) {
      throw new AppError('email_recently_changed')
    }
    if (rows.spent.length > 0) throw aboveCeiling(ctx, 'user_ceiling')
    throw new AppError('rate_limited', { reason: 'user_ceiling', retryAfterSeconds: hourMs / 1000 })
  }
  announceEmail(ctx, offer)
  if (isDifferent) announceEmail(ctx, notice)
}

/**
 * Gives the principal's account the address that the link was mailed to. The link proves the mailbox, and the session
 * that its reader has the account: a program that opens every link changes nothing. Links for a new password end, and
 * so does a pending account with the address. Wrong passwords go on counting. Devices become unknown, because their
 * tokens name the old address.
 *
 * @throws {AppError} `invalid_link`, whatever is wrong with it; `invalid_token` when the session ended meanwhile
 */
export async function confirmEmailChange(ctx: Ctx, { user, session }: Principal, token: string): Promise<User> {
  const { jti: linkId } = await readToken(ctx, 'email-change+jwt', token, 'invalid_link')
  const [change] = await selectEmailChanges(ctx.db, [user.id])
  if (change?.linkId !== linkId) throw new AppError('invalid_link', { reason: 'ended' })
  const { newEmail: email, oldEmail } = change
  const event = auditEvent(ctx, 'user.email_changed', { actorId: user.id, userId: user.id })
  const { at } = event
  const ifDone = happened(event.id)
  const expired = { ...auditEvent(ctx, 'user.expired', {}), userId: pendingUserAt(email) }
  const mails = [oldEmail, email].map((recipient) => newEmail(ctx, 'email_changed', recipient, user.id))
  const rows = await batch(
    ctx.db,
    {
      decided: insertAuditEvent(
        ctx.db,
        event,
        allOf(
          isSignedIn(session.id, user.id, at),
          linkExists(linkId, 'email_change', at),
          isPendingChange(change, at),
          isFree(email, at),
        ),
      ),
      expired: insertAuditEvent(ctx.db, expired, allOf(ifDone, hasPendingUser(email))),
    },
    deletePendingUser(ctx.db, email, ifDone),
    {
      links: deleteLinksOf(ctx.db, user.id, ifDone),
      attempts: moveAttempts(ctx.db, oldEmail, email, ifDone),
      updated: updateUser(ctx.db, user.id, { ...changedEmail(at), email, emailProblem: null, updatedAt: at }, ifDone),
      change: applyEmailChange(
        ctx.db,
        user.id,
        { appliedAt: at, revertUntil: new Date(at.getTime() + emailChange.revertMs) },
        ifDone,
      ),
      mails: mails.map((mail) => insertEmail(ctx.db, mail, ifDone)),
      acting: selectSignedInUser(ctx.db, session.id, user.id, at),
    },
  )
  const [updated] = rows.updated
  if (!updated) {
    throw rows.acting.length > 0
      ? new AppError('invalid_link', { reason: 'used_meanwhile' })
      : invalidToken('ended_meanwhile')
  }
  announceStored(ctx, rows.mails)
  return updated
}
