import * as z from 'zod'
import { type Mail, messageId, resendTime } from './mail.ts'
import { Refusal } from './refusal.ts'

/** The types of event that a developer can trigger, with the details that Resend adds to each. */
const details = {
  'email.delivered': {},
  'email.delivery_delayed': {},
  'email.failed': { failed: { reason: 'reached_daily_quota' } },
  'email.bounced': { bounce: { type: 'Permanent', subType: 'General', message: 'There is no such mailbox.' } },
  'email.suppressed': { suppressed: { type: 'OnAccountSuppressionList', message: 'The address bounced before.' } },
  'email.complained': {},
}

const types = Object.keys(details) as (keyof typeof details)[]
const wishes = z.object({ type: z.enum(types), bounce_type: z.string().optional().catch(undefined) })

/** A webhook event of Resend about an email. `bounce_type` replaces `Permanent`, for example by `Transient`. */
export function eventAbout(mail: Mail, wish: unknown, now: Date) {
  const { data } = wishes.safeParse(wish)
  if (!data) throw new Refusal('validation_error', `The \`type\` must be one of ${types.join(', ')}.`)
  const { type, bounce_type: bounceType } = data
  const detail = structuredClone(details[type]) as { bounce?: { type: string } }
  if (detail.bounce && bounceType !== undefined) detail.bounce.type = bounceType
  const { id, from, to, subject, created_at, tags } = mail
  const known = { email_id: id, message_id: messageId(id), from, to, subject, created_at }
  const named = Object.fromEntries(tags.map(({ name, value }) => [name, value]))
  return { type, created_at: resendTime(now), data: { ...known, tags: named, ...detail } }
}
