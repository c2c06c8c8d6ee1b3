import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { type Claims, verifyToken } from '../crypto/tokens.ts'
import type { Ctx } from '../context.ts'
import { AppError, invalidToken } from '../errors.ts'
import { findSignedIn, findSignedInForPassword, findSignedInNearby } from '../services/sessions/signed-in.ts'
import { type Permission, permissionsFor } from '../permissions.ts'
import { assertUnconfined, isConfined } from '../services/sessions/strength.ts'
import { ownClientId } from '../services/sessions/tokens.ts'
import { acceptAtEdge } from '../services/sessions/edge.ts'
import { isFreeCall, isRead } from './confinement.ts'
import type { HttpEnv, Sets } from './env.ts'
import { limitWrites } from './limit-rate.ts'

const bearerScheme = /^bearer(?: |$)/i
/**
 * RFC 6750 §2.1: the scheme in any case, then one token. The client's middleware has the same; a test compares the two.
 */
const bearerPattern = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i

/**
 * Requires a valid access token of a session that is still in D1, and a user that may sign in. Both are read in one
 * statement, so an ended session is refused at once. A PATCH counts as a write of the user.
 *
 * @throws {AppError} `invalid_token`; as `assertUnconfined`; `rate_limited`
 */
export const authenticate = createMiddleware<HttpEnv>(async function authenticate(c, next) {
  const claims = await readClaims(c)
  await loadActor(c, claims)
  // Ends of sessions, changes of the password and deletions of the account are not counted: a thief of the token could
  // use up the limit and keep the owner from them.
  if (c.req.method === 'PATCH') await limitWrites(c, claims.sub)
  await next()
}) as Sets<'actor'>

/**
 * Like `authenticate`, for a route that decides nothing and whose answer may lag. Where the database has replicas, the
 * nearest one answers, both here and for the route. Only the primary refuses.
 *
 * @throws {AppError} `invalid_token`; as `assertUnconfined`
 */
export const authenticateForReading = createMiddleware<HttpEnv>(async function authenticateForReading(c, next) {
  await loadReader(c, await readClaims(c))
  await next()
}) as Sets<'actor'>

/**
 * Checks only the token: the route validates its body before `authenticateForPassword` draws on the password budget.
 *
 * @throws {AppError} `invalid_token`
 */
export const requireToken = createMiddleware<HttpEnv>(async function requireToken(c, next) {
  c.set('claims', await readClaims(c))
  await next()
}) as Sets<'claims'>

/**
 * Like `authenticate`, for a call that takes the password of the account, if it has one, and also needs a step-up, if
 * it has a factor. Takes one try from the budget of the password. Comes after `requireToken` and the validation of the
 * body.
 *
 * @param field where the body has the password
 * @throws {AppError} `invalid_token`; as `assertUnconfined`; as `findSignedInForPassword`
 */
export function authenticateForPassword<Field extends string>(field: Field) {
  type Body = { [Name in Field]?: string | undefined }
  return createMiddleware<HttpEnv, string, { out: { json: Body } }>(async function authenticateForPassword(c, next) {
    const { sid, sub } = c.get('claims')!
    const hasPassword = c.req.valid('json')[field] !== undefined
    const actor = await findSignedInForPassword(c.get('ctx'), sid, sub, { field, hasPassword, isFree: isFree(c) })
    if (!actor) throw invalidToken('ended')
    c.set('actor', actor)
    c.set('passwordActor', actor)
    await next()
  }) as Sets<'actor' | 'passwordActor', { out: { json: Body } }>
}

/** Marks a middleware with the permission it requires, for the OpenAPI document. */
export const requires = Symbol('requires')

/**
 * Requires a permission of the role that the user has in D1 now. Each call but a GET counts as a write of the user.
 *
 * @throws {AppError} `invalid_token`, `insufficient_permission`, `rate_limited`; as `assertUnconfined`
 */
