import { Authenticator, type CreationOptions, type RequestOptions } from '../demo/authenticator.ts'
import type { Tokens } from '../demo/api.ts'
import { oneTimeCode } from '../demo/one-time-code.ts'
import type { Measure } from './measure.ts'

interface Options<Kind> {
  challenge_token: string
  public_key: Kind
}

export const factorAskedFor = 'sign in, factor asked for'

/**
 * The calls of somebody with an authenticator app and a passkey. Each time step of the app counts once: the first code
 * is of the step before this one, the last of the step after it.
 *
 * @param token of a session that has just begun
 */
export async function measureFactors(
  measure: Measure,
  url: string,
  token: string,
  credentials: { email: string; password: string },
): Promise<void> {
  const { setup_token, secret } = await measure<{ setup_token: string; secret: string }>(
    '',
    'POST',
    '/users/me/totp',
    token,
  )
  const confirmation = { setup_token, code: oneTimeCode(secret, -1) }
  await measure('add an authenticator app', 'POST', '/users/me/totp/confirm', token, confirmation)
  const authenticator = new Authenticator(url)
  const creation = await measure<Options<CreationOptions>>('', 'POST', '/users/me/passkeys/options', token)
  const passkey = { challenge_token: creation.challenge_token, credential: authenticator.create(creation.public_key) }
  await measure('add a passkey', 'POST', '/users/me/passkeys', token, passkey)

  const { factor_token } = await measure<{ factor_token: string }>(
    factorAskedFor,
    'POST',
    '/auth/login',
    undefined,
    credentials,
  )
  const step = { factor_token, totp: oneTimeCode(secret) }
  const signedIn = await measure<Tokens>('second factor: app', 'POST', '/auth/second-factor', undefined, step)
  const own = signedIn.access_token
  const path = '/auth/passkey'
  const request = await measure<Options<RequestOptions>>('passkey options', 'POST', `${path}/options`)
  const answer = { challenge_token: request.challenge_token, credential: authenticator.get(request.public_key) }
  await measure('sign in with a passkey', 'POST', path, undefined, answer)
  await measure('step-up options', 'POST', '/auth/step-up/options', own)
  await measure('step up: app', 'POST', '/auth/step-up', own, { totp: oneTimeCode(secret, 1) })
  await measure('own factors', 'GET', '/users/me/factors', own)
}
