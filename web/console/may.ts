import { roleRules } from '../../src/permissions.ts'
import type { Permission, Role } from '../../client/src/index.ts'

/** Whether the signed-in user has a permission, and, where `on` is given, may use it on an account with that role. */
export type May = (permission: Permission, on?: Role) => boolean

/**
 * Reads the service's own table, so that the console offers what the service accepts. It only decides what is shown:
 * the service checks every call.
 */
export function mayOf(own: Role): May {
  const { permissions, actsOn } = roleRules[own]
  return (permission, on) => permissions.includes(permission) && (on === undefined || actsOn.includes(on))
}
