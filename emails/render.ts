import { renderHtml } from './frame.tsx'
import type { Brand, Letter } from './letter.ts'
import { accountActivated } from './messages/account-activated.ts'
import { accountDeleted } from './messages/account-deleted.ts'
import { accountExists } from './messages/account-exists.ts'
import { accountReinstated } from './messages/account-reinstated.ts'
import { accountSuspended } from './messages/account-suspended.ts'
import { activation } from './messages/activation.ts'
import { newSignIn } from './messages/new-sign-in.ts'
import { passwordChanged } from './messages/password-changed.ts'
import { passwordReset } from './messages/password-reset.ts'
import { type Role, roleChanged } from './messages/role-changed.ts'
import { sessionReuse } from './messages/session-reuse.ts'
import { setPassword } from './messages/set-password.ts'
import { signInAttempts } from './messages/sign-in-attempts.ts'
import { plainLine } from './plain-text.ts'
import { renderText } from './text.ts'
import type { Whereabouts } from './whereabouts.ts'

export type { Brand, Whereabouts }

export interface RenderedEmail {
  subject: string
  html: string
  text: string
}

/** Every mail there is, with what it needs. Names of people are in none: nobody proved them. */
export type Message =
  | { template: 'activation'; link: string; expiresAt: Date }
  | { template: 'account_exists' }
  | { template: 'account_activated' }
  | { template: 'password_reset'; link: string; expiresAt: Date; from: Whereabouts | 'administrator' }
  | { template: 'set_password'; link: string; expiresAt: Date }
  | { template: 'password_changed'; at: Date; from: Whereabouts }
  | { template: 'account_suspended'; reason: string }
  | { template: 'account_reinstated' }
  | { template: 'account_deleted' }
  | { template: 'role_changed'; role: Role }
  | { template: 'session_reuse'; at: Date; from: Whereabouts }
  | { template: 'sign_in_attempts'; at: Date; from: Whereabouts }
  | { template: 'new_sign_in'; at: Date; from: Whereabouts }

/**
 * Writes one mail. The same input gives the same bytes, always: a retry under the same idempotency key must be the same mail.
 */
export function renderEmail(message: Message, brand: Brand): RenderedEmail {
  const sender = { productName: plainLine(brand.productName, 60), publicUrl: brand.publicUrl }
  const letter = write(message, sender)
  return { subject: letter.subject, html: renderHtml(letter, sender), text: renderText(letter, sender) }
}

function write(message: Message, brand: Brand): Letter {
  switch (message.template) {
    case 'activation':
      return activation(message, brand)
    case 'account_exists':
      return accountExists(brand)
    case 'account_activated':
      return accountActivated(brand)
    case 'password_reset':
      return passwordReset(message, brand)
    case 'set_password':
      return setPassword(message, brand)
    case 'password_changed':
      return passwordChanged(message, brand)
    case 'account_suspended':
      return accountSuspended(message, brand)
    case 'account_reinstated':
      return accountReinstated(brand)
    case 'account_deleted':
      return accountDeleted(brand)
    case 'role_changed':
      return roleChanged(message, brand)
    case 'session_reuse':
      return sessionReuse(message, brand)
    case 'sign_in_attempts':
      return signInAttempts(message, brand)
    case 'new_sign_in':
      return newSignIn(message, brand)
  }
}
