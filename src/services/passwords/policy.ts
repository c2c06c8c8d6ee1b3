import type { Ctx } from '../../context.ts'
import { type KnownAs, knownWords, lengthOf, minScore } from '../../crypto/password-rules.ts'
import { AppError, type FieldError } from '../../errors.ts'
import { assertNotBreached } from './breach-check.ts'

/**
 * Refuses a password that is too short, too easy to guess for people who know its owner, or known from a breach. There
 * are no composition rules (NIST SP 800-63B-4 §3.1.1.2). The verdict depends only on the password and on what the
 * request says about its owner: nothing is looked up, so it reveals nothing about an address.
 *
 * @param pointer the field of the request with the password
 * @throws {AppError} `weak_password`, saying what to do; `service_unavailable`, see `assertNotBreached`
 */
export async function assertStrongPassword(
  ctx: Ctx,
  password: string,
  knownAs: KnownAs,
  pointer: string,
): Promise<void> {
  const { passwordMinLength } = ctx.config
  const normalized = password.normalize('NFC')
  if (lengthOf(normalized) < passwordMinLength) {
    throw weak({ pointer, code: 'too_short', message: `Use at least ${passwordMinLength} characters.` })
  }
  const { judgeStrength } = await import('../../crypto/strength.ts')
  const { score, advice } = judgeStrength(normalized, knownWords(ctx.config.productName, knownAs))
  if (score < minScore) {
    throw weak({ pointer, code: 'too_guessable', message: advice || 'Use a longer password, or more words.' })
  }
  // Last, because it costs a request, and before the hash, which blocks the isolate and would delay that request.
  await assertNotBreached(ctx, normalized, pointer)
}

function weak(error: FieldError): AppError {
  return new AppError('weak_password', { errors: [error] })
}
