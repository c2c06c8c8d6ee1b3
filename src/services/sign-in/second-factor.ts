import type { Ctx } from '../../context.ts'
import type { Claims } from '../../crypto/tokens.ts'
import { AppError } from '../../errors.ts'
import { type CountedAttempt, factorBudget, settleAttempt } from '../../store/attempts.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { recordRefusal } from '../../store/condensed-events.ts'
import { type Expression, allOf } from '../../store/db.ts'
import { isUnusedFactorToken, restartFactorBudget } from '../../store/factor-tokens.ts'
import { factorsIn, selectFactors } from '../../store/factors.ts'
import { linkActivates, selectRegistrationOfLink } from '../../store/links.ts'
import type { Registration } from '../../store/schema/registrations.ts'
import type { User } from '../../store/schema/users.ts'
import { canSignIn, isFactorsId, userExists } from '../../store/user-conditions.ts'
import { selectUserIf } from '../../store/users.ts'
import { beginActivated } from '../accounts/activation.ts'
import { auditEvent } from '../audit/trail.ts'
import { type VerifiedFactor, type FactorResponse, verifyFactor } from '../factors/proof.ts'
import { type ClaimStatements, assertClaimed, claimPasswordAttempt } from '../protection/attempts.ts'
import { refusalPlace } from '../protection/ceilings.ts'
import { recordWrongFactor } from '../protection/series-warning.ts'
import { type SignedIn, beginSession, prepareSession } from '../sessions/begin.ts'
import { readToken } from '../sessions/tokens.ts'
import { issueTrustToken } from '../sessions/trust.ts'
import { prepareSignInNotice } from './notice.ts'

export interface SecondFactor {
  /** From the sign-in or the activation that asked for the factor. */
  factorToken: string
  response: FactorResponse
  /** Whether the next sign-ins on this device need no second factor. */
  trustsDevice: boolean
}

/** What the first step left to the second. */
interface Step {
  claims: Claims<'factor+jwt'>
  user: User
  /** Of an activation. */
  registration: Registration | undefined
  /** The token still counts. */
  isOpen: Expression
  /** `undefined` for a passkey, which draws on no budget, and for a recovery code when the budget is spent. */
  attempt: CountedAttempt | undefined
}

/**
 * Signs in with a second factor, after the password. Codes are counted before they are verified, as passwords are, and
 * in a budget of their own that only a right factor starts anew: whoever knows the password must not get more guesses
 * by showing it again. A right recovery code passes a spent budget, so that those guesses cannot lock the owner out.
 *
 * @throws {AppError} `invalid_factor_token`; `rate_limited`; `wrong_second_factor`
 */
export async function passSecondFactor(
  ctx: Ctx,
  { factorToken, response, trustsDevice }: SecondFactor,
): Promise<SignedIn> {
  const claims = await readToken(ctx, 'factor+jwt', factorToken, 'invalid_factor_token')
  const { jti, sub: userId, factors_id: factorsId, link_id: linkId } = claims
  const isOpen = allOf(mayBegin(ctx, claims), isUnusedFactorToken(userId, jti))
  const read = () => ({
    user: selectUserIf(ctx.db, userId, isOpen),
    registration: linkId === undefined ? undefined : selectRegistrationOfLink(ctx.db, linkId, 'activation', ctx.now()),
    ...selectFactors(ctx.db, userId),
  })
  const isPasskey = 'passkey' in response
  const rows = isPasskey
    ? { ...(await batch(ctx.db, read())), claimed: [], counter: [] }
    : await claimPasswordAttempt(
        ctx,
        { budget: factorBudget(userId), conditions: { guard: isOpen } },
        (claim: ClaimStatements) => batch(ctx.db, claim, read()),
        ({ user }) => user.length === 0 || !('totp' in response),
      )
  const [[user], [registration]] = [rows.user, rows.registration]
  if (!user) throw new AppError('invalid_factor_token', { reason: 'ended' })
  const isGranted = isPasskey || rows.claimed.length > 0
  const attempt = 'totp' in response || rows.claimed.length > 0 ? assertClaimed(ctx, rows) : undefined
  const use = { purpose: 'second_factor', subject: jti } as const
  const proof = await verifyFactor(ctx, user, factorsIn(rows), response, use)
  if (!proof) {
    if (!isGranted) assertClaimed(ctx, rows)
    const detail = { reason: 'wrong_second_factor' }
    await recordWrongFactor(ctx, auditEvent(ctx, 'user.second_factor_refused', { userId, detail }), user, attempt)
    throw new AppError('wrong_second_factor', { reason: 'wrong_second_factor' })
  }
  const begun = await begin(ctx, { claims, user, registration, isOpen, attempt }, proof)
  if (!trustsDevice) return begun
  const { tokens } = begun
  return { ...begun, trustToken: await issueTrustToken(ctx, tokens.user, factorsId) }
}

/** The account is as it was at the first step. */
function mayBegin(ctx: Ctx, claims: Claims<'factor+jwt'>): Expression {
  const { sub: userId, password_id: passwordId, factors_id: factorsId, link_id: linkId } = claims
  const isSame = isFactorsId(factorsId)
  // The link names a registration, whose password never changes.
  if (linkId !== undefined) return allOf(linkActivates(linkId, ctx.now()), userExists(userId, isSame))
  return canSignIn(userId, passwordId, isSame)
}

/** Uses up the factor token and the factor in the batch that starts the session. */
async function begin(ctx: Ctx, step: Step, proof: VerifiedFactor): Promise<SignedIn> {
  const { claims, user, registration, isOpen, attempt } = step
  const { jti, password_id: passwordId, link_id: linkId, device_id: deviceId } = claims
  const guard = allOf(isOpen, proof.guard)
  const how = { method: 'second_factor', kind: proof.kind, amr: ['pwd', ...proof.amr] } as const
  const statements = (ifDone: Expression) => ({
    ...proof.consume(ifDone),
    factorSeries: restartFactorBudget(ctx.db, user.id, ctx.now(), ifDone, jti),
  })
  const begun =
    linkId !== undefined && registration
      ? await beginActivated(ctx, { linkId, user, registration }, how, guard, statements)
      : await signIn()
  if (begun.kind === 'signed_in') {
    proof.announce()
    return begun
  }
  // Somebody used the factor or the token, or changed the account, while the factor was verified.
  const event = auditEvent(ctx, 'user.second_factor_refused', {
    userId: user.id,
    detail: { reason: 'used_meanwhile' },
  })
  const { open } = await batch(ctx.db, recordRefusal(ctx.db, event, refusalPlace(ctx, event)), {
    settled: attempt && settleAttempt(ctx.db, attempt, { isGivenBack: false, now: event.at }),
    open: selectUserIf(ctx.db, user.id, isOpen),
  })
  throw new AppError(open.length > 0 ? 'wrong_second_factor' : 'invalid_factor_token', { reason: 'used_meanwhile' })

  async function signIn() {
    const { session, event } = await prepareSession(ctx, user.id, 'user.signed_in')
    const ifDone = happened(event.id)
    const isKnownDevice = deviceId !== undefined
    const { notice, insertNotice } = prepareSignInNotice(ctx, user, { eventId: event.id, isKnownDevice, ifDone })
    return beginSession(ctx, {
      user,
      event,
      session,
      guard,
      proof: { ...how, passwordId, device: isKnownDevice ? { id: deviceId, passwordId } : undefined },
      changes: {},
      email: { row: notice, insert: insertNotice },
      statements: statements(ifDone),
    })
  }
}
