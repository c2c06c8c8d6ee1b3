import type { Draft } from './mail.ts'
import { Refusal } from './refusal.ts'

const maxRecipients = 50

/**
 * Reads the JSON of one mail, with Resend's rules and its wording.
 *
 * Unlike Resend it takes addresses at example.com: they are what development is made of.
 *
 * @throws {Refusal} for what Resend would refuse.
 */
export function readDraft(value: unknown): Draft {
  if (!isRecord(value)) throw new Refusal('validation_error', 'The payload must be a JSON object.')
  const from = requiredText(value, 'from')
  if (!isAddress(from)) throw invalidAddress('from')
  const to = addresses(value, 'to')
  if (to === null || to.length === 0) throw missing('to')
  const subject = requiredText(value, 'subject')
  const html = optionalText(value, 'html')
  const text = optionalText(value, 'text')
  if (html === null && text === null) throw new Refusal('validation_error', 'Missing `html` or `text` field.')
  return {
    from,
    to,
    cc: addresses(value, 'cc'),
    bcc: addresses(value, 'bcc'),
    reply_to: addresses(value, 'reply_to'),
    subject,
    html,
    text,
    scheduled_at: optionalText(value, 'scheduled_at'),
    headers: headers(value['headers']),
    tags: tags(value['tags']),
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function requiredText(value: Record<string, unknown>, field: string): string {
  const text = optionalText(value, field)
  if (text === null || text === '') throw missing(field)
  return text
}

function optionalText(value: Record<string, unknown>, field: string): string | null {
  const text = value[field] ?? null
  if (text !== null && typeof text !== 'string') {
    throw new Refusal('validation_error', `The \`${field}\` field must be a string.`)
  }
  return text
}

/** A list of addresses; the wire allows one address as a plain string. */
function addresses(value: Record<string, unknown>, field: string): string[] | null {
  const given = value[field] ?? null
  if (given === null) return null
  const list: unknown[] = Array.isArray(given) ? given : [given]
  if (list.length > maxRecipients) {
    throw new Refusal('validation_error', `The \`${field}\` field accepts at most ${maxRecipients} addresses.`)
  }
  return list.map((address) => {
    if (typeof address !== 'string' || !isAddress(address)) throw invalidAddress(field)
    return address
  })
}

/** `email@example.com` or `Name <email@example.com>`. */
function isAddress(text: string): boolean {
  const address = /^[^<>\r\n]*<([^<>]+)>\s*$/.exec(text)?.[1] ?? text
  return /^[^\s@<>,;"]+@[^\s@<>,;"]+\.[^\s@<>,;"]+$/.test(address.trim())
}

function headers(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {}
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]))
}

function tags(value: unknown): Draft['tags'] {
  if (value === undefined || value === null) return []
  const isTag = (tag: unknown): tag is { name: string; value: string } =>
    isRecord(tag) &&
    [tag['name'], tag['value']].every((part) => typeof part === 'string' && /^[\w-]{1,256}$/.test(part))
  if (!Array.isArray(value) || !value.every(isTag)) {
    throw new Refusal('validation_error', 'Tags should only contain ASCII letters, numbers, underscores, or dashes.')
  }
  return value.map((tag) => ({ name: tag.name, value: tag.value }))
}

function missing(field: string): Refusal {
  return new Refusal('missing_required_field', `Missing \`${field}\` field.`)
}

function invalidAddress(field: string): Refusal {
  return new Refusal(
    'validation_error',
    `Invalid \`${field}\` field. The email address needs to follow the \`email@example.com\` or \`Name <email@example.com>\` format.`,
  )
}
