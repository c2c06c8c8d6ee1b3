/** Numbers and lifetimes in words, for the texts. They are computed from the policy, so that no text contradicts it. */
import { attemptWaitsMs, freshSeconds } from '../../src/config/policy.ts'

const words = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']

/** A word up to ten, and for a hundred; digits for the others. */
export function inWords(count: number): string {
  return count === 100 ? 'a hundred' : (words[count] ?? count.toLocaleString('en'))
}

export function inSeconds(ms: number): string {
  const count = ms / 1000
  return `${count} second${count === 1 ? '' : 's'}`
}

export function inMinutes(ms: number): string {
  return `${inWords(ms / 60_000)} minutes`
}

export function inHours(ms: number): string {
  const count = ms / 3_600_000
  return count === 1 ? 'an hour' : `${count} hours`
}

export function inDays(ms: number): string {
  return `${ms / 86_400_000} days`
}

/** How long sign-ins at the same moment wait for each other. */
export const longestWait = inSeconds(attemptWaitsMs.reduce((sum, waitMs) => sum + waitMs, 0))

const stepUpLife = inMinutes(freshSeconds * 1000)
export const fresh = `The session has to have stepped up within ${stepUpLife}.`
export const freshAdmin = `An ADMIN with a second factor has to have stepped up within ${stepUpLife}.`
export const freshOwner = `An account with a second factor, or without a password, has to have stepped up within ${stepUpLife}.`
