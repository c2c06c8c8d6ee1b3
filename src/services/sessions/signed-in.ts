import type { Ctx } from '../../context.ts'
import { accountBudget } from '../../store/attempts.ts'
import { orderedBatch } from '../../store/db.ts'
import { type Actor, actorExists, findActor, selectActingUser, selectSession } from '../../store/sessions.ts'
import { emailOf } from '../../store/users.ts'
import { assertClaimed, claimPasswordAttempt } from '../protection/attempts.ts'

/** The user and session behind an access token, if both are still good. */
export function findSignedIn(ctx: Ctx, sessionId: string, userId: string): Promise<Actor | undefined> {
  return findActor(ctx.db, sessionId, userId, ctx.now())
}

/** Who is signed in and about to try the account's password. */
export interface PasswordActor extends Actor {
  /** Which try in a row this is. */
  tries: number
}

/**
 * The same for a request that is about to try the account's password: takes the try in the same round trip, out of the
 * budget that sign-in draws on, so that a stolen access token is no way round it.
 *
 * @throws {AppError} `rate_limited`
 */
export async function findSignedInForPassword(
  ctx: Ctx,
  sessionId: string,
  userId: string,
): Promise<PasswordActor | undefined> {
  const now = ctx.now()
  const [claimed, attempts, [user], [session]] = await orderedBatch(ctx.db, [
    ...claimPasswordAttempt(ctx, accountBudget(emailOf(userId)), { guard: actorExists(sessionId, userId, now) }),
    selectActingUser(ctx.db, sessionId, userId, now),
    selectSession(ctx.db, sessionId),
  ])
  if (!user || !session) return undefined
  assertClaimed(ctx, claimed, attempts)
  return { user, session, tries: claimed[0]!.count }
}
