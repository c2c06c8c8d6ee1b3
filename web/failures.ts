/** Turns a failed call into a text for the visitor. */
import { type FieldError, PosternError } from '../client/src/index.ts'
import { ChallengeError } from './challenge.ts'
import { texts } from './texts/language.ts'

/** Explains a failure that no single field has caused. By its code: the service's own texts are English. */
export function explain(error: unknown): string {
  const { failure, refusals } = texts
  if (error instanceof ChallengeError) return failure.challenge
  if (!(error instanceof PosternError)) return failure.unexpected
  if (hasFieldError(error, 'turnstile_required', 'turnstile_failed')) return refusals.fieldError.turnstile_failed
  const { code, status } = error
  if (code === 'network_error') return failure.network
  // By status, because a proxy may send these without one of our codes.
  if (status === 429) return failure.tooOften(waitingTime(error.retryAfterSeconds))
  if (status === 503) return failure.unavailable
  const isOfBrowser = code === 'passkey_cancelled' || code === 'passkey_unavailable' || code === 'passkey_exists'
  if (isOfBrowser || (status >= 400 && status < 500 && code !== 'unexpected_answer')) {
    return textFor(refusals.problem, code) ?? refusals.unknownProblem
  }
  return [failure.unexpected, error.requestId && failure.reference(error.requestId)].filter(Boolean).join(' ')
}

/** What is wrong with one field of the body, if anything. Each reason once. */
export function complaintAbout(error: unknown, field: string): string | undefined {
  if (!(error instanceof PosternError)) return undefined
  const { fieldError, unknownFieldError } = texts.refusals
  const about = error.errors.filter(({ pointer }) => pointer === `/${field}`)
  const sentences = new Set(about.map(({ code }) => textFor(fieldError, code) ?? unknownFieldError))
  return [...sentences].join(' ') || undefined
}

export function hasFieldError(error: unknown, ...codes: FieldError['code'][]): boolean {
  return error instanceof PosternError && error.errors.some(({ code }) => codes.includes(code))
}

/** The service may be newer than this page, so any text may come as a code. */
function textFor(catalog: Record<string, string>, code: string): string | undefined {
  return new Map(Object.entries(catalog)).get(code)
}

export function hasCode(error: unknown, code: PosternError['code']): boolean {
  return error instanceof PosternError && error.code === code
}

export function waitingTime(seconds: number | undefined): string {
  const { failure } = texts
  if (!seconds) return failure.aMoment
  if (seconds < 90) return failure.seconds(Math.ceil(seconds))
  const minutes = Math.ceil(seconds / 60)
  return minutes < 90 ? failure.minutes(minutes) : failure.hours(Math.ceil(minutes / 60))
}
