/**
 * The refresh token and the trust token of a browser, in cookies that no script can read. Only pages of our own origin
 * get or use one: the second defense against cross-site request forgery, after `SameSite` (OWASP ASVS 3.5.1).
 */
import type { Context } from 'hono'
import { trustTokenSeconds } from '../config/policy.ts'
import { AppError } from '../errors.ts'
import type { HttpEnv } from './env.ts'

/**
 * Browsers accept a `__Host-` cookie only if it is `Secure`, has no domain and has the path `/` (RFC 6265bis §4.1.3.2).
 */
const refresh = '__Host-postern-refresh'
const trust = '__Host-postern-trust'

/** Where a client keeps its refresh token: in its own storage, or in the cookie. */
export type Transport = 'bearer' | 'cookie' | undefined

/**
 * Refuses the cookie to any other origin. Browsers send `Origin` with every POST.
 *
 * @throws {AppError} `origin_not_allowed`
 */
export function assertOwnPage(c: Context<HttpEnv>, transport: Transport): void {
  if (transport !== 'cookie') return
  const origin = c.req.header('Origin')
  if (origin === undefined || !c.get('ctx').config.ownOrigins.includes(origin)) throw new AppError('origin_not_allowed')
}

/**
 * The token in a cookie. Without one it is empty, which is never a valid token. Not Hono's `getCookie`: it unquotes and
 * percent-decodes, so that one token could be written in several ways.
 */
function readCookie(c: Context<HttpEnv>, name: string): string {
  return new RegExp(`(?:^|;) *${name}=([^;]*)`).exec(c.req.header('Cookie') ?? '')?.[1] ?? ''
}

/** The members of a body that say which refresh token is presented. */
export interface Presentation {
  refresh_token?: string | undefined
  transport?: Transport
}

/**
 * The refresh token that a body presents: the one in the cookie, or the one in the body. The other place is ignored.
 *
 * @throws {AppError} `origin_not_allowed`
 */
export function presentedToken(c: Context<HttpEnv>, { refresh_token: token, transport }: Presentation) {
  assertOwnPage(c, transport)
  return transport === 'cookie' ? readCookie(c, refresh) : token
}

/** The trust token, from the same place as the refresh token. The caller has called `assertOwnPage`. */
export function presentedTrust(
  c: Context<HttpEnv>,
  { trust_token: token, transport }: { trust_token?: string | undefined; transport?: Transport },
) {
  return transport === 'cookie' ? readCookie(c, trust) : token
}

/** The answer as the client asked for it: with refresh and trust token inside, or with these in cookies. */
export function handOver<Answer extends { refresh_token?: string; refresh_expires_in: number; trust_token?: string }>(
  c: Pick<Context, 'header'>,
  transport: Transport,
  answer: Answer,
) {
  if (transport !== 'cookie') return answer
  const { refresh_token: token, trust_token: trusted, ...others } = answer
  setCookie(c, refresh, token, answer.refresh_expires_in)
  // It outlives the sessions of the device, and no sign-out deletes it.
  if (trusted !== undefined) setCookie(c, trust, trusted, trustTokenSeconds)
  return others
}

/**
 * Deletes the cookie, and our answers and pages from the browser's cache. Not `"cookies"`, which would delete those of
 * the whole registrable domain, and not `"storage"`: the device token in it has to outlive the session.
 */
export function clearSite(c: Pick<Context, 'header'>): void {
  setCookie(c, refresh, '', 0)
  c.header('Clear-Site-Data', '"cache"')
}

/** Hono's `setCookie` writes these attributes in another order than the documented one. */
function setCookie(c: Pick<Context, 'header'>, name: string, value: string | undefined, maxAgeSeconds: number): void {
  const cookie = `${name}=${value}; Max-Age=${maxAgeSeconds}; Path=/; Secure; HttpOnly; SameSite=Strict`
  c.header('Set-Cookie', cookie, { append: true })
}
