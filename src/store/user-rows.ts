/**
 * The rows that belong to users, for deletions. Foreign keys never cascade, so whoever deletes users deletes these
 * before.
 */
import { type SQL, and, eq, inArray, sql } from 'drizzle-orm'
import { type Db, always, idParam } from './db.ts'
import { deleteRegistrationsOf } from './registrations.ts'
import { emailChanges } from './schema/email-changes.ts'
import { oneTimeLinks } from './schema/links.ts'
import { passkeys } from './schema/passkeys.ts'
import { recoveryCodes } from './schema/recovery-codes.ts'
import { sessions } from './schema/sessions.ts'
import { totps } from './schema/totps.ts'
import { users } from './schema/users.ts'

const tables = [sessions, oneTimeLinks, emailChanges, passkeys, totps, recoveryCodes]

/** How many statements `deleteRowsOf` makes. */
export const rowsOfUsersStatements = tables.length

/** @param userIds a query of one column */
export function deleteRowsOf(db: Db, userIds: SQL, guard: SQL = always) {
  return tables.map((table) => db.delete(table).where(and(inArray(table.userId, userIds), guard)))
}

export function deleteRowsOfUser(db: Db, id: string, guard: SQL) {
  return deleteRowsOf(db, sql`(${idParam(id)})`, guard)
}

/** The id of the pending account with an address, looked up at the moment of writing. */
export function pendingUserAt(email: string): SQL {
  return sql`(select ${users.id} from ${users} where ${isPendingAt(email)})`
}

export function hasPendingUser(email: string): SQL {
  return sql`${pendingUserAt(email)} is not null`
}

/** Deletes the pending account of an address, with its registrations. */
export function deletePendingUser(db: Db, email: string, guard: SQL) {
  return {
    pendingRows: deleteRowsOf(db, pendingUserAt(email), guard),
    pendingRegistrations: deleteRegistrationsOf(db, email, guard),
    pendingUser: db.delete(users).where(and(isPendingAt(email), guard)),
  } as const
}

function isPendingAt(email: string) {
  return and(eq(users.email, email), eq(users.status, 'pending'))
}
