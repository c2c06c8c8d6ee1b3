/**
 * The lifetimes, budgets and limits of the rules for accounts, sessions and emails, each with its reason. Only data.
 *
 * Other numbers are elsewhere: limits by client address in rate-limits.ts, what an operator may set in settings.ts, and
 * what a standard, a provider or the platform dictates (retries, chunks, sizes) beside the code that obeys it.
 */
import { dayMs, hourMs } from '../durations.ts'

const minuteSeconds = 60
const hourSeconds = 60 * minuteSeconds
const daySeconds = 24 * hourSeconds

// Tokens and sessions

/**
 * A service that checks only the token accepts it this long after its session ended. Clients refresh it in the
 * background.
 */
export const accessTokenSeconds = 10 * minuteSeconds

/**
 * An isolate accepts a token again for this long without checking it. With the 60 seconds of KV, that is how long
 * `GET /auth/verify` may accept the token of an ended session.
 */
export const rememberedMs = 5_000

/** How long a step-up counts: the `max_age` of RFC 9470 for calls that need one. */
export const freshSeconds = 10 * minuteSeconds

/**
 * The tokens that an isolate remembers: those of 200 clients a second. At 2 kB each, they take two megabytes of its
 * 128.
 */
export const maxRememberedTokens = 1_000

/** A session that is not refreshed for this long ends. */
export const refreshTokenSeconds = 30 * daySeconds

/** A session ends this long after its sign-in, however often it is refreshed. */
export const sessionMaxSeconds = 90 * daySeconds

/** A device without a sign-in for this long counts as unknown, and a place without one as new. */
export const deviceTokenSeconds = 180 * daySeconds

/** After the password, people may have to look for their phone. */
export const factorTokenSeconds = 5 * minuteSeconds

/** How long a device that its user trusts signs in with the password alone. */
export const trustTokenSeconds = 30 * daySeconds

/**
 * A refresh token may be presented again for this long after its rotation: an answer got lost, or two tabs refreshed.
 */
export const replayMs = 30_000

/**
 * A client loses few answers. In this time three rotations of a session may be repeated, one of them from another
 * network: somebody who follows the rotations of a session is caught at the fourth.
 */
export const repeatPeriodMs = dayMs

/** A device that never signs out leaves its sessions behind. Beyond this number, the oldest ones end. */
export const maxSessionsPerUser = 50

/** The user agents that sessions and events can name. With 256 characters each, about four megabytes at most. */
export const maxUserAgents = 5_000

// Passkeys

/** How long the challenge for a passkey may be answered. Authenticators give people five minutes at most. */
export const challengeMs = 5 * minuteSeconds * 1000

/** How many challenges one passkey may answer in the time of a challenge. Nobody signs in as often. */
export const maxUsedChallenges = 16

/** How many passkeys an account may have: more than a person has devices. */
export const maxPasskeys = 20

// Links

/** People may activate the next morning, but they are waiting for a reset email. */
export const linkLifeSeconds = { activation: daySeconds, reset: hourSeconds, email_change: hourSeconds }

// Change of the address

/**
 * An email that the provider delays may bring the link to the new address for `offerMs`. The owner of the old address
 * has `revertMs` to undo everything, since people are away for a weekend. That also ends the factors of the last
 * `factorsMs` before the request: whoever takes over an account adds a factor first.
 */
export const emailChange = { offerMs: dayMs, revertMs: 3 * dayMs, factorsMs: dayMs }

// Passwords

/**
 * Lock-out: five wrong passwords in a row without a pause, then a pause of 1 second that doubles up to 15 minutes.
 * After a hundred, no password is verified until a reset by email (NIST SP 800-63B-4 §3.2.2). An attempt takes less
 * time than ten seconds: five at most until its hash has its turn, and then a fraction of one.
 */
export const passwordAttempts = {
  free: 5,
  max: 100,
  firstPauseMs: 1000,
  maxPauseMs: 15 * minuteSeconds * 1000,
  inFlightMs: 10_000,
}

/**
 * One password is hashed at a time in each isolate. A request waits at most `maxWaitMs` for its turn, and looks again
 * after `lookMs` for each request before it. One that has shown no sign of life for `leaseMs` was canceled, and loses
 * its place. No more than `maxPlaces` may wait: an isolate makes 6 to 15 hashes a second, so nobody behind a hundred
 * has a turn in time. All other requests run after `stepsAtATime` rounds of a hash.
 */
export const hashQueue = { maxWaitMs: 5000, maxPlaces: 100, leaseMs: 1000, lookMs: 5, maxLookMs: 250, stepsAtATime: 2 }

/**
 * How many devices of an account may have their own counter at a time. The next right password of a device deletes it.
 */
export const maxDeviceCounters = 20

/**
 * How long a client waits for attempts in flight before it is told to come back: 13 looks in five seconds, as long as
 * those attempts may wait for their hash.
 */
