import { mailCodeAttempts, mailCodeMs } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { isMailCode } from '../../crypto/mail-code.ts'
import { timeOf } from '../../crypto/random.ts'
import { hourMs } from '../../durations.ts'
import { AppError, invalidToken } from '../../errors.ts'
import { claimAttempt, hasBudget, mailCodeBudget, startBudget } from '../../store/attempts.ts'
import { wasBegunByActivation } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf, selectIf } from '../../store/db.ts'
import { emailIsStored, insertEmail, selectEmailsSince } from '../../store/emails.ts'
import { isSignedIn, selectSignedInUser } from '../../store/sessions.ts'
import { hasNoFactors } from '../../store/user-conditions.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { recordWrongFactor } from '../protection/series-warning.ts'
import type { Principal } from '../sessions/signed-in.ts'

/** All tries come without a pause. Then there are none until another code is mailed. */
const attempts = { free: mailCodeAttempts, max: mailCodeAttempts, firstPauseMs: 0, maxPauseMs: 0, inFlightMs: 0 }

/**
 * Mails the principal a code for this session, with which the account can get its first factor. It allows new tries.
 * For an account that has a factor nothing is sent.
 *
 * @throws {AppError} `rate_limited` over the budget of such emails; `invalid_token` when the session ended meanwhile
 */
export async function sendMailCode(ctx: Ctx, { user, session }: Principal): Promise<void> {
  const now = ctx.now()
  const email = newEmail(ctx, 'factor_code', user.email, user.id, { sessionId: session.id })
  const rows = await batch(ctx.db, {
    email: insertEmail(ctx.db, email, allOf(isSignedIn(session.id, user.id, now), hasNoFactors(user.id))),
    tries: startBudget(ctx.db, mailCodeBudget(user.id, session.id), now, emailIsStored(email.id)),
    acting: selectSignedInUser(ctx.db, session.id, user.id, now),
  })
  if (rows.email.length > 0) return announceEmail(ctx, email)
  const [acting] = rows.acting
  if (!acting) throw invalidToken('ended_meanwhile')
  if (acting.factorsId === null) {
    throw new AppError('rate_limited', { reason: 'mail_budget', retryAfterSeconds: hourMs / 1000 })
  }
}

/**
 * Requires that the principal has the mailbox of the account: whoever only knows the password of an account that must
 * have a factor must not give it one. A session that began with an activation less than ten minutes ago has shown it;
 * any other needs a code. Each try is counted before the code is compared, and a wrong one is recorded: whoever guesses
 * knows the password. A session without a mailed code has no tries: whoever has the password can begin any number of
 * sessions, but cannot have any number of codes mailed.
 *
 * @returns true
 * @throws {AppError} `wrong_mail_code`, also for a missing code and after too many tries
 */
export async function assertOwnMailbox(
  ctx: Ctx,
  { user, session }: Principal,
  code: string | undefined,
): Promise<true> {
  const now = ctx.now()
  const owner = { userId: user.id, sessionId: session.id }
  const since = new Date(now.getTime() - mailCodeMs)
  const isYoung = timeOf(session.id) >= since
  const budget = mailCodeBudget(user.id, session.id)
  const { begun, claimed, mailed } = await batch(ctx.db, {
    begun: isYoung ? selectIf(ctx.db, wasBegunByActivation(session.id, user.id)) : undefined,
    claimed: code === undefined ? undefined : claimAttempt(ctx.db, budget, now, attempts, { guard: hasBudget(budget) }),
    mailed: code === undefined ? undefined : selectEmailsSince(ctx.db, user.id, 'factor_code', since),
  })
  const ids = mailed.map(({ id }) => id)
  const [attempt] = claimed
  const isRight = code !== undefined && attempt && (await isMailCode(ctx.secrets.dataKeys, owner, code, ids))
  if (isRight || begun.length > 0) return true
  if (attempt) {
    const detail = { session_id: session.id }
    const event = auditEvent(ctx, 'user.step_up_refused', { actorId: user.id, userId: user.id, detail })
    await recordWrongFactor(ctx, event, user, { ...attempt, budget: attempt.key, inARow: attempt.count })
  }
  throw new AppError('wrong_mail_code')
}
