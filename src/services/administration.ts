/**
 * What one user does to another. Each act is one batch whose first statement, the audit event, holds the whole decision:
 * the actor's session, role and status as they are now, whom the actor may act on, and the state of the target. Why an
 * act was refused is read in the same batch.
 */
import type { Context } from '../context.ts'
import { AppError, invalidToken } from '../errors.ts'
import { happened, insertAuditEvent } from '../store/audit.ts'
import { type Expression, allOf, batch, never } from '../store/db.ts'
import { insertEmail } from '../store/emails.ts'
import { deleteLinksOf } from '../store/links.ts'
import { deleteRegistrationsOf, fromOnlyRegistration } from '../store/registrations.ts'
import type { AuditEvent, Role, User } from '../store/schema.ts'
import { type Actor, actorStillHasRole, deleteSessionsOf, selectActingUser } from '../store/sessions.ts'
import {
  emailOf,
  hasNoPassword,
  hasOtherRoleThan,
  hasPassword,
  hasRoleAmong,
  hasStatus,
  isNotSuspended,
  leavesAnActiveAdmin,
  selectUser,
  statusBeforeSuspension,
  updateUser,
  wasActivated,
} from '../store/users.ts'
import { auditEvent } from './audit.ts'
import { eraseUser } from './deletion.ts'
import { announceEmail, newEmail } from './outbox.ts'
import { rolesInReachOf } from './permissions.ts'
import { type ProfileChanges, givenOf, namesOf } from './profile.ts'
import { revoke } from './revocation.ts'

