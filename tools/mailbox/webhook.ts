import { createHmac, randomBytes, randomUUID } from 'node:crypto'

export interface Webhook {
  url: string
  /** In Resend's form: `whsec_` and base64. */
  secret: string
}

/** A secret for one run of the development server. */
export function makeWebhookSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`
}

/** The headers with which Svix, Resend's webhook service, signs a body. */
export function signedHeaders(body: string, secret: string, now: Date): Record<string, string> {
  const id = `msg_${randomUUID()}`
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'svix-id': id, 'svix-timestamp': timestamp, 'svix-signature': `v1,${signature}` }
}

/** Delivers an event once and returns the status of the answer. */
export async function deliver({ url, secret }: Webhook, event: object): Promise<number> {
  const body = JSON.stringify(event)
  const headers = { 'content-type': 'application/json', ...signedHeaders(body, secret, new Date()) }
  const { status } = await fetch(url, { method: 'POST', body, headers })
  return status
}
