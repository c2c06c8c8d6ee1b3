/**
 * Takes the secret of a mail link out of the fragment, which no server is ever sent, and out of the address bar and the
 * history, where the next user of this browser would find it.
 */
export function takeToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  history.replaceState(null, '', location.pathname + location.search)
  // Another link pasted into this very tab changes the fragment only, and the browser would stay on the old page.
  addEventListener('hashchange', () => location.reload())
  return token || null
}
