import { mayReinstate, roleRules } from '../../src/permissions.ts'
import type { Permission, Role, User } from '../../client/src/index.ts'

/** What the signed-in user may do. */
export interface May {
  /** Whether the user has a permission, and, where `on` is given, may use it on an account with that role. */
  (permission: Permission, on?: Role): boolean
  /** Whether an account is the user's own. */
  isOwn: (id: string) => boolean
  /** Whether the user may end a suspension by somebody with this role. */
  reinstates: (suspendedBy: Role | null) => boolean
}

/**
 * Reads the service's own table, so that the console offers what the service accepts. It only decides what is shown:
 * the service checks every call.
 */
export function mayOf(own: User): May {
  const { permissions, actsOn } = roleRules[own.role]
  const may = (permission: Permission, on?: Role) =>
    permissions.includes(permission) && (on === undefined || actsOn.includes(on))
  return Object.assign(may, {
    isOwn: (id: string) => id === own.id,
    reinstates: (suspendedBy: Role | null) => mayReinstate({ user: own }, suspendedBy),
  })
}
