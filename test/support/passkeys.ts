/** Accounts with passkeys. */
import { env } from 'cloudflare:workers'
import { base64url } from 'jose'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { bindPasskey } from '../../src/crypto/passkey-binding.ts'
import { bytesOfUuid, uuidv7 } from '../../src/crypto/random.ts'
import { verifyRegistration } from '../../src/crypto/webauthn/registration.ts'
import { type Passkey, passkeys } from '../../src/store/schema/passkeys.ts'
import { type Authenticator, type AuthenticatorOptions, createAuthenticator } from './authenticator.ts'
import { Clock } from './clock.ts'
import type { Person } from './person.ts'
import { insertRows } from './rows.ts'

const start = new Clock().now()
const rpId = 'accounts.example.com'

export interface Given {
  authenticator: Authenticator
  passkey: Passkey
}

/** Adds a passkey by the API. The recovery codes come with the first factor. */
export async function enrolPasskey(
  person: Person,
  options: AuthenticatorOptions & { authenticator?: Authenticator; name?: string; mailCode?: string } = {},
) {
  const authenticator = options.authenticator ?? createAuthenticator(options)
  const { challenge_token, public_key } = await person.passkeyEnrolmentOptions()
  const credential = await authenticator.create(public_key)
  const { name, mailCode: mail_code } = options
  const body = { challenge_token, credential, ...(name !== undefined && { name }) }
  const added = await person.addPasskey({ ...body, ...(mail_code !== undefined && { mail_code }) })
  return { authenticator, ...added }
}

/**
 * Stores a passkey of a user, without the API and so without a step-up, a mail or an event.
 *
 * @param columns that the row has otherwise
 */
export async function givePasskey(
  { id, email }: { id: string; email: string },
  options: AuthenticatorOptions & { authenticator?: Authenticator } = {},
  columns: Partial<Passkey> = {},
): Promise<Given> {
  const authenticator = options.authenticator ?? createAuthenticator(options)
  const challenge = base64url.encode(crypto.getRandomValues(new Uint8Array(32)))
  const created = await authenticator.create({
    rp: { id: rpId, name: 'Postern' },
    user: { id: base64url.encode(bytesOfUuid(id)), name: email, displayName: email },
    challenge,
    pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
  })
  const expected = {
    rpId,
    origins: [options.origin ?? `https://${rpId}`],
    challenge,
    userVerification: 'preferred',
  } as const
  const credential = await verifyRegistration(expected, created)
  if (!credential) throw new Error('the authenticator made a credential that is refused')
  const row = { userId: id, ...credential }
  const passkey: Passkey = {
    id: uuidv7(start),
    ...row,
    rpId,
    transports: created.response.transports,
    name: 'Passkey',
    binding: await bindPasskey(parseSecretKeys(env.DATA_KEYS), row),
    usedChallenges: [],
    lastUsedAt: null,
    ...columns,
  }
  await insertRows(passkeys, [passkey], () => ({}))
  await env.DB.prepare('update users set factors_id = ? where id = ?')
    .bind(bytesOfUuid(uuidv7(start)).buffer, bytesOfUuid(id).buffer)
    .run()
  return { authenticator, passkey }
}
