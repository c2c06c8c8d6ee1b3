/**
 * Every kind of email, one entry each. A new email is an entry here and its letter in `emails/texts`; the compiler asks
 * for the rest.
 */
import type { Message } from '../../../emails/render.ts'
import { mailCodeMs } from '../../config/policy.ts'
import { timeOf } from '../../crypto/random.ts'
import type { Email } from '../../store/schema/emails.ts'
import { hasEmail, hasStatus } from '../../store/user-conditions.ts'
import { planChangeNotice, planChanged, planEmailChange } from './email-change-plans.ts'
import { type Facts, type IssuedLink, type Plan, readWhereabouts, say } from './plan.ts'

interface Kind {
  /**
   * Emails of one budget count together for their recipient (see `mailBudget`). Every kind has one: whatever somebody
   * can cause, an administrator included, can be caused again and again.
   */
  budget: string
  /**
   * What delivery has to look up, and which registration with it. The request that stored the row looked nothing up: it
   * must do the same whether or not the address has an account.
   */
  asks?: 'user' | 'own_registration' | 'newest_registration' | 'email_change'
  /** The act that caused the email is in the audit trail already, so making its link is no event of its own. */
  isOnRecord?: true
  /** The text, or the event for its link, says where the request came from. */
  needsOrigin?: true
  /** Undefined when there is nothing left to say, and the email is skipped. */
  plan: (email: Email, facts: Facts) => Plan | undefined
  /** What a finished row no longer keeps. */
  forgets?: { recipient: '' }
}

const table = {
  // Delivery chooses between an activation link and "you already have an account".
  registration: {
    budget: 'activation',
    asks: 'own_registration',
    isOnRecord: true,
    plan: (email, facts) => (facts.user?.status === 'pending' ? planActivation(facts) : planRefusal(email, facts)),
  },
  activation: {
    budget: 'activation',
    asks: 'newest_registration',
    needsOrigin: true,
    plan: (_, facts) => planActivation(facts),
  },
  account_activated: { budget: 'account_activated', plan: () => say({ template: 'account_activated' }) },
  password_reset: {
    budget: 'password_reset',
    asks: 'user',
    needsOrigin: true,
    plan: ({ params }, facts) =>
      planReset(facts, ({ url: link, expiresAt }) => {
        const from = params.byAdministrator ? 'administrator' : readWhereabouts(params)
        return { template: 'password_reset', link, expiresAt, from }
      }),
  },
  set_password: {
    budget: 'set_password',
    asks: 'user',
    isOnRecord: true,
    plan: (_, facts) => planReset(facts, ({ url: link, expiresAt }) => ({ template: 'set_password', link, expiresAt })),
  },
  password_changed: reportIncident('password_changed'),
  account_suspended: {
    budget: 'account_suspended',
    plan: ({ params }) => say({ template: 'account_suspended', reason: params.reason ?? '' }),
  },
  account_reinstated: { budget: 'account_reinstated', plan: () => say({ template: 'account_reinstated' }) },
  // The last row that knows the address of a deleted account.
  account_deleted: {
    budget: 'account_deleted',
    plan: () => say({ template: 'account_deleted' }),
    forgets: { recipient: '' },
  },
  role_changed: {
    budget: 'role_changed',
    plan: ({ params: { role } }) => role && say({ template: 'role_changed', role }),
  },
  session_reuse: reportIncident('session_reuse'),
  // Wrong passwords at an address without an account write the same row, and it is skipped.
  sign_in_attempts: {
    budget: 'sign_in_attempts',
    asks: 'user',
    needsOrigin: true,
    plan: ({ id, params }, { user }) =>
      user?.status === 'active'
        ? say({ template: 'sign_in_attempts', at: timeOf(id), from: readWhereabouts(params) }, user.id)
        : undefined,
  },
  new_sign_in: reportIncident('new_sign_in'),
  factor_added: reportFactor('factor_added'),
  factor_removed: reportFactor('factor_removed'),
  passkey_renamed: reportIncident('passkey_renamed'),
  recovery_codes_renewed: reportIncident('recovery_codes_renewed'),
  recovery_code_used: {
    budget: 'recovery_code_used',
    needsOrigin: true,
    plan: ({ id, params }) =>
      say({ template: 'recovery_code_used', at: timeOf(id), from: readWhereabouts(params), left: params.left ?? 0 }),
  },
  second_factor_attempts: reportIncident('second_factor_attempts'),
  passkey_doubted: reportIncident('passkey_doubted'),
  factors_reset: {
    budget: 'factors_reset',
    plan: ({ params }) => say({ template: 'factors_reset', reason: params.reason ?? '' }),
  },
  factor_code: {
    budget: 'factor_code',
    plan: ({ id, userId, params: { sessionId } }) => {
      if (!userId || !sessionId) return undefined
      const expiresAt = new Date(timeOf(id).getTime() + mailCodeMs)
      return {
        userId,
        code: { userId, sessionId },
        write: (code) => ({ template: 'factor_code', code, expiresAt }),
      }
    },
  },
  // Delivery chooses between a link and "it has an account": the request looked nothing up.
  email_change: { budget: 'email_change', asks: 'email_change', isOnRecord: true, plan: planEmailChange },
  email_change_notice: {
    budget: 'email_change_notice',
    asks: 'email_change',
    needsOrigin: true,
    plan: planChangeNotice,
  },
  // Only the old address can undo it.
  email_changed: { budget: 'email_changed', asks: 'email_change', needsOrigin: true, plan: planChanged },
  email_reverted: reportIncident('email_reverted'),
  export_made: reportIncident('export_made'),
} satisfies Record<string, Kind>

