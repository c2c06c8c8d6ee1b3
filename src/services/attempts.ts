import type { Context } from '../context.ts'
import { AppError } from '../errors.ts'
import { type AttemptPolicy, claimAttempt, selectAttempts } from '../store/attempts.ts'
import type { Expression } from '../store/db.ts'

/**
 * Wrong passwords in a row: five at once, then a pause of a second that doubles up to a quarter of an hour, and after a
 * hundred no password is looked at until a reset by mail (NIST SP 800-63B-4 §3.2.2).
 */
export const passwordAttempts: AttemptPolicy = { free: 5, max: 100, firstPauseMs: 1000, maxPauseMs: 15 * 60_000 }

/** What a client is told to wait when waiting alone will not help. */
const exhaustedRetrySeconds = 60 * 60

/**
 * The two statements that take a try, for the batch that reads the account: the first gives a row when the try may be
 * made, the second tells how long to wait otherwise.
 *
 * @param guard without it the try is not even counted
 */
export function claimPasswordAttempt(ctx: Context, key: Expression, guard?: Expression) {
  return [claimAttempt(ctx.db, key, ctx.now(), passwordAttempts, guard), selectAttempts(ctx.db, key)] as const
}

interface Counter {
  count: number
  allowedAt: Date
}

/** @throws {AppError} `rate_limited`, with the seconds to wait */
export function assertClaimed(ctx: Context, claimed: readonly unknown[], [counter]: readonly Counter[]): void {
  if (claimed.length > 0 || !counter) return
  const waitMs = counter.allowedAt.getTime() - ctx.now().getTime()
  const seconds = counter.count >= passwordAttempts.max ? exhaustedRetrySeconds : Math.max(1, Math.ceil(waitMs / 1000))
  throw new AppError('rate_limited', { reason: 'password_attempts', headers: { 'Retry-After': String(seconds) } })
}
