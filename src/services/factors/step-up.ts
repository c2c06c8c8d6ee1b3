/** Step-up: the user shows a factor once more in a session that is there already (RFC 9470). */
import { passwordAttempts } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { accountBudget, deleteAttempts, factorBudget, mayAttempt, selectAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf, always } from '../../store/db.ts'
import { restartFactorBudget } from '../../store/factor-tokens.ts'
import { factorsIn, findFactors, selectFactors } from '../../store/factors.ts'
import type { User } from '../../store/schema/users.ts'
import { liftSession } from '../../store/session-strength.ts'
import {
  type PrincipalSession,
  isSignedIn,
  isSignedInWithPassword,
  selectSession,
  selectSignedInUser,
} from '../../store/sessions.ts'
import { emailOf, isFactorsId, passwordIdOf } from '../../store/user-conditions.ts'
import { auditEvent, condense } from '../audit/trail.ts'
import { assertOwnPassword } from '../passwords/own-password.ts'
import { type ClaimStatements, assertClaimed, assertGranted, claimPasswordAttempt } from '../protection/attempts.ts'
import { recordWrongFactor } from '../protection/series-warning.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { type Acr, acrOf, amrAfter, amrOf, authenticatedAt } from '../sessions/strength.ts'
import { issueAccessToken } from '../sessions/tokens.ts'
import { type OfferedFactor, offeredFactors } from './offered.ts'
import { passkeyRequestOptions } from './passkey-options.ts'
import { type VerifiedFactor, type FactorResponse, verifyFactor } from './proof.ts'

/** What the user shows: a factor, or the password of an account without factors. */
export type StepUpResponse = FactorResponse | { password: string }

/** The session after a step-up, and an access token that says so. */
export interface SteppedUp {
  accessToken: string
  authenticatedAt: Date
  acr: Acr
}

export type StepUpOffer = Awaited<ReturnType<typeof offerStepUp>>

/** How the principal can step up, and a challenge for a passkey. Writes nothing. */
export async function offerStepUp(ctx: Ctx, { user, session }: Principal) {
  const factors = await findFactors(ctx.db, user.id)
  const offered = offeredFactors(factors)
  const methods: (OfferedFactor | 'password')[] = offered.length > 0 ? offered : ['password']
  return {
    ...(await passkeyRequestOptions(ctx, useIn(session.id), 'required', factors.passkeys)),
    methods,
  }
}

function useIn(sessionId: string) {
  return { purpose: 'step_up', subject: sessionId } as const
}

/**
 * Lifts one session. Its refresh token stays.
 *
 * @throws {AppError} `invalid_token`; `wrong_password`; `wrong_second_factor`, also for a method that the account does
 *   not have, and for the password of an account with factors; `rate_limited`; as `inTurn`
 */
export function stepUp(ctx: Ctx, sessionId: string, userId: string, response: StepUpResponse): Promise<SteppedUp> {
  return 'password' in response
    ? stepUpByPassword(ctx, sessionId, userId, response.password)
    : stepUpByFactor(ctx, sessionId, userId, response)
}

/** A success leaves no event: only the counter of passwords and the session are written. */
async function stepUpByPassword(ctx: Ctx, sessionId: string, userId: string, password: string): Promise<SteppedUp> {
  const now = ctx.now()
  const guard = isSignedIn(sessionId, userId, now, isFactorsId(null))
  const run = (claim: ClaimStatements) => batch(ctx.db, claim, readSession(ctx, sessionId, userId, now))
  const rows = await claimPasswordAttempt(
    ctx,
    { budget: accountBudget(emailOf(userId)), conditions: { guard } },
    run,
    ({ user: [found] }) => found?.factorsId !== null,
  )
  const { user, session } = assertSignedIn(rows)
  if (user.factorsId !== null) throw new AppError('wrong_second_factor', { reason: 'wrong_second_factor' })
  const attempt = assertClaimed(ctx, rows)
  await assertOwnPassword(ctx, { user, session, attempt }, password, 'user.step_up_refused')
  const strength = { amr: ['pwd'], at: ctx.now() }
  const mayLift = isSignedInWithPassword(sessionId, userId, passwordIdOf(user), strength.at, isFactorsId(null))
  const { lifted } = await batch(ctx.db, {
    lifted: liftSession(ctx.db, sessionId, strength, mayLift),
    series: deleteAttempts(ctx.db, attempt.budget, always),
  })
  if (!lifted[0]) throw invalidToken('changed_meanwhile')
  return steppedUp(ctx, user, lifted[0])
}

