/** The way out of the house for mail: Resend, through its SDK, with its answers sorted into what they mean for a row. */
import { Resend } from 'resend'
import type { Config, Secrets } from '../config/settings.ts'

export interface OutgoingEmail {
  /** Of the outbox row. Resend keeps it as a tag and names it in its webhooks. */
  id: string
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
  /** The request will never be accepted, and any one of its mails may be the reason. */
  | { kind: 'refused_together'; reason: string }
  /** Certainly not accepted yet. */
  | { kind: 'postponed'; reason: string; afterSeconds: number }
  /** Nobody knows whether it was accepted: repeat under the same key only. */
  | { kind: 'in_doubt'; reason: string; afterSeconds: number }

/** A request that hangs must not hold a claim longer than this. */
const timeoutMs = { single: 10_000, batch: 30_000 }
/** What one request to Resend takes. */
export const maxMailsPerRequest = 100
/** The longest delay that every queue takes for a message. */
const maxRetryAfterSeconds = 12 * 3600
/** A daily or monthly quota does not come back within seconds. */
const quotaPauseSeconds = 3600

/** The tag that carries the id of the outbox row, and comes back in the webhooks about the mail. */
export const rowTag = 'outbox_id'

/** Sends one mail. The key makes Resend accept it at most once in 24 hours. Never throws for an answer of Resend's. */
export async function sendEmail(
  config: Config,
  secrets: Secrets,
  email: OutgoingEmail,
  idempotencyKey: string,
): Promise<SendOutcome> {
  const resend = clientOf(config, secrets)
  // The SDK has no time-out of its own and hands every option on to fetch; its types do not say so.
  const options = { idempotencyKey, signal: AbortSignal.timeout(timeoutMs.single) }
  const { data, error, headers } = await resend.emails.send(payloadOf(config, email), options)
  if (error) return meaningOf(error, retryAfterSeconds(headers))
  return typeof data?.id === 'string' ? { kind: 'accepted', providerId: data.id } : unreadable
}

/**
 * Sends up to 100 mails in one request, the good ones among them even if others are refused. The key stands for all of
 * them together: it makes Resend accept this list, as it is, at most once in 24 hours.
 *
 * @returns an outcome for each mail
 */
export async function sendEmails(
  config: Config,
  secrets: Secrets,
  emails: readonly OutgoingEmail[],
  idempotencyKey: string,
): Promise<SendOutcome[]> {
  const resend = clientOf(config, secrets)
  const payload = emails.map((email) => payloadOf(config, email))
  const signal = AbortSignal.timeout(timeoutMs.batch)
  const options = { idempotencyKey, batchValidation: 'permissive', signal } as const
  const { data, error, headers } = await resend.batch.send(payload, options)
  if (!error) return outcomesIn(data, emails.length) ?? emails.map(() => unreadable)
  const outcome = meaningOf(error, retryAfterSeconds(headers))
  const isOfOne = emails.length === 1 || outcome.kind !== 'refused'
  return emails.map(() => (isOfOne ? outcome : { ...outcome, kind: 'refused_together' }))
}

function clientOf({ resendBaseUrl }: Config, { resendApiKey }: Secrets): Resend {
  return new Resend(resendApiKey, { baseUrl: resendBaseUrl })
}

function payloadOf({ mailFrom }: Config, { id, ...email }: OutgoingEmail) {
  return { from: mailFrom, ...email, tags: [{ name: rowTag, value: id }] }
}

const unreadable: SendOutcome = { kind: 'in_doubt', reason: 'unreadable_answer', afterSeconds: 0 }

/** What became of each mail: refused ones are named by their place, and the ids are those of the others, in order. */
function outcomesIn(answer: unknown, count: number): SendOutcome[] | undefined {
  const { data, errors = [] } = (answer ?? {}) as { data?: unknown; errors?: unknown }
  if (!Array.isArray(data) || !Array.isArray(errors)) return undefined
  const ids = data.map((each: { id?: unknown } | null) => each?.id)
  const refused = new Set(errors.map((each: { index?: unknown } | null) => each?.index))
  const places = Array.from({ length: count }, (_, place) => place)
  const accepted = places.filter((place) => !refused.has(place))
  const isWhole = accepted.length + errors.length === count && accepted.length === ids.length
  if (!isWhole || !ids.every((id) => typeof id === 'string')) return undefined
  const idAt = new Map(accepted.map((place, index) => [place, ids[index]!]))
  return places.map((place) => {
    const providerId = idAt.get(place)
    return providerId === undefined ? { kind: 'refused', reason: 'validation_error' } : { kind: 'accepted', providerId }
  })
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
