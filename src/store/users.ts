import { type SQL, and, asc, desc, eq, gt, gte, inArray, isNotNull, isNull, lt, ne, sql } from 'drizzle-orm'
import { unionAll } from 'drizzle-orm/sqlite-core'
import { type Db, allOf, insertWhere } from './db.ts'
import { type Role, roles } from '../permissions.ts'
import { type User, type UserStatus, userStatuses, users } from './schema/users.ts'
import { registrations } from './schema/registrations.ts'

/** A pending user, unless somebody has the address already. */
export function insertPendingUser(db: Db, user: Pick<User, 'id' | 'email' | 'createdAt'>, guard: SQL) {
  const nothing = {
    passwordHash: null,
    passwordId: null,
    firstName: null,
    lastName: null,
    avatarUrl: null,
    bio: null,
    locale: null,
  }
  const row: User = {
    ...user,
    ...nothing,
    updatedAt: user.createdAt,
    role: 'USER',
    status: 'pending',
    activatedAt: null,
    lastLoginAt: null,
    emailProblem: null,
  }
  return insertWhere(db, users, row, guard).onConflictDoNothing({ target: users.email })
}

export async function findUser(db: Db, id: string): Promise<User | undefined> {
  const [user] = await selectUser(db, id)
  return user
}

/** The query of `findUser`, for a batch. */
export function selectUser(db: Db, id: string) {
  return db.select().from(users).where(eq(users.id, id))
}

/** The users who have these addresses, for a batch. */
export function selectUsersByEmail(db: Db, addresses: readonly string[]) {
  return db
    .select()
    .from(users)
    .where(sql`${users.email} in (select value from json_each(${JSON.stringify(addresses)}))`)
}

/** The user with an address and the password hash of the newest registration of it, for a batch. */
export function selectUserToSignIn(db: Db, email: string) {
  const newestHash = db
    .select({ hash: registrations.passwordHash })
    .from(registrations)
    .where(eq(registrations.email, users.email))
    .orderBy(desc(registrations.id))
    .limit(1)
  return db
    .select({ user: users, registeredHash: sql<string | null>`${newestHash}`.as('registered_hash') })
    .from(users)
    .where(eq(users.email, email))
}

export type UserChanges = { [K in keyof typeof users.$inferInsert]?: (typeof users.$inferInsert)[K] | SQL }

/** Changes a user if `guard` holds, and gives the row as it is then. */
export function updateUser(db: Db, id: string, changes: UserChanges, guard: SQL) {
  return db
    .update(users)
    .set(changes)
    .where(and(eq(users.id, id), guard))
    .returning()
}

export function deleteUser(db: Db, id: string, guard: SQL) {
  return db.delete(users).where(and(eq(users.id, id), guard))
}

/** There is a user with this id for whom the condition holds. Inside it, `users` means that row. */
export function userExists(id: string, condition?: SQL): SQL {
  return sql`exists (select 1 from ${users} where ${and(eq(users.id, id), condition)})`
}

/** The id of whoever has an address, looked up at the moment of writing; `otherwise` when nobody has. */
export function userIdOf(email: string, otherwise: string): SQL {
  return sql`coalesce((select ${users.id} from ${users} where ${eq(users.email, email)}), ${otherwise})`
}

/** A user's address, looked up at the moment of writing. */
export function emailOf(id: string): SQL {
  return sql`(select owner.email from users as owner where owner.id = ${id})`
}

/** The mailbox was proven at some time, so it is fit to be written to about the account. */
export function wasActivated(id: string): SQL {
  return userExists(id, isNotNull(users.activatedAt))
}

export function hasSignedInBefore(id: string): SQL {
  return userExists(id, isNotNull(users.lastLoginAt))
}

/** The address takes mail, as far as the provider has told. */
export function takesMail(id: string): SQL {
  return userExists(id, isNull(users.emailProblem))
}

/** Nothing is mailed to the user's address any more. */
export function hasEmailProblem(id: string): SQL {
  return userExists(id, isNotNull(users.emailProblem))
}

/** The address is worth another try: whoever registers it says that it is good. */
export function forgetEmailProblem(db: Db, email: string, guard: SQL) {
  return db
    .update(users)
    .set({ emailProblem: null })
    .where(and(eq(users.email, email), isNotNull(users.emailProblem), guard))
}

/**
 * Which password a user has: another one each time that one is set, and the same one when it is only hashed anew. Accounts
 * from before there were such ids have their own id for it.
 */
export function passwordIdOf({ id, passwordId }: Pick<User, 'id' | 'passwordId'>): string {
  return passwordId ?? id
}

