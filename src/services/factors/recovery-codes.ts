import { recoveryCodeCount } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { digestsOfCode, newRecoveryCode } from '../../crypto/recovery-code.ts'
import { AppError } from '../../errors.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { insertEmail } from '../../store/emails.ts'
import { deleteRecoveryCodes, insertRecoveryCodes } from '../../store/recovery-codes.ts'
import { hasFactors } from '../../store/user-conditions.ts'
import { updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { decideFactorAct, explainRefusal } from './act.ts'

/** New codes for a user: what is shown of them, once, and what is stored. */
export async function newRecoveryCodes({ secrets: { dataKeys } }: Ctx, userId: string) {
  const texts = Array.from({ length: recoveryCodeCount }, newRecoveryCode)
  const digests = await Promise.all(texts.map((text) => digestsOfCode([dataKeys[0]], userId, text)))
  return { texts, digests: digests.flat() }
}

/**
 * Gives the principal new recovery codes, in place of the old ones. A client that lost the answer with the codes makes
 * new ones in the same way.
 *
 * @throws {AppError} `not_found` for an account without a factor; `insufficient_user_authentication`; `invalid_token`
 *   when the session ended meanwhile; `rate_limited` above the user's ceiling
 */
export async function renewRecoveryCodes(ctx: Ctx, principal: Principal): Promise<string[]> {
  const { user } = principal
  const { texts, digests } = await newRecoveryCodes(ctx, user.id)
  const event = auditEvent(ctx, 'user.recovery_codes_renewed', { actorId: user.id, userId: user.id })
  const { at } = event
  const notice = newEmail(ctx, 'recovery_codes_renewed', user.email, user.id)
  const ifDone = happened(event.id)
  const rows = await batch(ctx.db, decideFactorAct(ctx, principal, event, hasFactors(user.id)), {
    old: deleteRecoveryCodes(ctx.db, user.id, ifDone),
    codes: insertRecoveryCodes(ctx.db, user.id, digests, ifDone),
    user: updateUser(ctx.db, user.id, { factorsId: uuidv7(at) }, ifDone),
    notice: insertEmail(ctx.db, notice, ifDone),
  })
  if (rows.decided.length === 0) {
    explainRefusal(ctx, principal, rows)
    throw new AppError('not_found')
  }
  announceStored(ctx, rows.notice)
  return texts
}
