/** Conditions and values about users that the database evaluates at the moment of writing, for the guards of writes. */
import { type SQL, and, eq, getTableColumns, inArray, isNotNull, isNull, ne, or, sql } from 'drizzle-orm'
import type { Role } from '../permissions.ts'
import { allOf, idParam } from './db.ts'
import { type User, type UserStatus, users } from './schema/users.ts'
import type { UserChanges } from './users.ts'

/** There is a user with this id, and the condition holds for that row of `users`. */
export function userExists(id: string, condition?: SQL): SQL {
  return sql`exists (select 1 from ${users} where ${and(eq(users.id, id), condition)})`
}

/** The id of the user with an address, looked up at the moment of writing; `otherwise` if there is none. */
export function userIdOf(email: string, otherwise: string): SQL {
  return sql`coalesce((select ${users.id} from ${users} where ${eq(users.email, email)}), ${idParam(otherwise)})`
}

/** A user's address, looked up at the moment of writing. */
export function emailOf(id: string): SQL {
  return sql`(select owner.email from users as owner where owner.id = ${idParam(id)})`
}

/** The user still has this address. */
export function hasEmail(id: string, email: string): SQL {
  return userExists(id, eq(users.email, email))
}

/** The mailbox was proven at some time, so it may get email about the account. */
export function wasActivated(id: string): SQL {
  return userExists(id, isNotNull(users.activatedAt))
}

export function hasSignedInBefore(id: string): SQL {
  return userExists(id, isNotNull(users.lastLoginAt))
}

/** The provider has reported no problem with the address. */
export function takesMail(id: string): SQL {
  return userExists(id, isNull(users.emailProblem))
}

/** The user's address gets no more mail. */
export function hasEmailProblem(id: string): SQL {
  return userExists(id, isNotNull(users.emailProblem))
}

/**
 * The id of a user's password: a new one each time a password is set, the same one when it is only rehashed. An account
 * that never had a password uses its own id.
 */
export function passwordIdOf({ id, passwordId }: Pick<User, 'id' | 'passwordId'>): string {
  return passwordId ?? id
}

/** The user's password is still the one with this id. */
export function isPassword(passwordId: string): SQL {
  return sql`coalesce(${users.passwordId}, ${users.id}) = ${idParam(passwordId)}`
}

/** The user with this address has this password. */
export function addressHasPassword(email: string, passwordId: string): SQL {
  return sql`exists (select 1 from ${users} where ${and(eq(users.email, email), isPassword(passwordId))})`
}

/** The address has an account. */
export function addressExists(email: string): SQL {
  return sql`exists (select 1 from ${users} where ${eq(users.email, email)})`
}

/** The user has one of these roles. */
export function hasRoleAmong(id: string, among: readonly Role[]): SQL {
  return userExists(id, inArray(users.role, [...among]))
}

export function hasOtherRoleThan(id: string, role: Role): SQL {
  return userExists(id, ne(users.role, role))
}

/** The user is suspended, by somebody who had one of these roles. An unknown one counts as ADMIN. */
export function isSuspendedBy(id: string, among: readonly Role[]): SQL {
  const isUnknown = among.includes('ADMIN') ? isNull(users.suspendedByRole) : undefined
  return userExists(id, and(eq(users.status, 'suspended'), or(inArray(users.suspendedByRole, [...among]), isUnknown)))
}

export function isNotSuspended(id: string): SQL {
  return userExists(id, ne(users.status, 'suspended'))
}

/**
 * The status before a suspension. An account that was never activated has no proven mailbox, so it is pending again.
 */
export const statusBeforeSuspension: SQL = sql`case when ${users.activatedAt} is null
  then ${status('pending')} else ${status('active')} end`

/** The user is not the last active ADMIN, so the service keeps one without this user. */
export function leavesAnActiveAdmin(id: string): SQL {
  return sql`(not ${userExists(id, and(eq(users.role, 'ADMIN'), eq(users.status, 'active')))} or exists
    (select 1 from users as other where ${isActiveAdmin('other')} and other.id <> ${idParam(id)}))`
}

/**
 * The changes by which a reset activates a pending user: the link proved the mailbox. A suspended user stays suspended
 * and becomes active when reinstated.
 */
export function activatedByReset(now: Date): UserChanges {
  return {
    status: sql`case when ${eq(users.status, 'pending')} then ${status('active')} else ${users.status} end`,
    activatedAt: sql`coalesce(${users.activatedAt}, ${now.getTime()})`,
  }
}

/** The user is active and has the address of the registration, and there is no active ADMIN. */
export function canBecomeFirstAdmin(id: string): SQL {
  return allOf(
    userExists(id, and(eq(users.status, 'active'), isNull(users.emailChangedAt))),
    sql`not exists (select 1 from users as admin where ${isActiveAdmin('admin')})`,
  )
}

/** Of a row of `users` under another name. */
function isActiveAdmin(alias: string): SQL {
  const column = (name: string) => sql`${sql.identifier(alias)}.${sql.identifier(name)}`
  return sql`(${column('role')} = ${sql.param('ADMIN', users.role)} and ${column('status')} = ${status('active')})`
}

function status(word: UserStatus) {
  return sql.param(word, users.status)
}

/** Of a row of `users`: one of these values is not the one that is there. */
export function differsFrom(values: UserChanges): SQL {
  const given = new Map<string, unknown>(Object.entries(values))
  const differences = Object.entries(getTableColumns(users)).flatMap(([name, column]) => {
    const value = given.get(name)
    return value === undefined ? [] : [sql`${column} is not ${value}`]
  })
  return or(...differences) ?? sql`false`
}

export function hasStatus(id: string, status: UserStatus): SQL {
  return userExists(id, eq(users.status, status))
}

/**
 * The user may sign in, the password is still the one that was verified, and the condition holds for the user's row.
 */
export function canSignIn(id: string, passwordId: string, condition: SQL): SQL {
  const mayUsePassword = and(eq(users.status, 'active'), isNotNull(users.passwordHash), isPassword(passwordId))
  return userExists(id, and(mayUsePassword, condition))
}

/** Of a row of `users`: its second factors are these; with `null`, it has none. */
export function isFactorsId(factorsId: string | null): SQL {
  return factorsId === null ? isNull(users.factorsId) : eq(users.factorsId, factorsId)
}

/** The user has second factors. */
export function hasFactors(id: string): SQL {
  return userExists(id, isNotNull(users.factorsId))
}

/** The user exists, and has no second factor. */
export function hasNoFactors(id: string): SQL {
  return userExists(id, isFactorsId(null))
}

/** Of a row of `users`: the trust token of a device still counts, and its user is not staff. */
export function isTrusted(factorsId: string, trustNumber: number): SQL {
  return allOf(isFactorsId(factorsId), eq(users.role, 'USER'), sql`${trustNumberOrZero} = ${trustNumber}`)
}

const trustNumberOrZero = sql`coalesce(${users.trustNumber}, 0)`

/** The change that voids all trust tokens of a user. */
export const withoutTrust: UserChanges = { trustNumber: sql`${trustNumberOrZero} + 1` }
