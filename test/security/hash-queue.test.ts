/** One password is hashed at a time, in the order of arrival, whatever becomes of the requests and of the clock. */
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { hashQueue } from '../../src/config/policy.ts'
import { AppError } from '../../src/errors.ts'
import { inTurn } from '../../src/services/passwords/hash-queue.ts'
import { VirtualIsolate } from '../support/virtual-isolate.ts'

const roundMs = 6
const rounds = 24
const hashMs = rounds * roundMs

/** What became of a request. */
interface Life {
  arrivedMs: number
  startedMs?: number
  endedMs?: number
  refusal?: unknown
}

/** Requests that hash in one isolate, and what an observer sees of them. */
class Hashing {
  readonly isolate = new VirtualIsolate()
  readonly lives: Life[] = []
  /** The requests that ran a round, in the order of the rounds. */
  readonly rounds: Life[] = []

  /** A request that arrives now. `cancelAfter` rounds it is cancelled; at 0 while it waits for its turn. */
  arrive({ cancelAfter = Infinity, length = rounds } = {}): Life {
    const life: Life = { arrivedMs: this.isolate.elapsedMs }
    this.lives.push(life)
    const request = this.isolate.request()
    const hash = inTurn(request, async (pause) => {
      life.startedMs = this.isolate.elapsedMs
      for (let round = 0; round < length; round++) {
        if (round === cancelAfter) request.cancel()
        await pause()
        this.isolate.block(roundMs)
        this.rounds.push(life)
      }
    })
    void hash.catch((error: unknown) => (life.refusal = error)).finally(() => (life.endedMs = this.isolate.elapsedMs))
    if (cancelAfter === 0) request.cancel()
    return life
  }

  /** How often the hashing request changed. */
  changes(): number {
    return this.rounds.filter((life, place) => place > 0 && life !== this.rounds[place - 1]).length
  }

  startedInOrder(): Life[] {
    return this.lives.filter(({ startedMs }) => startedMs !== undefined).toSorted((a, b) => a.startedMs! - b.startedMs!)
  }
}

/** What requests that arrive from now on wait for, in milliseconds. */
function recordWaits({ isolate }: Hashing): number[] {
  const waits: number[] = []
  const request = isolate.request.bind(isolate)
  isolate.request = () => {
    const { letOthersRun, ...rest } = request()
    return { ...rest, letOthersRun: (ms) => (waits.push(ms), letOthersRun(ms)) }
  }
  return waits
}

/** Requests of one test share the queue with those of the next one. */
async function forgetCancelled(): Promise<void> {
  const later = { now: () => new Date(8e15), letOthersRun: () => scheduler.wait(0) }
  await inTurn(later, async () => undefined)
}

afterEach(forgetCancelled)

describe('requests that hash at the same moment', () => {
  it('have their turn one after the other, in the order of arrival', async () => {
    for (let round = 0; round < 10; round++) {
      const hashing = new Hashing()
      for (let index = 0; index < 20; index++) hashing.arrive()
      await hashing.isolate.run()
      expect(hashing.rounds).toHaveLength(20 * rounds)
      expect(hashing.changes()).toBe(19)
      expect(hashing.startedInOrder()).toEqual(hashing.lives)
      const slowestMs = Math.max(...hashing.lives.map(({ endedMs }) => endedMs!))
      expect(slowestMs).toBeLessThan(1.05 * 20 * hashMs)
    }
  })

  it('let a request that hashes nothing run after two rounds at most', async () => {
    const hashing = new Hashing()
    for (let index = 0; index < 20; index++) hashing.arrive()
    const delays: number[] = []
    for (let at = 1; at < 20 * hashMs; at += 10) {
      hashing.isolate.at(at, () => delays.push(hashing.isolate.elapsedMs - at))
    }
    await hashing.isolate.run()
    expect(Math.max(...delays)).toBeLessThanOrEqual(2 * roundMs)
  })

  it('look rarely while many are before them', async () => {
    const hashing = new Hashing()
    const waits = recordWaits(hashing)
    for (let index = 0; index < 30; index++) hashing.arrive()
    await hashing.isolate.run()
    expect(waits.filter((ms) => ms > 0).length).toBeLessThan(30 * rounds * 5)
  })

  it('pause before every second round, since each pause takes a millisecond', async () => {
    const hashing = new Hashing()
    const waits = recordWaits(hashing)
    hashing.arrive()
    await hashing.isolate.run()
    expect(waits).toEqual(Array.from({ length: rounds / hashQueue.stepsAtATime }, () => 0))
  })

  it('have one place each, however often they look', async () => {
    const hashing = new Hashing()
    hashing.arrive({ length: 600 })
    for (let index = 1; index < hashQueue.maxPlaces - 1; index++) hashing.arrive()
    const last: Life[] = []
    hashing.isolate.at(500 * roundMs, () => last.push(hashing.arrive()))
    await hashing.isolate.run()
    expect(last[0]?.endedMs).toBeGreaterThan(500 * roundMs)
  })
})