/** The condition that a user's password is still a certain one. */
export function isPassword(passwordId: string): SQL {
  return sql`coalesce(${users.passwordId}, ${users.id}) = ${passwordId}`
}

/** Whoever has this address has this password. */
export function addressHasPassword(email: string, passwordId: string): SQL {
  return sql`exists (select 1 from ${users} where ${and(eq(users.email, email), isPassword(passwordId))})`
}

export function hasPassword(id: string): SQL {
  return userExists(id, isNotNull(users.passwordHash))
}

export function hasNoPassword(id: string): SQL {
  return userExists(id, isNull(users.passwordHash))
}

/** Whoever has this address may sign in. */
export function addressIsActive(email: string): SQL {
  return sql`exists (select 1 from ${users} where ${and(eq(users.email, email), eq(users.status, 'active'))})`
}

/** The user has one of these roles. */
export function hasRoleAmong(id: string, among: readonly Role[]): SQL {
  return userExists(id, inArray(users.role, [...among]))
}

export function hasOtherRoleThan(id: string, role: Role): SQL {
  return userExists(id, ne(users.role, role))
}

export function isNotSuspended(id: string): SQL {
  return userExists(id, ne(users.status, 'suspended'))
}

/** Back to what the account was before: an account that was never activated has no proven mailbox. */
export const statusBeforeSuspension: SQL = sql`case when ${users.activatedAt} is null then 'pending' else 'active' end`

/** Taking the role, the access or the account from this user locks nobody out: it is no active ADMIN, or not the last. */
export function leavesAnActiveAdmin(id: string): SQL {
  return sql`(not ${userExists(id, and(eq(users.role, 'ADMIN'), eq(users.status, 'active')))} or exists
    (select 1 from users as other where other.role = 'ADMIN' and other.status = 'active' and other.id <> ${id}))`
}

/**
 * A pending user becomes active, since who can read the mail owns the mailbox. A suspended one stays suspended, and is
 * active once it is reinstated.
 */
export function activatedByReset(now: Date): UserChanges {
  return {
    status: sql`case when ${users.status} = 'pending' then 'active' else ${users.status} end`,
    activatedAt: sql`coalesce(${users.activatedAt}, ${now.getTime()})`,
  }
}

/** The user is active and nobody is an active ADMIN. */
export function canBecomeFirstAdmin(id: string): SQL {
  return allOf(
    userExists(id, eq(users.status, 'active')),
    sql`not exists (select 1 from users as admin where admin.role = 'ADMIN' and admin.status = 'active')`,
  )
}

export function hasStatus(id: string, status: UserStatus): SQL {
  return userExists(id, eq(users.status, status))
}

/** The user may sign in, and the password is still the one that was verified. */
export function canSignIn(id: string, passwordId: string): SQL {
  return userExists(id, and(eq(users.status, 'active'), isNotNull(users.passwordHash), isPassword(passwordId)))
}

export interface UserFilter {
  /** A prefix of the address. With it the list is in the order of addresses, without it newest first. */
  emailPrefix?: string | undefined
  role?: Role | undefined
  status?: UserStatus | undefined
  /** The address or the id of the last user of the page before, as the order has it. */
  after?: string | undefined
}

/** Beyond every ASCII character, so beyond every address. */
const afterAscii = '\u007f'

/**
 * A page of users. Rows read are bound by the page and not by the table: a filter by role or status is the union of the
 * (at most three) index ranges it covers, which SQLite merges in order.
 */
export function listUsers(db: Db, filter: UserFilter, limit: number) {
  const { emailPrefix, after } = filter
  const order = emailPrefix === undefined ? desc(users.id) : asc(users.email)
  const position = and(
    ...(emailPrefix === undefined
      ? [after === undefined ? undefined : lt(users.id, after)]
      : [
          gte(users.email, emailPrefix),
          lt(users.email, emailPrefix + afterAscii),
          after === undefined ? undefined : gt(users.email, after),
        ]),
  )
  const branch = (condition: SQL | undefined) => db.select().from(users).where(and(condition, position))
  const [first, second, third] = ranges(filter)
  if (!first) return branch(undefined).orderBy(order).limit(limit)
  if (!second || !third) return branch(first).orderBy(order).limit(limit)
  return unionAll(branch(first), branch(second), branch(third)).orderBy(order).limit(limit)
}

function ranges({ role, status }: UserFilter): (SQL | undefined)[] {
  if (role && status) return [and(eq(users.role, role), eq(users.status, status))]
  if (role) return userStatuses.map((each) => and(eq(users.role, role), eq(users.status, each)))
  if (status) return roles.map((each) => and(eq(users.role, each), eq(users.status, status)))
  return []
}
