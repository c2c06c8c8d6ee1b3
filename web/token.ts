/**
 * Reads the token of an email link from the fragment, which browsers never send to a server. Removes it from the address
 * bar and the history, where the next user of this browser could find it. Where the link leads at the end is inside the
 * token, and stays in the address as `?return_to=`.
 */
import { loadAgain, showAddress } from './navigation.ts'

export function takeToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  const url = new URL(location.href)
  url.hash = ''
  const returnTo = token === null ? undefined : returnToOf(token)
  if (returnTo !== undefined) url.searchParams.set('return_to', returnTo)
  showAddress(url.href, { isReplacing: true })
  // Opening another link in this tab changes only the fragment, for which browsers do not load a page again.
  addEventListener('hashchange', loadAgain)
  return token || null
}

/** The claim, not verified: what it asks for is checked like everything in `?return_to=`. */
function returnToOf(token: string): string | undefined {
  try {
    const [, payload = ''] = token.split('.')
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    const { return_to: returnTo } = Object(claims) as { return_to?: unknown }
    return typeof returnTo === 'string' ? returnTo : undefined
  } catch {
    return undefined
  }
}
