/** What hangs on a key after another one took over, and for how long. */
import { accessTokenSeconds, refreshTokenSeconds } from '../../src/config/policy.ts'
import { type SetName, type StoredKey, minuteOf } from './key-set.ts'

const neededSeconds: Record<Exclude<SetName, 'PASSWORD_PEPPER'>, number> = {
  SIGNING_KEYS: accessTokenSeconds,
  // Each refresh makes its successor with the first key: only who stays away as long as a session may idle needs it.
  TOKEN_KEYS: refreshTokenSeconds,
}

const loss: Record<SetName, string> = {
  SIGNING_KEYS:
    'Access tokens that it signed are refused, for the ten minutes they live: clients refresh, and nobody is signed out.',
  TOKEN_KEYS:
    'Refresh tokens, activation links and reset links that it made are dead: who did not refresh since is signed out. A device token that it made names a stranger.',
  PASSWORD_PEPPER:
    'No password hashed under it is ever right again: who did not sign in since needs a reset by mail, and a registration under it cannot be activated.',
}

/**
 * Whether a key may go, in words for who is about to retire it.
 *
 * @param localState where the local database is, when the keys are those of this machine
 */
export function describeRetirement(name: SetName, key: StoredKey, localState: string | undefined, now: Date): string[] {
  if (key.announced !== undefined) return ['It was announced and has made nothing.']
  if (name === 'PASSWORD_PEPPER') {
    return [
      'It is needed until each of these counts is 0:',
      `  npx wrangler d1 execute DB ${localState === undefined ? '--remote' : `--local --persist-to ${localState}`} --command "${countHashesUnder(key.kid)}"`,
      loss[name],
    ]
  }
  const needed = neededUntil(name, key)
  if (needed !== undefined && needed <= now.getTime()) return ['Nothing that it made is good any more.']
  const until =
    needed === undefined
      ? `It is needed for ${durationOf(neededSeconds[name])} after another key took over; when that was is not noted.`
      : `It is needed until ${minuteOf(needed)}.`
  return [until, loss[name]]
}

/** The end of what a replaced key made; `undefined` for one that was never replaced, and for a pepper. */
export function neededUntil(name: SetName, { replaced }: StoredKey): number | undefined {
  if (name === 'PASSWORD_PEPPER' || replaced === undefined) return undefined
  return Date.parse(replaced) + neededSeconds[name] * 1000
}

/**
 * How many passwords still hang on a pepper. Without `$`, which a shell would take for itself, and without `LIKE`, to
 * which the `_` of an id is any character.
 */
export function countHashesUnder(pepperId: string): string {
  const isUnder = `instr(password_hash, ',p=${pepperId}' || char(36)) > 0`
  return `SELECT (SELECT count(*) FROM users WHERE ${isUnder}) AS users, (SELECT count(*) FROM registrations WHERE ${isUnder}) AS registrations`
}

function durationOf(seconds: number): string {
  return seconds < 86_400 ? `${seconds / 60} minutes` : `${seconds / 86_400} days`
}
