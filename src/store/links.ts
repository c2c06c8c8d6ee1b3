import { type SQL, and, eq, gt, inArray, sql } from 'drizzle-orm'
import { type Db, idList, insertWhere } from './db.ts'
import { type LinkPurpose, type OneTimeLink, oneTimeLinks } from './schema/links.ts'
import { emails } from './schema/emails.ts'
import { registrations } from './schema/registrations.ts'
import { users } from './schema/users.ts'

export function insertLink(db: Db, link: OneTimeLink, guard: SQL) {
  return insertWhere(db, oneTimeLinks, link, guard)
}

/** New times for a link, and the claim of its email in which they are set. */
export type Renewal = Pick<OneTimeLink, 'id' | 'createdAt' | 'expiresAt'> & { attempts: number }

/** Gives links new times, unless their email was claimed again since. A link that was used does not come back. */
export function renewLinks(db: Db, renewals: readonly Renewal[]) {
  const given = (name: keyof Renewal) => sql`listed.value ->> ${sql.raw(`'${name}'`)}`
  const list = renewals.map((renewal) => ({
    ...renewal,
    createdAt: renewal.createdAt.getTime(),
    expiresAt: renewal.expiresAt.getTime(),
  }))
  const isInClaim = sql`(select ${emails.attempts} from ${emails} where ${emails.id} = ${oneTimeLinks.id})
    = ${given('attempts')}`
  return db
    .update(oneTimeLinks)
    .set({ createdAt: given('createdAt'), expiresAt: given('expiresAt') })
    .from(sql`json_each(${JSON.stringify(list)}) as listed`)
    .where(and(sql`${oneTimeLinks.id} = unhex(${given('id')}, '-')`, isInClaim))
}

/** The links with these ids, for a batch. */
export function selectLinks(db: Db, ids: readonly string[]) {
  return db
    .select()
    .from(oneTimeLinks)
    .where(sql`${oneTimeLinks.id} in ${idList(ids)}`)
}

/** The user of a live link. */
export async function findUserOfLink(db: Db, id: string, purpose: LinkPurpose, now: Date) {
  const [user] = await selectUserOfLink(db, id, purpose, now)
  return user
}

/** The query of `findUserOfLink`, for a batch. */
export function selectUserOfLink(db: Db, id: string, purpose: LinkPurpose, now: Date) {
  const userId = db
    .select({ id: oneTimeLinks.userId })
    .from(oneTimeLinks)
    .where(isLive(id, purpose, now))
  return db.select().from(users).where(inArray(users.id, userId))
}

/** The registration that a live link belongs to, for a batch. */
export function selectRegistrationOfLink(db: Db, id: string, purpose: LinkPurpose, now: Date) {
  const registrationId = db
    .select({ id: oneTimeLinks.registrationId })
    .from(oneTimeLinks)
    .where(isLive(id, purpose, now))
  return db.select().from(registrations).where(inArray(registrations.id, registrationId))
}

/** The address of a link's user, looked up at the moment of writing. */
export function emailOfLink(id: string): SQL {
  return sql`(select ${users.email} from ${users} inner join ${oneTimeLinks} on ${oneTimeLinks.userId} = ${users.id}
    where ${eq(oneTimeLinks.id, id)})`
}

/** The link is live. A guard for the statement that uses the link. */
export function linkExists(id: string, purpose: LinkPurpose, now: Date): SQL {
  return sql`exists (select 1 from ${oneTimeLinks} where ${isLive(id, purpose, now)})`
}

/** The activation link is live and leads to a registration of an account that is still pending. */
export function linkActivates(id: string, now: Date): SQL {
  const isPending = and(eq(users.id, oneTimeLinks.userId), eq(users.status, 'pending'))
  return sql`exists (select 1 from ${oneTimeLinks} inner join ${users} on ${isPending}
    inner join ${registrations} on ${registrations.id} = ${oneTimeLinks.registrationId}
    where ${isLive(id, 'activation', now)})`
}

function isLive(id: string, purpose: LinkPurpose, now: Date) {
  return and(eq(oneTimeLinks.id, id), eq(oneTimeLinks.purpose, purpose), gt(oneTimeLinks.expiresAt, now))
}

export function deleteLinksOf(db: Db, userId: string, guard: SQL, purpose?: LinkPurpose) {
  const kind = purpose === undefined ? undefined : eq(oneTimeLinks.purpose, purpose)
  return db.delete(oneTimeLinks).where(and(eq(oneTimeLinks.userId, userId), kind, guard))
}