export const attemptWaitsMs: readonly number[] = [50, 100, 150, 200, 300, 400, 400, 400, 600, 600, 600, 600, 600]

/** The numbers of wrong passwords in a row after which the owner is warned: an attack in progress, and the lock-out. */
export const warnedAttempts: readonly number[] = [10, passwordAttempts.max]

/** The same of wrong codes. Whoever tries them knows the password, so the owner hears of the first five. */
export const warnedFactorAttempts: readonly number[] = [passwordAttempts.free, ...warnedAttempts]

/** Where the operator asks for Turnstile, this many attempts need no token: people mistype. */
export const attemptsWithoutTurnstile = 3

/** The `Retry-After` after the last attempt, when waiting alone does not help. */
export const exhaustedRetrySeconds = hourSeconds

/** The list of breached passwords changes about once a week. One cached answer serves every user at a location. */
export const breachCacheSeconds = daySeconds

// Second factors

/** How many recovery codes an account gets at once. */
export const recoveryCodeCount = 8

/** The setup of an authenticator app: install the app, scan the code, type six digits. */
export const totpSetupMs = 10 * minuteSeconds * 1000

/**
 * How long a mailed code is good, and for how many tries; another email allows as many again. Five codes are mailed at
 * most in that time (see `mailBudget`), so five guesses hit with a probability of 25 in 10⁸ for each key of the ring.
 */
export const mailCodeMs = 10 * minuteSeconds * 1000
export const mailCodeAttempts = 5

// Email

/** How many emails of one budget may go to one address, so that nobody can flood a mailbox through the service. */
export const mailBudget = { perHour: 5, perDay: 20 }

/** How often an email is tried. With the pauses below, that takes about a day. */
export const maxTries = 30

/** The pause before the second try. It doubles with every try. */
export const firstPauseSeconds = 15

/** The longest pause between two tries. */
export const maxPauseSeconds = hourSeconds

/** How long one consumer may take for a request before another may claim it. Longer than any request takes. */
export const claimMs = 2 * minuteSeconds * 1000

/** The pause after an internal failure. Longer than a claim, so that the next try can claim the row. */
export const retryAfterFailureSeconds = 150

/**
 * Resend forgets an idempotency key after 24 hours. From here on, nothing that may have been accepted is sent again.
 */
export const doubtMs = 23 * hourSeconds * 1000

/** After this long, or a hundred emails, a run repeats no further request: D1 allows an invocation 1,000 statements. */
export const maxRunMs = minuteSeconds * 1000

/** For the rows that a run did not reach. */
export const retryAfterRunSeconds = 15

/** A row that is overdue by this much was lost on the way to the queue. */
export const strandedMs = 5 * minuteSeconds * 1000

/** How many rows one run sends to the queue again. With more, the next runs continue. */
export const maxAnnounced = 1_000

/** The queue keeps messages for days. A row that was sent to it again is not sent once more for this long. */
export const announceAgainMs = hourMs

// Ceilings

/**
 * Bounds on what callers leave in the database, which ends at 10 GB. CEILING_FACTOR multiplies those of networks, of a
 * user's writes and of strangers.
 */
export const ceilings = {
  /** Registrations and requests for an activation email, of one network. */
  networkActsPerDay: 300,
  /** Requests for a reset of one network, where no challenge has to be solved for each. */
  networkResetsPerDay: 50,
  /** Writes of one user. Somebody who moderates by hand makes a few hundred. */
  userWritesPerDay: 1000,
  /** About how much all strangers together may leave: some 700 registrations. */
  strangerKilobytesPerHour: 2000,
  /**
   * Events of one type that are kept for one user. Later ones are only counted, because a sign-in must not be refused.
   */
  userEventsPerHour: 100,
  userEventsPerDay: 200,
  /** Requests for another address. Each is an email to an address that the user names. */
  emailChangesPerUserAndDay: 10,
  /** Whoever has a stolen token must not copy the account again and again. */
  exportsPerUserAndDay: 1,
  /** User agents that one user adds to the table: some browsers on some devices. */
  userAgentsPerUserAndDay: 5,
}

// Retention

/** How long audit events are kept by default, and how long in D1 where an archive takes the older ones. */
export const auditDays = { kept: 400, beforeArchive: 90 }

/** How long rows are kept, as the documentation states. */
export const retention = {
  registrations: 7 * dayMs,
  emails: 30 * dayMs,
  /** After the last sign-in with it. Browsers change their version every month, and the old ones make room. */
  userAgents: 180 * dayMs,
  /** Long enough that an attacker gains almost nothing by waiting for the counter to be deleted. */
  attempts: 30 * dayMs,
  /**
   * After a hundred wrong passwords in a row, only a reset allows sign-in again. An address without an account cannot
   * be reset, so its counter is deleted after this time.
   */
  exhaustedAttempts: 400 * dayMs,
  /** From the start of the period, which is a day at most. */
  ceilings: 2 * dayMs,
}
