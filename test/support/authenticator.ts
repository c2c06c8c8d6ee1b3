/**
 * An authenticator in software, with the browser around it: takes options as JSON, gives responses as JSON. It follows
 * WebAuthn Level 3 and CTAP 2.2 and shares no code with the verifier.
 */
import { base64url } from 'jose'

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

interface Descriptor {
  id: string
  type: string
}

/** `PublicKeyCredentialCreationOptionsJSON`, as far as it matters here. */
export interface CreationOptions {
  rp: { id: string; name: string }
  user: { id: string; name: string; displayName: string }
  challenge: string
  pubKeyCredParams: { type: string; alg: number }[]
  excludeCredentials?: Descriptor[]
}

/** `PublicKeyCredentialRequestOptionsJSON`, as far as it matters here. */
export interface RequestOptions {
  challenge: string
  rpId: string
  allowCredentials?: Descriptor[]
  userVerification?: string
}

export interface RegistrationJson {
  id: string
  rawId: string
  type: 'public-key'
  authenticatorAttachment: 'platform' | 'cross-platform'
  clientExtensionResults: { credProps?: { rk?: boolean } }
  response: { clientDataJSON: string; attestationObject: string; transports: string[] }
}

export interface AssertionJson {
  id: string
  rawId: string
  type: 'public-key'
  authenticatorAttachment: 'platform' | 'cross-platform'
  clientExtensionResults: Record<string, never>
  response: { clientDataJSON: string; authenticatorData: string; signature: string; userHandle?: string }
}

/** What a broken or hostile one does otherwise. The signature is made over it. */
export interface Forgery {
  /** The whole byte of flags. */
  flags?: number
  /** Members of the client data to add or to replace. */
  clientData?: Record<string, unknown>
  rpId?: string
  signCount?: number
  /** `null` for none. */
  userHandle?: string | null
  /** Which of its credentials. The newest that fits by default. */
  credentialId?: string
  /** The COSE algorithm that a key claims to have. */
  claimedAlgorithm?: number
  /** Appended to the authenticator data. */
  extra?: Uint8Array
}

export interface AuthenticatorOptions {
  /** The page that asks. */
  origin?: string
  /** The first that the options offer by default. */
  algorithm?: Algorithm
  /** Whether its credentials are synced (`backup eligible` and `backed up`). A device-bound one counts its signatures. */
  isSynced?: boolean
  /** Whether it knows its user: PIN or biometrics. */
  verifiesUser?: boolean
  /** 32 hex digits. */
  aaguid?: string
  /** Bytes of a credential id. */
  idLength?: number
  /** The id of every credential, in base64url. Real ones never make one twice. */
  keptId?: string
}

interface Held {
  id: string
  rpId: string
  userHandle: string
  algorithm: Algorithm
  privateKey: CryptoKey
  signCount: number
}

const coseIds: Record<Algorithm, number> = { ES256: -7, EdDSA: -8, RS256: -257 }

const keyParams = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
  RS256: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
} as const

const flag = { userPresent: 1, userVerified: 4, backupEligible: 8, backedUp: 16, attested: 64 }

export interface Authenticator {
  /** Newest last. */
  held: readonly Held[]
  /** `navigator.credentials.create`. Rejects with an `InvalidStateError` for a credential that the options exclude. */
  create: (options: CreationOptions, forgery?: Forgery) => Promise<RegistrationJson>
  /** `navigator.credentials.get`. Rejects with a `NotAllowedError` when it holds no credential that fits. */
  get: (options: RequestOptions, forgery?: Forgery) => Promise<AssertionJson>
}

