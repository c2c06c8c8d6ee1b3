import { type AuthenticatorData, readAuthenticatorData } from './authenticator-data.ts'
import { type Expectation, checkClientData } from './client-data.ts'
import { importCoseKey } from './cose-key.ts'
import { decode } from './decode.ts'
import { type Bytes, demand } from './malformed.ts'

/** `AuthenticationResponseJSON` (WebAuthn Level 3 §5.1), as far as it is read. Binary members are base64url. */
export interface AssertionResponse {
  id: string
  response: {
    clientDataJSON: string
    authenticatorData: string
    signature: string
    userHandle?: string | null | undefined
  }
}

export type Assertion = Omit<AuthenticatorData, 'attested'>

/**
 * Verifies an assertion (WebAuthn Level 3 §7.2) with the key of its credential. The caller decides whose credential it
 * is, and whether the challenge was used before.
 *
 * @param publicKey a COSE_Key
 * @returns `undefined` for a response that is refused, whatever is wrong with it. Does not throw.
 */
export async function verifyAssertion(
  expected: Expectation,
  publicKey: Bytes,
  { response }: AssertionResponse,
): Promise<Assertion | undefined> {
  try {
    const clientData = decode(response.clientDataJSON)
    checkClientData(clientData, 'webauthn.get', expected)
    const bytes = decode(response.authenticatorData)
    const { attested, ...assertion } = await readAuthenticatorData(bytes, expected)
    demand(attested === undefined)
    const key = await importCoseKey(publicKey)
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', clientData))
    demand(await key.verify(decode(response.signature), new Uint8Array([...bytes, ...digest])))
    return assertion
  } catch {
    return undefined
  }
}
