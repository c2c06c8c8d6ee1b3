import { index, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { roles } from '../../permissions.ts'
import { instant } from './columns.ts'
import { emailProblems } from './emails.ts'

export const userStatuses = ['pending', 'active', 'suspended'] as const
export type UserStatus = (typeof userStatuses)[number]

export const users = sqliteTable(
  'users',
  {
    id: text('id').primaryKey(),
    email: text('email').notNull(),
    /** Null until the mailbox is proven, and after an activation by an ADMIN, who cannot know whose password is right. */
    passwordHash: text('password_hash'),
    /** See `passwordIdOf`. */
    passwordId: text('password_id'),
    role: text('role', { enum: roles }).notNull(),
    status: text('status', { enum: userStatuses }).notNull(),
    firstName: text('first_name'),
    lastName: text('last_name'),
    avatarUrl: text('avatar_url'),
    bio: text('bio'),
    locale: text('locale'),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    activatedAt: instant('activated_at'),
    lastLoginAt: instant('last_login_at'),
    /** The role of who suspended the account, at that time. Null for a suspension that is older than this column. */
    suspendedByRole: text('suspended_by_role', { enum: roles }),
    /** Why the address gets no more mail. */
    emailProblem: text('email_problem', { enum: emailProblems }),
  },
  (table) => [
    uniqueIndex('users_email').on(table.email),
    // A filter by role or by status alone is the union of three ranges of these indexes, each already in order.
    index('users_role_status_id').on(table.role, table.status, table.id),
    index('users_role_status_email').on(table.role, table.status, table.email),
  ],
)

export type User = typeof users.$inferSelect
