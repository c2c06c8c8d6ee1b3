/**
 * Every navigation of the pages: nothing else in web/ sets an address (test/e2e/navigation.test.ts). All of them ask
 * `findDestination`, and lead to the account where it says no.
 */
import { findDestination } from '../src/return-to.ts'
import { returnOrigins } from './settings.ts'

export const home = '/account'
/** Where an account gets the second factor that it must have. */
export const enrolment = `${home}?view=security`

/** The address to go to for `asked`: a path of ours, or a URL that may be returned to. */
export function hrefTo(asked: string): string {
  return findDestination(asked, location.origin, returnOrigins) ?? hrefTo(home)
}

/**
 * Leaves the page, and its place in the history: the back button does not return to it.
 *
 * @returns a promise that stays pending, so that a form that awaits it is not sent again while the next page loads
 */
export function leaveFor(asked: string): Promise<never> {
  location.replace(hrefTo(asked))
  return new Promise(() => {})
}

/** Leads an account that must have a second factor, and has none, to where it gets one. That page says why. */
export function leadToEnrolment(): void {
  if (location.pathname !== home) void leaveFor(enrolment)
}

export function loadAgain(): void {
  location.reload()
}

/**
 * Shows another address of this page without loading it.
 *
 * @param move `state` is kept with the entry of the history
 */
export function showAddress(asked: string, { isReplacing, state = null }: Move): void {
  history[isReplacing ? 'replaceState' : 'pushState'](state, '', hrefTo(asked))
}

/** What was kept with the present entry of the history. */
export function keptWithAddress(): unknown {
  return history.state
}

/** Saves a file on the device of the visitor. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

interface Move {
  isReplacing: boolean
  state?: unknown
}
