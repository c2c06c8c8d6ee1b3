/**
 * The refresh token of a page in a browser: in a cookie, where no script can read it. Only a page of our own origin gets one
 * or may use one, which closes cross-site request forgery a second time, after `SameSite` (OWASP ASVS 3.5.1).
 */
import type { Context } from 'hono'
import { AppError } from '../errors.ts'
import type { HttpEnv } from './env.ts'

/** Browsers keep a `__Host-` cookie only when it is `Secure`, for this very host and for every path (RFC 6265bis §4.1.3.2). */
const name = '__Host-postern-refresh'
const pattern = new RegExp(`(?:^|;) *${name}=([^;]*)`)

/** How a client keeps its refresh token: by itself, or in the cookie. */
export type Transport = 'bearer' | 'cookie' | undefined

/**
 * Goes on when no cookie is asked for, or when a page of our own asks. A browser always says who sends a POST.
 *
 * @throws {AppError} `origin_not_allowed`
 */
export function assertOwnPage(c: Context<HttpEnv>, transport: Transport): void {
  if (transport === 'cookie' && c.req.header('Origin') !== c.get('ctx').config.publicUrl) {
    throw new AppError('origin_not_allowed')
  }
}

/** Empty without a cookie, which is no good token. */
export function readRefreshCookie(c: Context<HttpEnv>): string {
  return pattern.exec(c.req.header('Cookie') ?? '')?.[1] ?? ''
}

/** Hands an answer with a refresh token over as the client asked for it: whole, or with the token in the cookie. */
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
 * Takes the cookie back, and what the browser kept of our answers and pages. Not `"cookies"`, which would empty the whole
 * registrable domain, and not `"storage"`, where the device token has to outlive the session.
 */
export function clearSite(c: Context<HttpEnv>): void {
  setCookie(c, '', 0)
  c.header('Clear-Site-Data', '"cache"')
}

function setCookie(c: Context<HttpEnv>, value: string | undefined, maxAgeSeconds: number): void {
  c.header('Set-Cookie', `${name}=${value}; Max-Age=${maxAgeSeconds}; Path=/; Secure; HttpOnly; SameSite=Strict`)
}
