import { linkLifeSeconds, mailBudget } from '../../../src/config/policy.ts'
import { freshAdmin, inHours, inWords } from '../limits.ts'
import type { Operations } from '../prose.ts'

const userId = { id: 'The id of the user.' }
const reach = 'A MODERATOR may do this only to a USER.'

export const administrationOperations: Operations = {
  'GET /users': {
    operationId: 'listUsers',
    tag: 'Administration',
    summary: 'List users',
    description: 'Newest first, or ordered by address when filtered by `email`.',
    parameters: {
      email: 'Only users whose address starts with this.',
      role: 'Only users with this role.',
      status: 'Only users with this status.',
      limit: 'The maximum number of items on a page.',
      cursor: '`next_cursor` of the previous page, which had the same filters.',
    },
    answers: {
      200: {
        description: 'A page of users.',
        schema: 'UserPage',
      },
    },
  },
  'GET /users/{id}': {
    operationId: 'getUser',
    tag: 'Administration',
    summary: 'Read a user',
    description: 'Returns the current state of the user.',
    parameters: userId,
    answers: { 200: { description: 'The user.', schema: 'AdministeredUser' } },
  },
  'PATCH /users/{id}/profile': {
    operationId: 'moderateProfile',
    tag: 'Administration',
    summary: "Correct a user's profile",
    description: `Changes the given fields. \`null\` clears a field. ${reach}`,
    parameters: userId,

    answers: {
      200: {
        description: 'The updated user.',
        schema: 'AdministeredUser',
      },
    },
  },
  'POST /users/{id}/activate': {
    operationId: 'activateUser',
    tag: 'Administration',
    summary: 'Activate an account without its link',
    description:
      'The account gets no password, and the user an email to set one: nobody can tell who chose the passwords that were registered. An active account does not change. One that is suspended has to be reinstated first.',
    parameters: userId,
    answers: { 200: { description: 'The updated user.', schema: 'AdministeredUser' } },
    problems: ['user_suspended'],
  },
  'PUT /users/{id}/role': {
    operationId: 'assignRole',
    tag: 'Administration',
    summary: 'Give a user another role',
    description: `Ends every session of the user if the role changes, so that no token of the old role stays valid. The last active ADMIN cannot be given another role. An account that was never activated stays a USER. The role that the user has already is answered with 200, and nothing changes. ${freshAdmin}`,
    parameters: userId,

    answers: {
      200: {
        description: 'The updated user.',
        schema: 'AdministeredUser',
      },
    },
    problems: ['own_account', 'last_admin', 'not_activated'],
  },
  'POST /users/{id}/suspend': {
    operationId: 'suspendUser',
    tag: 'Administration',
    summary: 'Suspend a user',
    description: `Ends every session of the user and refuses sign-in. The reason is kept in the audit trail and emailed to the user. ${reach}`,
    parameters: userId,

    answers: {
      200: {
        description: 'The updated user.',
        schema: 'AdministeredUser',
      },
    },
    problems: ['own_account', 'last_admin', 'user_suspended'],
  },
  'POST /users/{id}/reinstate': {
    operationId: 'reinstateUser',
    tag: 'Administration',
    summary: 'End a suspension',
    description: `Restores the status from before the suspension: active or pending. ${reach} Only an ADMIN may reinstate whom an ADMIN suspended.`,
    parameters: userId,
    answers: { 200: { description: 'The updated user.', schema: 'AdministeredUser' } },
    problems: ['not_suspended'],
  },
  'POST /users/{id}/password-reset': {
    operationId: 'startPasswordReset',
    tag: 'Administration',
    summary: 'Have a user set a new password',
    description: `Emails the user a link to set a new password. It works once, within ${inHours(linkLifeSeconds.reset * 1000)}. The caller does not see the link, and only the audit trail tells whether it was used. Until then the password and the sessions do not change. A user gets at most ${inWords(mailBudget.perHour)} such emails an hour and ${inWords(mailBudget.perDay)} a day; beyond that, the answer is the same and no email is sent. ${freshAdmin}`,
    parameters: userId,
    answers: {
      202: { description: 'Accepted. The email tells how to continue.', schema: 'Acceptance' },
    },
    problems: ['email_suppressed'],
  },
  'DELETE /users/{id}/factors': {
    operationId: 'resetFactors',
    tag: 'Administration',
    summary: 'Remove the second factors of a user',
    description: `For somebody who lost them: removes every passkey, the authenticator app and the recovery codes, and ends every session. The password alone then signs in. The user is told at once by email, with the reason. A user without factors does not change. ${freshAdmin}`,
    parameters: userId,
    answers: { 204: { description: 'The user has no second factor.' } },
    problems: ['own_account', 'insufficient_user_authentication'],
  },
  'GET /users/{id}/sessions': {
    operationId: 'listSessionsOfUser',
    tag: 'Administration',
    summary: "List a user's sessions",
    description:
      'Lists the devices on which the user is signed in, newest first. `current` marks the session of this request.',
    parameters: userId,
    answers: {
      200: {
        description: 'The sessions.',
        schema: 'SessionList',
      },
    },
  },
  'DELETE /users/{id}/sessions': {
    operationId: 'endSessionsOfUser',
    tag: 'Administration',
    summary: 'Sign a user out everywhere',
    description: 'Ends every session of the user.',
    parameters: userId,
    answers: { 204: { description: 'Every session has ended.' } },
  },
  'DELETE /users/{id}': {
    operationId: 'deleteUser',
    tag: 'Administration',
    summary: 'Delete an account',
    description: `Deletes the account, its sessions and its links at once, and sends a last email about it. ${freshAdmin}`,
    parameters: userId,
    answers: { 204: { description: 'The account is deleted.' } },
    problems: ['own_account', 'last_admin'],
  },
  'GET /audit-events': {
    operationId: 'listAuditEvents',
    tag: 'Administration',
    summary: 'Read the audit trail',
    description:
      'Newest first. Includes refused attempts, but no refreshes. Events older than a time that the operator sets may be in the archive instead: `archived_before` says from when on the list is complete.',
    parameters: {
      user_id: 'Only events that affected this user.',
      type: 'Only events of this type.',
      limit: 'The maximum number of items on a page.',
      cursor: '`next_cursor` of the previous page, which had the same filters.',
    },
    answers: {
      200: {
        description: 'A page of events.',
        schema: 'AuditEventPage',
      },
    },
  },
  'GET /audit-archive': {
    operationId: 'readAuditArchive',
    tag: 'Administration',
    summary: 'Read the archive of the audit trail',
    description:
      'The objects of the archive, oldest first, as they are stored. One object holds the events of an hour, or a part of them. Nothing is verified: `npm run audit -- verify` compares seals, lines and digests. Without an archive the list is empty. A page may have fewer objects than `limit`, if they are large.',
    parameters: {
      user_id: 'Only the lines about this user. The seals are of all lines.',
      from: 'Only objects of this hour and later.',
      to: 'Only objects of this hour and earlier.',
      limit: 'The maximum number of items on a page.',
      cursor: '`next_cursor` of the previous page, which had the same filters.',
    },
    answers: { 200: { description: 'A page of objects.', schema: 'AuditArchivePage' } },
  },
  'GET /roles': {
    operationId: 'listRoles',
    tag: 'Administration',
    summary: 'List the roles and their permissions',
    description:
      'For any signed-in user. `content:manage` is meant for the services behind this one, which read it from the `scope` of a token. Reads no database, so the token of an ended session is still accepted for up to about 65 seconds.',
    answers: {
      200: {
        description: 'The roles.',
        schema: 'RoleList',
      },
    },
  },
}
