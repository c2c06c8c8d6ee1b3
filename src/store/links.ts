import { type SQL, and, eq, gt, inArray, lt, lte, sql } from 'drizzle-orm'
import { type Db, insertWhere } from './db.ts'
import { type LinkPurpose, type OneTimeLink, oneTimeLinks, registrations, users } from './schema.ts'

export function insertLink(db: Db, link: OneTimeLink, guard: SQL) {
  return insertWhere(db, oneTimeLinks, link, guard)
}

export function selectLink(db: Db, id: string) {
  return db.select().from(oneTimeLinks).where(eq(oneTimeLinks.id, id))
}

/** A live link with its user and, for an activation, the attempt it leads to, in one statement. */
export async function findLink(db: Db, id: string, purpose: LinkPurpose, now: Date) {
  const [row] = await db
    .select({ link: oneTimeLinks, user: users, registration: registrations })
    .from(oneTimeLinks)
    .innerJoin(users, eq(users.id, oneTimeLinks.userId))
    .leftJoin(registrations, eq(registrations.id, oneTimeLinks.registrationId))
    .where(isLive(id, purpose, now))
  return row
}

/** The condition of `findLink`, for the guard of the write that uses the link. */
export function linkExists(id: string, purpose: LinkPurpose, now: Date): SQL {
  return sql`exists (select 1 from ${oneTimeLinks} where ${isLive(id, purpose, now)})`
}

function isLive(id: string, purpose: LinkPurpose, now: Date) {
  return and(eq(oneTimeLinks.id, id), eq(oneTimeLinks.purpose, purpose), gt(oneTimeLinks.expiresAt, now))
}

export function deleteLinksOf(db: Db, userId: string, guard: SQL, purpose?: LinkPurpose) {
  const kind = purpose === undefined ? undefined : eq(oneTimeLinks.purpose, purpose)
  return db.delete(oneTimeLinks).where(and(eq(oneTimeLinks.userId, userId), kind, guard))
}

/** One chunk of the links from before an id that have expired. */
export function deleteExpiredLinks(db: Db, beforeId: string, now: Date, limit: number) {
  const chunk = db
    .select({ id: oneTimeLinks.id })
    .from(oneTimeLinks)
    .where(and(lt(oneTimeLinks.id, beforeId), lte(oneTimeLinks.expiresAt, now)))
    .limit(limit)
  return db.delete(oneTimeLinks).where(inArray(oneTimeLinks.id, chunk))
}
