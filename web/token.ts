/**
 * Reads the token of an email link from the fragment, which browsers never send to a server. Removes it from the address
 * bar and the history, where the next user of this browser could find it.
 */
export function takeToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  history.replaceState(null, '', location.pathname + location.search)
  // Opening another link in this tab changes only the fragment, for which browsers do not load a page again.
  addEventListener('hashchange', () => location.reload())
  return token || null
}
