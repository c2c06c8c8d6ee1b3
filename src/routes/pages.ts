/** Keyset pages: how many, and where to go on. */
import { base64url } from 'jose'
import * as z from 'zod'

const maxLimit = 100
const defaultLimit = 20

/** `limit` of a list, from the query. */
export const limit = z
  .string()
  .regex(/^\d{1,3}$/, { error: `must be a whole number from 1 to ${maxLimit}` })
  .transform(Number)
  .refine((value) => value >= 1 && value <= maxLimit, { error: `must be a whole number from 1 to ${maxLimit}` })
  .default(defaultLimit)
  .meta({ type: 'integer', minimum: 1, maximum: maxLimit, default: defaultLimit })

/** A cursor is a position and no secret: whoever edits it sees another page of the same list. */
export function encodeCursor(position: string | null): string | null {
  return position === null ? null : base64url.encode(position)
}

/** `cursor` of a list whose positions have a known form. */
export function cursor(isPosition: (text: string) => boolean) {
  return z
    .string()
    .max(400, { abort: true })
    .transform(decode)
    .refine((position) => isPosition(position), {
      error: 'is not a cursor of this list',
      params: { code: 'invalid_cursor' },
      // A list may have more to say of it, but not of what is none.
      abort: true,
    })
    .optional()
    .meta({ type: 'string', description: '`next_cursor` of the page before.' })
}

function decode(text: string): string {
  try {
    return new TextDecoder().decode(base64url.decode(text))
  } catch {
    return ''
  }
}
