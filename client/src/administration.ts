/** Calls about other users, each of which needs a permission. */
import { type Call, listIn, one } from './call.ts'
import type {
  Acceptance,
  AdministeredUser,
  Answer,
  Body,
  CallOptions,
  Permission,
  Query,
  Role,
  Session,
} from './types.ts'

export interface Administration {
  users: (query?: Query<'listUsers'>, options?: CallOptions) => Promise<Answer<'listUsers'>>
  user: (id: string, options?: CallOptions) => Promise<AdministeredUser>
  updateProfile: (id: string, changes: Body<'moderateProfile'>, options?: CallOptions) => Promise<AdministeredUser>
  activate: (id: string, options?: CallOptions) => Promise<AdministeredUser>
  assignRole: (id: string, role: Role, options?: CallOptions) => Promise<AdministeredUser>
  suspend: (id: string, reason: string, options?: CallOptions) => Promise<AdministeredUser>
  reinstate: (id: string, options?: CallOptions) => Promise<AdministeredUser>
  /** Mails the user a link to set a new password. */
  startPasswordReset: (id: string, options?: CallOptions) => Promise<Acceptance>
  sessions: (id: string, options?: CallOptions) => Promise<Session[]>
  /** Takes away every second factor of a user who has lost them, and signs the user out everywhere. */
  resetFactors: (id: string, reason: string, options?: CallOptions) => Promise<void>
  /** Signs the user out everywhere. */
  endSessions: (id: string, options?: CallOptions) => Promise<void>
  deleteUser: (id: string, options?: CallOptions) => Promise<void>
  /** The emails of the service and their outcomes. */
  emails: (query?: Query<'listEmails'>, options?: CallOptions) => Promise<Answer<'listEmails'>>
  /** Allows emails to an address again after a bounce or a complaint. */
  liftEmailSuppression: (id: string, options?: CallOptions) => Promise<Answer<'liftEmailSuppression'>>
  auditEvents: (query?: Query<'listAuditEvents'>, options?: CallOptions) => Promise<Answer<'listAuditEvents'>>
  roles: (options?: CallOptions) => Promise<{ role: Role; permissions: Permission[] }[]>
}

export function openAdministration(call: Call): Administration {
  return {
    users: (query, options) => call('get', '/users', { ...options, query }),
    user: (id, options) => call('get', '/users/{id}', one(id, options)),
    updateProfile: (id, changes, options) => call('patch', '/users/{id}/profile', one(id, options, changes)),
    activate: (id, options) => call('post', '/users/{id}/activate', one(id, options)),
    assignRole: (id, role, options) => call('put', '/users/{id}/role', one(id, options, { role })),
    suspend: (id, reason, options) => call('post', '/users/{id}/suspend', one(id, options, { reason })),
    reinstate: (id, options) => call('post', '/users/{id}/reinstate', one(id, options)),
    startPasswordReset: (id, options) => call('post', '/users/{id}/password-reset', one(id, options)),
    resetFactors: (id, reason, options) => call('delete', '/users/{id}/factors', one(id, options, { reason })),
    sessions: (id, options) => listIn('sessions', call('get', '/users/{id}/sessions', one(id, options))),
    endSessions: (id, options) => call('delete', '/users/{id}/sessions', one(id, options)),
    deleteUser: (id, options) => call('delete', '/users/{id}', one(id, options)),
    emails: (query, options) => call('get', '/emails', { ...options, query }),
    liftEmailSuppression: (id, options) => call('delete', '/users/{id}/email-suppression', one(id, options)),
    auditEvents: (query, options) => call('get', '/audit-events', { ...options, query }),
    roles: (options) => listIn('roles', call('get', '/roles', options)),
  }
}
