import { and, asc, eq, inArray, lt, sql } from 'drizzle-orm'
import { uuidv7Prefix } from '../crypto/random.ts'
import { type Db, orderedBatch } from './db.ts'
import { roles } from '../permissions.ts'
import { auditEvents, oneTimeLinks, registrations, users } from './schema.ts'

/**
 * Deletes one chunk of the accounts that nobody activated: pending, without an attempt to register since `beforeId` and
 * without a link that could still activate them. One batch, so that each statement sees the same accounts.
 *
 * @returns how many accounts it deleted
 */
export async function expireStaleUsers(db: Db, beforeId: string, now: Date, limit: number): Promise<number> {
  const stale = () =>
    db
      .select({ id: users.id })
      .from(users)
      .where(
        and(
          // All the roles, so that the index of role and status serves.
          inArray(users.role, [...roles]),
          eq(users.status, 'pending'),
          lt(users.id, beforeId),
          sql`not exists (select 1 from ${registrations} where ${registrations.email} = ${users.email} and ${registrations.id} >= ${beforeId})`,
          sql`not exists (select 1 from ${oneTimeLinks} where ${oneTimeLinks.userId} = ${users.id} and ${oneTimeLinks.expiresAt} > ${now.getTime()})`,
        ),
      )
      .orderBy(asc(users.id))
      .limit(limit)
  const staleAddresses = db.select({ email: users.email }).from(users).where(inArray(users.id, stale()))
  const results = await orderedBatch(db, [
    db.insert(auditEvents).select(sql`select ${sql.raw(randomId(now))}, ${now.getTime()}, 'user.expired', null, id,
      null, null, null, null, null from ${users} where id in ${stale()}`),
    db.delete(oneTimeLinks).where(inArray(oneTimeLinks.userId, stale())),
    db.delete(registrations).where(inArray(registrations.email, staleAddresses)),
    db.delete(users).where(inArray(users.id, stale())),
  ])
  return results[3].meta.changes
}

/** An expression that makes a UUIDv7 of this moment for each row. */
function randomId(now: Date): string {
  const random = (digits: number) => `substr(lower(hex(randomblob(8))), 1, ${digits})`
  return `'${uuidv7Prefix(now)}-7' || ${random(3)} || '-8' || ${random(3)} || '-' || ${random(12)}`
}
