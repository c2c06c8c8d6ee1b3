import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import {
  type AttemptConditions,
  type AttemptPolicy,
  accountBudget,
  claimAttempt,
  deviceBudget,
  isSeriesBelow,
  selectAttempts,
} from '../../store/attempts.ts'
import { type Expression, anyOf, choose } from '../../store/db.ts'
import { addressHasPassword } from '../../store/users.ts'
import type { Device } from './devices.ts'
import { type HumanCheck, notHuman } from './human-check.ts'

/**
 * Wrong passwords in a row: five at once, then a pause of a second that doubles up to a quarter of an hour, and after a
 * hundred no password is looked at until a reset by mail (NIST SP 800-63B-4 §3.2.2).
 */
export const passwordAttempts: AttemptPolicy = { free: 5, max: 100, firstPauseMs: 1000, maxPauseMs: 15 * 60_000 }

/** Of these so many need no Turnstile token, where the operator asks for them: a human mistypes, too. */
const triesWithoutTurnstile = 3

/** What a client is told to wait when waiting alone will not help. */
const exhaustedRetrySeconds = 60 * 60

/**
 * The two statements that take a try, for the batch that reads the account: the first gives a row when the try may be
 * made, the second tells how long to wait otherwise.
 *
 */
export function claimPasswordAttempt(ctx: Ctx, key: Expression, conditions?: AttemptConditions) {
  return [claimAttempt(ctx.db, key, ctx.now(), passwordAttempts, conditions), selectAttempts(ctx.db, key)] as const
}

/**
 * The same for a sign-in, which may come from a device that is known, and may have to show that it is human. Without that a
 * stranger gets the first few tries, and a further one is not even counted: a machine that cannot solve a challenge does
 * not use up the owner's budget either.
 */
export function claimSignIn(ctx: Ctx, email: string, device: Device | undefined, check: HumanCheck) {
  const isKnown = device && addressHasPassword(email, device.passwordId)
  const common = accountBudget(email)
  const key = isKnown ? choose(isKnown, deviceBudget(email, device.id), common) : common
  const goesOn = check === 'human' ? undefined : anyOf(isSeriesBelow(triesWithoutTurnstile), isKnown)
  return claimPasswordAttempt(ctx, key, { goesOn })
}

interface Counter {
  count: number
  allowedAt: Date
}

/** @throws {AppError} `rate_limited`, with the seconds to wait; as `notHuman`, when that alone is missing */
export function assertClaimed(
  ctx: Ctx,
  claimed: readonly unknown[],
  [counter]: readonly Counter[],
  check: HumanCheck = 'human',
): void {
  if (claimed.length > 0 || !counter) return
  const waitMs = counter.allowedAt.getTime() - ctx.now().getTime()
  // Who would have to wait anyway is not sent to solve a challenge first.
  if (check !== 'human' && waitMs <= 0 && counter.count < passwordAttempts.max) throw notHuman(check)
  const seconds = counter.count >= passwordAttempts.max ? exhaustedRetrySeconds : Math.max(1, Math.ceil(waitMs / 1000))
  throw new AppError('rate_limited', { reason: 'password_attempts', headers: { 'Retry-After': String(seconds) } })
}
