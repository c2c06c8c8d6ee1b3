import type { Operations } from '../prose.ts'

export const passkeySignInOperations: Operations = {
  'POST /auth/passkey/options': {
    operationId: 'passkeySignInOptions',
    tag: 'Tokens',
    summary: 'Begin a sign-in with a passkey',
    description:
      'Options for `navigator.credentials.get()`, also for `mediation: "conditional"`: the browser offers every passkey that it has for this service. They name no credential, so they tell nothing about any account. Nothing is stored. They are good for five minutes, for one sign-in.',
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
