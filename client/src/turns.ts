import { type Locks, platform, tryTo, untilStored } from './platform.ts'

/** A tab that holds a lock for longer than a refresh may take is stopped, by a debugger for instance. */
const patienceMs = 30_000

const queues = new WeakMap<object, Promise<unknown>>()

/**
 * Lets one caller at a time work on a storage: across tabs by a Web Lock. Without locks, or without a `name` that tabs
 * share, only across the clients of this page.
 */
export function takeTurns(storage: object, name: string | undefined) {
  return function takeTurn<T>(work: () => Promise<T>): Promise<T> {
    const locks = name === undefined ? undefined : tryTo(() => platform.navigator?.locks)
    const turn = (queues.get(storage) ?? Promise.resolve()).then(() => (locks ? withLock(locks, name!, work) : work()))
    queues.set(
      storage,
      turn.catch(() => undefined),
    )
    return turn
  }
}

/**
 * Works in any case, once: without the lock when the browser refuses it, takes it away, or another tab never returns it.
 * After waiting for it, also waits until the previous tab's writes are visible.
 */
function withLock<T>(locks: Locks, name: string, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve) => {
    let isStarted = false
    const start = async () => {
      if (isStarted) return
      isStarted = true
      clearTimeout(timer)
      const result = work()
      resolve(result)
      // The lock is held until the work is done, whatever comes of it.
      await result.catch(() => undefined)
    }
    const timer = setTimeout(() => void start(), patienceMs)
    const request = async () => {
      await locks.request(name, { ifAvailable: true }, async (lock) => lock && start())
      if (!isStarted) await locks.request(name, {}, () => untilStored().then(start))
    }
    request().catch(start)
  })
}
