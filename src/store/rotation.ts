/** What moves the chain of refresh tokens of a session on, or closes it. */
import { type SQL, and, eq, gt, gte, sql } from 'drizzle-orm'
import type { Db } from './db.ts'
import { type Session, sessions } from './schema/sessions.ts'
import { users } from './schema/users.ts'

export interface Renewal {
  id: string
  now: Date
  /** Sliding and absolute lifetime. */
  idleMs: number
  maxMs: number
  from: Pick<Session, 'ip' | 'country' | 'userAgent'>
}

export interface Rotation extends Renewal {
  generation: number
}

/** Moves a session on by one generation, if `generation` is its newest and its user is active. */
export function rotateSession(db: Db, { generation, ...renewal }: Rotation) {
  const { id, now } = renewal
  return db
    .update(sessions)
    .set(renewed(renewal))
    .where(
      and(
        eq(sessions.id, id),
        eq(sessions.generation, generation),
        gt(sessions.expiresAt, now),
        sql`exists (select 1 from ${users} where ${users.id} = ${sessions.userId} and ${users.status} = 'active')`,
      ),
    )
    .returning()
}

/** Moves a session on by one generation, whatever is its newest, and closes every token before that. */
export function closeTokens(db: Db, renewal: Renewal, guard: SQL) {
  return db
    .update(sessions)
    .set({ ...renewed(renewal), firstGeneration: sql`${sessions.generation} + 1` })
    .where(and(eq(sessions.id, renewal.id), guard))
    .returning()
}

/** From now on the token before the newest one may not be repeated. */
export function settleTokens(db: Db, id: string, guard: SQL) {
  return (
    db
      .update(sessions)
      .set({ settledGeneration: sql`${sessions.generation}` })
      // Before the first one there is none.
      .where(and(eq(sessions.id, id), gt(sessions.generation, 1), guard))
  )
}

function renewed({ now, idleMs, maxMs, from }: Renewal) {
  return {
    generation: sql`${sessions.generation} + 1`,
    lastUsedAt: now,
    expiresAt: sql`min(${now.getTime() + idleMs}, ${sessions.createdAt} + ${maxMs})`,
    ...from,
  }
}

/** Of the condition's row of `sessions`: it has issued the token of this generation and not closed it. */
export function hasOpenToken(generation: number): SQL {
  return sql`(${and(gte(sessions.generation, generation), isOpen(generation))})`
}

/** The token of this generation is an old one that nothing has closed, so presenting it is a sign of theft. */
export function isOldToken(id: string, generation: number): SQL {
  const isOld = and(eq(sessions.id, id), gt(sessions.generation, generation), isOpen(generation))
  return sql`exists (select 1 from ${sessions} where ${isOld})`
}

function isOpen(generation: number): SQL {
  return sql`coalesce(${sessions.firstGeneration}, 0) <= ${generation}`
}
