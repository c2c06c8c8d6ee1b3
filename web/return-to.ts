/**
 * Where to go after signing in: `?return_to=`, when it is a path of this origin or on an origin of the allow-list, and
 * only then (open redirects, OWASP ASVS 3.7.2). Compared as the browser reads it, so no spelling gets around it.
 */
import { returnOrigins } from './settings.ts'

const home = '/account'

export function returnTarget(search: string = location.search): string {
  const asked = new URLSearchParams(search).get('return_to')
  const url = asked === null ? null : URL.parse(asked, location.origin)
  if (!url || !['https:', 'http:'].includes(url.protocol) || url.username || url.password) return home
  if (url.origin === location.origin) return isPage(url) ? `${url.pathname}${url.search}${url.hash}` : home
  return returnOrigins.includes(url.origin) ? url.href : home
}

/** The address of a page that leads on to where this one would have. */
export function withReturn(path: string): string {
  const asked = new URLSearchParams(location.search).get('return_to')
  return asked === null ? path : `${path}?return_to=${encodeURIComponent(asked)}`
}

/** Signing in leads to no page that is there to sign in, which would lead back here. */
function isPage({ pathname }: URL): boolean {
  return !['/sign-in', '/sign-up', '/activate', '/forgot-password', '/reset-password'].includes(pathname)
}
