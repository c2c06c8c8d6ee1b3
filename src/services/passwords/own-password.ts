import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import type { AuditType } from '../../store/schema/audit.ts'
import { auditEvent } from '../audit/trail.ts'
import { recordWrongPassword } from '../protection/series-warning.ts'
import type { PasswordPrincipal } from '../sessions/signed-in.ts'
import { verifyAttempt } from './hashing.ts'

/**
 * Verifies the password of a signed-in user. The attempt was counted when the principal was read. An account without a
 * password has none to verify.
 *
 * @param refusal the event that records a wrong password
 * @throws {AppError} `wrong_password`; as `inTurn`
 */
export async function assertOwnPassword(
  ctx: Ctx,
  { user, attempt }: PasswordPrincipal,
  password: string | undefined,
  refusal: AuditType,
): Promise<void> {
  if (!attempt || password === undefined) return
  const { matches } = await verifyAttempt(ctx, attempt, password, user.passwordHash)
  if (matches) return
  const event = auditEvent(ctx, refusal, { actorId: user.id, userId: user.id })
  await recordWrongPassword(ctx, event, user, attempt)
  throw new AppError('wrong_password')
}
