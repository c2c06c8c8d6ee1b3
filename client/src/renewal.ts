/** The request for new tokens. */
import { type PosternError, within } from './problem.ts'
import type { Wire } from './wire.ts'

/** For each of the two tries. A tab that waits for its turn is more patient than both together. */
const timeoutsMs = [10_000, 15_000] as const

/**
 * Repeated once when the answer was lost: the service may have rotated the token already, and answers the same successor
 * for 30 seconds.
 */
export async function askForTokens<T>({ ask }: Wire, body: object, check: (answer: unknown) => T): Promise<T> {
  const request = { method: 'post', path: '/auth/refresh', body }
  const askOnce = async (limitMs: number) => check(await within(limitMs, (signal) => ask({ ...request, signal })))
  return askOnce(timeoutsMs[0]).catch((error: unknown) => {
    if (!isLost(error)) throw error
    return askOnce(timeoutsMs[1])
  })
}

/** Whether the service may have done what was asked. A refusal on the way, such as a 407, says that it has not. */
function isLost(error: unknown): boolean {
  const { code, status } = error as PosternError
  return code === 'network_error' || (code === 'unexpected_answer' && (status === 200 || status >= 500))
}

/** Whether a refresh was refused for good. Any other failure, such as no network or a rate limit, may pass. */
export function endsSession(error: unknown): boolean {
  const { code, status } = error as PosternError
  return status === 401 && (code === 'invalid_refresh_token' || code === 'refresh_token_reused')
}
