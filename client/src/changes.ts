/** Who is signed in, as far as this client knows, and who wants to know of it. */
import { openChannel } from './platform.ts'
import type { User } from './types.ts'

/**
 * What happened to who is signed in: a sign-in; a session found in the storage; other data of the user; a sign-out; or an
 * end that nobody here asked for, such as one from another device.
 */
export type ChangeReason = 'signed_in' | 'restored' | 'user_changed' | 'signed_out' | 'session_ended'

export interface Change {
  reason: ChangeReason
  /** Who is signed in now. */
  user: User | null
}

/**
 * @param channel what other tabs hear, too; nobody else without it
 * @param hear what to do when another tab says something
 */
export function keepListeners(channel: string | undefined, hear: (change: Change) => Promise<void>) {
  const listeners = new Set<(change: Change) => void>()
  const tabs = channel === undefined ? undefined : openChannel(channel)
  let user: User | null = null

  tabs?.addEventListener('message', ({ data }) => void hear(data as Change))

  function announce(reason: ChangeReason, next: User | null, isNews = true): void {
    user = next
    const change = { reason, user: next }
    // oxlint-disable-next-line require-post-message-target-origin -- a BroadcastChannel reaches its own origin and takes none
    if (isNews) tabs?.postMessage(change)
    for (const listener of listeners) {
      try {
        listener(change)
      } catch (error) {
        // A listener's mistake is the app's to see, and no reason for the call that made the change to fail.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  return {
    announce,
    user: () => user,
    onChange: (listener: (change: Change) => void) => {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    close: () => tabs?.close(),
  }
}

export function differ(one: User | null | undefined, other: User | null): boolean {
  return JSON.stringify(one) !== JSON.stringify(other)
}
