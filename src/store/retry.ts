/** What is done about a D1 that fails for a moment, and what is not. */

/** What a retry needs of the platform; a test gives its own. */
export interface Pacing {
  now: () => Date
  sleep: (ms: number) => Promise<void>
  /** From 0 to 1. */
  random: () => number
}

/** How a database retries; one without an entry never asks twice. */
export const pacingOf = new WeakMap<object, Pacing>()

/** In the words of Cloudflare's own list of errors that a caller should retry (D1, "Debug D1"). */
const passing =
  /Network connection lost|storage caused object to be reset|reset because its code was updated|Cannot resolve D1 DB due to transient issue/

/** The database has more to do than it can. Another try would be one more. */
const overload = /D1 DB is overloaded|Too many requests queued/

/** Three tries, since D1 repeats a lost read up to twice by itself; an answer later than this is no answer to wait for. */
const policy = { tries: 3, deadlineMs: 2000, firstPauseMs: 50 }

export function isOverload(error: unknown): boolean {
  return overload.test(messageOf(error))
}

/**
 * Asks, and asks again when the database failed for a moment: after a random part of a pause that doubles, so that those
 * who failed together do not come back together.
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

/** With that of its cause, in which D1's own words are once the failure is one of ours. */
function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${messageOf(error.cause)}` : ''
}
