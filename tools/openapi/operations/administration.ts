import type { Operations } from '../prose.ts'

const userId = { id: 'The id of the user.' }
const reach = 'A MODERATOR may do this to a USER only.'

export const administrationOperations: Operations = {
  'GET /users': {
    operationId: 'listUsers',
    tag: 'Administration',
    summary: 'List users',
    description: 'Newest first, or ordered by address when filtered by a prefix of it.',
    parameters: {
      email: 'Only addresses that begin with this.',
      role: 'Only users with this role.',
      status: 'Only users with this status.',
      limit: 'How many on a page.',
      cursor: '`next_cursor` of the page before, with the same filters.',
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
    description: 'The user as it is now.',
    parameters: userId,
    answers: { 200: { description: 'The user.', schema: 'AdministeredUser' } },
  },
  'PATCH /users/{id}/profile': {
    operationId: 'moderateProfile',
    tag: 'Administration',
    summary: "Correct a user's profile",
    description: `Changes the fields that are there. \`null\` clears one. ${reach}`,
    parameters: userId,

    answers: {
      200: {
        description: 'The user as it is now.',
        schema: 'AdministeredUser',
      },
    },
  },
  'POST /users/{id}/activate': {
    operationId: 'activateUser',
    tag: 'Administration',
    summary: 'Activate an account by hand',
    description:
      'The password of the only registration becomes that of the account. When there were several nobody can tell whose is right: the account gets none, and a mail to set one. An account that is active stays as it is.',
    parameters: userId,
    answers: { 200: { description: 'The user as it is now.', schema: 'AdministeredUser' } },
  },
  'PUT /users/{id}/role': {
    operationId: 'assignRole',
    tag: 'Administration',
    summary: 'Give a user another role',
    description:
      'Every session of the user ends when the role really changes, so that no token of the old one survives. The last active ADMIN stays one.',
    parameters: userId,

    answers: {
      200: {
        description: 'The user as it is now.',
        schema: 'AdministeredUser',
      },
    },
    problems: ['own_account', 'last_admin'],
  },
  'POST /users/{id}/suspend': {
    operationId: 'suspendUser',
    tag: 'Administration',
    summary: 'Suspend a user',
    description: `Every session of the user ends, and signing in is refused. The reason is kept in the audit trail and mailed to the user. ${reach}`,
    parameters: userId,

    answers: {
      200: {
        description: 'The user as it is now.',
        schema: 'AdministeredUser',
      },
    },
    problems: ['own_account', 'last_admin'],
  },
  'POST /users/{id}/reinstate': {
    operationId: 'reinstateUser',
    tag: 'Administration',
    summary: 'End a suspension',
    description: `The account is what it was before: active, or waiting to be activated. ${reach}`,
    parameters: userId,
    answers: { 200: { description: 'The user as it is now.', schema: 'AdministeredUser' } },
  },
  'POST /users/{id}/password-reset': {
    operationId: 'startPasswordReset',
    tag: 'Administration',
    summary: 'Have a user set a new password',
    description:
      'Mails the user a link to set a new password, good for an hour, once. Who asks for it sees no link, and the answer does not tell whether it is used; the audit trail does. Until it is used, the password and the sessions stay as they are. At most five such mails an hour and 20 a day go to one user; the answer is the same.',
    parameters: userId,
    answers: {
      202: { description: 'Taken. The mail says the rest.', schema: 'Acceptance' },
    },
  },
  'GET /users/{id}/sessions': {
    operationId: 'listSessionsOfUser',
    tag: 'Administration',
    summary: "List a user's sessions",
    description: 'Every device that the user is signed in on, newest first. `current` is the session that asks.',
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
    description: 'Account, sessions and links are gone at once; a last mail says so.',
    parameters: userId,
    answers: { 204: { description: 'Deleted.' } },
    problems: ['own_account', 'last_admin'],
  },
  'GET /audit-events': {
    operationId: 'listAuditEvents',
    tag: 'Administration',
    summary: 'Read the audit trail',
    description: 'Newest first. What was refused is in it, too; refreshes are not.',
    parameters: {
      user_id: 'Only what was done to this user.',
      type: 'Only events of this type.',
      limit: 'How many on a page.',
      cursor: '`next_cursor` of the page before, with the same filters.',
    },
    answers: {
      200: {
        description: 'A page of events.',
        schema: 'AuditEventPage',
      },
    },
  },
  'GET /roles': {
    operationId: 'listRoles',
    tag: 'Administration',
    summary: 'List the roles and their permissions',
    description:
      'For any signed-in user. `content:manage` is for the services behind this one, which read it from the `scope` of a token. Touches no database, so an ended session may pass for about a minute.',
    answers: {
      200: {
        description: 'The roles.',
        schema: 'RoleList',
      },
    },
  },
}
