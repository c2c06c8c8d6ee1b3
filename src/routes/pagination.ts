/** `limit` and `cursor` of keyset pagination. */
import { base64url } from 'jose'
import * as z from 'zod/mini'

const maxLimit = 100
const defaultLimit = 20

const limitRule = { error: `must be a whole number from 1 to ${maxLimit}` }
const wholeNumber = z.pipe(z.string().check(z.regex(/^\d{1,3}$/, limitRule)), z.transform(Number))

/** `limit` of a list, from the query. */
export const limit = z
  .prefault(wholeNumber.check(z.refine((value) => value >= 1 && value <= maxLimit, limitRule)), String(defaultLimit))
  .register(z.globalRegistry, { type: 'integer', minimum: 1, maximum: maxLimit, default: defaultLimit })

/** A cursor is an encoded position and not a secret: an edited one only shows another page of the same list. */
export function encodeCursor(position: string | null): string | null {
  return position === null ? null : base64url.encode(position)
}

/** `cursor` of a list, from the query. `isPosition` checks the form of its positions. */
export function cursor(isPosition: (text: string) => boolean) {
  const encoded = z.string().check(z.maxLength(400, { abort: true }))
  const position = z.pipe(encoded, z.transform(decode)).check(
    z.refine(isPosition, {
      error: 'is not a cursor of this list',
      params: { code: 'invalid_cursor' },
      // Stop here: a list's own refinement expects a decoded cursor.
      abort: true,
    }),
  )
  const meta = { type: 'string', description: '`next_cursor` of the page before.' }
  return z.optional(position).register(z.globalRegistry, meta)
}

function decode(text: string): string {
  try {
    return new TextDecoder().decode(base64url.decode(text))
  } catch {
    return ''
  }
}
