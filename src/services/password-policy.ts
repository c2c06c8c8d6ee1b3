import type { Context } from '../context.ts'
import { AppError, type FieldError } from '../errors.ts'
import { assertNotBreached } from './breach-check.ts'

/** zxcvbn's "safely unguessable": more than 10^8 guesses, for a hash as slow as ours. */
const minScore = 3

/** The length that every password may have, in code points (NIST SP 800-63B-4 §3.1.1.2 asks for at least 64). */
export const passwordMaxLength = 128

export interface KnownAs {
  email: string
  firstName?: string | null | undefined
  lastName?: string | null | undefined
}

/**
 * Refuses a password that is too short, too easy to guess for the person who chooses it, or known from a breach. There
 * are no composition rules (NIST SP 800-63B-4 §3.1.1.2). It depends on the password and on what the person says of
 * itself alone: nothing is looked up, so that it tells nothing about an address.
 *
 * @param pointer the field of the request that holds it
 * @throws {AppError} `weak_password`, saying what to do; `service_unavailable`, see `assertNotBreached`
 */
export async function assertStrongPassword(
  ctx: Context,
  password: string,
  knownAs: KnownAs,
  pointer: string,
): Promise<void> {
  const { passwordMinLength } = ctx.config
  const normalized = password.normalize('NFC')
  if (Array.from(normalized).length < passwordMinLength) {
    throw weak({ pointer, code: 'too_short', message: `Use at least ${passwordMinLength} characters.` })
  }
  const { judgeStrength } = await import('../crypto/strength.ts')
  const { score, advice } = judgeStrength(normalized, knownWords(ctx, knownAs))
  if (score < minScore) {
    throw weak({ pointer, code: 'too_guessable', message: advice || 'Use a longer password, or more words.' })
  }
  // Last, since it costs a request; and before the hash, which blocks the isolate and would only hold the request up.
  await assertNotBreached(ctx, normalized, pointer)
}

function weak(error: FieldError): AppError {
  return new AppError('weak_password', { errors: [error] })
}

/** Whole and in parts: somebody called Anna-Lena at acme.example must not use "lena" or "acme". */
function knownWords(ctx: Context, { email, firstName, lastName }: KnownAs): string[] {
  const localPart = email.slice(0, email.lastIndexOf('@'))
  const fullName = firstName && lastName ? [`${firstName} ${lastName}`, `${lastName} ${firstName}`] : []
  const whole = [email, localPart, firstName, lastName, ...fullName, ctx.config.productName, 'postern'].filter(
    (word) => !!word,
  ) as string[]
  const parts = whole.flatMap((word) => word.split(/[^\p{L}\p{N}]+/u))
  return [...new Set([...whole, ...parts].map((word) => word.toLowerCase()))].filter((word) => word.length > 2)
}
