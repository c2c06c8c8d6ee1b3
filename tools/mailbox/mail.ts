/** An email in the mailbox, with the field names of Resend's API. */
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

/** The part of an email that the caller sends. The mailbox adds the id and the time. */
export type Draft = Omit<Mail, 'id' | 'created_at'>

/** One row of `GET /emails`. */
export function listed({ id, to, from, created_at, subject, bcc, cc, reply_to, scheduled_at }: Mail) {
  const last_event = scheduled_at === null ? 'delivered' : 'scheduled'
  return { id, message_id: messageId(id), to, from, created_at, subject, bcc, cc, reply_to, last_event, scheduled_at }
}

/** The answer to `GET /emails/{id}`. */
export function retrieved(mail: Mail) {
  return { object: 'email', ...listed(mail), html: mail.html, text: mail.text, tags: mail.tags }
}

export function messageId(id: string): string {
  return `<${id}@mailbox.local>`
}

/** Resend writes microseconds and a numeric offset instead of JavaScript's `Z`. */
export function resendTime(date: Date): string {
  return date.toISOString().replace('Z', '000+00:00')
}
