import { emailChange, linkLifeSeconds } from '../../../src/config/policy.ts'
import { freshOwner, inHours } from '../limits.ts'
import type { Operations } from '../prose.ts'

export const meOperations: Operations = {
  'GET /users/me': {
    operationId: 'getMe',
    tag: 'Me',
    summary: 'Read your own account',
    description: 'Returns the current state of the user, which may be newer than the claims of the token.',
    answers: { 200: { description: 'The user.', schema: 'User' } },
  },
  'PATCH /users/me': {
    operationId: 'updateMe',
    tag: 'Me',
    summary: 'Change your own profile',
    description: 'Changes the given fields. `null` clears a field.',

    answers: { 200: { description: 'The updated user.', schema: 'User' } },
  },
  'DELETE /users/me': {
    operationId: 'deleteMe',
    tag: 'Me',
    summary: 'Delete your own account',
    description: `Deletes the account, its sessions and its links at once, and sends a last email about it. The last active ADMIN cannot be deleted. An account without a password sends none. ${freshOwner}`,

    answers: { 204: { description: 'The account is deleted.' } },
    problems: ['wrong_password', 'last_admin', 'rate_limited'],
  },
  'POST /users/me/email': {
    operationId: 'changeEmail',
    tag: 'Me',
    summary: 'Ask for another address',
    description: `Emails a link to the new address, which works for ${inHours(linkLifeSeconds.email_change * 1000)}, and a notice to the old one, with a link that stops it. The answer, the work and the notice are the same whether the new address is free, taken or your own; only its mailbox is told. Nothing changes before the link is confirmed. A later request takes the place of an earlier one. A new password, other second factors and a suspension void it. Needs a recent proof of who you are.`,
    answers: { 202: { description: 'Accepted. The emails tell how to continue.', schema: 'Acceptance' } },
    problems: ['insufficient_user_authentication', 'email_recently_changed', 'rate_limited'],
  },
  'POST /users/me/email/confirm': {
    operationId: 'confirmEmail',
    tag: 'Me',
    summary: 'Confirm the new address',
    description: `Needs the token of the link in the email to the new address, in a session of the user who asked. Sessions go on; devices count as unknown, links to set a password end, and both addresses are told. For ${inHours(emailChange.revertMs)} the old address counts as taken, and its owner can undo the change.`,
    answers: { 200: { description: 'The user, with the new address.', schema: 'User' } },
    problems: ['invalid_link'],
  },
  'GET /users/me/export': {
    operationId: 'exportMe',
    tag: 'Me',
    summary: 'Download everything about your account',
    description:
      'Returns what Postern keeps about the user as one JSON file: the profile, second factors, sessions, links, counts of wrong tries, emails and activity. It has no secret and nothing about anybody else. It is written while it is read; an answer that breaks off is not valid JSON. Once a day, with a notice by email. Needs a recent proof of who you are.',
    answers: { 200: { description: 'The copy, as a file.', schema: 'Export' } },
    problems: ['insufficient_user_authentication', 'rate_limited'],
  },
  'GET /users/me/activity': {
    operationId: 'listMyActivity',
    tag: 'Me',
    summary: 'Read the activity of your own account',
    description:
      'Returns the events of the account in the audit trail, newest first: sign-ins and refused sign-ins, changes, and acts of administrators. Refreshes are not included.',
    parameters: { limit: 'The maximum number of items on a page.', cursor: '`next_cursor` of the previous page.' },
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
    summary: 'List your own sessions',
    description: 'Lists the devices that are signed in, newest first.',
    answers: {
      200: { description: 'The sessions.', schema: 'SessionList' },
    },
  },
  'DELETE /users/me/sessions': {
    operationId: 'endMyOtherSessions',
    tag: 'Me',
    summary: 'Sign out everywhere else',
    description: 'Ends every session of the user except the one of this request.',
    answers: { 204: { description: 'Every other session has ended.' } },
  },
  'DELETE /users/me/sessions/{id}': {
    operationId: 'endMySession',
    tag: 'Me',
    summary: 'End one of your own sessions',
    description: 'A session of another user is answered with `not_found`.',
    parameters: { id: 'The id of the session.' },
    answers: { 204: { description: 'The session has ended.' } },
  },
}
