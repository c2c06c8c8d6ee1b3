/** What delivery decides about an email: what it knows about the recipient, and what there is to say. */
import type { Message } from '../../../emails/render.ts'
import type { Expression } from '../../store/db.ts'
import type { EmailChange } from '../../store/schema/email-changes.ts'
import type { EmailParams } from '../../store/schema/emails.ts'
import type { LinkPurpose } from '../../store/schema/links.ts'
import type { Registration } from '../../store/schema/registrations.ts'
import type { User } from '../../store/schema/users.ts'

/** What the database knows about the recipient of an email. */
export interface Facts {
  now: Date
  user: User | undefined
  registration: Registration | undefined
  /** The id of the account that may get the address back. It must get no link by which that account can be opened. */
  reservedFor: string | undefined
  /** The change of address of the account that the row names. */
  change: EmailChange | undefined
}

/** The one-time link that an email needs. */
export interface LinkNeed {
  purpose: LinkPurpose
  userId: string
  registrationId: string | null
  /** Must hold when the link is stored. */
  guard: Expression
}

/**
 * The link by which the owner of the old address undoes a change of address. It has no row of its own, because a new
 * password must not end it: the row of the change decides.
 */
export interface RevertNeed {
  purpose: 'email_revert'
  userId: string
  firstLinkId: string
}

export interface IssuedLink {
  url: string
  expiresAt: Date
}

/** The code that an email carries, see `mailCode`. */
export interface CodeNeed {
  userId: string
  sessionId: string
}

/** What an email has to say: a message, or one that is written around a link or a code. */
export type Plan =
  | { userId: string | null; link?: undefined; code?: undefined; message: Message }
  | { userId: string; link?: undefined; code: CodeNeed; write: (code: string) => Message }
  | { userId: string; link: LinkNeed | RevertNeed; code?: undefined; message: (link: IssuedLink) => Message }

/** A plan for a message that needs neither a link nor a code. */
export function say(message: Message, userId: string | null = null): Plan {
  return { userId, message }
}

/** Where the request came from that caused an email. */
export function readWhereabouts({ ip = null, country = null, userAgent = null }: EmailParams) {
  return { ip, country, userAgent }
}