export function createAuthenticator({
  origin = 'https://accounts.example.com',
  algorithm,
  isSynced = true,
  verifiesUser = true,
  aaguid = '00'.repeat(16),
  idLength = 32,
  keptId,
}: AuthenticatorOptions = {}): Authenticator {
  const held: Held[] = []
  const authenticatorAttachment = isSynced ? 'platform' : 'cross-platform'
  const ownFlags =
    flag.userPresent | (verifiesUser ? flag.userVerified : 0) | (isSynced ? flag.backupEligible | flag.backedUp : 0)

  return {
    held,
    create: async (options, forgery = {}) => {
      const excluded = options.excludeCredentials ?? []
      if (held.some(({ id }) => excluded.some((each) => each.id === id))) throw domError('InvalidStateError')
      const offered = options.pubKeyCredParams.map(({ alg }) => alg)
      const known = (Object.keys(coseIds) as Algorithm[]).toSorted(
        (a, b) => offered.indexOf(coseIds[a]) - offered.indexOf(coseIds[b]),
      )
      const chosen = algorithm ?? known.find((name) => offered.includes(coseIds[name]))
      if (!chosen || !offered.includes(coseIds[chosen])) throw domError('NotSupportedError')
      const pair = (await crypto.subtle.generateKey(keyParams[chosen], true, ['sign', 'verify'])) as CryptoKeyPair
      const id = keptId ? base64url.decode(keptId) : crypto.getRandomValues(new Uint8Array(idLength))
      const credential: Held = {
        id: base64url.encode(id),
        rpId: options.rp.id,
        userHandle: options.user.id,
        algorithm: chosen,
        privateKey: pair.privateKey,
        signCount: 0,
      }
      held.push(credential)
      const key = coseKey(chosen, await exportJwk(pair.publicKey), forgery.claimedAlgorithm)
      const attested = concat(fromHex(aaguid), uint16(idLength), id, encodeCbor(key))
      const flags = forgery.flags ?? ownFlags | flag.attested
      const authData = await authenticatorData(credential, flags, forgery, attested)
      const attestation = new Map<string, Cbor>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', authData],
      ])
      return {
        id: credential.id,
        rawId: credential.id,
        type: 'public-key',
        authenticatorAttachment,
        clientExtensionResults: { credProps: { rk: true } },
        response: {
          clientDataJSON: base64url.encode(clientData('webauthn.create', options.challenge, forgery)),
          attestationObject: base64url.encode(encodeCbor(attestation)),
          transports: isSynced ? ['hybrid', 'internal'] : ['usb'],
        },
      }
    },
    get: async (options, forgery = {}) => {
      const allowed = options.allowCredentials?.map(({ id }) => id)
      const credential = held.findLast(
        ({ id, rpId }) =>
          (forgery.credentialId === undefined || id === forgery.credentialId) &&
          rpId === options.rpId &&
          (allowed === undefined || allowed.length === 0 || allowed.includes(id)),
      )
      if (!credential) throw domError('NotAllowedError')
      if (!isSynced) credential.signCount++
      const authData = await authenticatorData(credential, forgery.flags ?? ownFlags, forgery)
      const data = clientData('webauthn.get', options.challenge, forgery)
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data))
      const signature = await sign(credential, concat(authData, digest))
      const userHandle = forgery.userHandle === undefined ? credential.userHandle : forgery.userHandle
      return {
        id: credential.id,
        rawId: credential.id,
        type: 'public-key',
        authenticatorAttachment,
        clientExtensionResults: {},
        response: {
          clientDataJSON: base64url.encode(data),
          authenticatorData: base64url.encode(authData),
          signature: base64url.encode(signature),
          ...(userHandle !== null && { userHandle }),
        },
      }
    },
  }

  function clientData(type: string, challenge: string, forgery: Forgery): Uint8Array<ArrayBuffer> {
    return utf8(JSON.stringify({ type, challenge, origin, crossOrigin: false, ...forgery.clientData }))
  }
}

async function authenticatorData(
  { rpId, signCount }: Held,
  flags: number,
  forgery: Forgery,
  attested = new Uint8Array(),
): Promise<Uint8Array<ArrayBuffer>> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(forgery.rpId ?? rpId)))
  const count = new Uint8Array(4)
  new DataView(count.buffer).setUint32(0, forgery.signCount ?? signCount)
  return concat(hash, [flags], count, attested, forgery.extra ?? [])
}

async function sign(
  { algorithm, privateKey }: Held,
  signed: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = new Uint8Array(await crypto.subtle.sign(keyParams[algorithm], privateKey, signed))
  return algorithm === 'ES256' ? derOf(signature) : signature
}

/** r, then s, each of 32 bytes, as DER (RFC 3279 §2.2.3). */
function derOf(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  const numbers = [raw.subarray(0, 32), raw.subarray(32)].map((number) => {
    const first = number.findIndex((byte) => byte !== 0)
    const short = number.subarray(first)
    const content = short[0]! >= 0x80 ? [0, ...short] : [...short]
    return [2, content.length, ...content]
  })
  const content = numbers.flat()
  return new Uint8Array([0x30, content.length, ...content])
}

function coseKey(algorithm: Algorithm, jwk: JsonWebKey, claimed = coseIds[algorithm]): Map<number, Cbor> {
  const part = (name: 'x' | 'y' | 'n' | 'e') => base64url.decode(jwk[name]!)
  if (algorithm === 'RS256') {
    return new Map<number, Cbor>([
      [1, 3],
      [3, claimed],
      [-1, part('n')],
      [-2, part('e')],
    ])
  }
  const isP256 = algorithm === 'ES256'
  return new Map<number, Cbor>([
    [1, isP256 ? 2 : 1],
    [3, claimed],
    [-1, isP256 ? 1 : 6],
    [-2, part('x')],
    ...(isP256 ? ([[-3, part('y')]] as const) : []),
  ])
}

export type Cbor = number | string | boolean | null | Uint8Array | Cbor[] | Map<number | string, Cbor>

/** CBOR as authenticators write it, in the order of the map. */
export function encodeCbor(value: Cbor): Uint8Array<ArrayBuffer> {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'boolean') return new Uint8Array([value ? 0xf5 : 0xf4])
  if (value === null) return new Uint8Array([0xf6])
  if (typeof value === 'string') return concat(head(3, utf8(value).length), utf8(value))
  if (value instanceof Uint8Array) return concat(head(2, value.length), value)
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(encodeCbor))
  return concat(head(5, value.size), ...[...value].flatMap(([key, each]) => [encodeCbor(key), encodeCbor(each)]))
}

function head(type: number, argument: number): Uint8Array<ArrayBuffer> {
  const start = type << 5
  if (argument < 24) return new Uint8Array([start | argument])
  if (argument < 0x100) return new Uint8Array([start | 24, argument])
  if (argument < 0x10000) return concat([start | 25], uint16(argument))
  const long = new Uint8Array(5)
  const view = new DataView(long.buffer)
  view.setUint8(0, start | 26)
  view.setUint32(1, argument)
  return long
}

function uint16(number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([number >> 8, number & 0xff])
}

function concat(...parts: (Uint8Array | number[])[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]))
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16))
}

async function exportJwk(key: CryptoKey): Promise<JsonWebKey> {
  return (await crypto.subtle.exportKey('jwk', key)) as JsonWebKey
}

function domError(name: string): DOMException {
  return new DOMException('The authenticator refused', name)
}
