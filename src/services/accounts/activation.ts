import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { AppError } from '../../errors.ts'
import { accountBudget, deleteAttempts, giveBackAttempt } from '../../store/attempts.ts'
import { happened } from '../../store/audit.ts'
import { type Statements, batch } from '../../store/batch.ts'
import { type Expression, allOf, always } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import {
  deleteLinksOf,
  emailOfLink,
  linkActivates,
  selectRegistrationOfLink,
  selectUserOfLink,
} from '../../store/links.ts'
import { deleteRegistrationsOf } from '../../store/registrations.ts'
import type { Registration } from '../../store/schema/registrations.ts'
import type { User } from '../../store/schema/users.ts'
import { passwordIdOf, userExists } from '../../store/user-conditions.ts'
import { auditEvent } from '../audit/trail.ts'
import { newEmail } from '../mail/outbox.ts'
import { type ClaimStatements, assertClaimed, claimPasswordAttempt } from '../protection/attempts.ts'
import { recordWrongPassword } from '../protection/series-warning.ts'
import { verifyAttempt } from '../passwords/hashing.ts'
import { type SignInOutcome, askForFactor } from '../factors/second-step.ts'
import { type PasswordProof, type SecondFactorProof, beginSession, prepareSession } from '../sessions/begin.ts'
import { readToken } from '../sessions/tokens.ts'
import { findPasswordOnly } from '../sessions/trust.ts'

/**
 * Activates a pending account and signs in. The link proves control of the mailbox, and the password proves that the
 * same person registered. The registration of the link becomes the account, all others of the address are deleted. A
 * link that cannot activate anything costs no attempt.
 *
 * @throws {AppError} `invalid_link`; `rate_limited`; `invalid_credentials` for another password; as `inTurn`. After the
 *   last three the link stays valid
 */
export async function activate(
  ctx: Ctx,
  token: string,
  password: string,
  trustToken: string | undefined,
): Promise<SignInOutcome> {
  const now = ctx.now()
  const { jti: linkId } = await readToken(ctx, 'activation+jwt', token, 'invalid_link')
  const budget = accountBudget(emailOfLink(linkId))
  const conditions = { guard: linkActivates(linkId, now) }
  const run = (claim: ClaimStatements) =>
    batch(ctx.db, claim, {
      user: selectUserOfLink(ctx.db, linkId, 'activation', now),
      registration: selectRegistrationOfLink(ctx.db, linkId, 'activation', now),
    })
  const rows = await claimPasswordAttempt(
    ctx,
    { budget, conditions },
    run,
    ({ user: [owner], registration: [own] }) => !own || owner?.status !== 'pending',
  )
  const [[user], [registration]] = [rows.user, rows.registration]
  if (!registration || user?.status !== 'pending') throw new AppError('invalid_link', { reason: 'ended' })
  const attempt = assertClaimed(ctx, rows)
  const { matches } = await verifyAttempt(ctx, attempt, password, registration.passwordHash)
  if (!matches) {
    const detail = { reason: 'wrong_password' }
    const refusal = auditEvent(ctx, 'user.activation_refused', { userId: user.id, detail })
    await recordWrongPassword(ctx, refusal, user, attempt)
    throw new AppError('invalid_credentials', { reason: 'wrong_password' })
  }
  const isEnough = await findPasswordOnly(ctx, user, trustToken)
  if (!isEnough) {
    const detail = { reason: 'second_factor_required' }
    const event = auditEvent(ctx, 'user.activation_refused', { userId: user.id, detail })
    return askForFactor(ctx, user, { passwordId: passwordIdOf(user), linkId }, event, {
      series: deleteAttempts(ctx.db, attempt.budget, always),
    })
  }
  const begun = await beginActivated(
    ctx,
    { linkId, user, registration },
    { method: 'password', budget: attempt.budget },
    userExists(user.id, isEnough),
  )
  if (begun.kind === 'refused_meanwhile') {
    // The password was right.
    await batch(ctx.db, giveBackAttempt(ctx.db, attempt, ctx.now()))
    throw new AppError('invalid_link', { reason: 'used_meanwhile' })
  }
  return begun
}

type How = Omit<PasswordProof, 'passwordId' | 'device'> | Omit<SecondFactorProof, 'passwordId' | 'device'>

/**
 * Activates the account of a link and starts its first session, once the password and any second factor were right.
 *
 * @param guard what else has to hold at the moment of writing
 */
export async function beginActivated(
  ctx: Ctx,
  { linkId, user, registration }: { linkId: string; user: User; registration: Registration },
  how: How,
  guard: Expression,
  statements: (ifDone: Expression) => Statements = () => ({}),
) {
  const { session, event } = await prepareSession(ctx, user.id, 'user.activated')
  const { at } = event
  const { passwordHash, firstName, lastName, locale } = registration
  const passwordId = uuidv7(at)
  const email = newEmail(ctx, 'account_activated', user.email, user.id)
  const ifDone = happened(event.id)
  return beginSession(ctx, {
    user,
    event,
    session,
    guard: allOf(linkActivates(linkId, at), guard),
    proof: { ...how, passwordId, device: undefined },
    changes: {
      status: 'active',
      passwordHash,
      passwordId,
      firstName,
      lastName,
      locale,
      activatedAt: at,
      updatedAt: at,
    },
    email: { row: email, insert: insertEmail(ctx.db, email, ifDone) },
    statements: {
      links: deleteLinksOf(ctx.db, user.id, ifDone, 'activation'),
      registrations: deleteRegistrationsOf(ctx.db, user.email, ifDone),
      ...statements(ifDone),
    },
  })
}
