/** Where to go after signing in: `?return_to=`, as far as `findDestination` permits it. */
import { findDestination, returnToMaxLength } from '../src/return-to.ts'
import { home } from './navigation.ts'
import { returnOrigins } from './settings.ts'

const pagesToSignIn = ['/sign-in', '/sign-up', '/activate', '/forgot-password', '/reset-password']

/** What `?return_to=` asks for; `undefined` when it is missing, or when nobody may be led there. */
function askedDestination(): string | undefined {
  const asked = new URLSearchParams(location.search).get('return_to')
  return asked === null ? undefined : findDestination(asked, location.origin, returnOrigins)
}

export function returnTarget(): string {
  const asked = askedDestination()
  return asked === undefined || leadsToSigningIn(new URL(asked)) ? home : asked
}

/** For a link in an email, which the service refuses to make longer. */
export function returnToByMail(): { return_to?: string } {
  const asked = askedDestination()
  return asked === undefined || asked.length > returnToMaxLength ? {} : { return_to: asked }
}

/** Carries `?return_to=` over to another page. */
export function withReturn(path: string): string {
  return withReturnTo(path, askedDestination())
}

export function withReturnTo(path: string, asked: string | undefined): string {
  return asked === undefined ? path : `${path}?${new URLSearchParams({ return_to: asked })}`
}

/** Returning to one of these pages would be a loop. */
function leadsToSigningIn({ origin, pathname }: URL): boolean {
  return origin === location.origin && pagesToSignIn.includes(pathname)
}
