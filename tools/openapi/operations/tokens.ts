import {
  attemptsWithoutTurnstile,
  challengeMs,
  freshSeconds,
  maxSessionsPerUser,
  passwordAttempts,
  refreshTokenSeconds,
  repeatPeriodMs,
  replayMs,
  sessionMaxSeconds,
  trustTokenSeconds,
  warnedFactorAttempts,
} from '../../../src/config/policy.ts'
import { inDays, inHours, inMinutes, inSeconds, inWords, longestWait } from '../limits.ts'
import type { Operations } from '../prose.ts'

export const tokenOperations: Operations = {
  'POST /auth/login': {
    operationId: 'login',
    tag: 'Tokens',
    summary: 'Sign in',
    description: `An unknown address and a wrong password get the same answer after the same time. Only the right password reveals that the account is pending or suspended. After ${inWords(passwordAttempts.free)} consecutive wrong passwords, each further attempt has to wait: ${inSeconds(passwordAttempts.firstPauseMs)}, then doubling up to ${inMinutes(passwordAttempts.maxPauseMs)}. After ${inWords(passwordAttempts.max)}, password sign-in is off until a reset by email. Until then the answer is 429. Sign-ins at the same moment wait for each other, at most ${longestWait}. Attempts from a device that sends the \`device_token\` of an earlier sign-in are counted separately. If the operator has turned on Turnstile, an unknown device needs a \`turnstile_token\` after ${inWords(attemptsWithoutTurnstile)} wrong passwords: request one when the answer is \`turnstile_required\` at that field. A user has at most ${maxSessionsPerUser} sessions; another sign-in ends the oldest. A sign-in from a new device and a new place is reported to the user by email. An account with second factors gets \`second_factor_required\`: the password was right, and \`POST /auth/second-factor\` goes on. With \`transport: cookie\` the refresh token is set as a cookie.`,

    answers: {
      200: { description: 'The user is signed in.', schema: 'SignInAnswer' },
    },
    problems: [
      'invalid_credentials',
      'second_factor_required',
      'account_pending',
      'account_suspended',
      'origin_not_allowed',
      'rate_limited',
    ],
  },
  'POST /auth/second-factor': {
    operationId: 'secondFactor',
    tag: 'Tokens',
    summary: 'Sign in with a second factor',
    description: `The second step of a sign-in or an activation that answered \`second_factor_required\`. Send its \`factor_token\` with exactly one of \`totp\`, \`passkey\` and \`recovery_code\`. Everything counts once: the factor token, each code of the app, each recovery code, each challenge. After ${inWords(passwordAttempts.free)} consecutive wrong codes, each further one has to wait: ${inSeconds(passwordAttempts.firstPauseMs)}, then doubling up to ${inMinutes(passwordAttempts.maxPauseMs)}; ${inWords(passwordAttempts.max)} are the last. Only a right factor starts that count anew, and a right recovery code or a passkey passes at any time. The owner is told of ${inWords(Math.min(...warnedFactorAttempts))} wrong codes, and of a used recovery code, by email. With \`trust_device\` the answer has a \`trust_token\`: for ${inDays(trustTokenSeconds * 1000)}, a sign-in that sends it needs no second factor. It is void after any change of the password or the factors and after a sign-out everywhere or of all others, and it is not accepted of staff. \`invalid_factor_token\` means: start the sign-in again. With \`transport: cookie\` the refresh token and the trust token are set as cookies.`,
    answers: {
      200: { description: 'The user is signed in.', schema: 'SignInAnswer' },
    },
    problems: ['invalid_factor_token', 'wrong_second_factor', 'origin_not_allowed', 'rate_limited'],
  },
  'POST /auth/refresh': {
    operationId: 'refresh',
    tag: 'Tokens',
    summary: 'Renew both tokens',
    description: `Returns a new access token and a new refresh token, which replaces the old one. A session lasts at most ${inDays(refreshTokenSeconds * 1000)} from its last refresh and ${inDays(sessionMaxSeconds * 1000)} from its sign-in. For ${inSeconds(replayMs)}, the last used refresh token may be used again and gets the same successor: an answer may be lost, or two tabs may refresh at once. It has to come from the same user agent and from the same network (IPv4 /24, IPv6 /64), or once in ${inHours(repeatPeriodMs)} from another network, which is recorded. At most three refreshes in ${inHours(repeatPeriodMs)} may be repeated, each any number of times. Any other use of an old token counts as theft: the session ends and the user gets an email. A token that a change of the password has closed is \`invalid_refresh_token\`. With \`transport: cookie\` the token is read from the cookie and the new one is set as a cookie. A refusal leaves the cookie unchanged, because another tab may have a newer one.`,

    answers: { 200: { description: 'Both tokens are renewed.', schema: 'TokenAnswer' } },
    problems: ['invalid_refresh_token', 'refresh_token_reused', 'origin_not_allowed'],
  },
  'POST /auth/step-up/options': {
    operationId: 'stepUpOptions',
    tag: 'Tokens',
    summary: 'Learn how to step up',
    description: `Answers the methods that \`POST /auth/step-up\` takes of this account, and a challenge for a passkey, which is good for ${inMinutes(challengeMs)} in this session.`,
    answers: { 200: { description: 'The methods and the options.', schema: 'StepUpOptions' } },
  },
  'POST /auth/step-up': {
    operationId: 'stepUp',
    tag: 'Tokens',
    summary: 'Show a factor once more',
    description: `Lifts this session for calls that ask for a recent proof (RFC 9470): for ${inMinutes(freshSeconds * 1000)} none of them is \`insufficient_user_authentication\`. Send exactly one of \`passkey\`, \`totp\` and \`recovery_code\`, or, for an account without factors, \`password\`. A method that the account does not have is \`wrong_second_factor\`. Each code and each challenge counts once. Codes draw on the budget of second factors, the password on its own. The answer has a new access token; the refresh token stays. No other session is lifted.`,
    answers: { 200: { description: 'The session is lifted.', schema: 'StepUpAnswer' } },
    problems: ['wrong_password', 'wrong_second_factor', 'rate_limited'],
  },
  'POST /auth/logout': {
    operationId: 'logout',
    tag: 'Tokens',
    summary: 'Sign out',
    description:
      'Ends the session of a refresh token, which may be an old one. An invalid token is not an error (RFC 7009), nor is one that a change of the password has closed; they end nothing. With `transport: cookie` the token is read from the cookie; the answer deletes the cookie and has `Clear-Site-Data: "cache"`.',

    answers: { 204: { description: 'The session has ended.' } },
    problems: ['origin_not_allowed'],
  },
  'POST /auth/logout-all': {
    operationId: 'logoutAll',
    tag: 'Tokens',
    summary: 'Sign out everywhere',
    description: 'Ends every session of the user, including this one.',
    answers: { 204: { description: 'Every session has ended.' } },
  },
  'GET /auth/verify': {
    operationId: 'verify',
    tag: 'Tokens',
    summary: 'Verify an access token without the database',
    description:
      'For gateways and other Workers. Checks the signature, the claims and the revocation list, but not the database: the token of an ended session is still accepted for up to about 65 seconds. Role and scope are those of the token; a session without the second factor that its user must have is a USER without any scope.',
    answers: {
      204: { description: 'The token is valid.', headers: ['UserId', 'SessionId', 'Role', 'Scope', 'AuthTime', 'Acr'] },
    },
  },
}
