import type { Ctx } from '../../context.ts'
import { AppError, type FieldErrorCode } from '../../errors.ts'
import { findDestination, returnToMaxLength } from '../../return-to.ts'

/**
 * Checks the URL to which the page behind a link will lead, before it gets into an email.
 *
 * @throws {AppError} `validation_failed` for a URL outside our origin and `CORS_ORIGINS`, or one that is too long
 */
export function assertReturnTo({ config }: Ctx, asked: string | undefined): string | undefined {
  if (asked === undefined) return undefined
  const returnTo = findDestination(asked, config.publicUrl, [...config.ownOrigins, ...config.corsOrigins])
  if (returnTo === undefined) {
    throw refusal('invalid_return_to', 'must be a path of this service or an https URL of a listed origin')
  }
  if (returnTo.length > returnToMaxLength)
    throw refusal('too_big', `must be at most ${returnToMaxLength} characters as a URL`)
  return returnTo
}

function refusal(code: FieldErrorCode, message: string): AppError {
  return new AppError('validation_failed', { errors: [{ pointer: '/return_to', code, message }] })
}