/** @throws {AppError} `not_found`, `insufficient_permission` */
export async function moderateProfile(ctx: Context, actor: Actor, id: string, changes: ProfileChanges): Promise<User> {
  const given = givenOf(changes)
  const fields = Object.keys(given)
  const event = auditEvent(ctx, 'user.profile_updated', {
    actorId: actor.user.id,
    userId: id,
    detail: { fields: namesOf(given) },
  })
  const [, acting, before, [updated]] = await batch(ctx.db, [
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
export async function activateUser(ctx: Context, actor: Actor, id: string): Promise<User> {
  const event = auditEvent(ctx, 'user.activated', { actorId: actor.user.id, userId: id })
  const welcome = newEmail(ctx, 'account_activated', emailOf(id), id)
  const invitation = newEmail(ctx, 'set_password', emailOf(id), id)
  const done = happened(event.id)
  const [, acting, before, [updated]] = await batch(ctx.db, [
    ...decision(ctx, actor, id, event, hasStatus(id, 'pending')),
    updateUser(
      ctx.db,
      id,
      {
        status: 'active',
        passwordHash: fromOnlyRegistration('passwordHash', id),
        firstName: fromOnlyRegistration('firstName', id),
        lastName: fromOnlyRegistration('lastName', id),
        locale: fromOnlyRegistration('locale', id),
        activatedAt: event.at,
        updatedAt: event.at,
      },
      done,
    ),
    insertEmail(ctx.db, welcome, allOf(done, hasPassword(id))),
    insertEmail(ctx.db, invitation, allOf(done, hasNoPassword(id))),
    deleteLinksOf(ctx.db, id, done),
    deleteRegistrationsOf(ctx.db, emailOf(id), done),
  ])
  if (!updated) return unchangedTarget(actor, acting, before)
  announceEmail(ctx, updated.passwordHash === null ? invitation : welcome)
  return updated
}

/**
 * Gives a user another role and ends its sessions, so that no token of the old role survives.
 *
 * @throws {AppError} `not_found`, `insufficient_permission`, `own_account`, `last_admin`
 */
export async function assignRole(ctx: Context, actor: Actor, id: string, role: Role): Promise<User> {
  if (id === actor.user.id && role !== actor.user.role) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.role_changed', { actorId: actor.user.id, userId: id, detail: { role } })
  const when = allOf(hasOtherRoleThan(id, role), role === 'ADMIN' ? undefined : leavesAnActiveAdmin(id))
  const mail = newEmail(ctx, 'role_changed', emailOf(id), id, { role })
  const done = happened(event.id)
  const [, acting, before, [updated], ended] = await batch(ctx.db, [
    ...decision(ctx, actor, id, event, when),
    updateUser(ctx.db, id, { role, updatedAt: event.at }, done),
    deleteSessionsOf(ctx.db, id, done),
    insertEmail(ctx.db, mail, allOf(done, wasActivated(id))),
  ])
  if (!updated) {
    const target = unchangedTarget(actor, acting, before)
    if (target.role !== role) throw new AppError('last_admin')
    return target
  }
  revoke(ctx, ended)
  announceEmail(ctx, mail)
  return updated
}

/**
 * Suspends an account and ends its sessions. The reason goes into the audit event and into the mail.
 *
 * @throws {AppError} `not_found`, `insufficient_permission`, `own_account`, `last_admin`
 */
export async function suspendUser(ctx: Context, actor: Actor, id: string, reason: string): Promise<User> {
  if (id === actor.user.id) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.suspended', { actorId: actor.user.id, userId: id, detail: { reason } })
  const mail = newEmail(ctx, 'account_suspended', emailOf(id), id, { reason })
  const done = happened(event.id)
  const [, acting, before, [updated], ended] = await batch(ctx.db, [
    ...decision(ctx, actor, id, event, allOf(isNotSuspended(id), leavesAnActiveAdmin(id))),
    updateUser(ctx.db, id, { status: 'suspended', updatedAt: event.at }, done),
    deleteSessionsOf(ctx.db, id, done),
    insertEmail(ctx.db, mail, allOf(done, wasActivated(id))),
  ])
  if (!updated) {
    const target = unchangedTarget(actor, acting, before)
    if (target.status !== 'suspended') throw new AppError('last_admin')
    return target
  }
  revoke(ctx, ended)
  announceEmail(ctx, mail)
  return updated
}

/** @throws {AppError} `not_found`, `insufficient_permission` */
export async function reinstateUser(ctx: Context, actor: Actor, id: string): Promise<User> {
  const event = auditEvent(ctx, 'user.reinstated', { actorId: actor.user.id, userId: id })
  const mail = newEmail(ctx, 'account_reinstated', emailOf(id), id)
  const done = happened(event.id)
  const [, acting, before, [updated]] = await batch(ctx.db, [
    ...decision(ctx, actor, id, event, hasStatus(id, 'suspended')),
    updateUser(ctx.db, id, { status: statusBeforeSuspension, updatedAt: event.at }, done),
    insertEmail(ctx.db, mail, allOf(done, wasActivated(id))),
  ])
  if (!updated) return unchangedTarget(actor, acting, before)
  announceEmail(ctx, mail)
  return updated
}

/** @throws {AppError} `not_found`, `insufficient_permission` */
export async function endSessionsOfUser(ctx: Context, actor: Actor, id: string): Promise<void> {
  const event = auditEvent(ctx, 'session.ended', {
    actorId: actor.user.id,
    userId: id,
    detail: { sessions: 'all' },
  })
  const [decided, acting, before, ended] = await batch(ctx.db, [
    ...decision(ctx, actor, id, event),
    deleteSessionsOf(ctx.db, id, happened(event.id)),
  ])
  if (decided.length === 0) unchangedTarget(actor, acting, before)
  revoke(ctx, ended)
}

/** @throws {AppError} `not_found`, `insufficient_permission`, `own_account`, `last_admin` */
export async function deleteOtherAccount(ctx: Context, actor: Actor, id: string): Promise<void> {
  if (id === actor.user.id) throw new AppError('own_account')
  const event = auditEvent(ctx, 'user.deleted', { actorId: actor.user.id, userId: id })
  const farewell = newEmail(ctx, 'account_deleted', emailOf(id), id)
  const [decided, acting, before, ended] = await batch(ctx.db, [
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

/**
 * The first statements of every act: the event, if the act is permitted and has something to do; the actor, if still
 * acting; and the target as it was before.
 */
function decision(ctx: Context, actor: Actor, id: string, event: AuditEvent, when?: Expression) {
  const isPermitted = allOf(actorStillHasRole(actor, event.at), hasRoleAmong(id, rolesInReachOf(actor.user.role)), when)
  return [
    insertAuditEvent(ctx.db, event, isPermitted),
    selectActingUser(ctx.db, actor.session.id, actor.user.id, event.at),
    selectUser(ctx.db, id),
  ] as const
}

/** The target of an act that did nothing, when there was nothing to do; otherwise the refusal. */
function unchangedTarget(actor: Actor, [acting]: readonly User[], [target]: readonly User[]): User {
  if (!acting || acting.role !== actor.user.role) throw invalidToken('ended_meanwhile')
  if (!target) throw new AppError('not_found')
  if (!rolesInReachOf(actor.user.role).includes(target.role)) {
    throw new AppError('insufficient_permission', { reason: 'target_out_of_reach' })
  }
  return target
}
