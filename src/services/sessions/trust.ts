/** Devices that need no second factor, because their user has shown one there and trusts them. */
import { trustTokenSeconds } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { signToken, verifyToken } from '../../crypto/tokens.ts'
import type { Expression } from '../../store/db.ts'
import type { User } from '../../store/schema/users.ts'
import { isFactorsId, isTrusted, passwordIdOf } from '../../store/user-conditions.ts'

/**
 * Decides after the right password whether it is enough. A trust token counts for the password and the factors that it
 * was given for, until the user signs out all devices or all others, or is suspended. It never counts for staff, nor
 * for anybody who must have a factor.
 *
 * @returns the condition for the user's row under which the password alone signs in; `undefined` when it does not
 */
export async function findPasswordOnly(
  ctx: Ctx,
  user: User,
  token: string | undefined,
): Promise<Expression | undefined> {
  const { id, role, factorsId, trustNumber } = user
  if (factorsId === null) return isFactorsId(null)
  if (token === undefined || role !== 'USER' || ctx.config.secondFactor === 'all') return undefined
  const verified = await verifyToken(ctx.tokens, 'trust+jwt', token, ctx.now())
  if (verified.kind === 'refused') return undefined
  const { sub, password_id: passwordId, factors_id: trustedId, trust } = verified.claims
  const isOfUser = sub === id && passwordId === passwordIdOf(user)
  return isOfUser && trustedId === factorsId && trust === (trustNumber ?? 0) ? isTrusted(factorsId, trust) : undefined
}

/** A trust token for a user who has just shown a factor. */
export async function issueTrustToken(ctx: Ctx, user: User, factorsId: string): Promise<string> {
  const now = ctx.now()
  const claims = { sub: user.id, password_id: passwordIdOf(user), factors_id: factorsId, trust: user.trustNumber ?? 0 }
  return signToken(ctx.tokens, 'trust+jwt', claims, now, new Date(now.getTime() + trustTokenSeconds * 1000))
}
