import type { Context } from '../context.ts'
import { type PasswordVerdict, hashPassword, verifyPassword } from '../crypto/password.ts'
import { AppError, type ProblemCode } from '../errors.ts'
import { happened, insertAuditEvent } from '../store/audit.ts'
import { batch } from '../store/db.ts'
import type { User } from '../store/schema.ts'
import { deleteOldestSessionsOf, insertSession } from '../store/sessions.ts'
import { canSignIn, findUserToSignIn, selectUser, updateUser } from '../store/users.ts'
import { auditEvent, recordRefusal } from './audit.ts'
import { promoteFirstAdmin } from './bootstrap-admin.ts'
import { revoke } from './revocation.ts'
import { type Tokens, issueTokens, newSession } from './token-answer.ts'

/** A device that never signs out leaves a session behind; the oldest of them end. */
export const maxSessionsPerUser = 50

/**
 * Signs in with a password. For an unknown address and for an account without a password the same work is done, and only
 * who knows the password learns what is the matter with the account (OWASP ASVS 6.3.8).
 *
 * @throws {AppError} `invalid_credentials`; after the right password `account_pending` or `account_suspended`
 */
export async function signIn(ctx: Context, email: string, password: string): Promise<Tokens> {
  const found = await findUserToSignIn(ctx.db, email)
  // A pending account has no password of its own yet: its newest registration stands in, for the answer only.
  const stored = found?.user.passwordHash ?? found?.registeredHash ?? null
  const verdict = await verifyPassword(password, stored, ctx.work, ctx.secrets.peppers)
  if (!found || !verdict.matches) {
    throw await refusal(ctx, 'invalid_credentials', found?.user.id, found ? 'wrong_password' : 'unknown_address')
  }
  const { user } = found
  if (user.status !== 'active') throw await refusal(ctx, notActive(user), user.id, user.status)
  if (user.passwordHash === null) throw await refusal(ctx, 'invalid_credentials', user.id, 'no_password')
  return startSession(ctx, user, user.passwordHash, await rehash(ctx, password, verdict))
}

async function startSession(
  ctx: Context,
  user: User,
  verifiedHash: string,
  newHash: string | undefined,
): Promise<Tokens> {
  const session = newSession(ctx, user.id)
  const event = auditEvent(ctx, 'user.signed_in', {
    actorId: user.id,
    userId: user.id,
    detail: { session_id: session.id },
  })
  const done = happened(event.id)
  const [, [stored], evicted, [signedIn], [current], ...promotion] = await batch(ctx.db, [
    insertAuditEvent(ctx.db, event, canSignIn(user.id, verifiedHash)),
    insertSession(ctx.db, session, done),
    deleteOldestSessionsOf(ctx.db, user.id, maxSessionsPerUser, done),
    updateUser(ctx.db, user.id, { lastLoginAt: event.at, ...(newHash && { passwordHash: newHash }) }, done),
    selectUser(ctx.db, user.id),
    ...promoteFirstAdmin(ctx, user, event.id),
  ])
  if (!stored || !signedIn) {
    // Something ended this password or this account while it was being verified.
    const isSamePassword = current?.passwordHash === verifiedHash
    const code = current && isSamePassword && current.status !== 'active' ? notActive(current) : 'invalid_credentials'
    throw await refusal(ctx, code, current && user.id, 'changed_meanwhile')
  }
  revoke(ctx, evicted)
  return issueTokens(ctx, promotion[1]?.[0] ?? signedIn, stored)
}

async function rehash(ctx: Context, password: string, { needsRehash }: PasswordVerdict): Promise<string | undefined> {
  return needsRehash ? hashPassword(password, ctx.work, ctx.secrets.peppers) : undefined
}

function notActive({ status }: User): ProblemCode {
  return status === 'suspended' ? 'account_suspended' : 'account_pending'
}

async function refusal(ctx: Context, code: ProblemCode, userId: string | undefined, reason: string): Promise<AppError> {
  await recordRefusal(ctx, 'user.sign_in_refused', { userId: userId ?? null, detail: { reason } })
  return new AppError(code, { reason })
}
