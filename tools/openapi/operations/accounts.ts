import { emailChange, linkLifeSeconds } from '../../../src/config/policy.ts'
import { freshOwner, inHours } from '../limits.ts'
import type { Operations } from '../prose.ts'

export const accountOperations: Operations = {
  'POST /auth/register': {
    operationId: 'register',
    tag: 'Accounts',
    summary: 'Register',
    description:
      'Registers an address and emails it what to do next. The answer and the work are the same whether the address is new, pending or taken. Each registration keeps its own password and names; they take effect only when its own link is used. A weak password is refused before the address is looked up; `errors[].code` is `too_short`, `too_guessable` or `breached`. If the operator has turned on Turnstile, `turnstile_token` is required: without a valid one, `errors[].code` at that field is `turnstile_required` or `turnstile_failed`.',

    answers: {
      202: {
        description: 'Accepted. The email tells how to continue.',
        schema: 'Acceptance',
      },
    },
    problems: ['weak_password', 'rate_limited'],
  },
  'POST /auth/activate': {
    operationId: 'activate',
    tag: 'Accounts',
    summary: 'Activate an account and sign in',
    description: `Needs the token of an activation link and the password of that registration. Activation is the first sign-in. A link works once, within ${inHours(linkLifeSeconds.activation * 1000)}; a wrong password does not use it up, nor does the right one of an account that asks for a second factor: \`POST /auth/second-factor\` completes the activation. With \`transport: cookie\` the refresh token is set as a cookie.`,

    answers: { 200: { description: 'The account is active, and the user is signed in.', schema: 'SignInAnswer' } },
    problems: ['invalid_link', 'invalid_credentials', 'second_factor_required', 'origin_not_allowed', 'rate_limited'],
  },
  'POST /auth/resend-activation': {
    operationId: 'resendActivation',
    tag: 'Accounts',
    summary: 'Request another activation link',
    description:
      'Emails a link for the newest registration of the address, if the account is pending. The answer is the same for every address.',

    answers: {
      202: { description: 'Accepted. The email tells how to continue.', schema: 'Acceptance' },
    },
    problems: ['rate_limited'],
  },
  'POST /auth/change-password': {
    operationId: 'changePassword',
    tag: 'Accounts',
    summary: 'Change your own password',
    description: `Ends every other session of the user and emails a notice. This session continues. With the \`refresh_token\` of this session, or with \`transport: cookie\`, the answer has new tokens as after a refresh, and no older refresh token of the session is accepted any more: whoever had copied one has nothing. The token may be one that was refreshed meanwhile, since the password proves who asks. A token of another session, or one that an earlier change closed, is refused and nothing is changed. Without a refresh token the answer is empty and the last refresh token stays valid; the one before it can no longer be repeated. The client cannot repeat a change whose answer was lost: sign in with the new password. An account without a password sends no \`old_password\`. ${freshOwner}`,

    answers: {
      200: { description: 'The password is changed, and both tokens are renewed.', schema: 'TokenAnswer' },
      204: { description: 'The password is changed. No refresh token was sent.' },
    },
    problems: [
      'invalid_refresh_token',
      'origin_not_allowed',
      'wrong_password',
      'weak_password',
      'insufficient_user_authentication',
      'rate_limited',
    ],
  },
  'POST /auth/password-reset/request': {
    operationId: 'requestPasswordReset',
    tag: 'Accounts',
    summary: 'Request a reset link',
    description:
      'Emails a link to set a new password, if the address has an account. The answer is the same for every address. If the operator has turned on Turnstile, `turnstile_token` is required, as for registration.',

    answers: {
      202: { description: 'Accepted. The email tells how to continue.', schema: 'Acceptance' },
    },
    problems: ['rate_limited'],
  },
  'POST /auth/password-reset/complete': {
    operationId: 'completePasswordReset',
    tag: 'Accounts',
    summary: 'Set a new password with a reset link',
    description:
      'Ends every session of the user and emails a notice. A pending account becomes active, because the link proves control of the mailbox. A link works once, within an hour; a weak password does not use it up.',

    answers: { 204: { description: 'The password is set. Sign in with it.' } },
    problems: ['invalid_link', 'weak_password', 'rate_limited'],
  },
  'POST /auth/email/revert': {
    operationId: 'revertEmail',
    tag: 'Accounts',
    summary: 'Undo a change of address',
    description: `Needs the token of the link in an email to the old address, within ${inHours(emailChange.revertMs)}, before or after the change. The account has the old address again. The password, all sessions, links and trusted devices are gone, and so are the second factors that were added in the ${inHours(emailChange.factorsMs)} before the request or later; older ones stay. Both addresses are told, and the old one gets a link to set a password.`,
    answers: { 204: { description: 'It is undone.' } },
    problems: ['invalid_link'],
  },
}
