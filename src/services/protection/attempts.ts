import type { Ctx } from '../../context.ts'
import {
  attemptWaitsMs,
  attemptsWithoutTurnstile,
  exhaustedRetrySeconds,
  maxDeviceCounters,
  passwordAttempts,
} from '../../config/policy.ts'
import { addressSlot } from '../../crypto/address-slot.ts'
import { AppError } from '../../errors.ts'
import {
  type AttemptConditions,
  type CountedAttempt,
  accountBudget,
  claimAttempt,
  deviceBudget,
  isSeriesBelow,
  mayHaveCounter,
  selectAttempts,
  slotBudget,
} from '../../store/attempts.ts'
import { type Expression, allOf, anyOf, choose } from '../../store/db.ts'
import { addressExists, addressHasPassword } from '../../store/user-conditions.ts'
import type { Device } from './devices.ts'
import { type HumanCheck, notHuman } from './human-check.ts'

/** What an attempt needs, and the budget in which it is counted. */
export interface Claim {
  budget: Expression
  conditions?: AttemptConditions
}

interface Counter {
  key: string
  count: number
  allowedAt: Date
  updatedAt: Date
  inFlight: number
}

interface ClaimRows {
  claimed: readonly { key: string; count: number; series: string }[]
  counter: readonly Counter[]
}

export type ClaimStatements = ReturnType<typeof claimStatements>

/**
 * Counts an attempt, in the batch that reads the account. When the budget is used up by attempts that nobody has judged
 * yet, it waits for them, five seconds at most: if one of them has the right password, the series ends. A client that
 * has to wait for a pause after wrong passwords is not kept waiting here. Each look while waiting is one statement. No
 * promise is shared with another request, since a Worker must not wait for one.
 *
 * @param run runs the batch with the statements that count the attempt
 * @param isMoot whether the request is refused for another reason, so that there is nothing to wait for
 */
export async function claimPasswordAttempt<Rows extends ClaimRows>(
  ctx: Ctx,
  claim: Claim,
  run: (statements: ClaimStatements) => Promise<Rows>,
  isMoot: (rows: Rows) => boolean = () => false,
): Promise<Rows> {
  let rows = await run(claimStatements(ctx, claim, {}))
  for (const waitMs of attemptWaitsMs) {
    if (rows.claimed[0] || isMoot(rows) || !hasAttemptsInFlight(ctx, rows.counter[0])) break
    await ctx.sleep(waitMs)
    const [counter] = await selectAttempts(ctx.db, claim.budget)
    const mayBeGranted = !counter || counter.count < passwordAttempts.free
    if (mayBeGranted || !hasAttemptsInFlight(ctx, counter)) {
      rows = await run(claimStatements(ctx, claim, { needsFreeAttempt: true }))
    }
  }
  return rows
}

/** `claimed` has a row if the password may be verified, `counter` tells how long to wait otherwise. */
function claimStatements(ctx: Ctx, { budget, conditions }: Claim, more: AttemptConditions) {
  return {
    claimed: claimAttempt(ctx.db, budget, ctx.now(), passwordAttempts, { ...conditions, ...more }),
    counter: selectAttempts(ctx.db, budget),
  }
}

/** An attempt that was counted long ago was never judged: the request broke off. */
function hasAttemptsInFlight(ctx: Ctx, counter: Counter | undefined): boolean {
  if (!counter) return false
  const ageMs = ctx.now().getTime() - counter.updatedAt.getTime()
  return counter.inFlight > 0 && ageMs < passwordAttempts.inFlightMs
}

/**
 * The claim of a sign-in. Addresses without an account share a bounded number of counters, so no ceiling has to refuse
 * one: that would tell who has an account. A known device has a budget of its own, unless the devices of its account
 * have as many counters as they may: somebody who knows the password can sign in with any number of devices. Only such
 * a person makes these counters, so a stranger cannot take the budget of its device from the owner.
 *
 * Any other device may have to prove that a human uses it. Without the proof only the first few attempts are granted,
 * and further ones are not even counted, so that a machine that solves no challenge does not use up the owner's budget.
 */
export async function claimOfSignIn(
  ctx: Ctx,
  email: string,
  device: Device | undefined,
  check: HumanCheck,
): Promise<Claim> {
  const slot = await addressSlot(email, ctx.secrets.tokenKeys[0])
  const common = choose(addressExists(email), accountBudget(email), slotBudget(slot))
  const isKnown = device && addressHasPassword(email, device.passwordId)
  const budget = isKnown
    ? choose(
        allOf(isKnown, mayHaveCounter(email, device.id, maxDeviceCounters)),
        deviceBudget(email, device.id),
        common,
      )
    : common
  const goesOn = check === 'human' ? undefined : anyOf(isSeriesBelow(attemptsWithoutTurnstile), isKnown)
  return { budget, conditions: { goesOn } }
}

/**
 * Refuses while no further attempt would be granted. Counts none.
 *
 * @throws {AppError} `rate_limited`
 */
export function assertGranted(ctx: Ctx, counter: readonly Counter[]): void {
  const [found] = counter
  if (!found || found.count < passwordAttempts.free) return
  if (found.count >= passwordAttempts.max || found.allowedAt > ctx.now()) assertClaimed(ctx, { claimed: [], counter })
}

/** @throws {AppError} `rate_limited`, with the seconds to wait; as `notHuman`, when only the challenge is missing */
export function assertClaimed(ctx: Ctx, { claimed, counter }: ClaimRows, check: HumanCheck = 'human'): CountedAttempt {
  if (claimed[0]) return { budget: claimed[0].key, series: claimed[0].series, inARow: claimed[0].count }
  // An attempt is refused only because of a series, so there is a counter.
  const { key, count, allowedAt } = counter[0]!
  const waitMs = count < passwordAttempts.free ? 0 : allowedAt.getTime() - ctx.now().getTime()
  const isExhausted = count >= passwordAttempts.max
  // No challenge for a client that would have to wait anyway.
  if (check !== 'human' && waitMs <= 0 && !isExhausted) throw notHuman(check)
  const retryAfterSeconds = isExhausted ? exhaustedRetrySeconds : Math.max(1, Math.ceil(waitMs / 1000))
  const reason = key.startsWith('factor:') ? 'factor_attempts' : 'password_attempts'
  throw new AppError('rate_limited', { reason, retryAfterSeconds })
}