describe('a request whose turn does not come', () => {
  it('is refused after five seconds, and leaves the queue', async () => {
    const hashing = new Hashing()
    hashing.arrive({ length: 1000 })
    const late = hashing.arrive()
    await hashing.isolate.run()
    expect(late.startedMs).toBeUndefined()
    expect(late.refusal).toBeInstanceOf(AppError)
    expect(late.refusal).toMatchObject({ code: 'service_unavailable', reason: 'hash_queue', retryAfterSeconds: 5 })
    const waitedMs = late.endedMs! - late.arrivedMs
    expect(waitedMs).toBeGreaterThanOrEqual(hashQueue.maxWaitMs)
    expect(waitedMs).toBeLessThan(hashQueue.maxWaitMs + hashQueue.maxLookMs + roundMs)
    const next = hashing.arrive()
    await hashing.isolate.run()
    expect(next.startedMs).toBe(next.arrivedMs)
  })

  it('is not refused while five seconds of work are before it', async () => {
    const hashing = new Hashing()
    for (let index = 0; index < 30; index++) hashing.arrive()
    await hashing.isolate.run()
    expect(hashing.lives.filter(({ refusal }) => refusal)).toEqual([])
  })
})

describe('a request that comes when there are a hundred', () => {
  const { maxPlaces } = hashQueue

  it('is refused at once, and does not slow those who wait', async () => {
    const hashing = new Hashing()
    for (let index = 0; index < 10 * maxPlaces; index++) hashing.arrive()
    const [early, late] = [hashing.lives.slice(0, maxPlaces), hashing.lives.slice(maxPlaces)]
    await hashing.isolate.run()
    for (const { endedMs, refusal } of late) {
      expect(endedMs).toBe(0)
      expect(refusal).toMatchObject({ code: 'service_unavailable', reason: 'hash_queue', retryAfterSeconds: 5 })
    }
    const served = hashing.startedInOrder()
    expect(served).toEqual(early.filter(({ startedMs }) => startedMs !== undefined))
    expect(served.length).toBeGreaterThan(0.9 * (hashQueue.maxWaitMs / hashMs))
    expect(served.length).toBeLessThan(maxPlaces)
  })

  it('has a place when they were cancelled', async () => {
    const hashing = new Hashing()
    for (let index = 0; index < maxPlaces; index++) hashing.arrive({ cancelAfter: 0 })
    await hashing.isolate.run()
    hashing.isolate.block(hashQueue.leaseMs)
    const next = hashing.arrive()
    await hashing.isolate.run()
    expect(next.startedMs).toBe(next.arrivedMs)
  })
})

describe('a request that was cancelled', () => {
  it.for([
    { when: 'while it waits', cancelAfter: 0 },
    { when: 'in its turn', cancelAfter: 5 },
  ])('is passed over after a second without a sign of life: $when', async ({ cancelAfter }) => {
    const hashing = new Hashing()
    const first = hashing.arrive()
    const cancelled = hashing.arrive({ cancelAfter })
    const next = hashing.arrive()
    await hashing.isolate.run()
    expect(cancelled.endedMs).toBeUndefined()
    expect(next.refusal).toBeUndefined()
    const lostMs = next.startedMs! - first.endedMs!
    expect(lostMs).toBeLessThan(hashQueue.leaseMs + hashQueue.maxLookMs + hashMs)
  })

  it('does not hold up who comes after its time', async () => {
    const hashing = new Hashing()
    hashing.arrive({ cancelAfter: 1 })
    await hashing.isolate.run()
    hashing.isolate.block(hashQueue.leaseMs)
    const next = hashing.arrive()
    await hashing.isolate.run()
    expect(next.startedMs).toBe(next.arrivedMs)
  })
})

