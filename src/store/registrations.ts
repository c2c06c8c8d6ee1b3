import { type SQL, and, eq, sql } from 'drizzle-orm'
import { type Db, allOf, idList, insertWhere } from './db.ts'
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
