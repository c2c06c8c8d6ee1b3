/** Resend's side of its webhooks. */
import type { EmailFate } from '../../src/store/schema/emails.ts'
import type { Answer, Service } from './service.ts'

/** Good for nothing but tests. */
export const webhookSecret = `whsec_${btoa('webhook-webhook-webhook!')}`

export interface Told {
  type: string
  created_at?: string
  data: Record<string, unknown>
}

/** What Resend knows of an email. */
interface Known {
  id: string
  to?: string[]
  tags?: { name: string; value: string }[]
}

/** The event by which Resend tells of a fate: of an email, or of one that carries the tag of another row. */
export function eventOf(fate: EmailFate, mail: Known, rowId?: string): Told {
  const type = { soft_bounced: 'bounced', bounced: 'bounced' }[fate as string] ?? fate
  return {
    type: `email.${type}`,
    data: {
      email_id: mail.id,
      message_id: '<111-222@mail.example.com>',
      from: 'Postern <accounts@example.com>',
      to: mail.to ?? ['ada@example.com'],
      subject: 'Your Postern account is active',
      created_at: '2026-11-22T12:00:00.000000+00:00',
      ...(mail.tags && { tags: Object.fromEntries(mail.tags.map(({ name, value }) => [name, value])) }),
      ...(rowId !== undefined && { tags: { outbox_id: rowId } }),
      ...(fate === 'bounced' && { bounce: { type: 'Permanent', subType: 'General', message: 'No such user.' } }),
      ...(fate === 'soft_bounced' && { bounce: { type: 'Transient', subType: 'MailboxFull', message: 'Full.' } }),
    },
  }
}

export interface Delivery {
  id?: string
  /** By which the message is signed; the service's clock otherwise. */
  at?: Date
  secret?: string
}

/** The headers with which Svix delivers a body. */
export async function svixHeaders(
  body: string,
  { id = 'msg_1', at, secret = webhookSecret }: Required<Pick<Delivery, 'at'>> & Delivery,
) {
  const timestamp = String(Math.floor(at.getTime() / 1000))
  const bytes = Uint8Array.from(atob(secret.slice('whsec_'.length)), (character) => character.charCodeAt(0))
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(`${id}.${timestamp}.${body}`))
  const signature = `v1,${btoa(String.fromCharCode(...new Uint8Array(mac)))}`
  return { 'svix-id': id, 'svix-timestamp': timestamp, 'svix-signature': signature }
}

/** Delivers an event as Resend does. */
export async function tell(service: Service, told: Told, delivery: Delivery = {}): Promise<Answer> {
  const now = service.clock.now()
  const raw = JSON.stringify({ created_at: now.toISOString(), ...told })
  const headers = await svixHeaders(raw, { at: now, ...delivery })
  return service.call('POST', '/webhooks/resend', { raw, headers })
}
