import { type SQL, and, asc, eq, inArray, lt, sql } from 'drizzle-orm'
import { type Db, allOf, idList, idParam, insertWhere } from './db.ts'
import { type Registration, registrations } from './schema/registrations.ts'
import { users } from './schema/users.ts'

/** Stores a registration if the address belongs to a pending user. */
export function insertRegistration(db: Db, registration: Registration, guard: SQL) {
  const isPending = sql`exists (select 1 from ${users} where ${and(eq(users.email, registration.email), eq(users.status, 'pending'))})`
  return insertWhere(db, registrations, registration, allOf(guard, isPending))
}

/** Registrations by their ids, for a batch. */
export function selectRegistrations(db: Db, ids: readonly string[]) {
  return db
    .select()
    .from(registrations)
    .where(sql`${registrations.id} in ${idList(ids)}`)
}

/** The newest registration of each of these addresses, for a batch. */
export function selectNewestRegistrations(db: Db, addresses: readonly string[]) {
  const newest = sql`(select max(listed.id) from registrations as listed
    where listed.email in (select value from json_each(${JSON.stringify(addresses)})) group by listed.email)`
  return db
    .select()
    .from(registrations)
    .where(sql`${registrations.id} in ${newest}`)
}

export function deleteRegistrationsOf(db: Db, email: string | SQL, guard: SQL) {
  return db.delete(registrations).where(and(eq(registrations.email, email), guard))
}

/** Deletes one chunk of the registrations from before an id whose address has neither a newer one nor a pending user. */
export function deleteRegistrationsBefore(db: Db, beforeId: string, limit: number) {
  const chunk = db
    .select({ id: registrations.id })
    .from(registrations)
    .where(
      and(
        lt(registrations.id, beforeId),
        sql`not exists (select 1 from registrations as newer where newer.email = ${registrations.email} and newer.id >= ${idParam(beforeId)})`,
        sql`not exists (select 1 from users where users.email = ${registrations.email} and ${eq(users.status, 'pending')})`,
      ),
    )
    .orderBy(asc(registrations.id))
    .limit(limit)
  return db.delete(registrations).where(inArray(registrations.id, chunk))
}
