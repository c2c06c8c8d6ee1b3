import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { Role } from '../../permissions.ts'
import { bytes, coded, instant, uuid } from './columns.ts'
import { emailProblemCodes } from './emails.ts'

const roleCodes = { USER: 0, MODERATOR: 1, ADMIN: 2 } as const satisfies Record<Role, number>

const statusCodes = { pending: 0, active: 1, suspended: 2 } as const
export type UserStatus = keyof typeof statusCodes
export const userStatuses = Object.keys(statusCodes) as UserStatus[]

export const users = sqliteTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    email: text('email').notNull(),
    /**
     * Null until the mailbox is proven, after an activation by an ADMIN, who cannot know whose password is right, and
     * after a change of address was undone.
     */
    passwordHash: bytes('password_hash'),
    /** See `passwordIdOf`. */
    passwordId: uuid('password_id'),
    role: coded('role', roleCodes).notNull(),
    status: coded('status', statusCodes).notNull(),
    firstName: text('first_name'),
    lastName: text('last_name'),
    avatarUrl: text('avatar_url'),
    bio: text('bio'),
    locale: text('locale'),
    updatedAt: instant('updated_at').notNull(),
    activatedAt: instant('activated_at'),
    lastLoginAt: instant('last_login_at'),
    /** The role that whoever suspended the account had at that time. */
    suspendedByRole: coded('suspended_by_role', roleCodes),
    /** New at every change of the second factors. Null: there are none. */
    factorsId: uuid('factors_id'),
    /**
     * Raised when all devices, or all others, are signed out, and by a suspension: trust tokens name the number of
     * their time. Null is 0.
     */
    trustNumber: integer('trust_number'),
    /** Why the address gets no more mail. */
    emailProblem: coded('email_problem', emailProblemCodes),
    /**
     * The first change of the address that was not undone. Null: the account has the address that it was registered
     * with. Nobody becomes the first ADMIN by another one.
     */
    emailChangedAt: instant('email_changed_at'),
  },
  (table) => [
    uniqueIndex('users_email').on(table.email),
    // A filter by role or by status alone is the union of three ranges of these indexes, each already in order.
    index('users_role_status_id').on(table.role, table.status, table.id),
    index('users_role_status_email').on(table.role, table.status, table.email),
  ],
)

export type UserWithHash = typeof users.$inferSelect

/** A user as most of the code sees one: only whoever checks a password needs its hash. */
export type User = Omit<UserWithHash, 'passwordHash'>
