import type { EmailFate, EmailStatus } from '../../src/store/schema/emails.ts'
import type { Random } from './random.ts'

/** The final state of an email. */
export interface MailEnd {
  status: EmailStatus
  fate?: EmailFate
  lastError?: string
}

const ends: readonly MailEnd[] = [
  { status: 'queued' },
  { status: 'sending' },
  { status: 'skipped', lastError: 'recipient_suppressed' },
  { status: 'failed', lastError: 'validation_error' },
  { status: 'unknown', lastError: 'in_doubt_too_long' },
  { status: 'sent' },
  { status: 'sent', fate: 'delivery_delayed' },
  { status: 'sent', fate: 'failed' },
  { status: 'sent', fate: 'soft_bounced' },
]

/** Most emails are delivered. The others cover every other state. */
export function mailEnd(random: Random): MailEnd {
  return random.is(0.85) ? { status: 'sent', fate: 'delivered' } : random.of(ends)
}
