/** What to say to a person about a call that failed. */
import { PosternError } from '../client/src/index.ts'
import { texts } from './texts/language.ts'

/** A failure that has nothing to do with what was typed. */
export function explain(error: unknown): string {
  const { failure } = texts
  if (!(error instanceof PosternError)) return failure.unexpected
  const { code, status } = error
  if (code === 'network_error') return failure.network
  // By the status, since a machine on the way may answer these, too.
  if (status === 429) return failure.tooOften(waitingTime(error.retryAfterSeconds))
  if (status === 503) return failure.unavailable
  if (code === 'insufficient_permission') return failure.notPermitted
  if (status >= 400 && status < 500 && code !== 'unexpected_answer') return error.detail
  return [failure.unexpected, error.requestId && failure.reference(error.requestId)].filter(Boolean).join(' ')
}

/** What the service complained about in one field of the body, if it did. */
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
