import type { Ctx } from '../../context.ts'
import { verifyPassword } from '../../crypto/password.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { verifyToken } from '../../crypto/tokens.ts'
import { AppError } from '../../errors.ts'
import { accountBudget, deleteAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { allOf, orderedBatch } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import {
  deleteLinksOf,
  emailOfLink,
  linkExists,
  selectRegistrationOfLink,
  selectUserOfLink,
} from '../../store/links.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import { hasStatus, updateUser } from '../../store/users.ts'
import { assertClaimed, claimPasswordAttempt } from '../protection/attempts.ts'
import { auditEvent } from '../audit/trail.ts'
import { promoteFirstAdmin } from '../sessions/bootstrap-admin.ts'
import { issueDeviceToken, newDevice } from '../protection/devices.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import { recordWrongPassword } from '../protection/series-warning.ts'
import { openSession } from '../sessions/start.ts'
import { type SignInTokens, issueTokens, newSession } from '../sessions/tokens.ts'

/**
 * Activates a pending account and signs in: the link proves the mailbox, the password proves that it is the same person
 * who registered. The attempt the link leads to becomes the account, every other one is forgotten.
 *
 * @throws {AppError} `invalid_link`; `rate_limited`; `invalid_credentials` for another password, and the link stays good
 */
export async function activate(ctx: Ctx, token: string, password: string): Promise<SignInTokens> {
  const now = ctx.now()
  const verified = await verifyToken(ctx.tokens, 'activation+jwt', token, now)
  if (verified.kind === 'refused') throw new AppError('invalid_link', { reason: verified.reason })
  const { jti: linkId } = verified.claims
  const isLive = linkExists(linkId, 'activation', now)
  const [claimed, attempts, [user], [registration]] = await orderedBatch(ctx.db, [
    ...claimPasswordAttempt(ctx, accountBudget(emailOfLink(linkId)), { guard: isLive }),
    selectUserOfLink(ctx.db, linkId, 'activation', now),
    selectRegistrationOfLink(ctx.db, linkId, 'activation', now),
  ])
  if (!registration || user?.status !== 'pending') throw new AppError('invalid_link', { reason: 'ended' })
  assertClaimed(ctx, claimed, attempts)
  const { matches } = await verifyPassword(password, registration.passwordHash, ctx.work, ctx.secrets.peppers)
  if (!matches) {
    const { id: userId, email } = user
    const refusal = auditEvent(ctx, 'user.activation_refused', { userId, detail: { reason: 'wrong_password' } })
    await recordWrongPassword(ctx, refusal, { email, userId, tries: claimed[0]!.count })
    throw new AppError('invalid_credentials', { reason: 'wrong_password' })
  }

  const session = newSession(ctx, user.id)
  const event = auditEvent(ctx, 'user.activated', {
    actorId: user.id,
    userId: user.id,
    detail: { session_id: session.id },
  })
  const mail = newEmail(ctx, 'account_activated', user.email, user.id)
  const ifDone = happened(event.id)
  const { passwordHash, firstName, lastName, locale } = registration
  const passwordId = uuidv7(event.at)
  const [, [activated], [stored], , evicted, , , , , ...promotion] = await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, allOf(linkExists(linkId, 'activation', event.at), hasStatus(user.id, 'pending'))),
    updateUser(
      ctx.db,
      user.id,
      {
        status: 'active',
        passwordHash,
        passwordId,
        firstName,
        lastName,
        locale,
        activatedAt: event.at,
        updatedAt: event.at,
        lastLoginAt: event.at,
      },
      ifDone,
    ),
    ...openSession(ctx, session, event.id),
    insertEmail(ctx.db, mail, ifDone),
    deleteLinksOf(ctx.db, user.id, ifDone, 'activation'),
    deleteRegistrationsOf(ctx.db, user.email, ifDone),
    deleteAttempts(ctx.db, accountBudget(user.email), ifDone),
    ...promoteFirstAdmin(ctx, user, event.id),
  ])
  if (!activated || !stored) throw new AppError('invalid_link', { reason: 'used_meanwhile' })
  revoke(ctx, evicted)
  announceEmail(ctx, mail)
  const tokens = await issueTokens(ctx, promotion[1]?.[0] ?? activated, stored)
  return { ...tokens, deviceToken: await issueDeviceToken(ctx, user.email, newDevice(passwordId)) }
}
