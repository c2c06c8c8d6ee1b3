/** Every problem that a client can see: its code, with the status and the public text (RFC 9457). */
export const problems = {
  malformed_json: { status: 400, title: 'Malformed JSON', detail: 'The request body is not well-formed JSON.' },
  invalid_link: {
    status: 400,
    title: 'Invalid link',
    detail: 'The link is unknown, used or expired. Ask for a new one.',
  },
  invalid_credentials: {
    status: 401,
    title: 'Invalid credentials',
    detail: 'The email address or the password is wrong.',
  },
  invalid_token: {
    status: 401,
    title: 'Invalid access token',
    detail: 'This call needs a valid access token.',
  },
  invalid_refresh_token: {
    status: 401,
    title: 'Invalid refresh token',
    detail: 'The session has ended. Sign in again.',
  },
  refresh_token_reused: {
    status: 401,
    title: 'Refresh token reused',
    detail: 'This refresh token was used before, so the session was ended. Sign in again.',
  },
  account_pending: {
    status: 403,
    title: 'Account not activated',
    detail: 'The account is not active yet. Open the link in the activation email.',
  },
  account_suspended: { status: 403, title: 'Account suspended', detail: 'The account is suspended.' },
  wrong_password: { status: 403, title: 'Wrong password', detail: 'The password is wrong.' },
  insufficient_permission: {
    status: 403,
    title: 'Insufficient permission',
    detail: 'Your role does not permit this.',
  },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    detail: "Cookies are for pages of the service's own origin.",
  },
  not_found: { status: 404, title: 'Not found', detail: 'There is nothing here.' },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    detail: 'This path does not take that method; the Allow header lists those it takes.',
  },
  last_admin: {
    status: 409,
    title: 'Last administrator',
    detail: 'This is the last active ADMIN. Make another one first.',
  },
  own_account: {
    status: 409,
    title: 'Own account',
    detail: 'Administrators cannot do this to their own account.',
  },
  not_activated: {
    status: 409,
    title: 'Never activated',
    detail: 'The account was never activated, so nobody has proven its mailbox. Until then its role is USER.',
  },
  user_suspended: { status: 409, title: 'User suspended', detail: 'The account is suspended. Reinstate it first.' },
  not_suspended: { status: 409, title: 'Not suspended', detail: 'The account is not suspended.' },
  email_suppressed: {
    status: 409,
    title: 'Email suppressed',
    detail: 'The address takes no email, because it bounced or its owner complained. Lift the suppression first.',
  },
  not_suppressed: { status: 409, title: 'Not suppressed', detail: 'The address takes email: there is no suppression.' },
  body_too_large: { status: 413, title: 'Body too large', detail: 'A request body is at most 16 KiB.' },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    detail: 'The body must be sent as application/json.',
  },
  validation_failed: {
    status: 422,
    title: 'Validation failed',
    detail: 'The request breaks the rules listed in errors.',
  },
  weak_password: {
    status: 422,
    title: 'Weak password',
    detail: 'The password is too easy to guess, or known from a data breach: see errors.',
  },
  rate_limited: { status: 429, title: 'Too many requests', detail: 'Wait before the next try.' },
  internal_error: { status: 500, title: 'Internal error', detail: 'Something went wrong on our side.' },
  service_unavailable: {
    status: 503,
    title: 'Service unavailable',
    detail: 'The service cannot do this right now. Nothing is half done; try again.',
  },
} as const satisfies Record<string, { status: number; title: string; detail: string }>

export type ProblemCode = keyof typeof problems
