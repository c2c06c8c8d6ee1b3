/** Features that browsers have and other runtimes may lack. */

/** Where a client keeps what must outlive the page: `localStorage` or anything like it, synchronous or not. */
export interface ClientStorage {
  getItem: (key: string) => string | null | Promise<string | null>
  setItem: (key: string, value: string) => void | Promise<void>
  removeItem: (key: string) => void | Promise<void>
}

interface Channel {
  addEventListener: (type: 'message', listener: (message: { data: unknown }) => void) => void
  postMessage: (data: unknown) => void
  close: () => void
  /** Node: an open channel must not keep the process alive. */
  unref?: () => void
}

interface Locks {
  request: <T>(name: string, options: object, work: (lock: unknown) => Promise<T>) => Promise<T>
}

interface Platform {
  document?: unknown
  localStorage?: ClientStorage
  navigator?: { locks?: Locks }
  crypto?: { subtle?: { digest: (algorithm: 'SHA-256', data: Uint8Array) => Promise<ArrayBuffer> } }
  BroadcastChannel?: new (name: string) => Channel
  addEventListener?: (type: 'pageshow', listener: (event: { persisted: boolean }) => void) => void
}

const platform = globalThis as unknown as Platform

export const isBrowser = platform.document !== undefined

/** `localStorage` in a browser that permits it; elsewhere the memory, which ends with the page or process. */
export function defaultStorage(): ClientStorage {
  try {
    if (isBrowser && platform.localStorage) return platform.localStorage
  } catch {
    // The browser forbids this site to store anything.
  }
  const items = new Map<string, string>()
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  }
}

/** All tabs of this origin that open the same name hear each other. */
export function openChannel(name: string): Channel | undefined {
  const channel = platform.BroadcastChannel && new platform.BroadcastChannel(name)
  channel?.unref?.()
  return channel
}

/** Calls when the back button restores this page from memory: it has missed what happened meanwhile. */
export function onReturn(listener: () => void): void {
  if (isBrowser) platform.addEventListener?.('pageshow', ({ persisted }) => persisted && listener())
}

/** Browsers show one tab's writes to another with a delay. */
export function untilStored(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

/** SHA-256, one character per byte; `undefined` on a page without TLS, where browsers do not offer it. */
export async function sha256(text: string): Promise<string | undefined> {
  const digest = await platform.crypto?.subtle?.digest('SHA-256', new TextEncoder().encode(text))
  return digest && String.fromCharCode(...new Uint8Array(digest))
}

const queues = new WeakMap<object, Promise<unknown>>()

/**
 * Lets one caller at a time work on a storage: across tabs by a Web Lock. Without locks, or without a `name` that tabs
 * share, only across the clients of this page.
 */
export function takeTurns(storage: ClientStorage, name: string | undefined) {
  const locks = name === undefined ? undefined : platform.navigator?.locks
  return function takeTurn<T>(work: () => Promise<T>): Promise<T> {
    if (locks) return takeLock(locks, name!, work)
    const turn = (queues.get(storage) ?? Promise.resolve()).then(work)
    queues.set(
      storage,
      turn.catch(() => undefined),
    )
    return turn
  }
}

/** After waiting for the lock, waits until the previous tab's writes are visible, too. */
async function takeLock<T>(locks: Locks, name: string, work: () => Promise<T>): Promise<T> {
  const atOnce = await locks.request(name, { ifAvailable: true }, async (lock) =>
    lock ? { result: await work() } : undefined,
  )
  return atOnce ? atOnce.result : locks.request(name, {}, () => untilStored().then(work))
}
