import type { Ctx } from '../../context.ts'
import { type Factors, findFactors } from '../../store/factors.ts'
import type { Principal } from '../sessions/signed-in.ts'

/** The principal's second factors. */
export async function listFactors(ctx: Ctx, { user }: Principal): Promise<Factors> {
  return findFactors(ctx.db, user.id)
}
