import { type SQL, and, asc, desc, eq, gt, gte, isNotNull, lt, sql } from 'drizzle-orm'
import { unionAll } from 'drizzle-orm/sqlite-core'
import { administeredColumns } from './administered-users.ts'
import { type Db, insertWhere } from './db.ts'
import { timeOf } from '../crypto/random.ts'
import { type Role, roles } from '../permissions.ts'
import { type User, type UserStatus, userStatuses, users } from './schema/users.ts'
import { type Registration, registrations } from './schema/registrations.ts'

/** Inserts a pending user, unless the address is taken. */
export function insertPendingUser(db: Db, user: Pick<User, 'id' | 'email'>, guard: SQL) {
  const row = { ...user, updatedAt: timeOf(user.id), role: 'USER', status: 'pending' } as const
  return insertWhere(db, users, row, guard).onConflictDoNothing({ target: users.email })
}

/** A user, for a batch. */
export function selectUser(db: Db, id: string) {
  return db.select().from(users).where(eq(users.id, id))
}

/** The user, if the condition holds, for a batch. */
export function selectUserIf(db: Db, id: string, condition: SQL) {
  return db
    .select()
    .from(users)
    .where(and(eq(users.id, id), condition))
}

/** The users with these addresses, for a batch. */
export function selectUsersByEmail(db: Db, addresses: readonly string[]) {
  return db
    .select()
    .from(users)
    .where(sql`${users.email} in (select value from json_each(${JSON.stringify(addresses)}))`)
}

/** The user with an address, and the password hash of its newest registration, for a batch. */
export function selectUserToSignIn(db: Db, email: string) {
  const newestHash = db
    .select({ hash: registrations.passwordHash })
    .from(registrations)
    .where(eq(registrations.email, users.email))
    .orderBy(desc(registrations.id))
    .limit(1)
  const registeredHash = sql<Registration['passwordHash'] | null>`${newestHash}`
    .mapWith(registrations.passwordHash)
    .as('registered_hash')
  return db.select({ user: users, registeredHash }).from(users).where(eq(users.email, email))
}

export type UserChanges = { [K in keyof typeof users.$inferInsert]?: (typeof users.$inferInsert)[K] | SQL }

/** Changes a user if `guard` holds, and returns the row afterwards. */
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

/** Lets mail go to an address again, because somebody registers it. */
export function forgetEmailProblem(db: Db, email: string, guard: SQL) {
  return db
    .update(users)
    .set({ emailProblem: null })
    .where(and(eq(users.email, email), isNotNull(users.emailProblem), guard))
}

export interface UserFilter {
  /** A prefix of the address. With it the list is ordered by address, without it newest first. */
  emailPrefix?: string | undefined
  role?: Role | undefined
  status?: UserStatus | undefined
  /** The address or id, depending on the order, of the last user of the previous page. */
  after?: string | undefined
}

/** After every ASCII character, so after every address. */
const afterAscii = '\u007f'

/**
 * A page of users. The rows read depend on the page and not on the table: a filter by role or status is the union of at
 * most three index ranges, which SQLite merges in order.
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
  const branch = (condition: SQL | undefined) =>
    db.select(administeredColumns).from(users).where(and(condition, position))
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