it('an isolate that stands still for seconds takes nobody for cancelled in the end', async () => {
  const hashing = new Hashing()
  for (let index = 0; index < 10; index++) hashing.arrive()
  hashing.isolate.at(hashMs + 50, () => hashing.isolate.block(2 * hashQueue.leaseMs))
  await hashing.isolate.run()
  for (const { refusal, endedMs } of hashing.lives) {
    expect(refusal).toBeUndefined()
    expect(endedMs).toBeDefined()
  }
})

describe('a clock that is set', () => {
  it('back does not make anybody wait longer than five seconds from then on', async () => {
    const hashing = new Hashing()
    hashing.arrive({ length: 2000 })
    const late = hashing.arrive()
    hashing.isolate.at(50, () => void (hashing.isolate.skewMs -= 3_600_000))
    await hashing.isolate.run()
    expect(late.refusal).toMatchObject({ reason: 'hash_queue' })
    expect(late.endedMs).toBeLessThan(50 + hashQueue.maxWaitMs + hashQueue.maxLookMs)
  })

  it.for([{ skewMs: -3_600_000 }, { skewMs: -900 }, { skewMs: 900 }, { skewMs: 3_600_000 }])(
    'keeps nobody waiting, not even behind a cancelled request: $skewMs ms',
    async ({ skewMs }) => {
      const hashing = new Hashing()
      hashing.arrive({ cancelAfter: 3 })
      for (let index = 0; index < 5; index++) hashing.arrive()
      hashing.isolate.at(50, () => void (hashing.isolate.skewMs += skewMs))
      await hashing.isolate.run()
      const others = hashing.lives.slice(1)
      for (const { endedMs } of others) expect(endedMs).toBeLessThan(2 * hashQueue.maxWaitMs)
      // Set forward, it may end a wait early.
      if (skewMs < hashQueue.maxWaitMs) expect(others.filter(({ refusal }) => refusal)).toEqual([])
    },
  )
})

it('any requests, cancelled or not, end in time and in order, one at a time', async () => {
  const arrival = fc.record({
    at: fc.integer({ min: 0, max: 3000 }),
    cancelAfter: fc.oneof({ weight: 4, arbitrary: fc.constant(Infinity) }, fc.integer({ min: 0, max: rounds - 1 })),
    length: fc.integer({ min: 1, max: 48 }),
  })
  const property = fc.asyncProperty(
    fc.array(arrival, { minLength: 1, maxLength: 15 }),
    fc.option(fc.record({ at: fc.integer({ max: 3000, min: 0 }), skewMs: fc.integer({ max: -1, min: -1e7 }) })),
    async (arrivals, setBack) => {
      const hashing = new Hashing()
      const cancelled = new Set<Life>()
      for (const { at, ...options } of arrivals) {
        hashing.isolate.at(at, () => {
          const life = hashing.arrive(options)
          if (options.cancelAfter < options.length) cancelled.add(life)
        })
      }
      if (setBack) hashing.isolate.at(setBack.at, () => void (hashing.isolate.skewMs += setBack.skewMs))
      await hashing.isolate.run()
      const served = hashing.startedInOrder()
      expect(hashing.changes()).toBeLessThan(Math.max(1, served.length))
      expect(served.map(({ arrivedMs }) => arrivedMs)).toEqual(
        served.map(({ arrivedMs }) => arrivedMs).toSorted((a, b) => a - b),
      )
      for (const life of hashing.lives) {
        if (cancelled.has(life)) continue
        expect(life.endedMs).toBeDefined()
        const waitedMs = (life.startedMs ?? life.endedMs!) - life.arrivedMs
        expect(waitedMs).toBeLessThan((setBack ? 2 : 1) * hashQueue.maxWaitMs + hashQueue.maxLookMs + hashMs)
      }
      await forgetCancelled()
    },
  )
  await fc.assert(property, { numRuns: 40 })
})
