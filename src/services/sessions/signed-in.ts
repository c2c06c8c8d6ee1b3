import type { Ctx } from '../../context.ts'
import { describeError, log } from '../../log.ts'
import { type CountedAttempt, accountBudget } from '../../store/attempts.ts'
import { batch } from '../../store/batch.ts'
import type { Session } from '../../store/schema/sessions.ts'
import type { User, UserWithHash } from '../../store/schema/users.ts'
import { isSignedIn, selectSession, selectSessionAndUser, selectSignedInUser } from '../../store/sessions.ts'
import { emailOf } from '../../store/user-conditions.ts'
import { type ClaimStatements, assertClaimed, claimPasswordAttempt } from '../protection/attempts.ts'
import { isSessionRevoked } from './revocation.ts'

/** Who acts: the user and the session of an access token, as D1 has them now. */
export interface Principal {
  user: User
  session: Pick<Session, 'id'>
}

/** The user and session of an access token, if the session is live and the user is active. */
export async function findSignedIn(ctx: Ctx, sessionId: string, userId: string): Promise<Principal | undefined> {
  const [found] = await selectSessionAndUser(ctx.db, { sessionId, userId, now: ctx.now() })
  return found
}

/** A replica that does not answer in this time is not waited for. */
export const replicaMs = 500

/**
 * Like `findSignedIn`, at a replica, which may still have a session that ended. So its answer counts only when it finds the
 * session and the revocation list does not have it. `undefined` decides nothing: the primary has to be asked.
 */
export async function findSignedInNearby(ctx: Ctx, sessionId: string, userId: string): Promise<Principal | undefined> {
  try {
    const asked = Promise.all([findSignedIn(ctx, sessionId, userId), isSessionRevoked(ctx, sessionId)])
    // A bookmark of another database keeps a replica waiting for a state that never comes.
    const [found, isRevoked] = (await Promise.race([asked, ctx.sleep(replicaMs)])) ?? []
    return isRevoked === false ? found : undefined
  } catch (error) {
    log('warn', 'replica.failed', describeError(error))
    return undefined
  }
}

/** A principal whose request carries the account's password. The attempt has been counted already. */
export interface PasswordPrincipal extends Principal {
  user: UserWithHash
  attempt: CountedAttempt
}

/**
 * Like `findSignedIn`, for a request that carries the account's password. Counts the attempt in the same round trip, in
 * the budget that sign-in uses: a stolen access token gives no way around that budget.
 *
 * @throws {AppError} `rate_limited`
 */
export async function findSignedInForPassword(
  ctx: Ctx,
  sessionId: string,
  userId: string,
): Promise<PasswordPrincipal | undefined> {
  const now = ctx.now()
  const guard = isSignedIn(sessionId, userId, now)
  const run = (claim: ClaimStatements) =>
    batch(ctx.db, claim, {
      user: selectSignedInUser(ctx.db, sessionId, userId, now),
      session: selectSession(ctx.db, sessionId),
    })
  const budget = accountBudget(emailOf(userId))
  const rows = await claimPasswordAttempt(ctx, { budget, conditions: { guard } }, run, ({ user: [found] }) => !found)
  const [[user], [session]] = [rows.user, rows.session]
  if (!user || !session) return undefined
  return { user, session, attempt: assertClaimed(ctx, rows) }
}
