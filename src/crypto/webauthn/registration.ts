import { decodeCborMap } from './cbor.ts'
import { type AttestedCredential, type AuthenticatorData, readAuthenticatorData } from './authenticator-data.ts'
import { type Expectation, checkClientData } from './client-data.ts'
import { importCoseKey } from './cose-key.ts'
import { decode } from './decode.ts'
import { demand } from './malformed.ts'

/** `RegistrationResponseJSON` (WebAuthn Level 3 §5.1), as far as it is read. Binary members are base64url. */
export interface RegistrationResponse {
  id: string
  response: { clientDataJSON: string; attestationObject: string }
  clientExtensionResults?: { credProps?: { rk?: boolean | undefined } | undefined } | undefined
}

export interface NewCredential
  extends AttestedCredential, Pick<AuthenticatorData, 'signCount' | 'isBackupEligible' | 'isBackedUp'> {
  /** A COSE algorithm. */
  algorithm: number
}

/**
 * Verifies a registration (WebAuthn Level 3 §7.1). A credential that is not discoverable, by what the browser says
 * (`credProps.rk`), is refused: nobody could sign in with it alone. The attestation is not judged: we ask for `none`,
 * and trust no vendor. The caller decides whether the credential id is new.
 *
 * @returns `undefined` for a response that is refused, whatever is wrong with it. Does not throw.
 */
export async function verifyRegistration(
  expected: Expectation,
  { id, response, clientExtensionResults }: RegistrationResponse,
): Promise<NewCredential | undefined> {
  try {
    checkClientData(decode(response.clientDataJSON), 'webauthn.create', expected)
    const attestation = decodeCborMap(decode(response.attestationObject))
    const bytes = attestation.get('authData')
    demand(bytes instanceof Uint8Array && typeof attestation.get('fmt') === 'string')
    const { attested, isUserVerified: _, ...data } = await readAuthenticatorData(bytes, expected)
    demand(attested !== undefined && clientExtensionResults?.credProps?.rk !== false)
    const givenId = decode(id)
    demand(givenId.length === attested.credentialId.length)
    demand(givenId.every((byte, place) => byte === attested.credentialId[place]))
    const { algorithm } = await importCoseKey(attested.publicKey)
    return { ...attested, ...data, algorithm }
  } catch {
    return undefined
  }
}
