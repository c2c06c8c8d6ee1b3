/** How the user of a session proved who they are, and when: the conditions and statements of step-up authentication. */
import { type SQL, and, eq, inArray, or, sql } from 'drizzle-orm'
import { freshSeconds } from '../config/policy.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import type { Role } from '../permissions.ts'
import { type Db, noneOf } from './db.ts'
import { sessions } from './schema/sessions.ts'
import { users } from './schema/users.ts'
import { isSignedIn } from './sessions.ts'
import { isFactorsId } from './user-conditions.ts'

/** Of the row: the user has shown two factors, or a passkey with user verification. */
const hasTwoFactors: SQL = sql`coalesce(instr(${sessions.amr}, '"mfa"'), 0) > 0`

/** Of the row: the user proved who they are within ten minutes. A null means at the sign-in, when the id was made. */
function isRecent(now: Date): SQL {
  const since = new Date(now.getTime() - freshSeconds * 1000)
  const bySignIn = sql`${sessions.id} >= ${sql.param(uuidv7Floor(since), sessions.id)}`
  return sql`coalesce(${sessions.authenticatedAt} >= ${since.getTime()}, ${bySignIn})`
}

/**
 * Of a session joined with its user: within the last ten minutes the user has shown a factor in it, or the password of
 * an account without factors.
 */
export function isFreshSession(now: Date): SQL {
  return sql`(${and(isRecent(now), or(isFactorsId(null), hasTwoFactors))})`
}

/** The same, but an account without factors need not be fresh: for a call that also asks for the password or a role. */
export function isFreshIfFactored(now: Date): SQL {
  return sql`(${or(isFactorsId(null), and(isRecent(now), hasTwoFactors))})`
}

/** Of a session joined with its user: either the role needs no second factor, or the user has shown one here. */
export function isUnconfined(rolesWithoutFactor: readonly Role[]): SQL {
  return sql`(${or(inArray(users.role, [...rolesWithoutFactor]), hasTwoFactors)})`
}

/** Still signed in, and the session is fresh: for the guard of a write that needs a step-up. */
export function isFresh(sessionId: string, userId: string, now: Date): SQL {
  return isSignedIn(sessionId, userId, now, isFreshSession(now))
}

/**
 * A row if the user is signed in but the condition does not hold for the session: for a batch that has to tell why it
 * refused.
 *
 * @param condition `isFreshSession` or `isFreshIfFactored`
 */
export function selectStale(db: Db, sessionId: string, userId: string, now: Date, condition = isFreshSession(now)) {
  return db
    .select({ factorsId: users.factorsId })
    .from(users)
    .where(and(eq(users.id, userId), isSignedIn(sessionId, userId, now, noneOf(condition))))
}

/** What the user has shown in a session, and when. */
export interface Strength {
  amr: string[]
  at: Date
}

/** Lifts a session, and no other one of the user. */
export function liftSession(db: Db, sessionId: string, { amr, at }: Strength, ifDone: SQL) {
  return db
    .update(sessions)
    .set({ amr, authenticatedAt: at })
    .where(and(eq(sessions.id, sessionId), ifDone))
    .returning()
}
