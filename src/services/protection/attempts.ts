import type { Ctx } from '../../context.ts'
import { attemptsWithoutTurnstile, exhaustedRetrySeconds, passwordAttempts } from '../../config/policy.ts'
import { AppError } from '../../errors.ts'
import {
  type AttemptConditions,
  accountBudget,
  claimAttempt,
  deviceBudget,
  isSeriesBelow,
  selectAttempts,
} from '../../store/attempts.ts'
import { type Expression, anyOf, choose } from '../../store/db.ts'
import { addressHasPassword } from '../../store/user-conditions.ts'
import type { Device } from './devices.ts'
import { type HumanCheck, notHuman } from './human-check.ts'

/**
 * The statements that count an attempt, for the batch that reads the account: `claimed` has a row if the password may be
 * verified, `counter` tells how long to wait otherwise.
 */
export function claimPasswordAttempt(ctx: Ctx, key: Expression, conditions?: AttemptConditions) {
  return {
    claimed: claimAttempt(ctx.db, key, ctx.now(), passwordAttempts, conditions),
    counter: selectAttempts(ctx.db, key),
  }
}

/**
 * Like `claimPasswordAttempt`, for a sign-in: a known device has a budget of its own, and any other may have to prove that
 * a human uses it. Without the proof only the first few attempts are granted, and further ones are not even counted, so that
 * a machine that solves no challenge does not use up the owner's budget.
 */
export function claimSignIn(ctx: Ctx, email: string, device: Device | undefined, check: HumanCheck) {
  const isKnown = device && addressHasPassword(email, device.passwordId)
  const common = accountBudget(email)
  const key = isKnown ? choose(isKnown, deviceBudget(email, device.id), common) : common
  const goesOn = check === 'human' ? undefined : anyOf(isSeriesBelow(attemptsWithoutTurnstile), isKnown)
  return claimPasswordAttempt(ctx, key, { goesOn })
}

interface ClaimRows {
  claimed: readonly { count: number }[]
  counter: readonly { count: number; allowedAt: Date }[]
}

/**
 * @returns how many attempts in a row, this one included
 * @throws {AppError} `rate_limited`, with the seconds to wait; as `notHuman`, when only the challenge is missing
 */
export function assertClaimed(ctx: Ctx, { claimed, counter }: ClaimRows, check: HumanCheck = 'human'): number {
  if (claimed[0]) return claimed[0].count
  // An attempt is refused only because of a series, so there is a counter.
  const { count, allowedAt } = counter[0]!
  const waitMs = allowedAt.getTime() - ctx.now().getTime()
  const isExhausted = count >= passwordAttempts.max
  // No challenge for a client that would have to wait anyway.
  if (check !== 'human' && waitMs <= 0 && !isExhausted) throw notHuman(check)
  const retryAfterSeconds = isExhausted ? exhaustedRetrySeconds : Math.max(1, Math.ceil(waitMs / 1000))
  throw new AppError('rate_limited', { reason: 'password_attempts', retryAfterSeconds })
}
