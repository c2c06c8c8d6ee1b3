/** What a browser may do instead of what was asked: storages, locks and channels that fail, each on its own. */
import { vi } from 'vitest'
import type { ClientStorage } from '../../client/src/platform.ts'

type Operation = keyof ClientStorage

/** How one call of the storage fails. `nothing` reports a success that never happened. */
type Failure = 'throws' | 'rejects' | 'does nothing'

export interface Fault {
  operation: Operation
  /** The first call of that operation that fails, and how many in a row. */
  from: number
  count: number
  failure: Failure
}

const refusal = () => new DOMException('The quota has been exceeded.', 'QuotaExceededError')

/** A storage that fails as the faults say, counted from the time when it is made. */
export function faulty(storage: ClientStorage, faults: readonly Fault[]): ClientStorage {
  const calls: Record<Operation, number> = { getItem: 0, setItem: 0, removeItem: 0 }
  const run = <T>(operation: Operation, work: () => T): T => {
    const call = calls[operation]++
    const fault = faults.find((one) => one.operation === operation && call >= one.from && call < one.from + one.count)
    if (!fault) return work()
    if (fault.failure === 'throws') throw refusal()
    return (fault.failure === 'rejects' ? Promise.reject(refusal()) : null) as T
  }
  return {
    getItem: (key) => run('getItem', () => storage.getItem(key)),
    setItem: (key, value) => run('setItem', () => storage.setItem(key, value)),
    removeItem: (key) => run('removeItem', () => storage.removeItem(key)),
  }
}

/** Channels that reach each other within this process. */
export class Channel {
  static readonly open = new Set<Channel>()
  readonly #listeners: ((message: { data: unknown }) => void)[] = []
  #isClosed = false
  readonly name: string

  constructor(name: string) {
    this.name = name
    Channel.open.add(this)
  }

  addEventListener(_: 'message', listener: (message: { data: unknown }) => void): void {
    this.#listeners.push(listener)
  }

  postMessage(data: unknown): void {
    if (this.#isClosed) throw new DOMException('The channel is closed.', 'InvalidStateError')
    for (const other of Channel.open) {
      if (other === this || other.name !== this.name) continue
      queueMicrotask(() => other.#listeners.forEach((listen) => listen({ data: structuredClone(data) })))
    }
  }

  close(): void {
    this.#isClosed = true
    Channel.open.delete(this)
  }
}

type Work = (lock: unknown) => Promise<unknown>

/** Web Locks within this process. */
export class Locks {
  readonly #queues = new Map<string, Promise<unknown>>()

  request(name: string, options: { ifAvailable?: boolean }, work: Work): Promise<unknown> {
    const before = this.#queues.get(name)
    if (before && options.ifAvailable) return work(null)
    const turn = (before ?? Promise.resolve()).then(() => work({ name }))
    const after: Promise<unknown> = turn
      .catch(() => undefined)
      .then(() => this.#queues.get(name) === after && this.#queues.delete(name))
    this.#queues.set(name, after)
    return turn
  }
}

/** What tabs have: channels and locks, or others that a test brings. */
export function giveTabs({
  channel = Channel,
  locks = new Locks(),
}: { channel?: unknown; locks?: unknown } = {}): void {
  vi.stubGlobal('BroadcastChannel', channel)
  vi.stubGlobal('navigator', { locks })
}

/** Ends every limit of time when `runOut` is called, and no earlier. */
export function holdTimeouts() {
  const limits: AbortController[] = []
  const asked: number[] = []
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    asked.push(ms)
    const limit = new AbortController()
    limits.push(limit)
    return limit.signal
  })
  return {
    asked,
    runOut() {
      for (const limit of limits.splice(0)) limit.abort(new DOMException('It took too long.', 'TimeoutError'))
    },
  }
}
