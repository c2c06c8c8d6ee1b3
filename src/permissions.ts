import type { Role } from './store/schema.ts'

const moderatorPermissions = ['content:manage', 'users:read', 'profiles:moderate', 'users:suspend'] as const
const adminPermissions = [
  ...moderatorPermissions,
  'users:activate',
  'users:assign-role',
  'users:revoke-sessions',
  'users:reset-password',
  'users:delete',
  'audit:read',
  'emails:read',
  'emails:manage',
] as const

export type Permission = (typeof adminPermissions)[number]

/** The one table of who may do what. Services behind Postern read it from `scope` (RFC 9068 §2.2.3). */
export const permissionsOf: Record<Role, readonly Permission[]> = {
  USER: [],
  MODERATOR: moderatorPermissions,
  ADMIN: adminPermissions,
}

export function hasPermission(role: Role, permission: Permission): boolean {
  return permissionsOf[role].includes(permission)
}

/** Whose accounts a role may act on: a MODERATOR must not be able to take down its peers or its superiors. */
export function rolesInReachOf(role: Role): Role[] {
  return role === 'ADMIN' ? ['USER', 'MODERATOR', 'ADMIN'] : ['USER']
}
