/** Moves the chain of refresh tokens of a session on, or closes it. */
import { type SQL, and, eq, gt, gte, lte, sql } from 'drizzle-orm'
import { timeOf } from '../crypto/random.ts'
import type { Db } from './db.ts'
import { type Terms, type Values, prepared, termsOf } from './prepared.ts'
import { type Session, sessions } from './schema/sessions.ts'
import { idOfSession } from './sessions.ts'
import { otherUserAgent, userAgents } from './schema/user-agents.ts'
import { users } from './schema/users.ts'
import { listed } from './user-agents.ts'

/** Where the last rotation came from. */
export interface SessionOrigin extends Pick<Session, 'ip' | 'country' | 'network' | 'userAgentDigest'> {
  userAgent: string | null
}

export interface Renewal {
  id: string
  now: Date
  /** Sliding and absolute lifetime. */
  idleMs: number
  maxMs: number
  from: SessionOrigin
}

export interface Rotation extends Renewal {
  generation: number
}

const renewalColumns = {
  now: sessions.lastUsedAt,
  expiresAt: sessions.expiresAt,
  ip: sessions.ip,
  country: sessions.country,
  network: sessions.network,
  userAgent: userAgents.text,
  userAgentDigest: sessions.userAgentDigest,
}

/** Moves a session on by one generation, if `generation` is its newest and its user is active. */
export function rotateSession(db: Db, { generation, ...renewal }: Rotation) {
  return rotation(db, { ...valuesOf(renewal), id: renewal.id, generation })
}

const rotation = prepared(
  { ...renewalColumns, id: sessions.id, generation: sessions.generation },
  (db, { id, generation, ...renewal }) =>
    db
      .update(sessions)
      .set(renewed(renewal))
      .where(
        and(
          eq(sessions.id, id),
          eq(sessions.generation, generation),
          gt(sessions.expiresAt, renewal.now),
          sql`exists (select 1 from ${users} where ${users.id} = ${sessions.userId} and ${eq(users.status, 'active')})`,
        ),
      )
      .returning({ id: sessions.id }),
)

/** Moves a session on by one generation, whichever is its newest, and closes every token before that. */
export function closeTokens(db: Db, renewal: Renewal, guard: SQL) {
  return db
    .update(sessions)
    .set({
      ...renewed(termsOf(renewalColumns, valuesOf(renewal))),
      firstGeneration: sql`${sessions.generation} + 1`,
    })
    .where(and(eq(sessions.id, renewal.id), guard))
    .returning()
}

/**
 * From now on the token before the newest one may not be repeated, and the newest one only from where it is rotated.
 */
export function settleTokens(db: Db, id: string, guard: SQL) {
  return db
    .update(sessions)
    .set({ settledGeneration: sql`${sessions.generation}` })
    .where(and(eq(sessions.id, id), guard))
}

function valuesOf({ id, now, idleMs, maxMs, from }: Renewal): Values<typeof renewalColumns> {
  const expiresAt = new Date(Math.min(now.getTime() + idleMs, timeOf(id).getTime() + maxMs))
  return { now, expiresAt, ...from }
}

function renewed({ now, userAgent, ...others }: Terms<typeof renewalColumns>) {
  return {
    generation: sql`${sessions.generation} + 1`,
    lastUsedAt: now,
    ...others,
    userAgentId: newestListed(userAgent, others.userAgentDigest),
  }
}

/**
 * A user agent that is not listed keeps the number only if it did not change: a thief must not be shown as the owner's
 * browser.
 */
function newestListed(userAgent: SQL, digest: SQL): SQL {
  const same = sql`case when ${sessions.userAgentDigest} is ${digest} then ${sessions.userAgentId} end`
  const number = sql`coalesce(${listed(userAgent)}, ${same}, ${otherUserAgent})`
  return sql`case when ${userAgent} is not null then ${number} end`
}

/** Of the row: the session has issued the token of this generation and not closed it. */
export function hasOpenToken(generation: number): SQL {
  return sql`(${and(gte(sessions.generation, generation), isOpen(generation))})`
}

/** Of the row: no change of the password has closed the token of this generation. */
export function isOpen(generation: number | SQL): SQL {
  return sql`coalesce(${sessions.firstGeneration}, 0) <= ${generation}`
}

/** The session exists, and the token of this generation is not closed. */
export function hasOpenSession(id: string, generation: number): SQL {
  return sql`exists (select 1 from ${sessions} where ${and(eq(sessions.id, id), isOpen(generation))})`
}

/** The user whose session it is; null for an old token, which somebody else may hold. */
export function holderOfToken(id: string, generation: number): SQL {
  return sql`(select ${sessions.userId} from ${sessions} where ${and(eq(sessions.id, id), lte(sessions.generation, generation))})`
}

/** What the event for a sign-out is about. Its detail says so when the token was an old one. */
export function describeSignOut(id: string, generation: number) {
  const isOld = and(eq(sessions.id, id), gt(sessions.generation, generation))
  const detail = sql`(select json_object('superseded', json('true')) from ${sessions} where ${isOld})`
  return { subjectId: idOfSession(id), detail }
}
