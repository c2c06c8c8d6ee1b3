/**
 * Where to go after signing in: `?return_to=`, but only to a path of this origin or to an origin on the allow-list (open
 * redirects, OWASP ASVS 3.7.2). The browser's own URL parser reads it, so no spelling gets past the comparison.
 */
import { returnOrigins } from './settings.ts'

const home = '/account'

export function returnTarget(search: string = location.search): string {
  const asked = new URLSearchParams(search).get('return_to')
  const url = asked === null ? null : URL.parse(asked, location.origin)
  if (!url || !['https:', 'http:'].includes(url.protocol) || url.username || url.password) return home
  if (url.origin === location.origin) return isDestination(url) ? `${url.pathname}${url.search}${url.hash}` : home
  return returnOrigins.includes(url.origin) ? url.href : home
}

/** Carries `?return_to=` over to another page. */
export function withReturn(path: string): string {
  const asked = new URLSearchParams(location.search).get('return_to')
  return asked === null ? path : `${path}?return_to=${encodeURIComponent(asked)}`
}

/** Excludes the pages that lead to signing in: returning to one of them would be a loop. */
function isDestination({ pathname }: URL): boolean {
  return !['/sign-in', '/sign-up', '/activate', '/forgot-password', '/reset-password'].includes(pathname)
}
