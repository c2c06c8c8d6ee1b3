/** `limit` and `cursor` of keyset pagination. */
import { base64url } from 'jose'
import * as z from 'zod/mini'
import { sha256 } from '../crypto/digest.ts'
import { AppError } from '../errors.ts'

const maxLimit = 100
const defaultLimit = 20

/** `limit` of a list, from the query. */
export const limit = z
  .pipe(
    z.optional(z.string().check(z.refine(isLimit, { error: `must be a whole number from 1 to ${maxLimit}` }))),
    z.transform((text) => (text === undefined ? defaultLimit : Number(text))),
  )
  .register(z.globalRegistry, { type: 'integer', minimum: 1, maximum: maxLimit, default: defaultLimit })

function isLimit(text: string): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= maxLimit
}

/** `cursor` of a list, from the query, still encoded: `readCursor` needs the filters beside it. */
export const cursor = z.optional(z.string().check(z.maxLength(400))).register(z.globalRegistry, {
  description: '`next_cursor` of the page before, with the same filters.',
})

/** What a cursor belongs to: a list, its filters as they were understood, and the user whose list it is. */
export type Listing = Readonly<Record<string, string | undefined>> & { list: string }

/** 48 bits: enough to tell two listings apart. A forged cursor gains nothing, so there is no key. */
const bindingLength = 8

/** A cursor is the binding to its listing and a position. An edited one only shows another page of the same list. */
export async function encodeCursor(listing: Listing, position: string | null): Promise<string | null> {
  return position === null ? null : base64url.encode((await bindingOf(listing)) + position)
}

/**
 * The position in a cursor, if it belongs to this listing: under another order or other filters it would silently skip
 * rows.
 *
 * @param isPosition checks the form of the list's positions
 * @throws {AppError} `validation_failed`
 */
export async function readCursor(
  listing: Listing,
  cursor: string | undefined,
  isPosition: (text: string) => boolean,
): Promise<string | undefined> {
  if (cursor === undefined) return undefined
  const text = decode(cursor)
  const position = text.slice(bindingLength)
  if (text.slice(0, bindingLength) !== (await bindingOf(listing)) || !isPosition(position)) {
    const message = 'is not a cursor of this list with these filters'
    throw new AppError('validation_failed', { errors: [{ pointer: '/cursor', code: 'invalid_cursor', message }] })
  }
  return position
}

async function bindingOf(listing: Listing): Promise<string> {
  const known = Object.entries(listing).filter(([, value]) => value !== undefined)
  const sorted = known.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return (await sha256(JSON.stringify(sorted))).slice(0, bindingLength)
}

function decode(text: string): string {
  try {
    return new TextDecoder().decode(base64url.decode(text))
  } catch {
    return ''
  }
}
