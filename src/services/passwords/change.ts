import type { Ctx } from '../../context.ts'
import type { StoredHash } from '../../crypto/password.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { accountBudget, deleteAttempts, deleteAttemptsFor } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { hasPlace, selectSpent, takePlace } from '../../store/ceilings.ts'
import { allOf, always } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import { deleteLinksOf } from '../../store/links.ts'
import { closeTokens, hasOpenToken, settleTokens } from '../../store/rotation.ts'
import type { User } from '../../store/schema/users.ts'
import { deleteOtherSessionsOf, isSignedInWithPassword, selectSignedInUser } from '../../store/sessions.ts'
import { selectStale } from '../../store/session-strength.ts'
import { passwordIdOf } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { aboveCeiling, passwordPlace } from '../protection/ceilings.ts'
import { sessionOrigin } from '../sessions/origin.ts'
import { revoke } from '../sessions/revocation.ts'
import type { PasswordPrincipal } from '../sessions/signed-in.ts'
import { explainStale, isProvenFor } from '../sessions/strength.ts'
import { type Tokens, issueTokens, sessionLifetime } from '../sessions/tokens.ts'
import { hashInTurn } from './hashing.ts'
import { assertOwnPassword } from './own-password.ts'
import { assertStrongPassword } from './policy.ts'

export interface PasswordChange {
  /** `undefined` for an account without a password. */
  oldPassword: string | undefined
  newPassword: string
  /** Of the refresh token that the client presents, see `readTokenOfSession`. */
  generation: number | undefined
}

/**
 * Changes the principal's password. Ends every other session and every reset link.
 *
 * With a refresh token of this session it also closes the session's chain of tokens: the answer has the first token of
 * a new one, and no older token is served again. A token older than the newest will do, too: the password proves more
 * than any token, and whoever has refreshed since loses what they got. Without a refresh token the chain goes on, but
 * the token before the newest may not be repeated any more, and the newest only from the network that rotates it.
 *
 * @returns the new tokens if a refresh token was presented
 * @throws {AppError} `wrong_password`; `invalid_token` when the session or the password ended meanwhile;
 *   `insufficient_user_authentication` when the session is not fresh any more; `invalid_refresh_token` when the session
 *   does not know the refresh token or has closed it; `rate_limited` above the user's ceiling; as
 *   `assertStrongPassword` and `inTurn`
 */
export async function changePassword(
  ctx: Ctx,
  principal: PasswordPrincipal,
  { oldPassword, newPassword, generation }: PasswordChange,
): Promise<Tokens | undefined> {
  const { user, session, attempt } = principal
  await assertOwnPassword(ctx, principal, oldPassword, 'user.password_change_refused')
  const passwordHash = await hashStrong(ctx, newPassword, user).catch(async (error: unknown) => {
    // The old password was right, so a weak new one must not count towards the lock-out.
    if (attempt) await deleteAttempts(ctx.db, accountBudget(user.email), always)
    throw error
  })
  const event = auditEvent(ctx, 'user.password_changed', { actorId: user.id, userId: user.id })
  const email = newEmail(ctx, 'password_changed', user.email, user.id)
  const ifDone = happened(event.id)
  const passwordId = passwordIdOf(user)
  const knowsToken = generation === undefined ? undefined : hasOpenToken(generation)
  const renewal = { id: session.id, now: event.at, ...sessionLifetime, from: await sessionOrigin(ctx) }
  const place = passwordPlace(ctx, user.id, event.id)
  const isProven = isProvenFor(principal, event.at)
  const mayChange = isSignedInWithPassword(session.id, user.id, passwordId, event.at, allOf(isProven, knowsToken))
  const rows = await batch(ctx.db, {
    place: takePlace(ctx.db, place, mayChange),
    spent: selectSpent(ctx.db, place),
    decided: insertAuditEvent(ctx.db, event, hasPlace(place)),
    renewed: knowsToken && closeTokens(ctx.db, renewal, ifDone),
    settled: knowsToken ? undefined : settleTokens(ctx.db, session.id, ifDone),
    acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
    stale: selectStale(ctx.db, session.id, user.id, event.at, isProven),
    user: updateUser(ctx.db, user.id, { passwordHash, passwordId: uuidv7(event.at), updatedAt: event.at }, ifDone),
    ended: deleteOtherSessionsOf(ctx.db, user.id, session.id, ifDone),
    links: deleteLinksOf(ctx.db, user.id, ifDone, 'reset'),
    email: insertEmail(ctx.db, email, ifDone),
    // Those of its devices, too: they knew the old password.
    series: deleteAttemptsFor(ctx.db, user.email, attempt ? always : ifDone),
  })
  if (rows.decided.length === 0) {
    const [acting] = rows.acting
    if (!acting || passwordIdOf(acting) !== passwordId) throw invalidToken('changed_meanwhile')
    explainStale(rows.stale)
    if (rows.spent.length > 0) throw aboveCeiling(ctx, 'user_ceiling')
    throw new AppError('invalid_refresh_token', { reason: 'unknown_generation' })
  }
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.email)
  const [[renewed], [changed]] = [rows.renewed, rows.user]
  return renewed && changed && issueTokens(ctx, changed, renewed)
}

async function hashStrong(ctx: Ctx, newPassword: string, user: User): Promise<StoredHash> {
  await assertStrongPassword(ctx, newPassword, user, '/new_password')
  return hashInTurn(ctx, newPassword)
}
