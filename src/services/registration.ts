import type { Context } from '../context.ts'
import { hashPassword } from '../crypto/password.ts'
import { uuidv7 } from '../crypto/random.ts'
import { insertAuditEvent } from '../store/audit.ts'
import { batch } from '../store/db.ts'
import { insertEmail } from '../store/emails.ts'
import { insertRegistration } from '../store/registrations.ts'
import { insertPendingUser, userIdOf } from '../store/users.ts'
import { auditEvent } from './audit.ts'
import { announceEmail, newEmail } from './outbox.ts'
import { assertStrongPassword } from './password-policy.ts'

export interface Registration {
  email: string
  password: string
  firstName?: string | undefined
  lastName?: string | undefined
  locale?: string | undefined
}

/**
 * Takes an attempt to register. The same statements run for a new, a pending and a taken address, and delivery decides
 * which mail is right, so nothing here tells them apart. The attempt keeps its own password: only its own link and that
 * password together activate with it, so whoever registers somebody else's address first gains nothing (pre-hijacking).
 *
 * @throws {AppError} `weak_password`
 */
export async function register(ctx: Context, input: Registration): Promise<void> {
  const { email, password, firstName = null, lastName = null, locale = null } = input
  await assertStrongPassword(ctx, password, { email, firstName, lastName }, '/password')
  const passwordHash = await hashPassword(password, ctx.work, ctx.secrets.peppers)
  const now = ctx.now()
  const id = uuidv7(now)
  const mail = newEmail(ctx, 'registration', email, null, { registrationId: id })
  await batch(ctx.db, [
    insertPendingUser(ctx.db, { id: uuidv7(now), email, createdAt: now }),
    insertRegistration(ctx.db, { id, email, passwordHash, firstName, lastName, locale, createdAt: now }),
    insertEmail(ctx.db, mail),
    insertAuditEvent(ctx.db, { ...auditEvent(ctx, 'user.registered', {}), userId: userIdOf(email) }),
  ])
  announceEmail(ctx, mail)
}

/** Asks for another activation mail. Looks nothing up: delivery does. */
export async function resendActivation(ctx: Context, email: string): Promise<void> {
  const mail = newEmail(ctx, 'activation', email, null)
  await insertEmail(ctx.db, mail)
  announceEmail(ctx, mail)
}
