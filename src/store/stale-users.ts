import { type SQL, and, asc, eq, gte, inArray, lt, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { roles } from '../permissions.ts'
import { batch } from './batch.ts'
import type { Db } from './db.ts'
import { auditCodes, auditEvents } from './schema/audit.ts'
import { oneTimeLinks } from './schema/links.ts'
import { registrations } from './schema/registrations.ts'
import { users } from './schema/users.ts'

/** How many statements `expireStaleUsers` sends. */
export const staleUserStatements = 4

/**
 * Deletes one chunk of the accounts that nobody activated: pending, without a registration since `beforeId`, and without a
 * link that could still activate them. One batch, so that every statement sees the same accounts.
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
          // Names every role so that SQLite uses the index by role and status.
          inArray(users.role, [...roles]),
          eq(users.status, 'pending'),
          lt(users.id, beforeId),
          sql`not exists (select 1 from ${registrations} where ${registrations.email} = ${users.email} and ${gte(registrations.id, beforeId)})`,
          sql`not exists (select 1 from ${oneTimeLinks} where ${oneTimeLinks.userId} = ${users.id} and ${oneTimeLinks.expiresAt} > ${now.getTime()})`,
        ),
      )
      .orderBy(asc(users.id))
      .limit(limit)
  const staleAddresses = db.select({ email: users.email }).from(users).where(inArray(users.id, stale()))
  const { deleted } = await batch(db, {
    recorded: db.insert(auditEvents)
      .select(sql`select ${randomId(now)}, ${auditCodes['user.expired']}, id, 0, null, null, null, null, null, null, null
      from ${users} where id in ${stale()}`),
    links: db.delete(oneTimeLinks).where(inArray(oneTimeLinks.userId, stale())),
    registrations: db.delete(registrations).where(inArray(registrations.email, staleAddresses)),
    deleted: db.delete(users).where(inArray(users.id, stale())),
  })
  return deleted.meta.changes
}

/** An SQL expression that gives each row a new UUIDv7 of this moment. */
function randomId(now: Date): SQL {
  const random = (digits: number) => sql.raw(`substr(hex(randomblob(8)), 1, ${digits})`)
  const time = uuidv7Floor(now).slice(0, 13).replace('-', '')
  return sql`unhex(${time} || '7' || ${random(3)} || '8' || ${random(15)})`
}
