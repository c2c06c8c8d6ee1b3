import * as z from 'zod'
import type { Draft } from './mail.ts'
import { Refusal } from './refusal.ts'

const maxRecipients = 50
/** `email@example.com` or `Name <email@example.com>`. */
const addressPattern =
  /^\s*[^\s@<>,;"]+@[^\s@<>,;"]+\.[^\s@<>,;"]+\s*$|^[^<>\r\n]*<\s*[^\s@<>,;"]+@[^\s@<>,;"]+\.[^\s@<>,;"]+\s*>\s*$/
const invalidTags = 'Tags should only contain ASCII letters, numbers, underscores, or dashes.'
const tagText = z.string(invalidTags).regex(/^[\w-]{1,256}$/, invalidTags)

const draft = z
  .object(
    {
      from: address('from'),
      to: z.preprocess(toList, addressList('to')),
      cc: optionalAddresses('cc'),
      bcc: optionalAddresses('bcc'),
      reply_to: optionalAddresses('reply_to'),
      subject: text('subject'),
      html: text('html').nullish().transform(orNull),
      text: text('text').nullish().transform(orNull),
      scheduled_at: text('scheduled_at').nullish().transform(orNull),
      headers: z.record(z.string(), z.coerce.string()).catch({}),
      tags: z
        .array(z.object({ name: tagText, value: tagText }, invalidTags), invalidTags)
        .nullish()
        .transform((tags) => tags ?? []),
    },
    'The payload must be a JSON object.',
  )
  .refine((mail) => mail.html !== null || mail.text !== null, 'Missing `html` or `text` field.')

/**
 * Reads the JSON of one email with Resend's rules and error messages. Unlike Resend it accepts addresses at
 * example.com, which development uses.
 *
 * @throws {Refusal} for an email that Resend would refuse.
 */
export function readDraft(value: unknown): Draft {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const given: { from?: unknown; to?: unknown; subject?: unknown } = value
    const missing = (['from', 'to', 'subject'] as const).find((field) => isEmpty(given[field]))
    if (missing !== undefined) throw new Refusal('missing_required_field', `Missing \`${missing}\` field.`)
  }
  const parsed = draft.safeParse(value)
  if (!parsed.success) throw new Refusal('validation_error', parsed.error.issues[0]!.message)
  return parsed.data
}

function isEmpty(field: unknown): boolean {
  return field === undefined || field === null || field === '' || (Array.isArray(field) && field.length === 0)
}

function text(field: string) {
  return z.string(`The \`${field}\` field must be a string.`)
}

function address(field: string) {
  const message = `Invalid \`${field}\` field. The email address needs to follow the \`email@example.com\` or \`Name <email@example.com>\` format.`
  return z.string(message).regex(addressPattern, message)
}

function addressList(field: string) {
  return z
    .array(address(field))
    .max(maxRecipients, `The \`${field}\` field accepts at most ${maxRecipients} addresses.`)
}

function optionalAddresses(field: string) {
  return z.preprocess(toList, addressList(field).nullish().transform(orNull))
}

/** A single address may be sent as a plain string. */
function toList(given: unknown): unknown {
  return typeof given === 'string' ? [given] : given
}

function orNull<T>(value: T | null | undefined): T | null {
  return value ?? null
}
