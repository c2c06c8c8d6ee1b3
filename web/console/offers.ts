/** Which acts the console offers on an account: those that the service would accept in its present state. */
import { type Role, roles } from '../../src/permissions.ts'
import type { AdministeredUser, Permission } from '../../client/src/index.ts'
import type { May } from './may.ts'
import type { words } from './texts/words.ts'

export type ActName = keyof typeof words.acts

export interface Act {
  name: ActName
  permission: Permission
  isPossible: boolean
  isDangerous?: true
}

/** The roles that an account can get. One whose mailbox nobody has proven stays a USER. */
export function rolesFor({ role, activated_at: activatedAt }: AdministeredUser): Role[] {
  return roles.filter((one) => one !== role && (activatedAt !== null || one === 'USER'))
}

export function actsOn(user: AdministeredUser, may: May): Act[] {
  const { id, role, status, email_deliverable: takesMail, suspended_by_role: suspendedBy } = user
  const isOthers = !may.isOwn(id)
  const isSuspended = status === 'suspended'
  const acts: Act[] = [
    { name: 'moderate', permission: 'profiles:moderate', isPossible: true },
    { name: 'activate', permission: 'users:activate', isPossible: status === 'pending' },
    { name: 'reinstate', permission: 'users:suspend', isPossible: isSuspended && may.reinstates(suspendedBy) },
    { name: 'role', permission: 'users:assign-role', isPossible: isOthers && rolesFor(user).length > 0 },
    { name: 'reset', permission: 'users:reset-password', isPossible: !isSuspended && takesMail },
    {
      name: 'resetFactors',
      permission: 'users:reset-factors',
      isPossible: isOthers && user.factors.length > 0,
      isDangerous: true,
    },
    { name: 'lift', permission: 'emails:manage', isPossible: !takesMail },
    { name: 'suspend', permission: 'users:suspend', isPossible: isOthers && !isSuspended, isDangerous: true },
    { name: 'remove', permission: 'users:delete', isPossible: isOthers, isDangerous: true },
  ]
  return acts.filter(({ permission, isPossible }) => isPossible && may(permission, role))
}

/** Whether the account is suspended by somebody whose decision the user may not undo, though the user may suspend. */
export function isOutOfReach({ role, status, suspended_by_role: suspendedBy }: AdministeredUser, may: May): boolean {
  return status === 'suspended' && may('users:suspend', role) && !may.reinstates(suspendedBy)
}

/** Offered beside the list of the sessions, when there is one to end. */
export const endSessions: Act = { name: 'endSessions', permission: 'users:revoke-sessions', isPossible: true }
