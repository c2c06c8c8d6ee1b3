/**
 * Roles, what each may do, and on whose accounts: the one table, as plain data without imports, so that the pages for
 * administrators can read it, too. A new permission is a line here.
 */
const moderator = ['content:manage', 'users:read', 'profiles:moderate', 'users:suspend'] as const
const administrator = [
  ...moderator,
  'users:activate',
  'users:assign-role',
  'users:revoke-sessions',
  'users:reset-password',
  'users:reset-factors',
  'users:delete',
  'audit:read',
  'emails:read',
  'emails:manage',
] as const

export const roles = ['USER', 'MODERATOR', 'ADMIN'] as const
export type Role = (typeof roles)[number]

export type Permission = (typeof administrator)[number]

interface RoleRules {
  /** Services behind Postern read these from `scope` (RFC 9068 §2.2.3). */
  permissions: readonly Permission[]
  /** The roles whose accounts it may act on: a MODERATOR must not be able to take down another one, or an ADMIN. */
  actsOn: readonly Role[]
  /** The roles whose suspensions it may end: a MODERATOR must not be able to undo what an ADMIN decided. */
  reinstates: readonly Role[]
}

export const roleRules: Readonly<Record<Role, RoleRules>> = {
  USER: { permissions: [], actsOn: [], reinstates: [] },
  MODERATOR: { permissions: moderator, actsOn: ['USER'], reinstates: ['MODERATOR'] },
  ADMIN: { permissions: administrator, actsOn: roles, reinstates: roles },
}

/**
 * The part of a principal that decides its permissions. A second kind of principal, such as an API key, is added here.
 */
interface HasRole {
  user: { role: Role }
}

/** What a principal may do now. */
export function permissionsFor({ user }: HasRole): readonly Permission[] {
  return roleRules[user.role].permissions
}

/** Whether a principal may act on the account of a user with this role. */
export function mayActOn({ user }: HasRole, target: Role): boolean {
  return roleRules[user.role].actsOn.includes(target)
}

/**
 * Whether a principal may end a suspension by somebody who had this role then, whatever became of that person. Where
 * the role is not known, it takes an ADMIN.
 */
export function mayReinstate({ user }: HasRole, suspendedBy: Role | null): boolean {
  return roleRules[user.role].reinstates.includes(suspendedBy ?? 'ADMIN')
}
