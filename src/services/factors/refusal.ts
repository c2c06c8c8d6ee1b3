import type { Ctx } from '../../context.ts'
import { invalidToken } from '../../errors.ts'
import type { User } from '../../store/schema/users.ts'
import { aboveCeiling } from '../protection/ceilings.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { explainStale } from '../sessions/strength.ts'

interface RefusalRows {
  acting: readonly User[]
  stale: readonly Pick<User, 'factorsId'>[]
  spent?: readonly unknown[]
}

/**
 * Explains why the principal may not change factors now. Returns when the factors themselves were the reason.
 *
 * @throws {AppError} `invalid_token` when the session or the role ended meanwhile; `insufficient_user_authentication`;
 *   `rate_limited` above the user's ceiling
 */
export function explainRefusal(ctx: Ctx, { user }: Principal, { acting, stale, spent }: RefusalRows): void {
  if (acting[0]?.role !== user.role) throw invalidToken('ended_meanwhile')
  explainStale(stale)
  if (spent && spent.length > 0) throw aboveCeiling(ctx, 'user_ceiling')
}
