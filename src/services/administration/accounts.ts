/** Acts on another user's account: its profile, its activation, its password, its deletion. */
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { AppError } from '../../errors.ts'
import type { AdministeredUser } from '../../store/administered-users.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { deleteLinksOf } from '../../store/links.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import { isFreshIfFactored } from '../../store/session-strength.ts'
import {
  differsFrom,
  emailOf,
  hasStatus,
  leavesAnActiveAdmin,
  takesMail,
  userExists,
} from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { decideAct, decideFreeAct, findChangedTarget, findUnchangedTarget } from './act.ts'
import { auditEvent } from '../audit/trail.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { eraseUser } from '../accounts/deletion.ts'
import { announceEmail, announceStored, newEmail } from '../mail/outbox.ts'
import { type ProfileChanges, omitAbsent, listFieldNames } from '../accounts/profile.ts'
import { revoke } from '../sessions/revocation.ts'
import { assertFreshIfFactored } from '../sessions/strength.ts'

/**
 * Changes or clears the profile of a user. Values that are there already leave no event.
 *
 * @throws {AppError} as `findUnchangedTarget`
 */
export async function moderateProfile(
  ctx: Ctx,
  actor: Principal,
  id: string,
  changes: ProfileChanges,
): Promise<AdministeredUser> {
  const given = omitAbsent(changes)
  const detail = { fields: listFieldNames(given) }
  const event = auditEvent(ctx, 'user.profile_updated', { actorId: actor.user.id, userId: id, detail })
  const when = userExists(id, differsFrom(given))
  const rows = await batch(ctx.db, decideAct(ctx, actor, id, event, when), {
    updated: updateUser(ctx.db, id, { ...given, updatedAt: event.at }, happened(event.id)),
  })
  return findChangedTarget(rows) ?? findUnchangedTarget(ctx, actor, rows)
}

/**
 * Activates a pending account by hand. It gets no password and no name from any registration. Its mailbox gets a link
 * to set a password. Whose registration is the right one cannot be told from what is kept: a stranger who registers the
 * address first can use up its emails, and then nothing is kept of the owner's registration (pre-hijacking).
 *
 * @throws {AppError} as `findUnchangedTarget`; `user_suspended`
 */
export async function activateUser(ctx: Ctx, actor: Principal, id: string): Promise<AdministeredUser> {
  const event = auditEvent(ctx, 'user.activated', { actorId: actor.user.id, userId: id })
  const invitation = newEmail(ctx, 'set_password', emailOf(id), id)
  const ifDone = happened(event.id)
  const { at } = event
  const activated = { status: 'active', passwordId: uuidv7(at), activatedAt: at, updatedAt: at } as const
  const rows = await batch(ctx.db, decideAct(ctx, actor, id, event, hasStatus(id, 'pending')), {
    updated: updateUser(ctx.db, id, activated, ifDone),
    invitation: insertEmail(ctx.db, invitation, ifDone),
    links: deleteLinksOf(ctx.db, id, ifDone),
    registrations: deleteRegistrationsOf(ctx.db, emailOf(id), ifDone),
  })
  const updated = findChangedTarget(rows)
  if (!updated) {
    const target = findUnchangedTarget(ctx, actor, rows)
    if (target.status === 'suspended') throw new AppError('user_suspended')
    return target
  }
  announceStored(ctx, rows.invitation)
  return updated
}

/**
 * Mails a user a link to set a new password. The password and the sessions stay as they are until the link is used. The
 * administrator sees neither the link nor the password (OWASP ASVS 6.4.6); the audit trail, not the answer, tells that
 * the link was used. Over the budget of such emails nothing happens, and the links already sent stay valid. An actor
 * with a second factor has to have shown it within ten minutes.
 *
 * @throws {AppError} as `findUnchangedTarget`; `email_suppressed`
 */
export async function startPasswordReset(ctx: Ctx, actor: Principal, id: string): Promise<void> {
  assertFreshIfFactored(actor, ctx.now())
  const event = auditEvent(ctx, 'user.password_reset_requested', { actorId: actor.user.id, userId: id })
  const email = newEmail(ctx, 'password_reset', emailOf(id), id, { byAdministrator: true })
  const when = allOf(takesMail(id), mailBudgetLeft(email))
  const rows = await batch(ctx.db, decideFreeAct(ctx, actor, id, event, when, isFreshIfFactored(event.at)), {
    email: insertEmail(ctx.db, email, happened(event.id)),
  })
  if (rows.decided.length > 0) return announceEmail(ctx, email)
  if (findUnchangedTarget(ctx, actor, rows).emailProblem !== null) throw new AppError('email_suppressed')
}

/**
 * Deletes another user's account and everything kept about it but ids in the audit trail. An actor with a second factor
 * has to have shown it within ten minutes.
 *
 * @throws {AppError} as `findUnchangedTarget`; `own_account`, `last_admin`
 */
export async function deleteOtherAccount(ctx: Ctx, actor: Principal, id: string): Promise<void> {
  assertFreshIfFactored(actor, ctx.now())
  if (id === actor.user.id) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.deleted', { actorId: actor.user.id, userId: id })
  const rows = await batch(
    ctx.db,
    decideFreeAct(ctx, actor, id, event, leavesAnActiveAdmin(id), isFreshIfFactored(event.at)),
    eraseUser(ctx, id, event),
  )
  if (rows.decided.length === 0) {
    findUnchangedTarget(ctx, actor, rows)
    throw new AppError('last_admin')
  }
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.farewells)
}
