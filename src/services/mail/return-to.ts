import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { findDestination, returnToMaxLength } from '../../return-to.ts'

/**
 * Checks where the page behind a link shall lead, before the address gets into an email.
 *
 * @throws {AppError} `validation_failed` for an address outside our origin and `CORS_ORIGINS`
 */
export function assertReturnTo({ config }: Ctx, asked: string | undefined): string | undefined {
  if (asked === undefined) return undefined
  const returnTo = findDestination(asked, config.publicUrl, [...config.ownOrigins, ...config.corsOrigins])
  if (returnTo !== undefined && returnTo.length <= returnToMaxLength) return returnTo
  const message = 'must be a path of this service or an https URL of a listed origin'
  throw new AppError('validation_failed', { errors: [{ pointer: '/return_to', code: 'invalid_return_to', message }] })
}
