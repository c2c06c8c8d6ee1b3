/** Hono middleware for services behind Postern. */
import type { Context, MiddlewareHandler } from 'hono'
import { env } from 'hono/adapter'
import {
  type AccessToken,
  type Acr,
  InvalidTokenError,
  KeysUnavailableError,
  type Verify,
  acrValues,
  verifier,
} from './verifier.ts'
import type { Permission } from './types.ts'

export interface PosternOptions {
  /** The permission that the user needs. Without it, every signed-in user is let in. */
  permission?: Permission
  /** `PUBLIC_URL` of the service. Default: the variable `POSTERN_ISSUER`. */
  issuer?: string
  /** `AUDIENCE` of the service. Default: the variable `POSTERN_AUDIENCE`, or else `postern`. */
  audience?: string
  /** Another verifier, instead of issuer and audience. */
  verify?: Verify
}

/** What the middleware sets for the handlers: `c.var.postern`, or `c.get('postern')`. */
export interface PosternEnv {
  Variables: { postern: AccessToken }
}

type Middleware = MiddlewareHandler<PosternEnv>

const bearerScheme = /^bearer(?: |$)/i
/** RFC 6750 §2.1. */
const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i

const verifiers = new Map<string, Verify>()

/**
 * Lets in requests with a valid access token and, if asked for, a permission. Others get a problem (RFC 9457): 401,
 * 403, or 503 when the keys cannot be fetched. 401 and 403 have the challenge of RFC 6750.
 *
 * @throws {TypeError} when the issuer is not a URL: at once, since a request without a token would not show it
 */
export function postern(options: PosternOptions = {}): Middleware {
  if (options.issuer !== undefined && !(/^https?:/.test(options.issuer) && URL.canParse(options.issuer))) {
    throw new TypeError(`postern() needs the URL of an issuer, not "${options.issuer}"`)
  }
  return async function postern(c, next) {
    const header = c.req.header('Authorization') ?? ''
    // Without credentials of this scheme the challenge names no error (RFC 6750 §3.1).
    if (!bearerScheme.test(header)) return refuse(c, 401, 'invalid_token', challenge())
    const verify = options.verify ?? verifierFor(c, options)
    let token: AccessToken
    try {
      token = await verify(bearer.exec(header)?.[1] ?? '')
    } catch (error) {
      if (error instanceof InvalidTokenError) {
        return refuse(c, 401, 'invalid_token', challenge('error="invalid_token"'))
      }
      if (error instanceof KeysUnavailableError) return refuse(c, 503, 'service_unavailable', { 'Retry-After': '5' })
      throw error
    }
    const { permission } = options
    if (permission && !token.permissions.includes(permission)) {
      return refuse(c, 403, 'insufficient_permission', challenge('error="insufficient_scope"', `scope="${permission}"`))
    }
    c.set('postern', token)
    await next()
  }
}

export interface AcrOptions {
  /**
   * How long ago the user may have shown who they are. Without it, any time in the session is enough. With it, a token that
   * does not say when is refused.
   */
  maxAgeSeconds?: number
  /** The time, for tests. */
  now?: () => Date
}

/**
 * Lets in users who have shown well enough, and not too long ago, who they are. Stands after `postern`. Others get 401 with
 * the challenge of RFC 9470: `fetch` of the client asks its hook for a step-up then, and repeats the call.
 *
 * @param acr the least: `urn:postern:2` also lets in `phr`
 */
export function requireAcr(acr: Acr, { maxAgeSeconds, now = () => new Date() }: AcrOptions = {}): Middleware {
  const accepted = acrValues.slice(acrValues.indexOf(acr))
  const parameters = ['error="insufficient_user_authentication"', `acr_values="${accepted.join(' ')}"`]
  if (maxAgeSeconds !== undefined) parameters.push(`max_age="${maxAgeSeconds}"`)
  return async function requireAcr(c, next) {
    const { acr: shown, authenticatedAt } = c.get('postern')
    const ageSeconds = (now().getTime() - (authenticatedAt?.getTime() ?? NaN)) / 1000
    const isRecent = maxAgeSeconds === undefined || ageSeconds <= maxAgeSeconds
    if (!accepted.includes(shown) || !isRecent) {
      return refuse(c, 401, 'insufficient_user_authentication', challenge(...parameters))
    }
    await next()
  }
}

/** One per issuer and audience, so that keys are not fetched for each request. */
function verifierFor(c: Context, options: PosternOptions): Verify {
  const variables = env<{ POSTERN_ISSUER?: string; POSTERN_AUDIENCE?: string }>(c)
  const issuer = options.issuer ?? variables.POSTERN_ISSUER
  if (!issuer) throw new Error('postern() needs an issuer, or the variable POSTERN_ISSUER')
  const audience = options.audience ?? variables.POSTERN_AUDIENCE ?? 'postern'
  const name = `${issuer} ${audience}`
  const verify = verifiers.get(name) ?? verifier({ issuer, audience })
  verifiers.set(name, verify)
  return verify
}

/** RFC 6750 §3: the scheme is followed by one parameter at least. */
function challenge(...parameters: string[]): Record<string, string> {
  return { 'WWW-Authenticate': `Bearer ${['realm="postern"', ...parameters].join(', ')}` }
}

const details = {
  invalid_token: ['Invalid access token', 'This call needs a valid access token.'],
  insufficient_user_authentication: ['Confirmation needed', 'Confirm that it is you, then repeat the call.'],
  insufficient_permission: ['Insufficient permission', 'Your role does not permit this.'],
  service_unavailable: ['Service unavailable', 'The service cannot do this right now; try again.'],
} as const

function refuse(c: Context, status: 401 | 403 | 503, code: keyof typeof details, headers: Record<string, string>) {
  const [title, detail] = details[code]
  return c.body(JSON.stringify({ type: `/problems/${code}`, title, status, detail, code }), status, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...headers,
  })
}
