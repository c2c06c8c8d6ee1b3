/** Which failures of D1 are repeated, and when. */

/** The clock and the randomness that a retry uses; tests inject their own. */
export interface Pacing {
  now: () => Date
  sleep: (ms: number) => Promise<void>
  /** From 0 to 1. */
  random: () => number
}

/** How a database retries. Without an entry, nothing is retried. */
export const pacingOf = new WeakMap<object, Pacing>()

/** The errors that Cloudflare's documentation tells callers to retry (D1, "Debug D1"). */
const passing =
  /Network connection lost|storage caused object to be reset|reset because its code was updated|Cannot resolve D1 DB due to transient issue/

/** The database is overloaded. A retry would add to the load. */
const overload = /D1 DB is overloaded|Too many requests queued/

/** Three tries, because D1 repeats a lost read up to twice by itself. After the deadline the client has given up. */
const policy = { tries: 3, deadlineMs: 2000, firstPauseMs: 50 }

export function isOverload(error: unknown): boolean {
  return overload.test(messageOf(error))
}

/**
 * Runs `ask`, and runs it again after a passing failure. The pause is a random part of a span that doubles, so that
 * callers that failed together do not return together.
 */
export async function retrying<T>(pacing: Pacing | undefined, ask: () => Promise<T>): Promise<T> {
  if (!pacing) return ask()
  const { now, sleep, random } = pacing
  const deadline = now().getTime() + policy.deadlineMs
  for (let failures = 1; ; failures++) {
    try {
      return await ask()
    } catch (error) {
      const pauseMs = random() * policy.firstPauseMs * 2 ** failures
      const isLate = now().getTime() + pauseMs > deadline
      if (failures >= policy.tries || isLate || !passing.test(messageOf(error))) throw error
      await sleep(pauseMs)
    }
  }
}

/** Includes the message of the cause: D1's own words are there when the error is one of ours. */
function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${messageOf(error.cause)}` : ''
}
