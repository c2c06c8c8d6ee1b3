/** Adding and removing a second factor: the part that passkeys and authenticator apps share. */
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { AppError } from '../../errors.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { type Statements, batch } from '../../store/batch.ts'
import { type Expression, allOf, selectIf } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import { restartFactorBudget } from '../../store/factor-tokens.ts'
import { factorsIdUnlessLost, hasLostAll, hasSeveralFactors } from '../../store/factors.ts'
import { deleteRecoveryCodes, insertRecoveryCodes } from '../../store/recovery-codes.ts'
import type { FactorKind } from '../../store/schema/emails.ts'
import { isFreshSession, liftSession, selectStale } from '../../store/session-strength.ts'
import { deleteOtherSessionsOf, isSignedInAs, selectSignedInUser } from '../../store/sessions.ts'
import { hasFactors, hasNoFactors } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { revoke } from '../sessions/revocation.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { amrAfter, isConfined, mustHaveFactor } from '../sessions/strength.ts'
import { decideFactorAct, explainRefusal } from './act.ts'
import { assertOwnMailbox } from './mail-code.ts'
import { newRecoveryCodes } from './recovery-codes.ts'

export interface Enrolment {
  kind: FactorKind
  /** What the session has shown by it (RFC 8176). */
  amr: readonly string[]
  /** From the client, see `assertOwnMailbox`. */
  mailCode: string | undefined
  /** What else has to hold at the moment of writing. */
  guard: Expression
  /** The statements that store the factor. */
  store: (ifDone: Expression) => Statements
}

export interface Enrolled {
  /** Only with the first factor of the account. They are never shown again. */
  recoveryCodes: string[] | undefined
}

/**
 * Adds a factor to the principal's account, and mails a notice. The session is lifted as by a step-up with the factor,
 * and trust in devices is void. A confined session also ends all other sessions, because each of them has shown the
 * password alone. The statement that stores the recovery codes decides whether the factor is the first one.
 *
 * @returns `undefined` when `guard` did not hold
 * @throws {AppError} `wrong_mail_code`; `insufficient_user_authentication`; `invalid_token` when the session ended
 *   meanwhile; `rate_limited` above the user's ceiling
 */
export async function enrolFactor(
  ctx: Ctx,
  principal: Principal,
  { kind, amr, mailCode, guard, store }: Enrolment,
): Promise<Enrolled | undefined> {
  const { user, session } = principal
  const needsMailbox = mustHaveFactor(user.role, ctx.config)
  const isProven = needsMailbox && user.factorsId === null && (await assertOwnMailbox(ctx, principal, mailCode))
  const codes = await newRecoveryCodes(ctx, user.id)
  const event = auditEvent(ctx, 'user.factor_added', { actorId: user.id, userId: user.id, detail: { kind } })
  const { at } = event
  const notice = newEmail(ctx, 'factor_added', user.email, user.id, { kind })
  const isNotFirst = needsMailbox && !isProven ? hasFactors(user.id) : undefined
  const ifDone = happened(event.id)
  const rows = await batch(ctx.db, decideFactorAct(ctx, principal, event, allOf(guard, isNotFirst)), store(ifDone), {
    codes: insertRecoveryCodes(ctx.db, user.id, codes.digests, allOf(ifDone, hasNoFactors(user.id))),
    user: updateUser(ctx.db, user.id, { factorsId: uuidv7(at) }, ifDone),
    lifted: liftSession(ctx.db, session.id, { amr: amrAfter(amr, session), at }, ifDone),
    // As after a right factor: nobody must find the new one locked by tries at the old one.
    tries: restartFactorBudget(ctx.db, user.id, at, ifDone),
    ended: isConfined(user, session, ctx.config)
      ? deleteOtherSessionsOf(ctx.db, user.id, session.id, ifDone)
      : undefined,
    notice: insertEmail(ctx.db, notice, ifDone),
  })
  if (rows.decided.length === 0) {
    explainRefusal(ctx, principal, rows)
    if (isNotFirst && rows.acting[0]?.factorsId === null) throw new AppError('wrong_mail_code')
    return undefined
  }
  revoke(ctx, rows.ended)
  announceStored(ctx, rows.notice)
  return { recoveryCodes: rows.codes.length > 0 ? codes.texts : undefined }
}

export interface Removal {
  kind: FactorKind
  /** The account has the factor. */
  guard: Expression
  /** The statements that delete the factor. */
  erase: (ifDone: Expression) => Statements
}

/**
 * Removes a factor of the principal. With the last one the recovery codes go. Where the account must have a factor, the
 * last one stays, also when two callers remove the last two at once.
 *
 * @throws {AppError} `not_found`, `last_factor`; `insufficient_user_authentication`; `invalid_token` when the session
 *   ended meanwhile
 */
export async function removeFactor(ctx: Ctx, principal: Principal, { kind, guard, erase }: Removal): Promise<void> {
  const { user, session } = principal
  const event = auditEvent(ctx, 'user.factor_removed', { actorId: user.id, userId: user.id, detail: { kind } })
  const { at } = event
  const notice = newEmail(ctx, 'factor_removed', user.email, user.id, { kind })
  const isFresh = isFreshSession(at)
  const isActing = isSignedInAs(session.id, user.id, user.role, at, isFresh)
  const hasAnother = mustHaveFactor(user.role, ctx.config) ? hasSeveralFactors(user.id) : undefined
  const ifDone = happened(event.id)
  const rows = await batch(
    ctx.db,
    {
      decided: insertAuditEvent(ctx.db, event, allOf(isActing, guard, hasAnother)),
      acting: selectSignedInUser(ctx.db, session.id, user.id, at),
      stale: selectStale(ctx.db, session.id, user.id, at, isFresh),
      present: selectIf(ctx.db, guard),
    },
    erase(ifDone),
    {
      codes: deleteRecoveryCodes(ctx.db, user.id, allOf(ifDone, hasLostAll(user.id))),
      user: updateUser(ctx.db, user.id, { factorsId: factorsIdUnlessLost(user.id, uuidv7(at)) }, ifDone),
      notice: insertEmail(ctx.db, notice, ifDone),
    },
  )
  if (rows.decided.length === 0) {
    explainRefusal(ctx, principal, rows)
    throw new AppError(rows.present.length > 0 ? 'last_factor' : 'not_found')
  }
  announceStored(ctx, rows.notice)
}
