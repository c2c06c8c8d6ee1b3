/** Turns a failed call into a text for the visitor. */
import { PosternError } from '../client/src/index.ts'
import { texts } from './texts/language.ts'

/** Explains a failure that no single field has caused. */
export function explain(error: unknown): string {
  const { failure } = texts
  if (!(error instanceof PosternError)) return failure.unexpected
  const { code, status } = error
  if (code === 'network_error') return failure.network
  // By status, because a proxy may send these without one of our codes.
  if (status === 429) return failure.tooOften(waitingTime(error.retryAfterSeconds))
  if (status === 503) return failure.unavailable
  if (code === 'insufficient_permission') return failure.notPermitted
  if (status >= 400 && status < 500 && code !== 'unexpected_answer') return error.detail
  return [failure.unexpected, error.requestId && failure.reference(error.requestId)].filter(Boolean).join(' ')
}

/** What the service says is wrong with one field of the body, if anything. */
export function complaintAbout(error: unknown, field: string): string | undefined {
  if (!(error instanceof PosternError)) return undefined
  const messages = error.errors.filter(({ pointer }) => pointer === `/${field}`).map(({ message }) => message)
  return messages.join(' ') || undefined
}

export function hasCode(error: unknown, code: PosternError['code']): boolean {
  return error instanceof PosternError && error.code === code
}

function waitingTime(seconds: number | undefined): string {
  const { failure } = texts
  if (!seconds) return failure.aMoment
  if (seconds < 90) return failure.seconds(Math.ceil(seconds))
  const minutes = Math.ceil(seconds / 60)
  return minutes < 90 ? failure.minutes(minutes) : failure.hours(Math.ceil(minutes / 60))
}
