/** What the client holds of a session, and how long its access token lasts. */
import { decode, isToken } from './devices.ts'
import { tryTo, uptimeMs } from './platform.ts'
import { unexpectedAnswer } from './problem.ts'
import type { TokenAnswer, User } from './types.ts'

export interface Held {
  /** A random name of the sign-in. In the cookie transport nothing else is stored. */
  id: string
  accessToken?: string
  /** When the access token was asked for, and when it expires. In milliseconds, by the clock of this machine. */
  since?: number
  expiresAt?: number
  refreshToken?: string | undefined
  user?: User
}

export const newId = () => String(Math.random())
/** What the cookie transport stores after a sign-out, so that the next page need not ask. */
export const nobody = '{}'
/** The cookie transport without anything stored: browsers may remove it earlier than the cookie. */
export const unknown: Held = { id: '' }

/** A token this close to its expiry is renewed first, because the request takes time, too. */
const leewayMs = 10_000

/**
 * Tells whether access tokens last. Clocks are set and machines sleep: a token is fresh only if the clock agrees, has not
 * been set back since, and this page has not had the token for longer than it lives.
 */
export function keepTime(now: () => number) {
  let seen = { token: '', untilMs: 0 }
  return function isFresh({ accessToken, since = -Infinity, expiresAt = 0 }: Held): boolean {
    if (accessToken === undefined) return false
    const leftMs = expiresAt - now()
    if (seen.token !== accessToken) seen = { token: accessToken, untilMs: uptimeMs() + leftMs }
    return now() >= since - leewayMs && leftMs > leewayMs && seen.untilMs - uptimeMs() > leewayMs
  }
}

/**
 * Checks what is about to replace the tokens: a proxy or another server may answer 200 with JSON of its own.
 *
 * @param since when the tokens were asked for, because the answer may have taken long
 * @throws {PosternError} `unexpected_answer`
 */
export function heldFrom(
  answer: unknown,
  { id, since, isCookie }: { id: string; since: number; isCookie: boolean },
): Held {
  const { refresh_token, user } = (answer ?? {}) as Partial<TokenAnswer>
  if (!isUser(user) || !(isCookie || isToken(refresh_token))) throw unexpectedAnswer(noTokens)
  return { id, ...accessFrom(answer, since), refreshToken: refresh_token, user }
}

const noTokens = 'The answer has no tokens.'

/**
 * The access token of an answer.
 *
 * @throws {PosternError} `unexpected_answer`
 */
export function accessFrom(answer: unknown, since: number): Pick<Held, 'accessToken' | 'since' | 'expiresAt'> {
  const { access_token, expires_in = 0 } = (answer ?? {}) as Partial<TokenAnswer>
  if (!isToken(access_token) || !(expires_in > 0)) throw unexpectedAnswer(noTokens)
  const lifeMs = Math.min(expires_in, lifeOf(access_token)) * 1000
  return { accessToken: access_token, since, expiresAt: since + lifeMs }
}

/** What the storage says; `undefined` for anything that is no session. */
export function parseHeld(text: string | null): Held | undefined {
  const held = tryTo(() => JSON.parse(text!) as Held | null)
  if (typeof held?.id !== 'string' || !held.id) return undefined
  const { user, accessToken, refreshToken, ...more } = held
  return {
    ...more,
    ...(isUser(user) && { user }),
    ...(isToken(accessToken) && { accessToken }),
    ...(isToken(refreshToken) && { refreshToken }),
  }
}

export function isUser(user: unknown): user is User {
  const { id, email } = (user ?? {}) as Partial<User>
  return typeof id === 'string' && typeof email === 'string'
}

/** The seconds from `iat` to `exp`, whose difference needs no common clock. */
function lifeOf(accessToken: string): number {
  const claims = tryTo(() => JSON.parse(decode(accessToken.split('.')[1]!)) as { iat: number; exp: number })
  return (claims && claims.exp - claims.iat) || Infinity
}
