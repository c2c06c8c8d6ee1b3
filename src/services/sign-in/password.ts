import type { Ctx } from '../../context.ts'
import type { StoredHash } from '../../crypto/password.ts'
import { AppError } from '../../errors.ts'
import type { ProblemCode } from '../../problems.ts'
import { type CountedAttempt, deleteAttempts, isSeriesBelow, settleAttempt } from '../../store/attempts.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { recordRefusal } from '../../store/condensed-events.ts'
import { always } from '../../store/db.ts'
import type { User } from '../../store/schema/users.ts'
import { canSignIn, passwordIdOf } from '../../store/user-conditions.ts'
import { selectUserToSignIn, updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { verifyAttempt } from '../passwords/hashing.ts'
import { type ClaimStatements, assertClaimed, claimOfSignIn, claimPasswordAttempt } from '../protection/attempts.ts'
import { refusalPlace } from '../protection/ceilings.ts'
import { type Device, readDevice } from '../protection/devices.ts'
import { checkHuman } from '../protection/human-check.ts'
import { prepareSeriesWarning } from '../protection/series-warning.ts'
import { type SignInOutcome, askForFactor } from '../factors/second-step.ts'
import { beginSession, prepareSession } from '../sessions/begin.ts'
import { findPasswordOnly } from '../sessions/trust.ts'
import { prepareSignInNotice } from './notice.ts'
import type { Reason } from '../../reasons.ts'

export interface Credentials {
  email: string
  password: string
  /** From an earlier sign-in on this device. */
  deviceToken?: string | undefined
  /** From an earlier sign-in with a second factor on this device. */
  trustToken?: string | undefined
  /** Required after a few wrong passwords from an unknown device, where the operator asks for it. */
  turnstileToken?: string | undefined
}

/**
 * Signs in with a password. An unknown address and an account without a password cost the same work, and the state of
 * an account is revealed only after its right password (OWASP ASVS 6.3.8). The attempt is counted before the password
 * is verified, so that twenty attempts at once get no further than twenty in a row.
 *
 * @throws {AppError} `rate_limited`; as `notHuman` and `inTurn`; `invalid_credentials`; after the right password
 *   `account_pending` or `account_suspended`
 */
export async function signIn(ctx: Ctx, credentials: Credentials): Promise<SignInOutcome> {
  const { email, password, deviceToken, trustToken, turnstileToken } = credentials
  const device = await readDevice(ctx, email, deviceToken)
  const check = await checkHuman(ctx, turnstileToken, 'login')
  const run = (claim: ClaimStatements) => batch(ctx.db, claim, { found: selectUserToSignIn(ctx.db, email) })
  const rows = await claimPasswordAttempt(ctx, await claimOfSignIn(ctx, email, device, check), run)
  const [found] = rows.found
  const known = device && found && device.passwordId === passwordIdOf(found.user) ? device : undefined
  // A known device has proven more than a challenge would.
  const counted = assertClaimed(ctx, rows, known ? 'human' : check)
  const ownHash = found?.user.passwordHash ?? null
  // A pending account has no password yet. That of its newest registration stands in, only to choose the answer.
  const standIn = found?.user.status === 'active' ? null : (found?.registeredHash ?? null)
  const rehashes = found?.user.status === 'active'
  const verdict = await verifyAttempt(ctx, counted, password, ownHash ?? standIn, rehashes)
  const attempt: PasswordAttempt = {
    email,
    counted,
    device: known,
    userId: found?.user.id ?? null,
    isRight: verdict.matches && ownHash !== null,
    isStandIn: verdict.matches && ownHash === null,
  }
  if (!found || !verdict.matches) {
    return refuse(ctx, attempt, 'invalid_credentials', found ? 'wrong_password' : 'unknown_address')
  }
  const { user } = found
  if (user.status !== 'active') return refuse(ctx, attempt, explainStatus(user), user.status)
  return enter(ctx, attempt, user, verdict.newHash, trustToken)
}

interface PasswordAttempt {
  email: string
  counted: CountedAttempt
  /** `undefined` for a device that is not known. */
  device: Device | undefined
  userId: string | null
  isRight: boolean
  /** The password is that of a registration, of an account that has none of its own yet. */
  isStandIn: boolean
}

/** After the right password: starts a session, or asks for the second factor. */
async function enter(
  ctx: Ctx,
  attempt: PasswordAttempt,
  user: User,
  newHash: StoredHash | undefined,
  trustToken: string | undefined,
): Promise<SignInOutcome> {
  const { device, counted } = attempt
  const passwordId = passwordIdOf(user)
  const changes = newHash === undefined ? {} : { passwordHash: newHash }
  const isEnough = await findPasswordOnly(ctx, user, trustToken)
  if (!isEnough) {
    const detail = { reason: 'second_factor_required' }
    const event = auditEvent(ctx, 'user.sign_in_refused', { userId: user.id, detail })
    return askForFactor(ctx, user, { passwordId, deviceId: device?.id }, event, {
      series: deleteAttempts(ctx.db, counted.budget, always),
      // Now, because the next step does not have the password. Never over a new one, which has another id.
      rehashed: newHash && updateUser(ctx.db, user.id, changes, canSignIn(user.id, passwordId, always)),
    })
  }
  const { session, event } = await prepareSession(ctx, user.id, 'user.signed_in')
  const isKnownDevice = device !== undefined
  const ifDone = happened(event.id)
  const { notice, insertNotice } = prepareSignInNotice(ctx, user, { eventId: event.id, isKnownDevice, ifDone })
  const begun = await beginSession(ctx, {
    user,
    event,
    session,
    // Not the hash that was verified: another sign-in may just have rehashed the same password.
    guard: canSignIn(user.id, passwordId, isEnough),
    proof: { method: 'password', passwordId, device, budget: counted.budget },
    changes,
    email: { row: notice, insert: insertNotice },
  })
  if (begun.kind === 'signed_in') return begun
  // The account was changed while the password was verified.
  const { current } = begun
  const isSamePassword = current && passwordIdOf(current) === passwordId
  if (isSamePassword && current.status === 'active' && current.passwordHash !== null) {
    // Only its factors changed, or the trust in this device.
    return enter(ctx, attempt, current, newHash, trustToken)
  }
  const code = isSamePassword && current.status !== 'active' ? explainStatus(current) : 'invalid_credentials'
  return refuse(ctx, { ...attempt, userId: current?.id ?? null }, code, 'changed_meanwhile')
}

/**
 * Records a refusal. A wrong password stays counted. The right one ends the series. One that only stands in is not
 * counted, and does not end the series: an attacker who registers an address must not reset the lock-out by knowing
 * their own password. The same statements run in every case, also for an address without an account.
 */
async function refuse(ctx: Ctx, attempt: PasswordAttempt, code: ProblemCode, reason: Reason): Promise<never> {
  const { email, counted, userId, isRight, isStandIn } = attempt
  const event = auditEvent(ctx, 'user.sign_in_refused', { userId, detail: { reason } })
  const wrong = { email, attemptsInARow: isRight || isStandIn ? 0 : counted.inARow }
  const { insertWarning, announce } = prepareSeriesWarning(ctx, wrong)
  await batch(ctx.db, recordRefusal(ctx.db, event, refusalPlace(ctx, event)), {
    warning: insertWarning,
    settled: settleAttempt(ctx.db, counted, { isGivenBack: isStandIn, now: event.at }),
    series: deleteAttempts(ctx.db, counted.budget, isRight ? always : isSeriesBelow(1)),
  })
  announce()
  throw new AppError(code, { reason })
}

function explainStatus({ status }: User): ProblemCode {
  return status === 'suspended' ? 'account_suspended' : 'account_pending'
}
