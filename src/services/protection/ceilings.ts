/**
 * Ceilings on what one network, one user and all strangers together may leave in the database in a day or an hour, so
 * that nobody can fill it. None of them concerns a sign-in, a refresh, or an act that frees space.
 */
import { ceilings } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { bytesOfUuid } from '../../crypto/random.ts'
import { dayMs, hourMs } from '../../durations.ts'
import { AppError, unavailable } from '../../errors.ts'
import { bytesOfIp } from '../../ip-address.ts'
import { type Reason, reasons } from '../../reasons.ts'
import { type Place, chooseSubject } from '../../store/ceilings.ts'
import { hasManyOthers } from '../../store/condensed-events.ts'
import { type AuditEvent, auditCodes } from '../../store/schema/audit.ts'
import { assertRoomForStrangers } from './room.ts'

// What the bytes of a subject are:
//   acts of a network     network (3 or 6 bytes; 0 when the address is unreadable)
//   resets of a network   network, 0
//   all strangers         1
//   writes of a user      user (16 bytes)
//   password changes      user, 1
//   user agents           user, 2
//   changes of address    user, 3
//   exports               user, 4
//   second factors        user, 5
//   refusals              user if there is one, network or 1, type, reason
// No two of them are equal: where lengths are the same, the last byte differs, or the first is 0 as in no network.

/** Everything that is not an address shares one ceiling. */
const unreadable = Uint8Array.of(0)
const everybody = Uint8Array.of(1)

/** The /24 of an IPv4 address, the /48 of an IPv6 address: what one customer of a provider gets at most (RFC 6177). */
function networkOf({ origin: { ip } }: Ctx): Uint8Array<ArrayBuffer> {
  const address = bytesOfIp(ip)
  return address ? address.slice(0, address.length === 4 ? 3 : 6) : unreadable
}

/**
 * For an act of a stranger that leaves rows. A call from another Worker of the account has no address and no ceiling.
 */
export function networkPlace(ctx: Ctx, act: string): Place {
  const max = ctx.origin.ip === null ? Infinity : ceilings.networkActsPerDay
  return { ...period(ctx, dayMs), subject: networkOf(ctx), max: strangerMax(ctx, maxOf(ctx, max)), act }
}

/**
 * For a request for a reset. Other acts of its network do not use these places up, since nobody can help people who
 * forgot their password otherwise. A solved challenge needs no place: whoever reached this with Turnstile has solved
 * one.
 */
export function resetPlace(ctx: Ctx, act: string): Place {
  const isOpen = ctx.origin.ip === null || ctx.secrets.turnstileSecret !== null
  const max = maxOf(ctx, isOpen ? Infinity : ceilings.networkResetsPerDay)
  const subject = Uint8Array.of(...networkOf(ctx), 0)
  return { ...period(ctx, dayMs), subject, max: strangerMax(ctx, max), act }
}

/** For a write of a signed-in user. */
export function userPlace(ctx: Ctx, userId: string, act: string): Place {
  return { ...period(ctx, dayMs), subject: bytesOfUuid(userId), max: maxOf(ctx, ceilings.userWritesPerDay), act }
}

/** For a change of the password: apart from other writes, which a stolen token can make without the old password. */
export function passwordPlace(ctx: Ctx, userId: string, act: string): Place {
  return { ...userPlace(ctx, userId, act), subject: Uint8Array.of(...bytesOfUuid(userId), 1) }
}

/**
 * For a change of the second factors: apart from other writes, which a stolen token can make without showing a factor.
 */
export function factorPlace(ctx: Ctx, userId: string, act: string): Place {
  return { ...userPlace(ctx, userId, act), subject: Uint8Array.of(...bytesOfUuid(userId), 5) }
}

/**
 * For an act that the budget of all strangers counts.
 *
 * @param given what the client sent: a long text counts more than a short one
 * @param isBinding whether the act is refused when the budget is spent
 */
export function strangerPlace(ctx: Ctx, act: string, given: object, isBinding: boolean): Place {
  const { length } = JSON.stringify([given, ctx.origin])
  const max = maxOf(ctx, isBinding ? ceilings.strangerKilobytesPerHour : Infinity)
  return { ...period(ctx, hourMs), subject: everybody, max, act, weight: 1 + Math.ceil(length / 250) }
}

/**
 * For the event of a refusal: one for each network, user or none, type and reason. With and without a user the same
 * rows are written, so that the time of the answer does not tell who has an account. When a user has had many from
 * different networks, the others share one place.
 */
export function refusalPlace(ctx: Ctx, event: AuditEvent): Place {
  const { id: act, type, userId, detail } = event
  const code = [auditCodes[type], reasons.indexOf(detail?.['reason'] as Reason)]
  const user = userId === null ? [] : bytesOfUuid(userId)
  const subjectOf = (network: Uint8Array) => Uint8Array.of(...user, ...network, ...code)
  const isMany = hasManyOthers(event, ceilings.userEventsPerDay)
  const subject = chooseSubject(isMany, subjectOf(everybody), subjectOf(networkOf(ctx)))
  return { ...period(ctx, hourMs), subject, max: 1, act }
}

/** For a request for another address. */
export function emailChangePlace(ctx: Ctx, userId: string, act: string): Place {
  return ownPlace(ctx, userId, 3, ceilings.emailChangesPerUserAndDay, act)
}

/** For an export of the account. */
export function exportPlace(ctx: Ctx, userId: string, act: string): Place {
  return ownPlace(ctx, userId, 4, ceilings.exportsPerUserAndDay, act)
}

/** For a user agent that the user is the first to sign in with. */
export function userAgentPlace(ctx: Ctx, userId: string, act: string): Place {
  return ownPlace(ctx, userId, 2, ceilings.userAgentsPerUserAndDay, act)
}

/** A ceiling that no setting raises. */
function ownPlace(ctx: Ctx, userId: string, kind: number, max: number, act: string): Place {
  return { ...period(ctx, dayMs), subject: Uint8Array.of(...bytesOfUuid(userId), kind), max, act }
}

function period(ctx: Ctx, ms: number): Pick<Place, 'period'> {
  const nowMs = ctx.now().getTime()
  return { period: new Date(nowMs - (nowMs % ms)) }
}

/**
 * In a nearly full database 1, the smallest ceiling, since the first act always gets a place. `assertRoomForStrangers`
 * refuses most acts before.
 */
function strangerMax(ctx: Ctx, max: number): number {
  return ctx.isNearlyFull() ? 1 : max
}

function maxOf({ config: { limitsRates, ceilingFactor } }: Ctx, max: number): number {
  return limitsRates ? Math.min(max * ceilingFactor, Number.MAX_SAFE_INTEGER) : Number.MAX_SAFE_INTEGER
}

/** The refusal above a daily ceiling, until the day ends; in a nearly full database, until there is room. */
export function aboveCeiling(ctx: Ctx, reason: Extract<Reason, 'network_ceiling' | 'user_ceiling'>): AppError {
  if (reason === 'network_ceiling') assertRoomForStrangers(ctx)
  return new AppError('rate_limited', { reason, retryAfterSeconds: secondsLeft(ctx, dayMs) })
}

/** The refusal when strangers have spent their budget, until the hour ends. */
export function strangersSpent(ctx: Ctx): AppError {
  return unavailable('stranger_budget', undefined, secondsLeft(ctx, hourMs))
}

function secondsLeft(ctx: Ctx, periodMs: number): number {
  return Math.ceil((periodMs - (ctx.now().getTime() % periodMs)) / 1000)
}
