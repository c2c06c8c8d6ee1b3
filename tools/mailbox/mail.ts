/** A mail as the mailbox keeps it: what was sent, under Resend's own field names. */
export interface Mail {
  id: string
  created_at: string
  from: string
  to: string[]
  cc: string[] | null
  bcc: string[] | null
  reply_to: string[] | null
  subject: string
  html: string | null
  text: string | null
  scheduled_at: string | null
  headers: Record<string, string>
  tags: { name: string; value: string }[]
}

/** What a caller decides about a mail; the mailbox adds the id and the time. */
export type Draft = Omit<Mail, 'id' | 'created_at'>

/** One row of `GET /emails`. */
export function listed(mail: Mail) {
  return {
    id: mail.id,
    message_id: `<${mail.id}@mailbox.local>`,
    to: mail.to,
    from: mail.from,
    created_at: mail.created_at,
    subject: mail.subject,
    bcc: mail.bcc,
    cc: mail.cc,
    reply_to: mail.reply_to,
    last_event: mail.scheduled_at === null ? 'delivered' : 'scheduled',
    scheduled_at: mail.scheduled_at,
  }
}

/** The answer of `GET /emails/{id}`. */
export function retrieved(mail: Mail) {
  return { object: 'email', ...listed(mail), html: mail.html, text: mail.text, tags: mail.tags }
}

/** Resend writes microseconds and a numeric offset, not the `Z` of JavaScript. */
export function resendTime(date: Date): string {
  return date.toISOString().replace('Z', '000+00:00')
}
