import type { Ctx } from '../../context.ts'
import { unavailable } from '../../errors.ts'
import { fullSeconds } from '../../store/db.ts'

/**
 * Refuses an act of a stranger that would leave rows while the database is nearly full: known users need the rest. No
 * query is made for it.
 *
 * @throws {AppError} `service_unavailable`
 */
export function assertRoomForStrangers(ctx: Ctx): void {
  if (ctx.isNearlyFull()) throw unavailable('d1_nearly_full', undefined, fullSeconds)
}
