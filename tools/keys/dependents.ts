/** What still depends on a key after it was replaced, and for how long. */
import { accessTokenSeconds, refreshTokenSeconds } from '../../src/config/policy.ts'
import { hourMs } from '../../src/durations.ts'
import { type SetName, type StoredKey, minuteOf } from './key-set.ts'
import { type StoredSet, isStoredSet } from './uses.ts'

const neededSeconds: Record<Exclude<SetName, StoredSet>, number> = {
  SIGNING_KEYS: accessTokenSeconds,
  // Each refresh signs with the active key, so only sessions that idle up to their limit still need an old one.
  TOKEN_KEYS: refreshTokenSeconds,
}

const loss: Record<SetName, string> = {
  SIGNING_KEYS:
    'Access tokens that it signed are refused for the rest of their ten minutes: clients refresh, and nobody is signed out.',
  TOKEN_KEYS:
    'Refresh tokens, activation links and reset links that it signed become invalid: clients that have not refreshed since are signed out. Devices with its device token are no longer recognized.',
  PASSWORD_PEPPER:
    'Passwords hashed with it never match again: users who have not signed in since need a reset by email, and pending registrations cannot be activated.',
  DATA_KEYS:
    'Authenticator apps, passkeys and recovery codes made with it stop working: their owners sign in with another second factor, or an ADMIN resets them.',
}

const archiveNote =
  'An archive of the audit trail needs it until its successor has sealed: for an hour after it was replaced. Without it, `npm run audit -- verify` cannot check the signatures from before.'

/**
 * Tells an operator whether a key is still needed.
 *
 * @param uses what in the database was made with it, in words
 */
export function describeRetirement(name: SetName, key: StoredKey, uses: readonly string[], now: Date): string[] {
  if (key.announced !== undefined) return ['It was announced only, and nothing was made with it.']
  if (isStoredSet(name)) {
    if (uses.length === 0) return ['Nothing in the database was made with it.']
    return [`Made with it: ${uses.join(', ')}.`, loss[name]]
  }
  const needed = neededUntil(name, key)
  if (needed !== undefined && needed <= now.getTime()) {
    const isBeforeSeal = name === 'SIGNING_KEYS' && now.getTime() < needed + hourMs
    return ['Everything that it signed has expired.', ...(isBeforeSeal ? [archiveNote] : [])]
  }
  const until =
    needed === undefined
      ? `It is needed for ${durationOf(neededSeconds[name])} after it was replaced; the file does not say when that was.`
      : `It is needed until ${minuteOf(needed)}.`
  return [until, ...(name === 'SIGNING_KEYS' ? [archiveNote] : []), loss[name]]
}

/**
 * When everything that a replaced key signed has expired. `undefined` for keys that rows name, and one that was not
 * replaced.
 */
export function neededUntil(name: SetName, { replaced }: StoredKey): number | undefined {
  if (isStoredSet(name) || replaced === undefined) return undefined
  return Date.parse(replaced) + neededSeconds[name] * 1000
}

function durationOf(seconds: number): string {
  return seconds < 86_400 ? `${seconds / 60} minutes` : `${seconds / 86_400} days`
}
