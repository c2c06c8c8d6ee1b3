/** What still depends on a key after it was replaced, and for how long. */
import { accessTokenSeconds, refreshTokenSeconds } from '../../src/config/policy.ts'
import { hourMs } from '../../src/durations.ts'
import { type SetName, type StoredKey, minuteOf } from './key-set.ts'

const neededSeconds: Record<Exclude<SetName, 'PASSWORD_PEPPER' | 'DATA_KEYS'>, number> = {
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
  DATA_KEYS: 'Second factors made under it stop working: their owners need a reset of their factors by an ADMIN.',
}

const archiveNote =
  'An archive of the audit trail needs it until its successor has sealed: for an hour after it was replaced. Without it, `npm run audit -- verify` cannot check the signatures from before.'

/**
 * Tells an operator whether a key is still needed.
 *
 * @param localState the state directory of the local database, for the keys of this machine
 */
export function describeRetirement(name: SetName, key: StoredKey, localState: string | undefined, now: Date): string[] {
  if (key.announced !== undefined) return ['It was announced only, and has signed or hashed nothing.']
  if (name === 'PASSWORD_PEPPER') {
    return [
      'It is needed until each of these counts is 0:',
      `  npx wrangler d1 execute DB ${localState === undefined ? '--remote' : `--local --persist-to ${localState}`} --command "${countHashesUnder(key.kid)}"`,
      loss[name],
    ]
  }
  if (name === 'DATA_KEYS') return [loss[name]]
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

/** When everything that a replaced key signed has expired. `undefined` for a pepper, a data key and for a key that was not replaced. */
export function neededUntil(name: SetName, { replaced }: StoredKey): number | undefined {
  if (name === 'PASSWORD_PEPPER' || name === 'DATA_KEYS' || replaced === undefined) return undefined
  return Date.parse(replaced) + neededSeconds[name] * 1000
}

/**
 * SQL that counts the passwords hashed with a pepper. At a fixed place a hash has the length of the pepper's id and the id,
 * see src/crypto/password.ts. An operator can put in another id by hand, and a shell expands nothing of it.
 */
export function countHashesUnder(pepperId: string): string {
  const length = `length('${pepperId}')`
  const isUnder = `substr(password_hash, 6, 1 + ${length}) = CAST(char(${length}) || '${pepperId}' AS BLOB)`
  return `SELECT (SELECT count(*) FROM users WHERE ${isUnder}) AS users, (SELECT count(*) FROM registrations WHERE ${isUnder}) AS registrations`
}

function durationOf(seconds: number): string {
  return seconds < 86_400 ? `${seconds / 60} minutes` : `${seconds / 86_400} days`
}
