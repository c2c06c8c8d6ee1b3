/**
 * One password is hashed at a time in each isolate, in the order of arrival. A hash blocks the thread of its isolate,
 * so twenty at once would let nobody else run for seconds, and would all be late together.
 *
 * Requests wait by looking again and again. None waits for a promise of another request: that would never settle if the
 * other one was canceled. A canceled request does not leave the queue either, so each place in it needs signs of
 * life.
 */
import { hashQueue } from '../../config/policy.ts'
import type { Platform } from '../../context.ts'
import type { Pause } from '../../crypto/password.ts'
import { unavailable } from '../../errors.ts'

type Time = Pick<Platform, 'now' | 'letOthersRun'>

interface Place {
  since: number
  /** The last sign of life. */
  seen: number
}

/** The request in the first place hashes. */
let queue: Place[] = []

/**
 * Does work that blocks the isolate when it is this request's turn.
 *
 * @param work has to call `pause` before each step of a few milliseconds. A pause keeps the turn; every second one lets
 *   the other requests run.
 * @throws {AppError} `service_unavailable` when the turn does not come in time; at once when too many are before it
 */
export async function inTurn<T>(time: Time, work: (pause: Pause) => Promise<T>): Promise<T> {
  const now = nowOf(time)
  dropCanceled(now)
  // It would not have its turn in time, and its looks would take time from those who will.
  if (queue.length >= hashQueue.maxPlaces) throw unavailable('hash_queue')
  const place = { since: now, seen: now }
  queue.push(place)
  try {
    await waitForTurn(time, place)
    let step = 0
    return await work(async () => {
      // A timer takes a millisecond even when nobody else has work.
      if (step++ % hashQueue.stepsAtATime === 0) await time.letOthersRun(0)
      place.seen = nowOf(time)
    })
  } finally {
    queue = queue.filter((other) => other !== place)
  }
}

async function waitForTurn(time: Time, place: Place): Promise<void> {
  for (;;) {
    const now = nowOf(time)
    place.seen = now
    dropCanceled(now)
    const before = queue.indexOf(place)
    if (before === 0) return
    if (now - place.since >= hashQueue.maxWaitMs) throw unavailable('hash_queue')
    // It was taken for canceled, because nobody in this isolate could run.
    if (before < 0) queue.push(place)
    await time.letOthersRun(Math.min(hashQueue.maxLookMs, hashQueue.lookMs * Math.max(1, before)))
  }
}

/** A time after `now` is from before the clock was set back. */
function dropCanceled(now: number): void {
  for (const place of queue) {
    place.since = Math.min(place.since, now)
    place.seen = Math.min(place.seen, now)
  }
  queue = queue.filter(({ seen }) => now - seen < hashQueue.leaseMs)
}

function nowOf({ now }: Time): number {
  return now().getTime()
}
