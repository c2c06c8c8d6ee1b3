import type { Ctx } from '../../context.ts'
import { maxSessionsPerUser } from '../../config/policy.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { deleteAttempts } from '../../store/attempts.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { type Statements, batch } from '../../store/batch.ts'
import { type Expression, allOf } from '../../store/db.ts'
import type { NewEmail, insertEmail } from '../../store/emails.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { Session } from '../../store/schema/sessions.ts'
import type { User } from '../../store/schema/users.ts'
import { deleteOldestSessionsOf, describeEviction, hasMoreSessionsThan, insertSession } from '../../store/sessions.ts'
import { type UserChanges, selectUser, updateUser } from '../../store/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail } from '../mail/outbox.ts'
import { type Device, issueDeviceToken, newDevice } from '../protection/devices.ts'
import { promoteFirstAdmin } from './bootstrap-admin.ts'
import { sessionOrigin } from './origin.ts'
import { revoke } from './revocation.ts'
import { type SignInTokens, issueTokens, sessionLifetime } from './tokens.ts'

/** How the user proved who they are. Each method of signing in is a member of this union. */
export type Proof = PasswordProof

export interface PasswordProof {
  method: 'password'
  /** The password that was verified, see `passwordIdOf`. */
  passwordId: string
  /** `undefined` for a device that is not known. */
  device: Device | undefined
  /** Where the attempt was counted; its series ends. */
  budget: Expression
}

export interface SessionStart {
  user: Pick<User, 'id' | 'email'>
  /** Both by `prepareSession`. The event guards every other statement. */
  event: AuditEvent
  session: Session
  /** What has to hold at the moment of writing. */
  guard: Expression
  proof: Proof
  /** Written to the user along with the time of this sign-in. */
  changes: UserChanges
  /** The email about it, and the statement that stores it if it is due. */
  email: { row: NewEmail; insert: ReturnType<typeof insertEmail> }
  /** What else the caller writes, guarded by the event. */
  statements?: Statements
}

/** How a sign-in went when it was not refused. Callers switch over `kind`: a sign-in may need a second step. */
export type SignInOutcome = SignedIn

interface SignedIn {
  kind: 'signed_in'
  tokens: SignInTokens
}

/** Something changed while the proof was verified, and the guard did not hold. `current` is the user now, if any. */
interface RefusedMeanwhile {
  kind: 'refused_meanwhile'
  current: User | undefined
}

/** A new session and the event that records its start, for `beginSession`. Stores neither. */
export function prepareSession(ctx: Ctx, userId: string, type: 'user.signed_in' | 'user.activated') {
  const now = ctx.now()
  const session: Session = {
    id: uuidv7(now),
    userId,
    generation: 1,
    createdAt: now,
    lastUsedAt: now,
    expiresAt: new Date(now.getTime() + sessionLifetime.idleMs),
    firstGeneration: null,
    settledGeneration: null,
    ...sessionOrigin(ctx),
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
 * Starts a session: the end of every way to sign in. One batch records the event, stores the email and the session, ends
 * the oldest session beyond the limit, writes the time of the sign-in, ends the series of wrong passwords, and makes the
 * first ADMIN. The caller's statements and the email come before the session, because a session from the same place would
 * hide that the place is new.
 */
export async function beginSession(ctx: Ctx, start: SessionStart): Promise<SignedIn | RefusedMeanwhile> {
  const { user, event, session, proof, email } = start
  const ifDone = happened(event.id)
  const rows = await batch(
    ctx.db,
    { decided: insertAuditEvent(ctx.db, event, start.guard), email: email.insert },
    start.statements ?? {},
    startSession(ctx, session, event.id),
    {
      user: updateUser(ctx.db, user.id, { ...start.changes, lastLoginAt: event.at }, ifDone),
      current: selectUser(ctx.db, user.id),
      series: deleteAttempts(ctx.db, proof.budget, ifDone),
    },
    promoteFirstAdmin(ctx, user, event.id),
  )
  const [[stored], [signedIn]] = [rows.session, rows.user]
  if (!stored || !signedIn) return { kind: 'refused_meanwhile', current: rows.current[0] }
  revoke(ctx, rows.evicted)
  if (rows.email.length > 0) announceEmail(ctx, email.row)
  const tokens = await issueTokens(ctx, rows.promoted[0] ?? signedIn, stored)
  const deviceToken = await issueDeviceToken(ctx, user.email, proof.device ?? newDevice(proof.passwordId))
  return { kind: 'signed_in', tokens: { ...tokens, deviceToken } }
}

/** Stores a session and, if the user has too many, ends the oldest one, which gets an event like any other end. */
function startSession(ctx: Ctx, session: Session, eventId: string) {
  const { userId } = session
  const ifDone = happened(eventId)
  const detail = describeEviction(userId, maxSessionsPerUser)
  const eviction = { ...auditEvent(ctx, 'session.ended', { actorId: userId, userId }), detail }
  return {
    session: insertSession(ctx.db, session, ifDone),
    eviction: insertAuditEvent(ctx.db, eviction, allOf(ifDone, hasMoreSessionsThan(userId, maxSessionsPerUser))),
    evicted: deleteOldestSessionsOf(ctx.db, userId, maxSessionsPerUser, happened(eviction.id)),
  }
}
