import type { Ctx } from '../../context.ts'
import type { Claims } from '../../crypto/tokens.ts'
import { invalidToken } from '../../errors.ts'
import { acceptedTokensOf } from './accepted-tokens.ts'
import { isSessionRevoked } from './revocation.ts'

/**
 * Accepts an access token whose session is not on the revocation list. A token that this isolate accepted within the
 * last five seconds is accepted again: neither its signature nor the list is checked.
 *
 * @param text the header with the token
 * @param verify checks the header and the token, not the list
 * @throws {AppError} `invalid_token`; `service_unavailable` when the list cannot be read
 */
export async function acceptAtEdge(
  ctx: Ctx,
  text: string,
  verify: (now: Date) => Promise<{ claims: Claims<'at+jwt'>; expiresAt: Date }>,
): Promise<Claims<'at+jwt'>> {
  const now = ctx.now()
  const accepted = acceptedTokensOf(ctx.revocations)
  const known = accepted.recall(text, ctx.tokens, now.getTime())
  if (known) return known
  const { forgotten } = accepted
  const { claims, expiresAt } = await verify(now)
  if (await isSessionRevoked(ctx, claims.sid)) throw invalidToken('revoked')
  if (accepted.forgotten === forgotten) accepted.keep(text, ctx.tokens, claims, expiresAt, now.getTime())
  return claims
}
