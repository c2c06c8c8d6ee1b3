/**
 * The outer limits against floods: calls per minute and client address, checked before anything is parsed, looked up or
 * hashed. Cloudflare counts them separately in each location, and not exactly. What needs an exact count (wrong
 * passwords, emails) is counted in D1 for each account. wrangler.toml repeats these numbers; a test compares them.
 *
 * One address can be a whole school, office or mobile network. So the numbers allow what hundreds of people do in their
 * busiest minute, and still bound what one machine can cost us: a password takes 150 ms of CPU, so 60 a minute are at
 * most 15 % of one CPU.
 */

/** Bindings count over 10 or 60 seconds and answer only yes or no, so `Retry-After` is the whole period. */
export const ratePeriodSeconds = 60

type LimiterBinding = { [Name in keyof Env]-?: Env[Name] extends RateLimit ? Name : never }[keyof Env]

export interface Limit {
  binding: LimiterBinding
  perMinute: number
}

export const rateLimits = {
  /**
   * Hashes a password, runs zxcvbn, writes 14 rows and sends an email: the most expensive call. A class of 30 may sign
   * up at once.
   */
  register: { binding: 'LIMIT_REGISTER', perMinute: 30 },
  /** Hashes a password. As many as can register, each mistyping once. */
  activate: { binding: 'LIMIT_ACTIVATE', perMinute: 60 },
  /**
   * Hashes a password. Enough for a company on Monday morning; one address can guess 3,600 passwords an hour, over all
   * accounts.
   */
  login: { binding: 'LIMIT_LOGIN', perMinute: 60 },
  /**
   * A KV read and a row. A client in use refreshes every ten minutes, so this allows 3,000 clients behind one address.
   */
  refresh: { binding: 'LIMIT_REFRESH', perMinute: 300 },
  /** A few rows and perhaps an email. People rarely ask for another link; machines that flood mailboxes do. */
  resendActivation: { binding: 'LIMIT_RESEND', perMinute: 20 },
  /** A few rows and perhaps an email. */
  requestReset: { binding: 'LIMIT_RESET_REQUEST', perMinute: 20 },
  /** Runs zxcvbn and hashes a password, for a user with a link. */
  completeReset: { binding: 'LIMIT_RESET_COMPLETE', perMinute: 30 },
  /** Change of password and deletion of the account: hash one or two passwords, for a signed-in user. */
  ownPassword: { binding: 'LIMIT_OWN_PASSWORD', perMinute: 30 },
  /** Reads up to eight megabytes from R2, for an administrator. A year of hours is 88 calls. */
  auditArchive: { binding: 'LIMIT_AUDIT_ARCHIVE', perMinute: 60 },
  /**
   * Codes and passkeys at sign-in, step-up and enrolment: 5 to 19 written rows each. A step-up by password hashes it.
   * At sign-in, `login` has limited the password before.
   */
  secondFactor: { binding: 'LIMIT_SECOND_FACTOR', perMinute: 60 },
  /** Nothing is written for the options, and a signature is cheap. Each view of the sign-in page asks for options. */
  passkey: { binding: 'LIMIT_PASSKEY', perMinute: 120 },
  /** A batch of 13 statements, for whoever has the link. */
  emailRevert: { binding: 'LIMIT_EMAIL_REVERT', perMinute: 30 },
} as const satisfies Record<string, Limit>

export type RateLimitName = keyof typeof rateLimits

/**
 * Counted by user and not by address: changes of the profile and the address, exports, new names of passkeys, and every
 * act on another account. No call by which an owner gets rid of a thief: the thief could use the limit up first. A page
 * never needs that many.
 */
export const userLimit = { binding: 'LIMIT_USER_WRITES', perMinute: 60 } as const satisfies Limit
