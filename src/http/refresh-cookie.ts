/**
 * The refresh token of a browser, in a cookie that no script can read. Only pages of our own origin get or use one: the
 * second defense against cross-site request forgery, after `SameSite` (OWASP ASVS 3.5.1).
 */
import type { Context } from 'hono'
import { AppError } from '../errors.ts'
import type { HttpEnv } from './env.ts'

/** Browsers accept a `__Host-` cookie only if it is `Secure`, has no domain and has the path `/` (RFC 6265bis §4.1.3.2). */
const name = '__Host-postern-refresh'
/** Not Hono's `getCookie`: it unquotes and percent-decodes, so that one token could be written in several ways. */
const pattern = new RegExp(`(?:^|;) *${name}=([^;]*)`)

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

/** The token in the cookie. Without a cookie it is empty, which is never a valid token. */
function readRefreshCookie(c: Context<HttpEnv>): string {
  return pattern.exec(c.req.header('Cookie') ?? '')?.[1] ?? ''
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
  return transport === 'cookie' ? readRefreshCookie(c) : token
}

/** The answer as the client asked for it: with the refresh token inside, or with the token in the cookie. */
export function handOver<Answer extends { refresh_token?: string; refresh_expires_in: number }>(
  c: Context<HttpEnv>,
  transport: Transport,
  answer: Answer,
) {
  if (transport !== 'cookie') return answer
  const { refresh_token: token, ...others } = answer
  setCookie(c, token, answer.refresh_expires_in)
  return others
}

/**
 * Deletes the cookie, and our answers and pages from the browser's cache. Not `"cookies"`, which would delete those of the
 * whole registrable domain, and not `"storage"`: the device token in it has to outlive the session.
 */
export function clearSite(c: Context<HttpEnv>): void {
  setCookie(c, '', 0)
  c.header('Clear-Site-Data', '"cache"')
}

/** Hono's `setCookie` writes these attributes in another order than the documented one. */
function setCookie(c: Context<HttpEnv>, value: string | undefined, maxAgeSeconds: number): void {
  c.header('Set-Cookie', `${name}=${value}; Max-Age=${maxAgeSeconds}; Path=/; Secure; HttpOnly; SameSite=Strict`)
}
