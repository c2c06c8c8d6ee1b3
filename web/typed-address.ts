/**
 * The address that somebody has typed on one page, for another page that needs it. It travels in the fragment, which
 * browsers never send to a server, and leaves the address bar at once.
 */
import { showAddress } from './navigation.ts'

export function withTypedAddress(path: string, email: string): string {
  return email.trim() === '' ? path : `${path}#${new URLSearchParams({ email: email.trim() })}`
}

export function takeTypedAddress(): string {
  const email = new URLSearchParams(location.hash.slice(1)).get('email')
  if (email === null) return ''
  const url = new URL(location.href)
  url.hash = ''
  showAddress(url.href, { isReplacing: true })
  return email
}
