/** Sends emails through Resend and classifies each answer. A test compares the requests with those of Resend's SDK. */
import type { Config, Secrets } from '../config/settings.ts'
import { log } from '../log.ts'
import { type Limits, type OutgoingAnswer, send } from './outgoing.ts'

export interface OutgoingEmail {
  /** The id of the outbox row. Resend keeps it as a tag and names it in its webhooks. */
  id: string
  to: string
  subject: string
  html: string
  text: string
}

export type SendOutcome =
  /** Accepted now, or by an earlier attempt with the same key. */
  | { kind: 'accepted'; providerId: string | null }
  /** It will never be accepted. */
  | { kind: 'refused'; reason: string }
  /** The request will never be accepted, and any of its emails may be the reason. */
  | { kind: 'refused_together'; reason: string }
  /** It is certain that Resend has not accepted it yet. */
  | { kind: 'postponed'; reason: string; afterSeconds: number }
  /** Unknown whether it was accepted: repeat it only under the same key. */
  | { kind: 'in_doubt'; reason: string; afterSeconds: number }

/** A request that hangs must not hold a claim for longer. */
const singleLimits: Limits = { timeoutMs: 10_000, maxBytes: 64 * 1024 }
const batchLimits: Limits = { timeoutMs: 30_000, maxBytes: 256 * 1024 }
/** Resend's own limit for one request. */
export const maxMailsPerRequest = 100
/** Cloudflare Queues takes no longer delay for a message. */
const maxRetryAfterSeconds = 12 * 3600
/** A daily or monthly quota does not come back within seconds. */
const quotaPauseSeconds = 3600

/** The tag that carries the id of the outbox row. It comes back in the webhooks about the email. */
export const rowTag = 'outbox_id'

/** Sends one email. The key makes Resend accept it at most once in 24 hours. Never throws, whatever Resend answers. */
export async function sendEmail(
  config: Config,
  secrets: Secrets,
  email: OutgoingEmail,
  idempotencyKey: string,
): Promise<SendOutcome> {
  const headers = requestHeaders(secrets, idempotencyKey)
  const { data, error, afterSeconds } = await post(config, '/emails', headers, payloadOf(config, email), singleLimits)
  if (error) return meaningOf(error, afterSeconds)
  const { id } = Object(data) as { id?: unknown }
  return typeof id === 'string' ? { kind: 'accepted', providerId: id } : unreadable
}

/**
 * Sends up to 100 emails in one request. Resend accepts the good ones even if it refuses others. The key makes it
 * accept exactly this list at most once in 24 hours.
 *
 * @returns an outcome for each email
 */
export async function sendEmails(
  config: Config,
  secrets: Secrets,
  emails: readonly OutgoingEmail[],
  idempotencyKey: string,
): Promise<SendOutcome[]> {
  const headers = requestHeaders(secrets, idempotencyKey)
  headers.set('x-batch-validation', 'permissive')
  const payload = emails.map((email) => payloadOf(config, email))
  const { data, error, afterSeconds } = await post(config, '/emails/batch', headers, payload, batchLimits)
  if (!error) return outcomesIn(data, emails.length) ?? emails.map(() => unreadable)
  const outcome = meaningOf(error, afterSeconds)
  const isOfOne = emails.length === 1 || outcome.kind !== 'refused'
  return emails.map(() => (isOfOne ? outcome : { ...outcome, kind: 'refused_together' }))
}

/** Resend's edge refuses a request without a user agent. */
function requestHeaders({ resendApiKey }: Secrets, idempotencyKey: string): Headers {
  return new Headers({
    Authorization: `Bearer ${resendApiKey}`,
    'Content-Type': 'application/json',
    'User-Agent': 'Postern',
    'Idempotency-Key': idempotencyKey,
  })
}

interface ResendAnswer {
  /** What came with a status of 2xx: any JSON. */
  data?: unknown
  /** What came with any other status, `application_error` if it was no JSON or nothing came. */
  error?: ResendError | null
  afterSeconds: number
}

/** As it came over the wire: any JSON, since something between Resend and us may have answered. */
interface ResendError {
  name?: unknown
  statusCode?: unknown
}

async function post(
  { resendBaseUrl, isDevelopment }: Config,
  path: string,
  headers: Headers,
  payload: unknown,
  limits: Limits,
): Promise<ResendAnswer> {
  let refusal: OutgoingAnswer | undefined
  try {
    const init = { method: 'POST', headers, body: JSON.stringify(payload) }
    const answer = await send(resendBaseUrl, path, init, limits)
    refusal = answer.isOk ? undefined : answer
    const body = JSON.parse(answer.text)
    return refusal ? { error: body, afterSeconds: retryAfterSeconds(refusal) } : { data: body, afterSeconds: 0 }
  } catch {
    // A plain `wrangler dev` has no mailbox.
    if (!refusal && isDevelopment) {
      log('warn', 'mail.no_mailbox', { url: resendBaseUrl, hint: 'npm run dev brings a mailbox' })
    }
    const error = { name: 'application_error', statusCode: refusal?.status }
    return { error, afterSeconds: refusal ? retryAfterSeconds(refusal) : 0 }
  }
}

/**
 * Headers of every email. Machines must not answer it (RFC 3834; the second one is for Exchange), and Gmail must not
 * put it into one thread with an earlier one of the same subject, whose link is dead. The same row has the same
 * headers, because a repetition under one key must be the same request.
 */
function headersOf(id: string): Record<string, string> {
  return { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All', 'X-Entity-Ref-ID': id }
}

/**
 * In the order of Resend's SDK, with which earlier versions sent: a repetition after a deployment has the same bytes.
 */
function payloadOf({ mailFrom }: Config, { id, to, subject, html, text }: OutgoingEmail) {
  return { from: mailFrom, headers: headersOf(id), html, subject, tags: [{ name: rowTag, value: id }], text, to }
}

const unreadable: SendOutcome = { kind: 'in_doubt', reason: 'unreadable_answer', afterSeconds: 0 }

/** The outcome of each email: refused ones are named by their place, and the ids are those of the others, in order. */
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

function meaningOf(error: ResendError, afterSeconds: number): SendOutcome {
  const reason = typeof error.name === 'string' && /^[a-z_]{1,64}$/.test(error.name) ? error.name : 'unnamed_error'
  const status = typeof error.statusCode === 'number' ? error.statusCode : 0
  // Same key, other content: Resend accepted this row's email before, and the account has changed since.
  if (reason === 'invalid_idempotent_request') return { kind: 'accepted', providerId: null }
  if (reason === 'daily_quota_exceeded' || reason === 'monthly_quota_exceeded') {
    return { kind: 'postponed', reason, afterSeconds: Math.max(afterSeconds, quotaPauseSeconds) }
  }
  if (status === 429) return { kind: 'postponed', reason, afterSeconds }
  // The operator can fix a wrong key or an unverified domain, so the email must not be lost.
  if (status === 401 || status === 403) return { kind: 'postponed', reason, afterSeconds }
  const isRefusal = status >= 400 && status < 500 && status !== 408 && status !== 409
  return isRefusal ? { kind: 'refused', reason } : { kind: 'in_doubt', reason, afterSeconds }
}

function retryAfterSeconds({ headers }: OutgoingAnswer): number {
  const seconds = Number(headers.get('Retry-After'))
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(Math.ceil(seconds), maxRetryAfterSeconds) : 0
}
