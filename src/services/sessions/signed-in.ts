import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { describeError, log } from '../../log.ts'
import { type CountedAttempt, accountBudget } from '../../store/attempts.ts'
import { batch } from '../../store/batch.ts'
import { allOf, never } from '../../store/db.ts'
import type { User, UserWithHash } from '../../store/schema/users.ts'
import {
  type PrincipalSession,
  isSignedIn,
  selectSession,
  selectSessionAndUser,
  selectSignedInUser,
} from '../../store/sessions.ts'
import { isFreshIfFactored, isUnconfined } from '../../store/session-strength.ts'
import { emailOf } from '../../store/user-conditions.ts'
import { type ClaimStatements, assertClaimed, claimPasswordAttempt } from '../protection/attempts.ts'
import { isSessionRevoked } from './revocation.ts'
import { assertFresh, assertFreshIfFactored, assertUnconfined, rolesWithoutFactor } from './strength.ts'

/** Who acts: the user and the session of an access token, as D1 has them now. */
export interface Principal {
  user: User
  session: PrincipalSession
}

/** The user and session of an access token, if the session is live and the user is active. */
export async function findSignedIn(ctx: Ctx, sessionId: string, userId: string): Promise<Principal | undefined> {
  const [found] = await selectSessionAndUser(ctx.db, { sessionId, userId, now: ctx.now() })
  return found
}

/** A replica that does not answer in this time is not waited for. */
export const replicaMs = 500

/**
 * Like `findSignedIn`, at a replica, which may still have a session that ended. So its answer counts only when it finds
 * the session and the revocation list does not have it. `undefined` decides nothing: the primary has to be asked.
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

/** A principal whose request carries the account's password, if it has one. */
export interface PasswordPrincipal extends Principal {
  user: UserWithHash
  /** Counted already. `undefined` for an account without a password, whose session is fresh. */
  attempt: CountedAttempt | undefined
}

interface PasswordRequest {
  /** Where the body has the password, if it has one. */
  field: string
  hasPassword: boolean
  /** Whether a confined session may do this. */
  isFree: boolean
}

/**
 * Like `findSignedIn`, for a request that carries the account's password. Counts the attempt in the same round trip, in
 * the budget that sign-in uses: a stolen access token gives no way around that budget. What is refused for another
 * reason is not counted, so that it cannot lock the owner's sign-in.
 *
 * @throws {AppError} `rate_limited`; `insufficient_user_authentication` when the account has a factor, or no password,
 *   and the session is not fresh; `validation_failed` when the password is missing; as `assertUnconfined`
 */
export async function findSignedInForPassword(
  ctx: Ctx,
  sessionId: string,
  userId: string,
  { field, hasPassword, isFree }: PasswordRequest,
): Promise<PasswordPrincipal | undefined> {
  const now = ctx.now()
  const isPossible = allOf(isFreshIfFactored(now), isFree ? undefined : isUnconfined(rolesWithoutFactor(ctx.config)))
  const guard = hasPassword ? isSignedIn(sessionId, userId, now, isPossible) : never
  const run = async (claim: ClaimStatements) => {
    const rows = await batch(ctx.db, claim, {
      user: selectSignedInUser(ctx.db, sessionId, userId, now),
      session: selectSession(ctx.db, sessionId),
    })
    const [[user], [session]] = [rows.user, rows.session]
    const principal = user && session && { user, session }
    if (!principal) return { ...rows, principal }
    if (!isFree) assertUnconfined(ctx, principal)
    if (hasPassword) assertFreshIfFactored(principal, now)
    else assertNoPassword(principal, field, now)
    return { ...rows, principal }
  }
  const claim = { budget: accountBudget(emailOf(userId)), conditions: { guard } }
  const isMoot = ({ principal }: { principal: object | undefined }) => !principal || !hasPassword
  const { principal, ...rows } = await claimPasswordAttempt(ctx, claim, run, isMoot)
  return principal && { ...principal, attempt: hasPassword ? assertClaimed(ctx, rows) : undefined }
}

function assertNoPassword(principal: Principal & { user: UserWithHash }, field: string, now: Date): void {
  if (principal.user.passwordHash !== null) {
    const message = 'Invalid input: expected string, received undefined'
    throw new AppError('validation_failed', { errors: [{ pointer: `/${field}`, code: 'required', message }] })
  }
  assertFresh(principal, now)
}
