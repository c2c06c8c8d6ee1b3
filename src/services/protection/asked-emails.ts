import type { Ctx } from '../../context.ts'
import { batch } from '../../store/batch.ts'
import { type Place, hasPlace, selectSpent, takePlace } from '../../store/ceilings.ts'
import { type Expression, anyOf, never, noneOf } from '../../store/db.ts'
import { type NewEmail, insertEmail } from '../../store/emails.ts'
import { announceEmail } from '../mail/outbox.ts'
import { aboveCeiling, strangerPlace } from './ceilings.ts'

/**
 * Stores an email that a stranger asked for, for whatever address. Each takes a place below a ceiling of its network.
 * The budget of all strangers counts it and does not refuse it: somebody who forgot their password must not wait for
 * strangers.
 *
 * @param network a place for the id of the email
 * @param isKnown whether the device is known, which has no ceiling: the budget of its emails is enough
 * @throws {AppError} `rate_limited`
 */
export async function storeAskedEmail(
  ctx: Ctx,
  email: NewEmail,
  network: Place,
  isKnown: Expression = never,
): Promise<void> {
  const isStranger = noneOf(isKnown)
  const { spent } = await batch(ctx.db, {
    network: takePlace(ctx.db, network, isStranger),
    stranger: takePlace(ctx.db, strangerPlace(ctx, email.id, email.params, false), hasPlace(network)),
    spent: selectSpent(ctx.db, network, isStranger),
    email: insertEmail(ctx.db, email, anyOf(hasPlace(network), isKnown)),
  })
  if (spent.length > 0) throw aboveCeiling(ctx, 'network_ceiling')
  announceEmail(ctx, email)
}
