/** Who is signed in, as far as this client knows, and the listeners for changes. */
import { openChannel } from './platform.ts'
import type { User } from './types.ts'

/**
 * Why it changed: a sign-in; a session found in the storage; new data of the user; a sign-out; or an end that nobody
 * here asked for, such as one from another device.
 */
export type ChangeReason = 'signed_in' | 'restored' | 'user_changed' | 'signed_out' | 'session_ended'

export interface Change {
  reason: ChangeReason
  /** Who is signed in now. */
  user: User | null
}

/**
 * @param channel the name under which other tabs hear changes, too; without it no other tab does
 * @param hear handles what another tab says
 */
export function keepListeners(channel: string | undefined, hear: (data: unknown) => Promise<void>) {
  const listeners = new Set<(change: Change) => void>()
  const tabs = channel === undefined ? undefined : openChannel(channel, (data) => void hear(data))
  let user: User | null = null

  function announce(reason: ChangeReason, next: User | null, isNews = true): void {
    user = next
    const change = { reason, user: next }
    if (isNews) tabs?.post(change)
    for (const listener of listeners) {
      try {
        listener(change)
      } catch (error) {
        // The app sees a listener's error as uncaught; the call that made the change must not fail for it.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  return {
    announce,
    /** Hands other tabs what the storage does not take, and names the refresh token that it replaces. */
    tell: (unsaved: string, replaced: string | undefined) => tabs?.post({ unsaved, replaced }),
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
