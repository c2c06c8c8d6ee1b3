/** Acts on the account of another user itself: its profile, its activation, its end. */
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { AppError } from '../../errors.ts'
import { happened } from '../../store/audit.ts'
import { allOf, orderedBatch, never } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { deleteLinksOf } from '../../store/links.ts'
import { deleteRegistrationsOf, fromOnlyRegistration } from '../../store/registrations.ts'
import type { User } from '../../store/schema.ts'
import type { Actor } from '../../store/sessions.ts'
import { emailOf, hasNoPassword, hasPassword, hasStatus, leavesAnActiveAdmin, updateUser } from '../../store/users.ts'
import { decision, unchangedTarget } from './act.ts'
import { auditEvent } from '../audit/trail.ts'
import { eraseUser } from '../accounts/deletion.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { type ProfileChanges, givenOf, namesOf } from '../accounts/profile.ts'
import { revoke } from '../sessions/revocation.ts'

/** @throws {AppError} `not_found`, `insufficient_permission` */
export async function moderateProfile(ctx: Ctx, actor: Actor, id: string, changes: ProfileChanges): Promise<User> {
  const given = givenOf(changes)
  const fields = Object.keys(given)
  const event = auditEvent(ctx, 'user.profile_updated', {
    actorId: actor.user.id,
    userId: id,
    detail: { fields: namesOf(given) },
  })
  const [, acting, before, [updated]] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, fields.length > 0 ? undefined : never),
    updateUser(ctx.db, id, { ...given, updatedAt: event.at }, happened(event.id)),
  ])
  return updated ?? unchangedTarget(actor, acting, before)
}

/**
 * Activates a pending account by hand. The password of its only registration becomes the account's; when there were
 * several nobody can tell whose is right, so it gets none, and a mail to set one.
 *
 * @throws {AppError} `not_found`, `insufficient_permission`
 */
export async function activateUser(ctx: Ctx, actor: Actor, id: string): Promise<User> {
  const event = auditEvent(ctx, 'user.activated', { actorId: actor.user.id, userId: id })
  const welcome = newEmail(ctx, 'account_activated', emailOf(id), id)
  const invitation = newEmail(ctx, 'set_password', emailOf(id), id, { byAdministrator: true })
  const ifDone = happened(event.id)
  const [, acting, before, [updated]] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, hasStatus(id, 'pending')),
    updateUser(
      ctx.db,
      id,
      {
        status: 'active',
        passwordHash: fromOnlyRegistration('passwordHash', id),
        passwordId: uuidv7(event.at),
        firstName: fromOnlyRegistration('firstName', id),
        lastName: fromOnlyRegistration('lastName', id),
        locale: fromOnlyRegistration('locale', id),
        activatedAt: event.at,
        updatedAt: event.at,
      },
      ifDone,
    ),
    insertEmail(ctx.db, welcome, allOf(ifDone, hasPassword(id))),
    insertEmail(ctx.db, invitation, allOf(ifDone, hasNoPassword(id))),
    deleteLinksOf(ctx.db, id, ifDone),
    deleteRegistrationsOf(ctx.db, emailOf(id), ifDone),
  ])
  if (!updated) return unchangedTarget(actor, acting, before)
  announceEmail(ctx, updated.passwordHash === null ? invitation : welcome)
  return updated
}

/**
 * Mails a user a link to set a new password. The password and the sessions stay what they are until it is used. Whoever
 * starts this sees neither the link nor the password (OWASP ASVS 6.4.6); that it was used is told by the trail, and not
 * by the answer. Over the budget of such mails nothing happens, and the links already sent stay good.
 *
 * @throws {AppError} `not_found`, `insufficient_permission`
 */
export async function startPasswordReset(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  const event = auditEvent(ctx, 'user.password_reset_requested', { actorId: actor.user.id, userId: id })
  const mail = newEmail(ctx, 'password_reset', emailOf(id), id, { byAdministrator: true })
  const [decided, acting, before] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, mailBudgetLeft(mail, event.at)),
    insertEmail(ctx.db, mail, happened(event.id)),
  ])
  if (decided.length > 0) announceEmail(ctx, mail)
  else unchangedTarget(actor, acting, before)
}

/** @throws {AppError} `not_found`, `insufficient_permission`, `own_account`, `last_admin` */
export async function deleteOtherAccount(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  if (id === actor.user.id) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.deleted', { actorId: actor.user.id, userId: id })
  const farewell = newEmail(ctx, 'account_deleted', emailOf(id), id)
  const [decided, acting, before, ended] = await orderedBatch(ctx.db, [
    ...decision(ctx, actor, id, event, leavesAnActiveAdmin(id)),
    ...eraseUser(ctx.db, id, farewell, event.id),
  ])
  if (decided.length === 0) {
    unchangedTarget(actor, acting, before)
    throw new AppError('last_admin')
  }
  revoke(ctx, ended)
  announceEmail(ctx, farewell)
}
