import type { Ctx } from '../../context.ts'
import { newUserShard, uuidv7 } from '../../crypto/random.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { hasPlace, takePlace } from '../../store/ceilings.ts'
import { allOf, noneOf } from '../../store/db.ts'
import { isReserved } from '../../store/email-changes.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { insertRegistration } from '../../store/registrations.ts'
import { forgetEmailProblem, insertPendingUser } from '../../store/users.ts'
import { userIdOf } from '../../store/user-conditions.ts'
import { auditEvent } from '../audit/trail.ts'
import { storeAskedEmail } from '../protection/asked-emails.ts'
import { assertHuman } from '../protection/human-check.ts'
import { assertRoomForStrangers } from '../protection/room.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { assertReturnTo } from '../mail/return-to.ts'
import { aboveCeiling, networkPlace, strangerPlace, strangersSpent } from '../protection/ceilings.ts'
import { hashInTurn } from '../passwords/hashing.ts'
import { assertStrongPassword } from '../passwords/policy.ts'

export interface Registration {
  email: string
  password: string
  firstName?: string | null | undefined
  lastName?: string | null | undefined
  locale?: string | null | undefined
  /** Where the activation page leads afterwards. */
  returnTo?: string | undefined
}

/**
 * Stores a registration. The same statements run for a new, a pending and a taken address, and delivery decides which
 * email is right, so nothing here tells them apart. Each registration keeps its own password and activates only with
 * its own link and that password, so registering somebody else's address first gains nothing (pre-hijacking).
 *
 * @throws {AppError} as `assertReturnTo`, `assertRoomForStrangers`, `assertHuman` and `inTurn`; `weak_password`; above
 *   a ceiling `rate_limited` or, without Turnstile, `service_unavailable`
 */
export async function register(ctx: Ctx, input: Registration, turnstileToken?: string): Promise<void> {
  const returnTo = assertReturnTo(ctx, input.returnTo)
  assertRoomForStrangers(ctx)
  await assertHuman(ctx, turnstileToken, 'register')
  const { email, password, firstName = null, lastName = null, locale = null } = input
  await assertStrongPassword(ctx, password, { email, firstName, lastName }, '/password')
  const passwordHash = await hashInTurn(ctx, password)
  const now = ctx.now()
  const id = uuidv7(now)
  const confirmation = newEmail(ctx, 'registration', email, null, {
    registrationId: id,
    ...(returnTo !== undefined && { returnTo }),
  })
  const event = auditEvent(ctx, 'user.registered', {})
  const ifDone = happened(event.id)
  const network = networkPlace(ctx, event.id)
  const stranger = strangerPlace(ctx, event.id, { ...input, password: '' }, ctx.secrets.turnstileSecret === null)
  const userId = uuidv7(now, newUserShard)
  const rows = await batch(ctx.db, {
    network: takePlace(ctx.db, network),
    stranger: takePlace(ctx.db, stranger, hasPlace(network)),
    // Over the email budget nothing happens: links that were sent stay valid, and no further registration is stored.
    decided: insertAuditEvent(
      ctx.db,
      { ...event, userId: userIdOf(email, userId) },
      allOf(hasPlace(stranger), mailBudgetLeft(confirmation)),
    ),
    user: insertPendingUser(ctx.db, { id: userId, email }, allOf(ifDone, noneOf(isReserved(email, now)))),
    registration: insertRegistration(ctx.db, { id, email, passwordHash, firstName, lastName, locale }, ifDone),
    email: insertEmail(ctx.db, confirmation, ifDone),
    emailProblem: forgetEmailProblem(ctx.db, email, ifDone),
  })
  if (rows.network.length === 0) throw aboveCeiling(ctx, 'network_ceiling')
  if (rows.stranger.length === 0) throw strangersSpent(ctx)
  announceEmail(ctx, confirmation)
}

/**
 * Queues another activation email. Looks nothing up: delivery does.
 *
 * @throws {AppError} as `assertReturnTo`, `assertRoomForStrangers` and `storeAskedEmail`
 */
export async function resendActivation(ctx: Ctx, email: string, askedReturnTo?: string): Promise<void> {
  const returnTo = assertReturnTo(ctx, askedReturnTo)
  assertRoomForStrangers(ctx)
  const activation = newEmail(ctx, 'activation', email, null, { ...(returnTo !== undefined && { returnTo }) })
  await storeAskedEmail(ctx, activation, networkPlace(ctx, activation.id))
}
