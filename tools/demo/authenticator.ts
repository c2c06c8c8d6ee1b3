import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/**
 * What the demo reads of `PublicKeyCredentialCreationOptionsJSON` and `…RequestOptionsJSON` (WebAuthn §5.1.8, §5.1.10).
 */
export interface CreationOptions {
  challenge: string
  rp: { id: string }
  user: { id: string }
}
export interface RequestOptions {
  challenge: string
  rpId: string
}

/** A synced one that verified its user (WebAuthn §6.1): UP, UV, BE, BS. */
const flags = 0x01 | 0x04 | 0x08 | 0x10
const withCredential = 0x40

/** An authenticator in software, with one passkey (ES256, attestation "none"). It asks nobody. */
export class Authenticator {
  readonly #origin: string
  readonly #id = randomBytes(16)
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  #userHandle = ''

  constructor(origin: string) {
    this.#origin = origin
  }

  /** Answers `navigator.credentials.create()`. */
  create({ challenge, rp, user }: CreationOptions) {
    this.#userHandle = user.id
    const length = Buffer.alloc(2)
    length.writeUInt16BE(this.#id.length)
    const aaguid = Buffer.alloc(16)
    const head = authenticatorData(rp.id, flags | withCredential)
    const data = Buffer.concat([head, aaguid, length, this.#id, this.#coseKey()])
    return this.#credential({
      clientDataJSON: this.#clientData('webauthn.create', challenge).toString('base64url'),
      attestationObject: attestationObject(data).toString('base64url'),
      transports: ['internal', 'hybrid'],
    })
  }

  /** Answers `navigator.credentials.get()`. */
  get({ challenge, rpId }: RequestOptions) {
    const clientData = this.#clientData('webauthn.get', challenge)
    const data = authenticatorData(rpId, flags)
    const signature = sign('sha256', Buffer.concat([data, sha256(clientData)]), this.#keys.privateKey)
    return this.#credential({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: this.#userHandle,
    })
  }

  #credential<Response>(response: Response) {
    const id = this.#id.toString('base64url')
    return { id, rawId: id, type: 'public-key', response, clientExtensionResults: {} }
  }

  #clientData(type: string, challenge: string): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin: this.#origin, crossOrigin: false }))
  }

  /** `{1: 2, 3: -7, -1: 1, -2: x, -3: y}` in CBOR (RFC 9053 §7.1.1). */
  #coseKey(): Buffer {
    const { x = '', y = '' } = this.#keys.publicKey.export({ format: 'jwk' })
    const [head, beforeY] = [Buffer.from('a5010203262001215820', 'hex'), Buffer.from('225820', 'hex')]
    return Buffer.concat([head, Buffer.from(x, 'base64url'), beforeY, Buffer.from(y, 'base64url')])
  }
}

function authenticatorData(rpId: string, flagBits: number): Buffer {
  const counter = Buffer.alloc(4)
  return Buffer.concat([sha256(Buffer.from(rpId)), Buffer.of(flagBits), counter])
}

/** `{fmt: "none", attStmt: {}, authData}` in CBOR. */
function attestationObject(data: Buffer): Buffer {
  const head = Buffer.from('\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58', 'latin1')
  return Buffer.concat([head, Buffer.of(data.length), data])
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
