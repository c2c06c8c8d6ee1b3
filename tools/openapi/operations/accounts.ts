import type { Operations } from '../prose.ts'

export const accountOperations: Operations = {
  'POST /auth/register': {
    operationId: 'register',
    tag: 'Accounts',
    summary: 'Register',
    description:
      'Takes an attempt to register, and mails what to do next to the address. The answer and the work are the same whether the address is new, waits to be activated or is taken. Each attempt keeps its own password and names, which count only when its own link is followed. A weak password is refused before the address is looked up; `errors[].code` is `too_short`, `too_guessable` or `breached`. Where the operator asks for a Turnstile challenge, `turnstile_token` is needed: without a good one it is `turnstile_required` or `turnstile_failed` at that field.',

    answers: {
      202: {
        description: 'Taken. The mail says the rest.',
        schema: 'Acceptance',
      },
    },
    problems: ['weak_password', 'rate_limited'],
  },
  'POST /auth/activate': {
    operationId: 'activate',
    tag: 'Accounts',
    summary: 'Activate an account and sign in',
    description:
      'Takes the token of an activation link and the password of that registration: activation is the first sign-in. A link is good for 24 hours, once. After a wrong password it stays good. With `transport: cookie` the refresh token is answered in a cookie.',

    answers: { 200: { description: 'Active and signed in.', schema: 'SignInAnswer' } },
    problems: ['invalid_link', 'invalid_credentials', 'origin_not_allowed', 'rate_limited'],
  },
  'POST /auth/resend-activation': {
    operationId: 'resendActivation',
    tag: 'Accounts',
    summary: 'Ask for another activation link',
    description:
      'Mails a link for the newest registration of the address, if it waits to be activated. The answer is the same for every address.',

    answers: {
      202: { description: 'Taken. The mail says the rest.', schema: 'Acceptance' },
    },
    problems: ['rate_limited'],
  },
  'POST /auth/change-password': {
    operationId: 'changePassword',
    tag: 'Accounts',
    summary: 'Change the own password',
    description: 'Every other session of the user ends, this one stays. A notice is mailed.',

    answers: { 204: { description: 'Changed.' } },
    problems: ['wrong_password', 'weak_password', 'rate_limited'],
  },
  'POST /auth/password-reset/request': {
    operationId: 'requestPasswordReset',
    tag: 'Accounts',
    summary: 'Ask for a reset link',
    description:
      'Mails a link to set a new password, if there is an account with the address. The answer is the same for every address. Where the operator asks for a Turnstile challenge, `turnstile_token` is needed as for registering.',

    answers: {
      202: { description: 'Taken. The mail says the rest.', schema: 'Acceptance' },
    },
    problems: ['rate_limited'],
  },
  'POST /auth/password-reset/complete': {
    operationId: 'completePasswordReset',
    tag: 'Accounts',
    summary: 'Set a new password with a reset link',
    description:
      'Every session of the user ends, and a notice is mailed. An account that waited to be activated becomes active, for the link proves the mailbox. A link is good for an hour, once. After a weak password it stays good.',

    answers: { 204: { description: 'Set. Sign in with it.' } },
    problems: ['invalid_link', 'weak_password', 'rate_limited'],
  },
}