async function stepUpByFactor(
  ctx: Ctx,
  sessionId: string,
  userId: string,
  response: FactorResponse,
): Promise<SteppedUp> {
  const rows = await batch(ctx.db, readSession(ctx, sessionId, userId, ctx.now()), selectFactors(ctx.db, userId), {
    counter: selectAttempts(ctx.db, factorBudget(userId)),
  })
  const principal = assertSignedIn(rows)
  // Nothing can be guessed, so nothing is counted.
  if (principal.user.factorsId === null) {
    throw new AppError('wrong_second_factor', { reason: 'wrong_second_factor' })
  }
  // A code is not even looked at during a pause. Nobody can guess a recovery code, so the right one always counts.
  if ('totp' in response) assertGranted(ctx, rows.counter)
  const proof = await verifyFactor(ctx, principal.user, factorsIn(rows), response, useIn(sessionId))
  if (!proof) return refuse(ctx, principal, response)
  return lift(ctx, principal, proof)
}

/**
 * Uses the factor up and lifts the session, in one batch. A right code is not counted first, which saves a write: the
 * guard asks whether an attempt would be granted, so pauses and the lock-out hold for it, too.
 */
async function lift(ctx: Ctx, { user, session }: Principal, proof: VerifiedFactor): Promise<SteppedUp> {
  const detail = { session_id: session.id, kind: proof.kind }
  const event = auditEvent(ctx, 'user.stepped_up', { actorId: user.id, userId: user.id, detail })
  const ifDone = happened(event.id)
  const budget = factorBudget(user.id)
  const isGranted = proof.kind === 'totp' ? mayAttempt(budget, event.at, passwordAttempts) : undefined
  const guard = allOf(isSignedIn(session.id, user.id, event.at, isFactorsId(user.factorsId)), proof.guard, isGranted)
  const rows = await batch(
    ctx.db,
    { decided: insertAuditEvent(ctx.db, event, guard) },
    proof.consume(ifDone),
    {
      lifted: liftSession(ctx.db, session.id, { amr: amrAfter(proof.amr, session), at: event.at }, ifDone),
      series: restartFactorBudget(ctx.db, user.id, event.at, ifDone),
      acting: selectSignedInUser(ctx.db, session.id, user.id, event.at),
      counter: selectAttempts(ctx.db, budget),
    },
    condense(ctx, [event]),
  )
  const [[lifted], [acting]] = [rows.lifted, rows.acting]
  if (lifted && acting) {
    proof.announce()
    return steppedUp(ctx, acting, lifted)
  }
  if (!acting) throw invalidToken('ended_meanwhile')
  if (isGranted) assertGranted(ctx, rows.counter)
  throw new AppError('wrong_second_factor', { reason: 'used_meanwhile' })
}

async function steppedUp(ctx: Ctx, user: User, session: PrincipalSession): Promise<SteppedUp> {
  const accessToken = await issueAccessToken(ctx, user, session)
  return { accessToken, authenticatedAt: authenticatedAt(session), acr: acrOf(amrOf(session)) }
}

/** Counts a wrong code. A passkey cannot be guessed, so a wrong one is only recorded. */
async function refuse(ctx: Ctx, { user, session }: Principal, response: FactorResponse): Promise<never> {
  const detail = { session_id: session.id }
  const event = auditEvent(ctx, 'user.step_up_refused', { actorId: user.id, userId: user.id, detail })
  const attempt = 'passkey' in response ? undefined : await countCode()
  await recordWrongFactor(ctx, event, user, attempt)
  throw new AppError('wrong_second_factor', { reason: 'wrong_second_factor' })

  async function countCode() {
    const now = ctx.now()
    const conditions = { guard: isSignedIn(session.id, user.id, now) }
    const run = (claim: ClaimStatements) => batch(ctx.db, claim, readSession(ctx, session.id, user.id, now))
    // The code was verified already, so the claim need not wait for attempts in flight.
    const isMoot = () => true
    const rows = await claimPasswordAttempt(ctx, { budget: factorBudget(user.id), conditions }, run, isMoot)
    assertSignedIn(rows)
    return assertClaimed(ctx, rows)
  }
}

function readSession(ctx: Ctx, sessionId: string, userId: string, now: Date) {
  return {
    user: selectSignedInUser(ctx.db, sessionId, userId, now),
    session: selectSession(ctx.db, sessionId),
  } as const
}

function assertSignedIn<U extends User>({
  user: [user],
  session: [session],
}: {
  user: readonly U[]
  session: readonly PrincipalSession[]
}) {
  if (!user || !session) throw invalidToken('ended')
  return { user, session }
}
