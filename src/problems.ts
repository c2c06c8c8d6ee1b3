/** Every problem that a client can see: its code, with the status and the public text (RFC 9457). */
export const problems = {
  malformed_json: { status: 400, title: 'Malformed JSON', detail: 'The request body is not well-formed JSON.' },
  invalid_link: {
    status: 400,
    title: 'Invalid link',
    detail: 'The link is unknown, used or expired. Ask for a new one.',
  },
  invalid_setup: {
    status: 400,
    title: 'Invalid setup',
    detail: 'This setup of an authenticator app has expired. Begin it anew.',
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
  invalid_factor_token: {
    status: 401,
    title: 'Sign-in expired',
    detail: 'This sign-in has expired or was completed. Start it again.',
  },
  invalid_passkey: {
    status: 401,
    title: 'Invalid passkey',
    detail: 'The passkey was not accepted. Try again, or use another way to sign in.',
  },
  insufficient_user_authentication: {
    status: 401,
    title: 'Confirmation needed',
    detail: 'Confirm that it is you, then repeat the call.',
  },
  second_factor_required: {
    status: 403,
    title: 'Second factor required',
    detail: 'The password is right. This account also asks for a passkey or a code, which this app may not support.',
  },
  wrong_second_factor: { status: 403, title: 'Wrong second factor', detail: 'The code or passkey is wrong.' },
  factor_enrolment_required: {
    status: 403,
    title: 'Second factor missing',
    detail: 'This account must have a second factor. Add a passkey or an authenticator app first.',
  },
  wrong_mail_code: { status: 403, title: 'Wrong code', detail: 'The code from the email is wrong or has expired.' },
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
  passkey_exists: { status: 409, title: 'Passkey exists', detail: 'This passkey belongs to an account already.' },
  too_many: { status: 409, title: 'Too many', detail: 'There are as many as there can be. Remove one first.' },
  last_factor: {
    status: 409,
    title: 'Last second factor',
    detail: 'This account must have a second factor. Add another one first.',
  },
  email_recently_changed: {
    status: 409,
    title: 'Address recently changed',
    detail: 'The address was changed within the last three days. Wait before the next change.',
  },
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
