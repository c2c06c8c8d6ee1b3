import { type SQL, eq, gte, inArray, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { batch } from './batch.ts'
import { type Db, allOf } from './db.ts'
import { auditCodes, auditEvents } from './schema/audit.ts'
import { oneTimeLinks } from './schema/links.ts'
import { registrations } from './schema/registrations.ts'
import { users } from './schema/users.ts'
import { type Walk, isAtEnd, isExpiredInStep, moveOn } from './sweeps.ts'
import { deleteRowsOf, rowsOfUsersStatements } from './user-rows.ts'

/** How many statements `expireStaleUsers` sends. */
export const staleUserStatements = 4 + rowsOfUsersStatements

/**
 * Looks at the next `limit` accounts that nobody activated, and deletes those without a registration since `beforeId`
 * and without a link that could still activate them. One batch, so that every statement sees the same accounts.
 *
 * @returns how many accounts it deleted, and whether it has looked at all
 */
export async function expireStaleUsers(
  db: Db,
  beforeId: string,
  now: Date,
  limit: number,
): Promise<{ deleted: number; isAtEnd: boolean }> {
  const walk: Walk = {
    key: users.id,
    // An account that was never activated is a USER. With its role, the ids are in the order of an index.
    among: allOf(eq(users.role, 'USER'), eq(users.status, 'pending')),
    before: beforeId,
    isExpired: allOf(
      sql`not exists (select 1 from ${registrations} where ${registrations.email} = ${users.email} and ${gte(registrations.id, beforeId)})`,
      sql`not exists (select 1 from ${oneTimeLinks} where ${oneTimeLinks.userId} = ${users.id} and ${oneTimeLinks.expiresAt} > ${now.getTime()})`,
    ),
  }
  const stale = db.select({ id: users.id }).from(users).where(isExpiredInStep(walk))
  const staleAddresses = db.select({ email: users.email }).from(users).where(inArray(users.id, stale))
  const { moved, deleted } = await batch(db, {
    moved: moveOn(db, walk, limit),
    recorded: db.insert(auditEvents)
      .select(sql`select ${randomId(now)}, ${auditCodes['user.expired']}, id, 0, null, null, null, null, null, null, null
      from ${users} where id in ${stale}`),
    rows: deleteRowsOf(db, sql`${stale}`),
    registrations: db.delete(registrations).where(inArray(registrations.email, staleAddresses)),
    deleted: db.delete(users).where(inArray(users.id, stale)),
  })
  return { deleted: deleted.meta.changes, isAtEnd: isAtEnd(moved) }
}

/** An SQL expression that gives each row a new UUIDv7 of this moment. */
function randomId(now: Date): SQL {
  const random = (digits: number) => sql.raw(`substr(hex(randomblob(8)), 1, ${digits})`)
  const time = uuidv7Floor(now).slice(0, 13).replace('-', '')
  return sql`unhex(${time} || '7' || ${random(3)} || '8' || ${random(15)})`
}
