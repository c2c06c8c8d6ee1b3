import type { Ctx } from '../../context.ts'
import { hashPassword } from '../../crypto/password.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { orderedBatch } from '../../store/db.ts'
import { insertEmail, mailBudgetLeft } from '../../store/emails.ts'
import { insertRegistration } from '../../store/registrations.ts'
import { forgetEmailProblem, insertPendingUser, userIdOf } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { assertHuman } from '../protection/human-check.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { assertStrongPassword } from '../passwords/policy.ts'

export interface Registration {
  email: string
  password: string
  firstName?: string | null | undefined
  lastName?: string | null | undefined
  locale?: string | null | undefined
}

/**
 * Takes an attempt to register. The same statements run for a new, a pending and a taken address, and delivery decides
 * which mail is right, so nothing here tells them apart. The attempt keeps its own password: only its own link and that
 * password together activate with it, so whoever registers somebody else's address first gains nothing (pre-hijacking).
 *
 * @throws {AppError} as `assertHuman`; `weak_password`
 */
export async function register(ctx: Ctx, input: Registration, turnstileToken?: string): Promise<void> {
  await assertHuman(ctx, turnstileToken, 'register')
  const { email, password, firstName = null, lastName = null, locale = null } = input
  await assertStrongPassword(ctx, password, { email, firstName, lastName }, '/password')
  const passwordHash = await hashPassword(password, ctx.work, ctx.secrets.peppers)
  const now = ctx.now()
  const id = uuidv7(now)
  const mail = newEmail(ctx, 'registration', email, null, { registrationId: id })
  const event = auditEvent(ctx, 'user.registered', {})
  const ifDone = happened(event.id)
  const userId = uuidv7(now)
  await orderedBatch(ctx.db, [
    // Over the budget nothing at all happens: the links already sent stay good, and no further attempt is kept.
    insertAuditEvent(ctx.db, { ...event, userId: userIdOf(email, userId) }, mailBudgetLeft(mail, now)),
    insertPendingUser(ctx.db, { id: userId, email, createdAt: now }, ifDone),
    insertRegistration(ctx.db, { id, email, passwordHash, firstName, lastName, locale, createdAt: now }, ifDone),
    insertEmail(ctx.db, mail, ifDone),
    forgetEmailProblem(ctx.db, email, ifDone),
  ])
  announceEmail(ctx, mail)
}

/** Asks for another activation mail. Looks nothing up: delivery does. */
export async function resendActivation(ctx: Ctx, email: string): Promise<void> {
  const mail = newEmail(ctx, 'activation', email, null)
  await insertEmail(ctx.db, mail, mailBudgetLeft(mail, ctx.now()))
  announceEmail(ctx, mail)
}
