import { type SQL, and, desc, eq, getTableColumns, gt, inArray, ne, sql } from 'drizzle-orm'
import type { Role } from '../permissions.ts'
import { type Db, choose, idParam, insertWhere } from './db.ts'
import { prepared } from './prepared.ts'
import { type Session, sessions } from './schema/sessions.ts'
import { users } from './schema/users.ts'
import { userAgentText } from './user-agents.ts'
import { isPassword } from './user-conditions.ts'

/** All but the hash, which D1 sends as a list of numbers: a third of the row. */
const { passwordHash: _, ...userColumns } = getTableColumns(users)

/** What a principal says of its session: enough to judge its strength. */
const principalColumns = { id: sessions.id, amr: sessions.amr, authenticatedAt: sessions.authenticatedAt }
export type PrincipalSession = Pick<Session, keyof typeof principalColumns>

/** A live session and its active user. */
export const selectSessionAndUser = prepared(
  { sessionId: sessions.id, userId: sessions.userId, now: sessions.expiresAt },
  (db, { sessionId, userId, now }) =>
    db
      .select({ user: userColumns, session: principalColumns })
      .from(sessions)
      .innerJoin(users, eq(users.id, sessions.userId))
      .where(liveSession(sessionId, userId, now)),
)

/**
 * The condition of `selectSessionAndUser`, for the guard of a write: the session may have ended since it was read, for
 * example while a password was hashed.
 */
export function isSignedIn(sessionId: string, userId: string, now: Date, condition?: SQL): SQL {
  const live = liveSession(sessionId, userId, now)
  return sql`exists (select 1 from ${sessions} inner join ${users} on ${users.id} = ${sessions.userId} where ${and(live, condition)})`
}

/** Still signed in, still in this role, and the condition holds for that session. */
export function isSignedInAs(sessionId: string, userId: string, role: Role, now: Date, condition?: SQL): SQL {
  return isSignedIn(sessionId, userId, now, and(eq(users.role, role), condition))
}

/** Still signed in, the password is still the one that was verified, and the condition holds for that session. */
export function isSignedInWithPassword(
  sessionId: string,
  userId: string,
  passwordId: string,
  now: Date,
  condition?: SQL,
): SQL {
  return isSignedIn(sessionId, userId, now, and(isPassword(passwordId), condition))
}

/** The user, if still signed in: for a batch that has to tell why it refused. */
export function selectSignedInUser(db: Db, sessionId: string, userId: string, now: Date) {
  return db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isSignedIn(sessionId, userId, now)))
}

function liveSession(sessionId: string | SQL, userId: string | SQL, now: Date | SQL) {
  return and(
    eq(sessions.id, sessionId),
    eq(sessions.userId, userId),
    gt(sessions.expiresAt, now),
    eq(users.status, 'active'),
  )
}

/** A session to store. Its user agent is looked up at the moment of writing. */
export interface NewSession extends Omit<Session, 'userAgentId'> {
  userAgentId: SQL
}

export function insertSession(db: Db, session: NewSession, guard: SQL) {
  return insertWhere(db, sessions, session, guard).returning()
}

/** The query for one session, for a batch. */
export function selectSession(db: Db, id: string) {
  return db.select().from(sessions).where(eq(sessions.id, id))
}

/** The user of a session, for a batch. Not a join: in a batch drizzle confuses columns of equal names. */
export const selectUserOfSession = prepared({ id: sessions.id }, (db, { id }) => {
  const userId = db.select({ id: sessions.userId }).from(sessions).where(eq(sessions.id, id))
  return db.select(userColumns).from(users).where(inArray(users.id, userId))
})

export function sessionExists(id: string, userId?: string): SQL {
  const owner = userId === undefined ? undefined : eq(sessions.userId, userId)
  return sql`exists (select 1 from ${sessions} where ${and(eq(sessions.id, id), owner)})`
}

