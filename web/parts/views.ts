/**
 * Keeps everything that is shown true. After each act, successful or refused, every view of this tab and of the others is
 * fetched again: an act has more consequences than its own view shows, such as an event or an ended session.
 */

/** A tab that was hidden for longer than this may show something old. */
const maxAgeMs = 5_000

const views = new Set<() => void>()
const channel = openChannel()

/** @returns a function that takes the view away again */
export function addView(refetch: () => void): () => void {
  views.add(refetch)
  return () => void views.delete(refetch)
}

export function refreshViews(): void {
  refetchAll()
  // oxlint-disable-next-line require-post-message-target-origin -- a BroadcastChannel reaches its own origin and takes none
  channel?.postMessage('acted')
}

/** Without storage there may be no channel. Then the other tabs are refreshed when they are shown. */
function openChannel(): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel('postern:acts')
  } catch {
    return undefined
  }
}

function refetchAll(): void {
  for (const refetch of views) refetch()
}

channel?.addEventListener('message', refetchAll)

let hiddenAt = 0
document.addEventListener('visibilitychange', () => {
  if (document.hidden) hiddenAt = Date.now()
  else if (Date.now() - hiddenAt > maxAgeMs) refetchAll()
})
