/** Passkeys as browsers and the service spell them: no runtime but a browser has these types. */

export interface Descriptor {
  type: string
  id: string
  transports?: string[]
}

/** The options of a ceremony, as the service answers them. */
export interface PublicKeyOptions {
  challenge: string
  /** Milliseconds. */
  timeout?: number
  rp?: { id?: string; name: string }
  user?: { id: string; name: string; displayName: string }
  allowCredentials?: Descriptor[]
  excludeCredentials?: Descriptor[]
}

/** What an authenticator has signed, as the service takes it. */
export interface CredentialJson {
  id: string
  rawId: string
  type: string
  response: Record<string, unknown>
  clientExtensionResults: object
  authenticatorAttachment?: string | undefined
}

/** What the browser returns. Extensions that replace its dialog leave out the last two. */
export interface Credential {
  id: string
  rawId: ArrayBuffer
  type: string
  authenticatorAttachment?: string | null
  response: Record<string, unknown> & { getTransports?: () => string[] }
  getClientExtensionResults?: () => object
  toJSON?: () => CredentialJson
}

export type Kind = 'get' | 'create'

/** What the navigator offers for it. */
export type CredentialsContainer = Record<Kind, (options: object) => Promise<Credential | null>>

type Convert = (options: object) => object

/** The interface object of the browser, as far as it is used here. Everything may be missing. */
export interface PublicKeyCredentials {
  parseCreationOptionsFromJSON?: Convert
  parseRequestOptionsFromJSON?: Convert
  isConditionalMediationAvailable?: () => Promise<boolean>
  isUserVerifyingPlatformAuthenticatorAvailable?: () => Promise<boolean>
  getClientCapabilities?: () => Promise<Record<string, boolean | undefined>>
  signalUnknownCredential?: (options: object) => Promise<void>
  signalAllAcceptedCredentials?: (options: object) => Promise<void>
}