export function permit(permission: Permission, load = loadActor) {
  const middleware = createMiddleware<HttpEnv>(async function permit(c, next) {
    const claims = await readClaims(c)
    await load(c, claims)
    if (!isRead(c.req.method)) await limitWrites(c, claims.sub)
    if (!permissionsFor(c.get('actor')!).includes(permission)) {
      throw new AppError('insufficient_permission', { permission })
    }
    await next()
  }) as Sets<'actor'>
  return Object.assign(middleware, { [requires]: permission })
}

/**
 * Like `permit`, for a route that decides nothing and whose answer may lag: see `authenticateForReading`. A replica may
 * not have heard of a new role, but a change of the role ends every session.
 *
 * @throws {AppError} `invalid_token`, `insufficient_permission`; as `assertUnconfined`
 */
export function permitReading(permission: Permission) {
  return permit(permission, loadReader)
}

/**
 * Requires a valid access token of a session that is not on the revocation list. Does not need D1, so it works while D1
 * is down. The list is in KV, which shows an entry everywhere after about 60 seconds, and an isolate remembers for five
 * seconds whom it accepted: the token of an ended session is accepted for up to 65 seconds.
 *
 * @throws {AppError} `invalid_token`; `service_unavailable` when the list cannot be read
 */
export const verifyAtEdge = createMiddleware<HttpEnv>(async function verifyAtEdge(c, next) {
  const [ctx, header] = [c.get('ctx'), readHeader(c)]
  c.set('claims', await acceptAtEdge(ctx, header, (now) => verifyHeader(ctx, header, now)))
  await next()
}) as Sets<'claims'>

/** A client that has written since its token was issued asks for the newest state (RFC 9111 §5.2.1.4). */
const newest = /\bno-cache\b/i

async function loadReader(c: Context<HttpEnv>, claims: Claims<'at+jwt'>): Promise<void> {
  const { sid, sub, bookmark } = claims
  const ctx = c.get('ctx')
  if (!ctx.replicas || bookmark === undefined || newest.test(c.req.header('Cache-Control') ?? '')) {
    return loadActor(c, claims)
  }
  const nearby = { ...ctx, db: ctx.replicas.nearby(bookmark) }
  const actor = await findSignedInNearby(nearby, sid, sub)
  // A replica may not have heard of a step-up.
  if (!actor || isConfined(actor.user, actor.session, ctx.config)) return loadActor(c, claims)
  c.set('ctx', nearby)
  c.set('actor', actor)
}

async function loadActor(c: Context<HttpEnv>, { sid, sub }: Claims<'at+jwt'>): Promise<void> {
  const actor = await findSignedIn(c.get('ctx'), sid, sub)
  if (!actor) throw invalidToken('ended')
  if (!isFree(c)) assertUnconfined(c.get('ctx'), actor)
  c.set('actor', actor)
}

function isFree({ req }: Context<HttpEnv>): boolean {
  return isFreeCall(req.method, req.path)
}

async function readClaims(c: Context<HttpEnv>): Promise<Claims<'at+jwt'>> {
  const ctx = c.get('ctx')
  return (await verifyHeader(ctx, readHeader(c), ctx.now())).claims
}

function readHeader(c: Context<HttpEnv>): string {
  return c.req.header('Authorization') ?? ''
}

/**
 * Not Hono's `bearerAuth`: it answers a malformed token with 400, and leaves the realm out of most challenges.
 *
 * @throws {AppError} `invalid_token`
 */
async function verifyHeader({ tokens }: Ctx, header: string, now: Date) {
  // Without a reason: the challenge for a request without credentials names no error.
  if (!bearerScheme.test(header)) throw new AppError('invalid_token')
  const token = bearerPattern.exec(header)?.[1]
  if (token === undefined) throw invalidToken('malformed')
  const verified = await verifyToken(tokens, 'at+jwt', token, now)
  if (verified.kind === 'refused') throw invalidToken(verified.reason)
  // A token of another client is for another service, whatever its audience says (RFC 9068 §5).
  if (verified.claims.client_id !== ownClientId) throw invalidToken('wrong_client')
  return verified
}
