import type { Permission } from './permissions.ts'
import type { ProblemCode } from './problems.ts'
import type { Reason } from './reasons.ts'

/** Every rule that a field can break. The pages have a text for each, in each of their languages. */
export const fieldErrorCodes = [
  // Of zod
  'required',
  'invalid_type',
  'invalid_value',
  'invalid_format',
  'invalid_union',
  'too_small',
  'too_big',
  // Of our own rules
  'invalid',
  'invalid_text',
  'invalid_email',
  'invalid_url',
  'invalid_locale',
  'invalid_id',
  'invalid_cursor',
  'invalid_return_to',
  'unknown_parameter',
  'too_short',
  'too_guessable',
  'breached',
  'turnstile_required',
  'turnstile_failed',
] as const

export type FieldErrorCode = (typeof fieldErrorCodes)[number]

/** One broken rule: a pointer to the field (RFC 6901), a stable code, and a sentence for a person. */
export interface FieldError {
  pointer: string
  code: FieldErrorCode
  message: string
}

interface AppErrorOptions {
  /** For the log only. */
  reason?: Reason
  /** Only where it differs from the one in `problems.ts`. */
  status?: 400
  errors?: FieldError[]
  /** When waiting helps: how long. */
  retryAfterSeconds?: number
  /** The permission that would have helped. */
  permission?: Permission
  /** The strengths of a proof that would have helped, if it were recent (RFC 9470 §3). */
  acceptedAcr?: readonly string[]
  /** What else the answer says, beside the members that every problem has (RFC 9457 §3.2). */
  members?: object
  cause?: unknown
}

/**
 * An error that is answered with a problem of `problems.ts`. `code` is public; `reason` and `cause` are for the log.
 */
export class AppError extends Error {
  override name = 'AppError'
  readonly code: ProblemCode
  readonly reason: Reason | undefined
  readonly status: number | undefined
  readonly errors: FieldError[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly permission: Permission | undefined
  readonly acceptedAcr: readonly string[] | undefined
  readonly members: object | undefined

  constructor(code: ProblemCode, options: AppErrorOptions = {}) {
    const { reason, status, errors, retryAfterSeconds, permission, acceptedAcr, members, cause } = options
    super(reason ? `${code}: ${reason}` : code, { cause })
    this.code = code
    this.reason = reason
    this.status = status
    this.errors = errors
    this.retryAfterSeconds = retryAfterSeconds
    this.permission = permission
    this.acceptedAcr = acceptedAcr
    this.members = members
  }
}

/**
 * A service we depend on did not answer. The request itself may be fine, so the client may repeat it (RFC 9110
 * §15.6.4).
 */
export function unavailable(reason: Reason, cause?: unknown, retryAfterSeconds = 5): AppError {
  return new AppError('service_unavailable', { reason, cause, retryAfterSeconds })
}

/** The access token is invalid, or its session has ended (RFC 6750 §3.1). */
export function invalidToken(reason: Reason): AppError {
  return new AppError('invalid_token', { reason })
}
