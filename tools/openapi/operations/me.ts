import type { Operations } from '../prose.ts'

export const meOperations: Operations = {
  'GET /users/me': {
    operationId: 'getMe',
    tag: 'Me',
    summary: 'Read the own account',
    description: 'The user as it is now, whatever the token says.',
    answers: { 200: { description: 'The user.', schema: 'User' } },
  },
  'PATCH /users/me': {
    operationId: 'updateMe',
    tag: 'Me',
    summary: 'Change the own profile',
    description: 'Changes the fields that are there. `null` clears one.',

    answers: { 200: { description: 'The user as it is now.', schema: 'User' } },
  },
  'DELETE /users/me': {
    operationId: 'deleteMe',
    tag: 'Me',
    summary: 'Delete the own account',
    description:
      'Account, sessions and links are gone at once; a last mail says so. The last active ADMIN cannot be deleted.',

    answers: { 204: { description: 'Deleted.' } },
    problems: ['wrong_password', 'last_admin', 'rate_limited'],
  },
  'GET /users/me/activity': {
    operationId: 'listMyActivity',
    tag: 'Me',
    summary: 'Read what happened to the own account',
    description:
      'Its events in the audit trail, newest first: sign-ins, the refused ones too, changes, and what administrators did. Refreshes are not in it.',
    parameters: { limit: 'How many on a page.', cursor: '`next_cursor` of the page before.' },
    answers: {
      200: {
        description: 'A page of events.',
        schema: 'ActivityPage',
      },
    },
  },
  'GET /users/me/sessions': {
    operationId: 'listMySessions',
    tag: 'Me',
    summary: 'List the own sessions',
    description: 'Every device that is signed in, newest first.',
    answers: {
      200: { description: 'The sessions.', schema: 'SessionList' },
    },
  },
  'DELETE /users/me/sessions': {
    operationId: 'endMyOtherSessions',
    tag: 'Me',
    summary: 'Sign out everywhere else',
    description: 'Ends every session of the user but the one that asks.',
    answers: { 204: { description: 'Only this session is left.' } },
  },
  'DELETE /users/me/sessions/{id}': {
    operationId: 'endMySession',
    tag: 'Me',
    summary: 'End one of the own sessions',
    description: "Another user's session is `not_found`.",
    parameters: { id: 'The id of the session.' },
    answers: { 204: { description: 'The session has ended.' } },
  },
}
