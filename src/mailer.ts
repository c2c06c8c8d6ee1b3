/** The way out of the house for mail: Resend, through its SDK, with its answers sorted into what they mean for a row. */
import { Resend } from 'resend'
import type { Config, Secrets } from './config.ts'

export interface OutgoingEmail {
  to: string
  subject: string
  html: string
  text: string
}

export type SendOutcome =
  /** Accepted now, or by an earlier attempt with the same key. */
  | { kind: 'accepted'; providerId: string | null }
  /** Will never be accepted. */
  | { kind: 'refused'; reason: string }
  /** Certainly not accepted yet. */
  | { kind: 'postponed'; reason: string; afterSeconds: number }
  /** Nobody knows whether it was accepted: repeat under the same key only. */
  | { kind: 'in_doubt'; reason: string; afterSeconds: number }

/** A request that hangs must not hold a claim longer than this. */
const timeoutMs = 10_000
/** The longest delay that every queue takes for a message. */
const maxRetryAfterSeconds = 12 * 3600
/** A daily or monthly quota does not come back within seconds. */
const quotaPauseSeconds = 3600

/** Sends one mail. The key makes Resend accept it at most once in 24 hours. Never throws for an answer of Resend's. */
export async function sendEmail(
  { mailFrom, resendBaseUrl }: Config,
  { resendApiKey }: Secrets,
  email: OutgoingEmail,
  idempotencyKey: string,
): Promise<SendOutcome> {
  const resend = new Resend(resendApiKey, { baseUrl: resendBaseUrl })
  // The SDK has no time-out of its own and hands every option on to fetch; its types do not say so.
  const options = { idempotencyKey, signal: AbortSignal.timeout(timeoutMs) }
  const { data, error, headers } = await resend.emails.send({ from: mailFrom, ...email }, options)
  if (error) return meaningOf(error, retryAfterSeconds(headers))
  if (typeof data?.id === 'string') return { kind: 'accepted', providerId: data.id }
  return { kind: 'in_doubt', reason: 'unreadable_answer', afterSeconds: 0 }
}

/** The error as it came over the wire: any JSON at all, if something between Resend and us answered. */
function meaningOf(error: { name?: unknown; statusCode?: unknown }, afterSeconds: number): SendOutcome {
  const reason = typeof error.name === 'string' && /^[a-z_]{1,64}$/.test(error.name) ? error.name : 'unnamed_error'
  const status = typeof error.statusCode === 'number' ? error.statusCode : 0
  // Same key, other content: what was in this row was accepted before, and the account has changed since.
  if (reason === 'invalid_idempotent_request') return { kind: 'accepted', providerId: null }
  if (reason === 'daily_quota_exceeded' || reason === 'monthly_quota_exceeded') {
    return { kind: 'postponed', reason, afterSeconds: Math.max(afterSeconds, quotaPauseSeconds) }
  }
  if (status === 429) return { kind: 'postponed', reason, afterSeconds }
  // A wrong key or an unverified domain is the operator's to mend, and no reason to lose mail.
  if (status === 401 || status === 403) return { kind: 'postponed', reason, afterSeconds }
  const isRefusal = status >= 400 && status < 500 && status !== 408 && status !== 409
  return isRefusal ? { kind: 'refused', reason } : { kind: 'in_doubt', reason, afterSeconds }
}

function retryAfterSeconds(headers: Record<string, string> | null): number {
  const seconds = Number(headers?.['retry-after'])
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(Math.ceil(seconds), maxRetryAfterSeconds) : 0
}
