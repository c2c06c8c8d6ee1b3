import type { Message } from '../../../emails/render.ts'
import type { Ctx } from '../../context.ts'
import { orderedBatch } from '../../store/db.ts'
import { selectNewestRegistrations, selectRegistrations } from '../../store/registrations.ts'
import type { Email, Registration, User } from '../../store/schema.ts'
import { hasStatus, selectUsersByEmail, userExists } from '../../store/users.ts'
import type { IssuedLink, LinkRequest } from './links.ts'
import type { EmailTemplate } from './outbox.ts'

/** What the database knows about the recipients of some mails, read in one round trip. */
export interface Facts {
  users: Map<string, User>
  registrations: Map<string, Registration>
  newestRegistrations: Map<string, Registration>
}

/** The requests that wrote these rows looked nothing up, so that they could not tell whether an account exists. */
const templatesThatAsk = new Set<string>(['registration', 'activation', 'password_reset', 'set_password'])

export async function findFacts(ctx: Ctx, emails: readonly Email[]): Promise<Facts> {
  const asking = emails.filter(({ template }) => templatesThatAsk.has(template))
  if (asking.length === 0) return { users: new Map(), registrations: new Map(), newestRegistrations: new Map() }
  const addresses = (rows: readonly Email[]) => [...new Set(rows.map(({ recipient }) => recipient))]
  const [users, registrations, newest] = await orderedBatch(ctx.db, [
    selectUsersByEmail(ctx.db, addresses(asking)),
    selectRegistrations(
      ctx.db,
      asking.flatMap(({ params }) => params.registrationId ?? []),
    ),
    selectNewestRegistrations(ctx.db, addresses(asking.filter(({ template }) => template === 'activation'))),
  ])
  return {
    users: new Map(users.map((user) => [user.email, user])),
    registrations: new Map(registrations.map((registration) => [registration.id, registration])),
    newestRegistrations: new Map(newest.map((registration) => [registration.email, registration])),
  }
}

/** What a row has to say now, once its link is made if it takes one. */
export interface Plan {
  /** The account that the mail is about, when it takes looking up. */
  userId?: string
  link?: LinkRequest
  message: (link: IssuedLink | undefined) => Message | undefined
}

/** What a row has to say now, or nothing any more. */
export function planOf(email: Email, facts: Facts): Plan | undefined {
  const { params, createdAt: at } = email
  const from = { ip: params.ip ?? null, country: params.country ?? null, userAgent: params.userAgent ?? null }
  const template = email.template as EmailTemplate
  const user = facts.users.get(email.recipient)
  switch (template) {
    case 'registration':
      return user && planOfRegistration(email, user, facts)
    case 'activation':
      return user && planOfActivation(email, user, facts.newestRegistrations.get(email.recipient))
    case 'password_reset': {
      const asker = params.byAdministrator ? 'administrator' : from
      return (
        user && planOfReset(email, user, ({ url: link, expiresAt }) => ({ template, link, expiresAt, from: asker }))
      )
    }
    case 'set_password':
      return user && planOfReset(email, user, ({ url: link, expiresAt }) => ({ template, link, expiresAt }))
    case 'password_changed':
    case 'session_reuse':
    case 'sign_in_attempts':
    case 'new_sign_in':
      return just({ template, at, from })
    case 'account_suspended':
      return just({ template, reason: params.reason ?? '' })
    case 'role_changed':
      return params.role && just({ template, role: params.role })
    case 'account_activated':
    case 'account_reinstated':
    case 'account_deleted':
      return just({ template })
  }
}

function just(message: Message): Plan {
  return { message: () => message }
}

function planOfReset(email: Email, { id: userId }: User, message: (link: IssuedLink) => Message): Plan {
  const about = { userId, registrationId: null }
  return {
    userId,
    link: { email, purpose: 'reset', about, guard: userExists(userId) },
    message: (link) => link && message(link),
  }
}

function planOfRegistration(email: Email, user: User, facts: Facts): Plan | undefined {
  // Whoever owns the mailbox has an account already, and somebody, perhaps they, tried to make another.
  // But not when this very mail has offered to activate the account before.
  if (user.status !== 'pending') {
    return email.linkedAt ? undefined : { userId: user.id, message: () => ({ template: 'account_exists' }) }
  }
  return planOfActivation(email, user, facts.registrations.get(email.params.registrationId ?? ''))
}

function planOfActivation(email: Email, user: User, registration: Registration | undefined): Plan | undefined {
  if (!registration) return undefined
  const about = { userId: user.id, registrationId: registration.id }
  return {
    userId: user.id,
    link: { email, purpose: 'activation', about, guard: hasStatus(user.id, 'pending') },
    message: (link) => link && { template: 'activation', link: link.url, expiresAt: link.expiresAt },
  }
}
