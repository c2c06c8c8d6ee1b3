/**
 * The outer ring against floods: how many calls of a kind one client address may make a minute, before anything is
 * parsed, looked up or hashed. Counted by Cloudflare, for each location by itself and not exactly; what has to be exact
 * (wrong passwords, mails) is counted in D1 for each account. wrangler.toml says the same numbers, and a test holds it to
 * these.
 *
 * One address may be a whole school, office or mobile network, so the numbers are what hundreds of people behind it do in
 * their busiest minute, and still bound what one machine can make us pay: a password costs 150 ms of CPU, so 60 of them a
 * minute are at most 15 % of one CPU.
 */

/** Bindings count over 10 or 60 seconds and tell only yes or no, so this is also what `Retry-After` says. */
export const ratePeriodSeconds = 60

type LimiterBinding = { [Name in keyof Env]-?: Env[Name] extends RateLimit ? Name : never }[keyof Env]

interface Limit {
  binding: LimiterBinding
  perMinute: number
}

export const rateLimits = {
  /** A password hashed, zxcvbn, 14 rows and a mail: the dearest call. A class of thirty may sign up at one moment. */
  register: { binding: 'LIMIT_REGISTER', perMinute: 30 },
  /** A password hashed. As many as sign up, each of them mistyping once. */
  activate: { binding: 'LIMIT_ACTIVATE', perMinute: 60 },
  /** A password hashed. A company that comes in on Monday; an hour of one address guessing is 3,600 passwords, spread. */
  login: { binding: 'LIMIT_LOGIN', perMinute: 60 },
  /** A KV read and a row. A client that is in use refreshes every ten minutes: 3,000 of them behind one address. */
  refresh: { binding: 'LIMIT_REFRESH', perMinute: 300 },
  /** A row and perhaps a mail. People ask for another link seldom, machines that bomb mailboxes do. */
  resendActivation: { binding: 'LIMIT_RESEND', perMinute: 20 },
  /** A row and perhaps a mail. */
  requestReset: { binding: 'LIMIT_RESET_REQUEST', perMinute: 20 },
  /** zxcvbn and a password hashed, for who holds a link. */
  completeReset: { binding: 'LIMIT_RESET_COMPLETE', perMinute: 30 },
  /** Changing the password and deleting the account: one or two passwords hashed, for who holds a token. */
  ownPassword: { binding: 'LIMIT_OWN_PASSWORD', perMinute: 30 },
} as const satisfies Record<string, Limit>

export type RateLimitName = keyof typeof rateLimits
