const statuses = {
  missing_api_key: 401,
  not_found: 404,
  method_not_allowed: 405,
  invalid_idempotency_key: 400,
  invalid_idempotent_request: 409,
  missing_required_field: 422,
  validation_error: 422,
  application_error: 500,
} as const

/** An error of Resend's API: a name from its catalogue, with the status of that name. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly code: keyof typeof statuses

  constructor(code: keyof typeof statuses, message: string) {
    super(message)
    this.code = code
  }

  toResponse(headers: Record<string, string> = {}): Response {
    const statusCode = statuses[this.code]
    return Response.json({ statusCode, name: this.code, message: this.message }, { status: statusCode, headers })
  }
}