export type EmailTemplate = keyof typeof table

export const emailKinds: Record<EmailTemplate, Kind> = table

export const emailTemplates = Object.keys(table) as [EmailTemplate, ...EmailTemplate[]]

/** The templates whose finished rows keep no recipient. */
export const forgetfulTemplates = emailTemplates.filter((template) => emailKinds[template].forgets)

const kindOf = new Map<string, Kind>(Object.entries(emailKinds))

/** The kind of a stored row. A row of a kind that no longer exists has nothing to say. */
export function findKind(template: string): Kind | undefined {
  return kindOf.get(template)
}

/** What is told with nothing but a time and a place. */
type Incident = Exclude<Extract<Message, { at: Date }>, { kind: string } | { left: number }>['template']

/** Something that happened to an account: when, and from where. */
function reportIncident(template: Incident): Kind {
  return {
    budget: template,
    needsOrigin: true,
    plan: ({ id, params }) => say({ template, at: timeOf(id), from: readWhereabouts(params) }),
  }
}

/** Something that happened to a second factor. A row always names its kind. */
function reportFactor(template: Extract<Message, { kind: string }>['template']): Kind {
  return {
    budget: template,
    needsOrigin: true,
    plan: ({ id, params: { kind, ...from } }) =>
      kind && say({ template, kind, at: timeOf(id), from: readWhereabouts(from) }),
  }
}

/**
 * The address has an account already, and its owner is told so. Not by an email that carried an activation link before:
 * that one has arrived, and its link was used.
 */
function planRefusal({ linkedAt }: Email, { user, reservedFor }: Facts): Plan | undefined {
  const ownerId = user?.id ?? reservedFor
  return ownerId && !linkedAt ? say({ template: 'account_exists' }, ownerId) : undefined
}

function planActivation({ user, registration }: Facts): Plan | undefined {
  if (!user || !registration) return undefined
  const { id: userId } = user
  const guard = hasStatus(userId, 'pending')
  return {
    userId,
    link: { purpose: 'activation', userId, registrationId: registration.id, guard },
    message: ({ url: link, expiresAt }) => ({ template: 'activation', link, expiresAt }),
  }
}

/** No link is stored when the account has got another address meanwhile: the old mailbox must not open it any more. */
function planReset({ user }: Facts, message: (link: IssuedLink) => Message): Plan | undefined {
  if (!user) return undefined
  const { id: userId, email } = user
  return { userId, link: { purpose: 'reset', userId, registrationId: null, guard: hasEmail(userId, email) }, message }
}
