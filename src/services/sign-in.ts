import type { Context } from '../context.ts'
import { type PasswordVerdict, hashPassword, verifyPassword } from '../crypto/password.ts'
import { AppError, type ProblemCode } from '../errors.ts'
import { accountBudget, deleteAttempts, deviceBudget } from '../store/attempts.ts'
import { happened, insertAuditEvent } from '../store/audit.ts'
import { type Expression, allOf, always, batch, never } from '../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../store/emails.ts'
import type { User } from '../store/schema.ts'
import { addressIsActive, canSignIn, selectUser, selectUserToSignIn, updateUser } from '../store/users.ts'
import { assertClaimed, claimAttemptOf, passwordAttempts } from './attempts.ts'
import { auditEvent } from './audit.ts'
import { promoteFirstAdmin } from './bootstrap-admin.ts'
import { issueDeviceToken, knownDevice } from './devices.ts'
import { checkHuman } from './human-check.ts'
import { newSignInNotice } from './new-sign-in.ts'
import { announceEmail, newEmail } from './outbox.ts'
import { revoke } from './revocation.ts'
import { openSession } from './session-start.ts'
import { type SignInTokens, issueTokens, newSession } from './token-answer.ts'

/** How many wrong passwords in a row the owner of the address hears of. */
const suspicious: readonly number[] = [10, passwordAttempts.max]

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
export async function signIn(ctx: Context, credentials: Credentials): Promise<SignInTokens> {
  const { email, password, deviceToken, turnstileToken } = credentials
  const deviceId = await knownDevice(ctx, email, deviceToken)
  // Whether it matters is decided by the claim. A known device has proven more than any challenge does.
  const check = deviceId === undefined ? await checkHuman(ctx, turnstileToken, 'login') : 'human'
  const budget = deviceId === undefined ? accountBudget(email) : deviceBudget(email, deviceId)
  const [claimed, attempts, [found]] = await batch(ctx.db, [
    ...claimAttemptOf(check, ctx, budget),
    selectUserToSignIn(ctx.db, email),
  ])
  assertClaimed(ctx, claimed, attempts, check)
  // A pending account has no password of its own yet: its newest registration stands in, for the answer only.
  const stored = found?.user.passwordHash ?? found?.registeredHash ?? null
  const verdict = await verifyPassword(password, stored, ctx.work, ctx.secrets.peppers)
  const attempt: Attempt = {
    email,
    budget,
    isKnownDevice: deviceId !== undefined,
    tries: claimed[0]?.count ?? 0,
    userId: found?.user.id ?? null,
    isRight: verdict.matches,
  }
  if (!found || !verdict.matches) {
    return refuse(ctx, attempt, 'invalid_credentials', found ? 'wrong_password' : 'unknown_address')
  }
  const { user } = found
  if (user.status !== 'active') return refuse(ctx, attempt, notActive(user), user.status)
  if (user.passwordHash === null) return refuse(ctx, attempt, 'invalid_credentials', 'no_password')
  const newHash = await rehash(ctx, password, verdict)
  const deviceTokenOfNext = await issueDeviceToken(ctx, email, deviceId)
  return { ...(await startSession(ctx, attempt, user, user.passwordHash, newHash)), deviceToken: deviceTokenOfNext }
}

interface Attempt {
  email: string
  budget: Expression
  isKnownDevice: boolean
  /** Which one in a row this is. */
  tries: number
  userId: string | null
  isRight: boolean
}

async function startSession(
  ctx: Context,
  attempt: Attempt,
  user: User,
  verifiedHash: string,
  newHash: string | undefined,
) {
  const session = newSession(ctx, user.id)
  const event = auditEvent(ctx, 'user.signed_in', {
    actorId: user.id,
    userId: user.id,
    detail: { session_id: session.id },
  })
  const done = happened(event.id)
  const { isKnownDevice } = attempt
  const { notice, insertNotice } = newSignInNotice(ctx, user, { eventId: event.id, isKnownDevice, done })
  const [, noticed, [stored], , evicted, [signedIn], [current], , ...promotion] = await batch(ctx.db, [
    insertAuditEvent(ctx.db, event, canSignIn(user.id, verifiedHash)),
    insertNotice,
    ...openSession(ctx, session, event.id),
    updateUser(ctx.db, user.id, { lastLoginAt: event.at, ...(newHash && { passwordHash: newHash }) }, done),
    selectUser(ctx.db, user.id),
    deleteAttempts(ctx.db, attempt.budget, done),
    ...promoteFirstAdmin(ctx, user, event.id),
  ])
  if (!stored || !signedIn) {
    // Something ended this password or this account while it was being verified.
    const isSamePassword = current?.passwordHash === verifiedHash
    const code = current && isSamePassword && current.status !== 'active' ? notActive(current) : 'invalid_credentials'
    return refuse(ctx, { ...attempt, userId: current?.id ?? null }, code, 'changed_meanwhile')
  }
  revoke(ctx, evicted)
  if (noticed.length > 0) announceEmail(ctx, notice)
  return issueTokens(ctx, promotion[1]?.[0] ?? signedIn, stored)
}

/**
 * Records a refusal. A wrong password stays counted, and at certain counts the owner of the mailbox is told and offered a
 * reset; the same statements run, and the same is sent to the queue, when there is no owner.
 */
async function refuse(
  ctx: Context,
  { email, budget, tries, userId, isRight }: Attempt,
  code: ProblemCode,
  reason: string,
): Promise<never> {
  const event = auditEvent(ctx, 'user.sign_in_refused', { userId, detail: { reason } })
  const warning = newEmail(ctx, 'sign_in_attempts', email, userId)
  const isSuspicious = !isRight && suspicious.includes(tries)
  const mayWarn = allOf(isSuspicious ? always : never, addressIsActive(email), mailBudgetLeft(warning, event.at))
  await batch(ctx.db, [
    insertAuditEvent(ctx.db, event),
    insertEmail(ctx.db, warning, mayWarn),
    deleteAttempts(ctx.db, budget, isRight ? always : never),
  ])
  if (isSuspicious) announceEmail(ctx, warning)
  throw new AppError(code, { reason })
}

async function rehash(ctx: Context, password: string, { needsRehash }: PasswordVerdict): Promise<string | undefined> {
  return needsRehash ? hashPassword(password, ctx.work, ctx.secrets.peppers) : undefined
}

function notActive({ status }: User): ProblemCode {
  return status === 'suspended' ? 'account_suspended' : 'account_pending'
}
