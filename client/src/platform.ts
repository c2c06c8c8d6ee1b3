/** Features that browsers have and other runtimes may lack. Browsers also forbid each of them on its own: it throws then. */
import type { CredentialsContainer, PublicKeyCredentials } from './credential.ts'

/** Where a client keeps what must outlive the page: `localStorage` or anything like it, synchronous or not. */
export interface ClientStorage {
  getItem: (key: string) => string | null | Promise<string | null>
  setItem: (key: string, value: string) => void | Promise<void>
  removeItem: (key: string) => void | Promise<void>
}

interface BroadcastChannel {
  addEventListener: (type: 'message', listener: (message: { data: unknown }) => void) => void
  postMessage: (data: unknown) => void
  close: () => void
  /** Node: an open channel must not keep the process alive. */
  unref?: () => void
}

export interface Locks {
  request: <T>(name: string, options: object, work: (lock: unknown) => Promise<T>) => Promise<T>
}

type OnPageShow = (event: { persisted: boolean }) => void

interface Platform {
  document?: unknown
  location?: { origin: string }
  localStorage?: ClientStorage | null
  navigator?: { locks?: Locks; userAgent?: string; credentials?: CredentialsContainer }
  PublicKeyCredential?: PublicKeyCredentials
  performance?: { now: () => number }
  crypto?: {
    subtle?: { digest: (algorithm: 'SHA-256', data: Uint8Array) => Promise<ArrayBuffer> }
    randomUUID?: () => string
  }
  BroadcastChannel?: new (name: string) => BroadcastChannel
  addEventListener?: (type: 'pageshow', listener: OnPageShow) => void
  removeEventListener?: (type: 'pageshow', listener: OnPageShow) => void
}

export const platform = globalThis as unknown as Platform

export const isBrowser = platform.document !== undefined

/** What a call returns, or `undefined` where it throws. */
export function tryTo<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}

/** `localStorage` in a browser that permits it; elsewhere the memory, which ends with the page or process. */
export function defaultStorage(): ClientStorage {
  const permitted = isBrowser && tryTo(() => platform.localStorage)
  if (permitted) return permitted
  const items = new Map<string, string>()
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  }
}

export interface Channel {
  post: (data: unknown) => void
  close: () => void
}

/** All tabs of this origin that open the same name hear each other, where the browser permits it. */
export function openChannel(name: string, hear: (data: unknown) => void): Channel {
  const channel = tryTo(() => {
    const opened = platform.BroadcastChannel && new platform.BroadcastChannel(name)
    opened?.addEventListener('message', ({ data }) => hear(data))
    opened?.unref?.()
    return opened
  })
  return {
    // oxlint-disable-next-line require-post-message-target-origin -- a BroadcastChannel reaches its own origin and takes none
    post: (data) => tryTo(() => channel?.postMessage(data)),
    close: () => tryTo(() => channel?.close()),
  }
}

/** Calls when the back button restores this page from memory: it has missed what happened meanwhile. Returns the end. */
export function onReturn(listener: () => void): () => void {
  const onPageShow: OnPageShow = ({ persisted }) => persisted && listener()
  if (isBrowser) platform.addEventListener?.('pageshow', onPageShow)
  return () => platform.removeEventListener?.('pageshow', onPageShow)
}

/** Browsers show one tab's writes to another with a delay. */
export function untilStored(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

/** Milliseconds by a clock that nobody sets. It may stand still while the machine sleeps. */
export function uptimeMs(): number {
  return platform.performance?.now() ?? 0
}

/** SHA-256, one character per byte; `undefined` on a page without TLS, where browsers do not offer it. */
export async function sha256(text: string): Promise<string | undefined> {
  try {
    const digest = await platform.crypto?.subtle?.digest('SHA-256', new TextEncoder().encode(text))
    return digest && String.fromCharCode(...new Uint8Array(digest))
  } catch {
    return undefined
  }
}
