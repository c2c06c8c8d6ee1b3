import { challengeMs, maxPasskeys } from '../../../src/config/policy.ts'
import { fresh, inMinutes } from '../limits.ts'
import type { Operations } from '../prose.ts'

export const ownPasskeyOperations: Operations = {
  'POST /users/me/passkeys/options': {
    operationId: 'passkeyEnrolmentOptions',
    tag: 'Me',
    summary: 'Begin to add a passkey',
    description: `Options for \`navigator.credentials.create()\`. They exclude the passkeys that the account has. Nothing is stored. They are good for this session and ${inMinutes(challengeMs)}. ${fresh}`,
    answers: { 200: { description: 'The options.', schema: 'PasskeyCreation' } },
    problems: ['insufficient_user_authentication'],
  },
  'POST /users/me/passkeys': {
    operationId: 'addPasskey',
    tag: 'Me',
    summary: 'Add a passkey',
    description: `Takes the \`challenge_token\` of the options, and what \`PublicKeyCredential.toJSON()\` gives. The authenticator has to verify its user, by PIN or biometrics; its attestation is not judged. An account has at most ${maxPasskeys} passkeys. The session counts as stepped up. \`recovery_codes\` come with the first factor of the account, and are not shown again; whoever lost the answer makes new ones. The owner is told by email. In a session that may do nothing else, every other session ends. ${fresh}`,
    answers: { 201: { description: 'The passkey is added.', schema: 'NewPasskey' } },
    problems: [
      'invalid_passkey',
      'insufficient_user_authentication',
      'wrong_mail_code',
      'passkey_exists',
      'too_many',
      'rate_limited',
    ],
    // 401 is for sign-in: here a client must not sign out.
    statuses: { invalid_passkey: 400 },
  },
  'PATCH /users/me/passkeys/{id}': {
    operationId: 'renamePasskey',
    tag: 'Me',
    summary: 'Rename a passkey',
    description: `Only the owner sees the name. The owner is told by email, without the name. A passkey that has the name already stays as it is, and nothing is mailed. ${fresh}`,
    parameters: { id: 'The id of the passkey, not that of its credential.' },
    answers: { 200: { description: 'The passkey.', schema: 'Passkey' } },
    problems: ['insufficient_user_authentication', 'rate_limited'],
  },
  'DELETE /users/me/passkeys/{id}': {
    operationId: 'removePasskey',
    tag: 'Me',
    summary: 'Remove a passkey',
    description: `With the last factor the recovery codes go, too. An account that must have a factor keeps the last one. The owner is told by email. ${fresh}`,
    parameters: { id: 'The id of the passkey, not that of its credential.' },
    answers: { 204: { description: 'The passkey is removed.' } },
    problems: ['insufficient_user_authentication', 'last_factor'],
  },
}

export const passkeySignInOperations: Operations = {
  'POST /auth/passkey/options': {
    operationId: 'passkeySignInOptions',
    tag: 'Tokens',
    summary: 'Begin a sign-in with a passkey',
    description: `Options for \`navigator.credentials.get()\`, also for \`mediation: "conditional"\`: the browser offers every passkey that it has for this service. They name no credential, so they tell nothing about any account. Nothing is stored. They are good for ${inMinutes(challengeMs)}, for one sign-in.`,
    answers: { 200: { description: 'The options.', schema: 'PasskeyRequest' } },
  },
  'POST /auth/passkey': {
    operationId: 'signInWithPasskey',
    tag: 'Tokens',
    summary: 'Sign in with a passkey',
    description:
      'Takes the `challenge_token` of the options, and what `PublicKeyCredential.toJSON()` gives. A passkey that verified its user is both factors of a sign-in: `acr` is `phr`, and no further one is asked for. The response has to name the challenge, an origin of this service and the account to which the passkey belongs. An unknown passkey, a wrong signature, and a challenge that has expired or was answered before get the same answer. Only the right passkey reveals that the account is suspended. A sign-in from a new device and a new place is reported to the user by email. With `transport: cookie` the refresh token is set as a cookie.',
    answers: { 200: { description: 'The user is signed in.', schema: 'SignInAnswer' } },
    problems: ['invalid_passkey', 'account_suspended', 'origin_not_allowed'],
  },
}
