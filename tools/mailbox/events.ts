import type { Mail } from './mail.ts'
import { resendTime } from './mail.ts'
import { Refusal } from './refusal.ts'

/** What a developer may have happen to a mail, and what Resend adds to such an event. */
const details: Record<string, object> = {
  'email.delivered': {},
  'email.delivery_delayed': {},
  'email.failed': { failed: { reason: 'reached_daily_quota' } },
  'email.bounced': { bounce: { type: 'Permanent', subType: 'General', message: 'There is no such mailbox.' } },
  'email.suppressed': { suppressed: { type: 'OnAccountSuppressionList', message: 'The address bounced before.' } },
  'email.complained': {},
}

/** One event of Resend's webhooks about a mail. `bounce_type` makes a bounce `Transient`, say. */
export function eventAbout(mail: Mail, wish: unknown, now: Date) {
  const { type, bounce_type: bounceType } = (wish ?? {}) as { type?: unknown; bounce_type?: unknown }
  if (typeof type !== 'string' || !Object.hasOwn(details, type)) {
    throw new Refusal('validation_error', `The \`type\` must be one of ${Object.keys(details).join(', ')}.`)
  }
  const detail = structuredClone(details[type]!) as { bounce?: { type: string } }
  if (detail.bounce && typeof bounceType === 'string') detail.bounce.type = bounceType
  const { id, from, to, subject, created_at, tags } = mail
  const known = { email_id: id, message_id: `<${id}@mailbox.local>`, from, to, subject, created_at }
  const named = Object.fromEntries(tags.map(({ name, value }) => [name, value]))
  return { type, created_at: resendTime(now), data: { ...known, tags: named, ...detail } }
}
