/**
 * One email on its way through a delivery. Each stage keeps what the last one knew and adds what it found out:
 *
 * claimed -> composed -> offered -> settled
 *        \-> dropped or unreadable --^
 */
import type { OutgoingEmail, SendOutcome } from '../../providers/resend.ts'
import type { ClaimedEmail, Settlement } from '../../store/email-claims.ts'

export interface Claimed {
  row: ClaimedEmail
  claimedAt: Date
}

export interface Composed extends Claimed {
  stage: 'composed'
  mail: OutgoingEmail
  /** The account that the email is about. */
  userId: string | null
}

/** Will not be sent: it has nothing to say any more, or its recipient takes no mail. */
export interface Dropped extends Claimed {
  stage: 'dropped'
  userId: string | null
  lastError: string | null
}

/** Could not be composed, which must not hold up the others. */
export interface Unreadable extends Claimed {
  stage: 'unreadable'
  error: unknown
}

export interface Offered extends Claimed {
  userId: string | null
  outcome: SendOutcome
}

/** What to write down about a claim, and after how many seconds to try again, if at all. */
export interface Settled {
  settlement: Settlement
  retrySeconds?: number
}
