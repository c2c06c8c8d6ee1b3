import type { Operations } from '../prose.ts'

export const tokenOperations: Operations = {
  'POST /auth/login': {
    operationId: 'login',
    tag: 'Tokens',
    summary: 'Sign in',
    description:
      'An unknown address and a wrong password get the same answer after the same time. Only who knows the password learns that the account waits to be activated or is suspended. After five wrong passwords in a row each further try has to wait, from a second doubling up to a quarter of an hour; after a hundred, until a reset by mail. A device that sends the `device_token` of an earlier sign-in is counted apart from everybody else. Where the operator asks for Turnstile challenges, a device that is not known needs a `turnstile_token` after three wrong passwords: get one when the answer is `turnstile_required` at that field. A user has at most 50 sessions; beyond that the oldest ends. A sign-in from a device and a place that the account was not used from before is mailed to its user. With `transport: cookie` the refresh token is answered in a cookie.',

    answers: {
      200: { description: 'Signed in.', schema: 'SignInAnswer' },
    },
    problems: ['invalid_credentials', 'account_pending', 'account_suspended', 'origin_not_allowed', 'rate_limited'],
  },
  'POST /auth/refresh': {
    operationId: 'refresh',
    tag: 'Tokens',
    summary: 'Renew both tokens',
    description:
      'Gives a new access token and a new refresh token; keep the new one. A session lasts 30 days from its last refresh and 90 days from its sign-in at the most. The token presented last may be presented again for 30 seconds and gets the same successor, for an answer that was lost or two tabs at once. Any earlier one is taken for stolen: the session ends and the user is mailed. With `transport: cookie` the token comes from the cookie, and the new one goes there; a refusal leaves the cookie as it is, because another tab may have a newer one.',

    answers: { 200: { description: 'Renewed.', schema: 'TokenAnswer' } },
    problems: ['invalid_refresh_token', 'refresh_token_reused', 'origin_not_allowed'],
  },
  'POST /auth/logout': {
    operationId: 'logout',
    tag: 'Tokens',
    summary: 'Sign out',
    description:
      'Ends the session of a refresh token. A token that is no longer good is no failure (RFC 7009). With `transport: cookie` the token comes from the cookie; the answer deletes the cookie and has `Clear-Site-Data: "cache"`.',

    answers: { 204: { description: 'The session has ended.' } },
    problems: ['origin_not_allowed'],
  },
  'POST /auth/logout-all': {
    operationId: 'logoutAll',
    tag: 'Tokens',
    summary: 'Sign out everywhere',
    description: 'Ends every session of the user, this one too.',
    answers: { 204: { description: 'Every session has ended.' } },
  },
  'GET /auth/verify': {
    operationId: 'verify',
    tag: 'Tokens',
    summary: 'Verify an access token at the edge',
    description:
      'For gateways and sibling Workers. Checks signature, claims and the revocation list, but no database: an ended session may pass for about a minute. Role and scope are those of the token.',
    answers: {
      204: { description: 'Good.', headers: ['UserId', 'SessionId', 'Role', 'Scope'] },
    },
  },
}
