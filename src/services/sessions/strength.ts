/** How strongly the user of a session proved who they are, and how recently (RFC 8176, RFC 9470). */
import type { Config } from '../../config/settings.ts'
import { freshSeconds } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { timeOf } from '../../crypto/random.ts'
import { AppError } from '../../errors.ts'
import { type Role, roles } from '../../permissions.ts'
import type { Expression } from '../../store/db.ts'
import type { User } from '../../store/schema/users.ts'
import { isFreshIfFactored, isFreshSession } from '../../store/session-strength.ts'
import type { PrincipalSession } from '../../store/sessions.ts'

/** One factor, two factors, a passkey with user verification. */
export type Acr = 'urn:postern:1' | 'urn:postern:2' | 'phr'

/** The part of a principal that says what its session may do. */
interface HasSession {
  user: Pick<User, 'role' | 'factorsId'>
  session: PrincipalSession
}

/** How the user of a session proved who they are (RFC 8176). */
export function amrOf({ amr }: Pick<PrincipalSession, 'amr'>): string[] {
  return amr ?? ['pwd']
}

/** What a session has shown once its user shows a factor in it. Of what it showed before, only the password remains. */
export function amrAfter(factor: readonly string[], session: Pick<PrincipalSession, 'amr'>): string[] {
  return [...amrOf(session).filter((way) => way === 'pwd'), ...factor]
}

/** When the user of a session last proved who they are in it. A refresh does not change it. */
export function authenticatedAt({ id, authenticatedAt: at }: PrincipalSession): Date {
  return at ?? timeOf(id)
}

/**
 * The class of a proof. Every proof by two factors says `mfa`, one by a passkey with user verification also `pop` and
 * `user`.
 */
export function acrOf(amr: readonly string[]): Acr {
  if (!amr.includes('mfa')) return 'urn:postern:1'
  return amr.includes('pop') && amr.includes('user') ? 'phr' : 'urn:postern:2'
}

/**
 * Requires that the user has shown a factor in this session within ten minutes, or the password of an account without
 * factors. The guard of the write decides the same once more, see `isFresh`: this only refuses early.
 *
 * @throws {AppError} `insufficient_user_authentication`
 */
export function assertFresh({ user, session }: HasSession, now: Date): void {
  const ageMs = now.getTime() - authenticatedAt(session).getTime()
  const isStrong = user.factorsId === null || acrOf(amrOf(session)) !== 'urn:postern:1'
  if (ageMs > freshSeconds * 1000 || !isStrong) throw staleSession(user)
}

/**
 * Like `assertFresh`, for a call that needs nothing of an account without factors.
 *
 * @throws {AppError} `insufficient_user_authentication`
 */
export function assertFreshIfFactored(principal: HasSession, now: Date): void {
  if (principal.user.factorsId !== null) assertFresh(principal, now)
}

/**
 * Explains a guard that failed, by the row of `selectStale` in the same batch. If there is none, the session was fresh.
 *
 * @throws {AppError} `insufficient_user_authentication`
 */
export function explainStale([user]: readonly Pick<User, 'factorsId'>[]): void {
  if (user) throw staleSession(user)
}

/**
 * For the guard of a write that took the password, if the account has one. With a factor the session has to be fresh,
 * too. Without a password, it is enough that the session is fresh.
 */
export function isProvenFor({ attempt }: { attempt: object | undefined }, now: Date): Expression {
  return attempt ? isFreshIfFactored(now) : isFreshSession(now)
}

function staleSession({ factorsId }: Pick<User, 'factorsId'>): AppError {
  const strong: Acr[] = ['urn:postern:2', 'phr']
  return new AppError('insufficient_user_authentication', {
    acceptedAcr: factorsId === null ? ['urn:postern:1', ...strong] : strong,
  })
}

/** Whether users with this role must have a second factor. */
export function mustHaveFactor(role: string, { secondFactor }: Pick<Config, 'secondFactor'>): boolean {
  return secondFactor === 'all' || (secondFactor === 'staff' && role !== 'USER')
}

/** The roles whose users need no second factor. */
export function rolesWithoutFactor(config: Pick<Config, 'secondFactor'>): Role[] {
  return roles.filter((role) => !mustHaveFactor(role, config))
}

/** Whether the session may only enrol or show the factor that its user must have. */
export function isConfined(
  user: Pick<User, 'role'>,
  session: Pick<PrincipalSession, 'amr'>,
  config: Pick<Config, 'secondFactor'>,
): boolean {
  return acrOf(amrOf(session)) === 'urn:postern:1' && mustHaveFactor(user.role, config)
}

/** @throws {AppError} `factor_enrolment_required` without a factor, `insufficient_user_authentication` with one */
export function assertUnconfined({ config }: Pick<Ctx, 'config'>, { user, session }: HasSession): void {
  if (!isConfined(user, session, config)) return
  throw user.factorsId === null ? new AppError('factor_enrolment_required') : staleSession(user)
}
