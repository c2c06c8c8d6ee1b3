import type { Message } from '../../emails/render.ts'
import type { Context } from '../context.ts'
import { findNewestRegistration, findRegistration } from '../store/registrations.ts'
import type { Email, Registration, User } from '../store/schema.ts'
import { findUserByEmail, hasStatus, userExists } from '../store/users.ts'
import { issueLink } from './link-issue.ts'
import type { EmailTemplate } from './outbox.ts'

/**
 * What a row has to say now, or nothing any more. The request that wrote the row looked nothing up, so that it could not
 * tell whether an account exists; here is where that is seen.
 */
export async function contentOf(ctx: Context, email: Email): Promise<Message | undefined> {
  const { params, createdAt: at } = email
  const from = { ip: params.ip ?? null, country: params.country ?? null, userAgent: params.userAgent ?? null }
  const template = email.template as EmailTemplate
  switch (template) {
    case 'registration':
      return registrationContent(ctx, email)
    case 'activation': {
      const user = await findUserByEmail(ctx.db, email.recipient)
      return user && activationContent(ctx, email, user, await findNewestRegistration(ctx.db, email.recipient))
    }
    case 'password_reset':
    case 'set_password': {
      const user = await findUserByEmail(ctx.db, email.recipient)
      if (!user) return undefined
      const link = await issueLink(ctx, email, 'reset', { userId: user.id, registrationId: null }, userExists(user.id))
      if (!link) return undefined
      const { url, expiresAt } = link
      if (template === 'set_password') return { template, link: url, expiresAt }
      return { template, link: url, expiresAt, from: params.byAdministrator ? 'administrator' : from }
    }
    case 'password_changed':
    case 'session_reuse':
    case 'sign_in_attempts':
    case 'new_sign_in':
      return { template, at, from }
    case 'account_suspended':
      return { template, reason: params.reason ?? '' }
    case 'role_changed':
      return params.role && { template, role: params.role }
    case 'account_activated':
    case 'account_reinstated':
    case 'account_deleted':
      return { template }
  }
}

async function registrationContent(ctx: Context, email: Email): Promise<Message | undefined> {
  const [user, registration] = await Promise.all([
    findUserByEmail(ctx.db, email.recipient),
    findRegistration(ctx.db, email.params.registrationId ?? ''),
  ])
  if (!user) return undefined
  // Whoever owns the mailbox has an account already, and somebody, perhaps they, tried to make another.
  // But not when this very mail has offered to activate the account before.
  if (user.status !== 'pending') return email.linkedAt ? undefined : { template: 'account_exists' }
  return activationContent(ctx, email, user, registration)
}

async function activationContent(
  ctx: Context,
  email: Email,
  user: User,
  registration: Registration | undefined,
): Promise<Message | undefined> {
  if (!registration) return undefined
  const about = { userId: user.id, registrationId: registration.id }
  const link = await issueLink(ctx, email, 'activation', about, hasStatus(user.id, 'pending'))
  return link && { template: 'activation', link: link.url, expiresAt: link.expiresAt }
}
