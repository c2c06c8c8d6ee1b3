import type { Ctx } from '../../context.ts'
import { type PasswordVerdict, hashPassword, verifyPassword } from '../../crypto/password.ts'
import { AppError, type ProblemCode, type Reason } from '../../errors.ts'
import { accountBudget, deleteAttempts, deviceBudget, isSeriesBelow, returnAttempt } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { type Expression, always, orderedBatch, never } from '../../store/db.ts'
import type { User } from '../../store/schema.ts'
import { canSignIn, passwordIdOf, selectUser, selectUserToSignIn, updateUser } from '../../store/users.ts'
import { assertClaimed, claimSignIn } from '../protection/attempts.ts'
import { auditEvent } from '../audit/trail.ts'
import { promoteFirstAdmin } from '../sessions/bootstrap-admin.ts'
import { type Device, issueDeviceToken, newDevice, readDevice } from '../protection/devices.ts'
import { checkHuman } from '../protection/human-check.ts'
import { newSignInNotice } from './notice.ts'
import { announceEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import { seriesWarning } from '../protection/series-warning.ts'
import { openSession } from '../sessions/start.ts'
import { type SignInTokens, issueTokens, newSession } from '../sessions/tokens.ts'

export interface Credentials {
  email: string
  password: string
  /** From an earlier sign-in on this device. */
  deviceToken?: string | undefined
  /** Needed after a few wrong passwords, from a device that is not known, where the operator asks for it. */
  turnstileToken?: string | undefined
}

/**
 * Signs in with a password. For an unknown address and for an account without a password the same work is done, and only
 * who knows the password learns what is the matter with the account (OWASP ASVS 6.3.8). The try is taken out of the
 * budget before the password is looked at, so twenty at once get no further than twenty in a row.
 *
 * @throws {AppError} `rate_limited`; as `notHuman`; `invalid_credentials`; after the right password `account_pending` or
 *   `account_suspended`
 */
export async function signIn(ctx: Ctx, credentials: Credentials): Promise<SignInTokens> {
  const { email, password, deviceToken, turnstileToken } = credentials
  const device = await readDevice(ctx, email, deviceToken)
  const check = await checkHuman(ctx, turnstileToken, 'login')
  const [claimed, attempts, [found]] = await orderedBatch(ctx.db, [
    ...claimSignIn(ctx, email, device, check),
    selectUserToSignIn(ctx.db, email),
  ])
  const known = device && found && device.passwordId === passwordIdOf(found.user) ? device : undefined
  // A known device has proven more than any challenge does.
  assertClaimed(ctx, claimed, attempts, known ? 'human' : check)
  const ownHash = found?.user.passwordHash ?? null
  // A pending account has no password of its own yet: its newest registration stands in, for the answer only.
  const standIn = found?.user.status === 'active' ? null : (found?.registeredHash ?? null)
  const verdict = await verifyPassword(password, ownHash ?? standIn, ctx.work, ctx.secrets.peppers)
  const attempt: Attempt = {
    email,
    budget: known ? deviceBudget(email, known.id) : accountBudget(email),
    device: known,
    tries: claimed[0]!.count,
    userId: found?.user.id ?? null,
    isRight: verdict.matches && ownHash !== null,
    isStandIn: verdict.matches && ownHash === null,
  }
  if (!found || !verdict.matches) {
    return refuse(ctx, attempt, 'invalid_credentials', found ? 'wrong_password' : 'unknown_address')
  }
  const { user } = found
  if (user.status !== 'active') return refuse(ctx, attempt, notActive(user), user.status)
  return startSession(ctx, attempt, user, await rehash(ctx, password, verdict))
}

interface Attempt {
  email: string
  budget: Expression
  /** One that is known. */
  device: Device | undefined
  /** Which one in a row this is. */
  tries: number
  userId: string | null
  isRight: boolean
  /** It is that of a registration, of an account that has none yet. */
  isStandIn: boolean
}

async function startSession(
  ctx: Ctx,
  attempt: Attempt,
  user: User,
  newHash: string | undefined,
): Promise<SignInTokens> {
  const passwordId = passwordIdOf(user)
  const session = newSession(ctx, user.id)
  const event = auditEvent(ctx, 'user.signed_in', {
    actorId: user.id,
    userId: user.id,
    detail: { session_id: session.id },
  })
  const ifDone = happened(event.id)
  const isKnownDevice = attempt.device !== undefined
  const { notice, insertNotice } = newSignInNotice(ctx, user, { eventId: event.id, isKnownDevice, ifDone })
  const [, noticed, [stored], , evicted, [signedIn], [current], , ...promotion] = await orderedBatch(ctx.db, [
    // Not the hash that was verified: another sign-in may just have hashed the same password anew.
    insertAuditEvent(ctx.db, event, canSignIn(user.id, passwordId)),
    insertNotice,
    ...openSession(ctx, session, event.id),
    updateUser(ctx.db, user.id, { lastLoginAt: event.at, ...(newHash && { passwordHash: newHash }) }, ifDone),
    selectUser(ctx.db, user.id),
    deleteAttempts(ctx.db, attempt.budget, ifDone),
    ...promoteFirstAdmin(ctx, user, event.id),
  ])
  if (!stored || !signedIn) {
    // Something ended this password or this account while it was being verified.
    const isSamePassword = current && passwordIdOf(current) === passwordId
    const code = isSamePassword && current.status !== 'active' ? notActive(current) : 'invalid_credentials'
    return refuse(ctx, { ...attempt, userId: current?.id ?? null }, code, 'changed_meanwhile')
  }
  revoke(ctx, evicted)
  if (noticed.length > 0) announceEmail(ctx, notice)
  const tokens = await issueTokens(ctx, promotion[1]?.[0] ?? signedIn, stored)
  const deviceToken = await issueDeviceToken(ctx, attempt.email, attempt.device ?? newDevice(passwordId))
  return { ...tokens, deviceToken }
}

/**
 * Records a refusal. A wrong password stays counted. The right one ends the series, and one that only stands in for it is no
 * try at all: who registers an address and knows that password must not end the series of what is tried at another one. The
 * same statements run in every case, and when there is no owner.
 */
async function refuse(ctx: Ctx, attempt: Attempt, code: ProblemCode, reason: Reason): Promise<never> {
  const { email, budget, tries, userId, isRight, isStandIn } = attempt
  const event = auditEvent(ctx, 'user.sign_in_refused', { userId, detail: { reason } })
  const { insertWarning, announce } = seriesWarning(ctx, { email, userId, tries: isRight || isStandIn ? 0 : tries })
  await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event),
    insertWarning,
    returnAttempt(ctx.db, budget, tries, event.at, isStandIn ? always : never),
    deleteAttempts(ctx.db, budget, isRight ? always : isSeriesBelow(1)),
  ])
  announce()
  throw new AppError(code, { reason })
}

async function rehash(ctx: Ctx, password: string, { needsRehash }: PasswordVerdict): Promise<string | undefined> {
  return needsRehash ? hashPassword(password, ctx.work, ctx.secrets.peppers) : undefined
}

function notActive({ status }: User): ProblemCode {
  return status === 'suspended' ? 'account_suspended' : 'account_pending'
}