/** The user has a session that has not expired, besides `exceptId`. */
export function hasLiveSession(userId: string, now: Date, exceptId?: string): SQL {
  const other = exceptId === undefined ? undefined : ne(sessions.id, exceptId)
  return sql`exists (select 1 from ${sessions} where ${and(eq(sessions.userId, userId), other, gt(sessions.expiresAt, now))})`
}

/** The id of a session's user, looked up at the moment of writing. */
export function ownerOfSession(id: string): SQL {
  return sql`(select ${sessions.userId} from ${sessions} where ${eq(sessions.id, id)})`
}

/** The id of a session if it exists, for an event about it. */
export function idOfSession(id: string): SQL {
  return sql`(select ${sessions.id} from ${sessions} where ${eq(sessions.id, id)})`
}

/** What the revocation list needs to know about an ended session. */
const ended = { id: sessions.id, expiresAt: sessions.expiresAt }
export type EndedSession = Pick<Session, 'id' | 'expiresAt'>

export function deleteSession(db: Db, id: string, guard: SQL) {
  return db
    .delete(sessions)
    .where(and(eq(sessions.id, id), guard))
    .returning(ended)
}

export function deleteSessionsOf(db: Db, userId: string, guard: SQL) {
  return db
    .delete(sessions)
    .where(and(eq(sessions.userId, userId), guard))
    .returning(ended)
}

export function deleteOtherSessionsOf(db: Db, userId: string, keptId: string, guard: SQL) {
  return db
    .delete(sessions)
    .where(and(eq(sessions.userId, userId), ne(sessions.id, keptId), guard))
    .returning(ended)
}

/** There is a session with the id that the expression gives. */
export function isFound(id: SQL): SQL {
  return sql`${id} is not null`
}

/** The session that ends because the user has more than `kept`. */
export function oldestBeyond(userId: string, kept: number): SQL {
  return sql`(select id from sessions where user_id = ${idParam(userId)} order by id desc limit 1 offset ${kept})`
}

/** Ends all sessions of a user but the newest `kept`. Ids are in the order of sign-in. */
export function deleteOldestSessionsOf(db: Db, userId: string, kept: number, guard: SQL) {
  const beyond = db
    .select({ id: sessions.id })
    .from(sessions)
    .where(eq(sessions.userId, userId))
    .orderBy(desc(sessions.id))
    // SQLite accepts no offset without a limit.
    .limit(Number.MAX_SAFE_INTEGER)
    .offset(kept)
  return db
    .delete(sessions)
    .where(and(inArray(sessions.id, beyond), guard))
    .returning(ended)
}

type Device = Pick<Session, 'id' | 'userId' | 'deviceId'>

/**
 * What the event of a sign-in on a known device is about, and its detail: whether it ends a session of the device that
 * is live at the moment of writing. An event of its own would double the trail of somebody whose client never signs
 * out.
 *
 * @param more what else the detail has
 */
export function describeReplacement(session: Device, now: Date, more?: Record<string, string>) {
  const live = and(isEarlierOfDevice(session), gt(sessions.expiresAt, now))
  const isReplaced = sql`exists (select 1 from ${sessions} where ${live})`
  return {
    subjectId: idParam(session.id),
    detail: choose(isReplaced, JSON.stringify({ ...more, replaced: true }), more ? JSON.stringify(more) : sql`null`),
  }
}

/** Deletes the earlier session of the device, live or expired: there is at most one. */
export function deleteEarlierOfDevice(db: Db, session: Device, guard: SQL) {
  return db
    .delete(sessions)
    .where(and(isEarlierOfDevice(session), guard))
    .returning(ended)
}

function isEarlierOfDevice({ id, userId, deviceId }: Device) {
  return and(eq(sessions.userId, userId), eq(sessions.deviceId, deviceId), ne(sessions.id, id))
}

/** Newest first. */
export function listSessionsOf(db: Db, userId: string, now: Date) {
  return db
    .select({ ...getTableColumns(sessions), userAgent: userAgentText(sql`${sessions.userAgentId}`).as('user_agent') })
    .from(sessions)
    .where(and(eq(sessions.userId, userId), gt(sessions.expiresAt, now)))
    .orderBy(desc(sessions.id))
}
