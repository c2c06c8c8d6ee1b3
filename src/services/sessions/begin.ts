import type { Ctx } from '../../context.ts'
import { maxSessionsPerUser, maxUserAgents } from '../../config/policy.ts'
import { shardOf, uuidv7 } from '../../crypto/random.ts'
import { deleteAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { type Statements, batch } from '../../store/batch.ts'
import { hasPlace } from '../../store/ceilings.ts'
import { type Expression, allOf } from '../../store/db.ts'
import { type NewEmail, emailIsStored, type insertEmail } from '../../store/emails.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { User, UserWithHash } from '../../store/schema/users.ts'
import {
  type NewSession,
  deleteEarlierOfDevice,
  deleteOldestSessionsOf,
  describeReplacement,
  insertSession,
  isFound,
  oldestBeyond,
} from '../../store/sessions.ts'
import { listUserAgent, newUserAgentNumber, takeUserAgentPlace, userAgentNumber } from '../../store/user-agents.ts'
import { passwordIdOf } from '../../store/user-conditions.ts'
import { type UserChanges, selectUser, updateUser } from '../../store/users.ts'
import { auditEvent, condense } from '../audit/trail.ts'
import { announceStored } from '../mail/outbox.ts'
import { userAgentPlace } from '../protection/ceilings.ts'
import { type Device, issueDeviceToken, newDevice } from '../protection/devices.ts'
import { promoteFirstAdmin } from './bootstrap-admin.ts'
import { sessionOrigin } from './origin.ts'
import { revoke } from './revocation.ts'
import { type SignInTokens, issueTokens, sessionLifetime } from './tokens.ts'

/** How the user proved who they are. Each method of signing in is a member of this union. */
export type Proof = PasswordProof | SecondFactorProof | PasskeyProof

interface DeviceProof {
  /** The password that was verified, see `passwordIdOf`. */
  passwordId: string
  /** `undefined` for a device that is not known. */
  device: Device | undefined
}

export interface PasswordProof extends DeviceProof {
  method: 'password'
  /** Where the attempt was counted; its series ends. */
  budget: string
}

/** The password, and then another factor. */
export interface SecondFactorProof extends DeviceProof {
  method: 'second_factor'
  /** For the trail. */
  kind: 'passkey' | 'totp' | 'recovery_code'
  /** What both have shown (RFC 8176). */
  amr: readonly string[]
}

/** A passkey that verified its user. The password plays no part, and its series of wrong tries goes on. */
export interface PasskeyProof {
  method: 'passkey'
}

export interface SessionStart {
  user: Pick<User, 'id' | 'email' | 'passwordId'>
  /** Both by `prepareSession`. The event guards every other statement. */
  event: AuditEvent
  session: PreparedSession
  /** What has to hold at the moment of writing. */
  guard: Expression
  proof: Proof
  /** Written to the user along with the time of this sign-in. */
  changes: UserChanges
  /** The email about it, and the statement that stores it if it is due. */
  email?: { row: NewEmail; insert: ReturnType<typeof insertEmail> }
  /** What else the caller writes, guarded by the event. */
  statements?: Statements
}

type PreparedSession = Omit<NewSession, 'deviceId' | 'amr'>

export interface SignedIn {
  kind: 'signed_in'
  tokens: SignInTokens
  /** For the next sign-in on this device, when the user trusts it. */
  trustToken?: string
}

/** Something changed while the proof was verified, and the guard did not hold. `current` is the user now, if any. */
interface RefusedMeanwhile {
  kind: 'refused_meanwhile'
  current: UserWithHash | undefined
}

/** A new session and the event that records its start, for `beginSession`. Stores neither. */
export async function prepareSession(ctx: Ctx, userId: string, type: 'user.signed_in' | 'user.activated') {
  const now = ctx.now()
  const { userAgent, ...origin } = await sessionOrigin(ctx)
  const session: PreparedSession = {
    id: uuidv7(now, shardOf(userId)),
    userId,
    generation: 1,
    lastUsedAt: now,
    expiresAt: new Date(now.getTime() + sessionLifetime.idleMs),
    firstGeneration: null,
    settledGeneration: null,
    authenticatedAt: null,
    ...origin,
    userAgentId: userAgentNumber(userAgent),
    repeatedGeneration: null,
    lastRepeatAt: null,
    secondRepeatAt: null,
    thirdRepeatAt: null,
    strayedAt: null,
    strayedGeneration: null,
    strayedNetwork: null,
  }
  const event = auditEvent(ctx, type, { actorId: userId, userId, detail: { session_id: session.id } })
  return { session, event }
}

/**
 * Starts a session: the end of every way to sign in. One batch records the event, stores the email and the session,
 * ends the earlier session of the same device and the oldest one beyond the limit, writes the time of the sign-in, ends
 * the series of wrong passwords after a password, and makes the first ADMIN. The caller's statements and the email come
 * before the session, because a session from the same place would hide that the place is new.
 */
export async function beginSession(ctx: Ctx, start: SessionStart): Promise<SignedIn | RefusedMeanwhile> {
  const { user, event, proof, email } = start
  const { userAgent } = event
  const ifDone = happened(event.id)
  const { passwordId, device: known } =
    'device' in proof ? proof : { passwordId: passwordIdOf(user), device: undefined }
  const device = known ?? newDevice(passwordId)
  const session = { ...start.session, deviceId: device.id, amr: amrOf(proof) }
  const place = userAgentPlace(ctx, user.id, event.id)
  const kind = proof.method === 'second_factor' ? { kind: proof.kind } : undefined
  const decided = {
    ...event,
    detail: { ...event.detail, ...kind },
    ...(known && describeReplacement(session, event.at, kind)),
    userAgentId: newUserAgentNumber(userAgent, hasPlace(place)),
  }
  const eviction = limitSessions(ctx, user.id, event.id)
  const rows = await batch(
    ctx.db,
    {
      place: userAgent === null ? undefined : takeUserAgentPlace(ctx.db, userAgent, place, maxUserAgents, start.guard),
    },
    { decided: insertAuditEvent(ctx.db, decided, start.guard), email: email?.insert },
    start.statements ?? {},
    { userAgent: userAgent === null ? undefined : listUserAgent(ctx.db, userAgent, event.id, event.at) },
    { session: insertSession(ctx.db, session, ifDone) },
    { replaced: known && deleteEarlierOfDevice(ctx.db, session, ifDone) },
    eviction.statements,
    {
      user: updateUser(ctx.db, user.id, { ...start.changes, lastLoginAt: event.at }, ifDone),
      current: selectUser(ctx.db, user.id),
      series: proof.method === 'password' ? deleteAttempts(ctx.db, proof.budget, ifDone) : undefined,
    },
    promoteFirstAdmin(ctx, user, event.id),
    condense(ctx, [event, eviction.event], email && emailIsStored(email.row.id)),
  )
  const [[stored], [signedIn]] = [rows.session, rows.user]
  if (!stored || !signedIn) return { kind: 'refused_meanwhile', current: rows.current[0] }
  revoke(ctx, [...rows.replaced, ...rows.evicted])
  announceStored(ctx, rows.email)
  const tokens = await issueTokens(ctx, rows.promoted[0] ?? signedIn, stored)
  const deviceToken = await issueDeviceToken(ctx, user.email, device)
  return { kind: 'signed_in', tokens: { ...tokens, deviceToken } }
}

/** `null`, which stands for the password alone, keeps the row short. */
function amrOf(proof: Proof): string[] | null {
  switch (proof.method) {
    case 'password':
      return null
    case 'second_factor':
      return [...proof.amr]
    case 'passkey':
      return ['pop', 'user', 'mfa']
  }
}

/** Ends the oldest session if the user has too many. */
function limitSessions(ctx: Ctx, userId: string, eventId: string) {
  const subjectId = oldestBeyond(userId, maxSessionsPerUser)
  const detail = { evicted: true }
  const event = { ...auditEvent(ctx, 'session.ended', { actorId: userId, userId, detail }), subjectId }
  return {
    event,
    statements: {
      eviction: insertAuditEvent(ctx.db, event, allOf(happened(eventId), isFound(subjectId))),
      evicted: deleteOldestSessionsOf(ctx.db, userId, maxSessionsPerUser, happened(event.id)),
    },
  }
}
