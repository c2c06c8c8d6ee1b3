import { mailCodeAttempts, mailCodeMs, totpSetupMs } from '../../../src/config/policy.ts'
import { fresh, inMinutes, inWords } from '../limits.ts'
import type { Operations } from '../prose.ts'

export const factorOperations: Operations = {
  'GET /users/me/factors': {
    operationId: 'getMyFactors',
    tag: 'Me',
    summary: 'List your own second factors',
    description: 'Passkeys, the authenticator app, and how many recovery codes are left.',
    answers: { 200: { description: 'The second factors.', schema: 'Factors' } },
  },
  'POST /users/me/factors/code': {
    operationId: 'sendFactorCode',
    tag: 'Me',
    summary: 'Email a code for the first factor',
    description: `An account that must have a second factor gets its first one only with a code from its mailbox, or in a session that began with its activation less than ${inMinutes(mailCodeMs)} ago. The code has eight digits, and is good for this session, ${inMinutes(mailCodeMs)} and ${inWords(mailCodeAttempts)} tries. An account with a factor gets no email.`,
    answers: { 202: { description: 'Accepted. The email has the code.', schema: 'Acceptance' } },
  },
  'POST /users/me/totp': {
    operationId: 'startTotp',
    tag: 'Me',
    summary: 'Begin to set up an authenticator app',
    description: `Nothing is stored before the confirmation. The answer is good for this session, for ${inMinutes(totpSetupMs)}, and until the factors of the account change. ${fresh}`,
    answers: { 200: { description: 'What the app needs.', schema: 'TotpSetup' } },
    problems: ['insufficient_user_authentication'],
  },
  'POST /users/me/totp/confirm': {
    operationId: 'confirmTotp',
    tag: 'Me',
    summary: 'Add an authenticator app',
    description: `Takes the place of the one that the account has. The code counts as used, and the session as stepped up. \`recovery_codes\` come with the first factor of the account, and are not shown again; whoever lost the answer makes new ones. The owner is told by email. In a session that may do nothing else, every other session ends. ${fresh}`,
    answers: { 201: { description: 'The authenticator app is added.', schema: 'Enrolled' } },
    problems: [
      'invalid_setup',
      'insufficient_user_authentication',
      'wrong_second_factor',
      'wrong_mail_code',
      'rate_limited',
    ],
  },
  'DELETE /users/me/totp': {
    operationId: 'removeTotp',
    tag: 'Me',
    summary: 'Remove the authenticator app',
    description: `With the last factor the recovery codes go, too. An account that must have a factor keeps the last one. The owner is told by email. ${fresh}`,
    answers: { 204: { description: 'The authenticator app is removed.' } },
    problems: ['insufficient_user_authentication', 'not_found', 'last_factor'],
  },
  'POST /users/me/recovery-codes': {
    operationId: 'renewRecoveryCodes',
    tag: 'Me',
    summary: 'Make new recovery codes',
    description: `The old ones no longer count. An account without a factor has none. The owner is told by email. ${fresh}`,
    answers: { 200: { description: 'The new codes.', schema: 'RecoveryCodes' } },
    problems: ['insufficient_user_authentication', 'not_found'],
  },
}
