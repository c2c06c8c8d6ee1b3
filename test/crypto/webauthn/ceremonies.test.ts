import * as fc from 'fast-check'
import { base64url } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { type AssertionResponse, verifyAssertion } from '../../../src/crypto/webauthn/assertion.ts'
import type { Expectation } from '../../../src/crypto/webauthn/client-data.ts'
import { decodeCborMap } from '../../../src/crypto/webauthn/cbor.ts'
import { type NewCredential, verifyRegistration } from '../../../src/crypto/webauthn/registration.ts'
import {
  type Algorithm,
  type Authenticator,
  type AuthenticatorOptions,
  type Cbor,
  type Forgery,
  type RegistrationJson,
  createAuthenticator,
  encodeCbor,
} from '../../support/authenticator.ts'

const rpId = 'accounts.example.com'
const origin = 'https://accounts.example.com'
const challenge = base64url.encode(new Uint8Array(32).fill(7))
const expected: Expectation = { rpId, origins: [origin], challenge, userVerification: 'required' }
const request = { challenge, rpId }

const creation = (alg = [-7, -8, -257]) => ({
  rp: { id: rpId, name: 'Postern' },
  user: { id: base64url.encode(new Uint8Array(16).fill(1)), name: 'ada@example.com', displayName: 'ada@example.com' },
  challenge,
  pubKeyCredParams: alg.map((each) => ({ type: 'public-key', alg: each })),
})

/** Flags, bit by bit: present, verified, backup eligible, backed up, attested, extended. */
const bit = { UP: 1, UV: 4, BE: 8, BS: 16, AT: 64, ED: 128 }

interface Enrolled {
  authenticator: Authenticator
  created: RegistrationJson
  credential: NewCredential
}

async function enrol(options: AuthenticatorOptions = {}): Promise<Enrolled> {
  const authenticator = createAuthenticator(options)
  const created = await authenticator.create(creation())
  const credential = await verifyRegistration({ ...expected, userVerification: 'preferred' }, created)
  return { authenticator, created, credential: credential! }
}

const algorithms: [Algorithm, number][] = [
  ['ES256', -7],
  ['EdDSA', -8],
  ['RS256', -257],
]

describe.each(algorithms)('%s', (algorithm, cose) => {
  let synced: Enrolled
  let bound: Enrolled
  beforeAll(async () => {
    synced = await enrol({ algorithm })
    bound = await enrol({ algorithm, isSynced: false, aaguid: '08987058cadc4b81b6e130de50dcbe96' })
  })

  it('registers a synced credential and one that is bound to its device', () => {
    expect(synced.credential).toMatchObject({
      algorithm: cose,
      aaguid: '00000000-0000-0000-0000-000000000000',
      isBackupEligible: true,
      isBackedUp: true,
      signCount: 0,
    })
    expect(bound.credential).toMatchObject({
      aaguid: '08987058-cadc-4b81-b6e1-30de50dcbe96',
      isBackupEligible: false,
      isBackedUp: false,
    })
    expect(base64url.encode(bound.credential.credentialId)).toBe(bound.created.id)
  })

  it('accepts an assertion of its key, and none of another', async () => {
    const response = await bound.authenticator.get(request)
    expect(await verifyAssertion(expected, bound.credential.publicKey, response)).toEqual({
      isUserVerified: true,
      isBackupEligible: false,
      isBackedUp: false,
      signCount: 1,
    })
    expect(await verifyAssertion(expected, synced.credential.publicKey, response)).toBeUndefined()
  })

  it('refuses an assertion with any bit of any part flipped, and never throws', async () => {
    const { response } = await synced.authenticator.get(request)
    const parts = ['clientDataJSON', 'authenticatorData', 'signature'] as const
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...parts), fc.nat(), fc.integer({ min: 0, max: 7 }), async (part, at, shift) => {
        const bytes = base64url.decode(response[part])
        bytes[at % bytes.length]! ^= 1 << shift
        const changed = { ...response, [part]: base64url.encode(bytes) }
        const verified = await verifyAssertion(expected, synced.credential.publicKey, { id: 'AA', response: changed })
        return verified === undefined
      }),
      { numRuns: 300 },
    )
  })

  it('never throws at a registration with mutated, cut or inserted bytes', async () => {
    const object = base64url.decode(synced.created.response.attestationObject)
    const edit = fc.tuple(fc.nat(object.length), fc.nat(3), fc.uint8Array({ maxLength: 4 }))
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const bytes = [...object]
        for (const [at, removed, inserted] of edits) bytes.splice(at, removed, ...inserted)
        const attestationObject = base64url.encode(new Uint8Array(bytes))
        const response = { ...synced.created.response, attestationObject }
        const verified = await verifyRegistration(expected, { ...synced.created, response })
        return verified === undefined || typeof verified.signCount === 'number'
      }),
      { numRuns: 300 },
    )
  })
})

describe('a response of either ceremony', () => {
  const client = (clientData: Record<string, unknown>): Forgery => ({ clientData })
  const refused: [string, Forgery][] = [
    ['a page of another origin', client({ origin: 'https://evil.example.com' })],
    ['a page of a subdomain', client({ origin: 'https://evil.accounts.example.com' })],
    ['a page with our origin as its start', client({ origin: `${origin}.evil.example` })],
    ['our host without TLS', client({ origin: 'http://accounts.example.com' })],
    ['another port of our host', client({ origin: `${origin}:8443` })],
    ['a list of origins', client({ origin: [origin] })],
    ['an Android app', client({ origin: 'android:apk-key-hash:xyz' })],
    ['a frame of another site', client({ crossOrigin: true })],
    ['a frame that names the page above it', client({ topOrigin: origin })],
    ['a cross-origin member that is no boolean', client({ crossOrigin: 'false' })],
    ['another challenge', client({ challenge: base64url.encode(new Uint8Array(32)) })],
    ['the challenge with padding', client({ challenge: `${challenge}=` })],
    ['no challenge', client({ challenge: undefined })],
    ['another type', client({ type: 'payment.get' })],
    ['another RP ID', { rpId: 'example.com' }],
    ['bytes behind the authenticator data', { extra: new Uint8Array([0xa0]) }],
  ]

  it.each(refused)('is refused: %s', async (_, forgery) => {
    const { authenticator, credential } = await enrol()
    expect(await verifyAssertion(expected, credential.publicKey, await authenticator.get(request, forgery))).toBe(
      undefined,
    )
    expect(await verifyRegistration(expected, await createAuthenticator().create(creation(), forgery))).toBe(undefined)
  })

  it.each([
    ['no user', bit.UV | bit.BE | bit.BS],
    ['a user who was not verified', bit.UP | bit.BE | bit.BS],
    ['a backup of what cannot have one', bit.UP | bit.UV | bit.BS],
    ['extensions that are not there', bit.UP | bit.UV | bit.ED],
  ])('is refused: flags with %s', async (_, flags) => {
    const { authenticator, credential } = await enrol()
    expect(await verifyAssertion(expected, credential.publicKey, await authenticator.get(request, { flags }))).toBe(
      undefined,
    )
    const created = await createAuthenticator().create(creation(), { flags: flags | bit.AT })
    expect(await verifyRegistration(expected, created)).toBe(undefined)
  })

  it('is refused with extensions that are no map', async () => {
    const { authenticator, credential } = await enrol()
    const flags = bit.UP | bit.UV | bit.ED
    const forgery = { flags, extra: encodeCbor([1]) }
    expect(await verifyAssertion(expected, credential.publicKey, await authenticator.get(request, forgery))).toBe(
      undefined,
    )
    const created = await createAuthenticator().create(creation(), { ...forgery, flags: flags | bit.AT })
    expect(await verifyRegistration(expected, created)).toBe(undefined)
  })

  it('is not one of the other ceremony', async () => {
    const { authenticator, credential } = await enrol()
    const asserted = await authenticator.get(request, client({ type: 'webauthn.create' }))
    expect(await verifyAssertion(expected, credential.publicKey, asserted)).toBe(undefined)
    const created = await createAuthenticator().create(creation(), client({ type: 'webauthn.get' }))
    expect(await verifyRegistration(expected, created)).toBe(undefined)
  })

  it('may have extensions, and members of client data that nobody knows', async () => {
    const { authenticator, credential } = await enrol()
    const forgery = {
      flags: bit.UP | bit.UV | bit.BE | bit.BS | bit.ED,
      extra: encodeCbor(new Map([['example', new Map([['depth', [1, 'two', true, null]]])]])),
      clientData: { crossOrigin: undefined, other_keys_can_be_added_here: 'do not compare with a template' },
    }
    expect(
      await verifyAssertion(expected, credential.publicKey, await authenticator.get(request, forgery)),
    ).toBeTruthy()
  })

  it('without a verified user is accepted where verification is preferred only', async () => {
    const { authenticator, credential } = await enrol({ verifiesUser: false })
    const response = await authenticator.get(request)
    const asked = { ...expected, userVerification: 'preferred' } as const
    expect(await verifyAssertion(asked, credential.publicKey, response)).toMatchObject({ isUserVerified: false })
    expect(await verifyAssertion(expected, credential.publicKey, response)).toBe(undefined)
  })
})

describe('a registration', () => {
  it('takes a credential id of 1 to 1,023 bytes', async () => {
    for (const [idLength, isTaken] of [
      [0, false],
      [1, true],
      [1023, true],
      [1024, false],
    ] as const) {
      const created = await createAuthenticator({ idLength }).create(creation())
      expect((await verifyRegistration(expected, created)) !== undefined, String(idLength)).toBe(isTaken)
    }
  })

  it('is refused when the browser says that the credential is not discoverable', async () => {
    const created = await createAuthenticator().create(creation())
    const withRk = (rk: boolean) => ({ ...created, clientExtensionResults: { credProps: { rk } } })
    expect(await verifyRegistration(expected, withRk(true))).toBeTruthy()
    expect(await verifyRegistration(expected, withRk(false))).toBe(undefined)
    // Firefox does not say.
    expect(await verifyRegistration(expected, { ...created, clientExtensionResults: {} })).toBeTruthy()
  })

  it('is refused when its id is not that of the credential, to the last byte', async () => {
    const created = await createAuthenticator().create(creation())
    const id = base64url.decode(created.id)
    const others = [...id.keys()].map((at) => id.map((byte, place) => (place === at ? byte ^ 1 : byte)))
    for (const other of [...others, id.slice(1), id.slice(0, -1), new Uint8Array([...id, 0]), new Uint8Array()]) {
      expect(await verifyRegistration(expected, { ...created, id: base64url.encode(other) })).toBe(undefined)
    }
  })

  it('is refused when any byte of the hash of the RP ID is another', async () => {
    const created = await createAuthenticator().create(creation())
    const object = base64url.decode(created.response.attestationObject)
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(rpId)))
    const start = object.findIndex((_, at) => hash.every((byte, place) => byte === object[at + place]))
    expect(start).toBeGreaterThan(0)
    for (const at of hash.keys()) {
      const attestationObject = base64url.encode(object.map((byte, place) => (place === start + at ? byte ^ 1 : byte)))
      const response = { ...created.response, attestationObject }
      expect(await verifyRegistration(expected, { ...created, response })).toBe(undefined)
    }
  })

  it.each<[string, [string, Cbor | undefined]]>([
    ['no format', ['fmt', undefined]],
    ['a format that is no text', ['fmt', 7]],
    ['no authenticator data', ['authData', undefined]],
    ['authenticator data that is text', ['authData', 'text']],
  ])('is refused with %s', async (_, [name, value]) => {
    const created = await createAuthenticator().create(creation())
    const members = decodeCborMap(new Uint8Array(base64url.decode(created.response.attestationObject))) as Map<
      string,
      Cbor
    >
    const change = async (changed: [string, Cbor][]) => {
      const attestationObject = base64url.encode(encodeCbor(new Map(changed)))
      return verifyRegistration(expected, { ...created, response: { ...created.response, attestationObject } })
    }
    expect(await change([...members])).toBeTruthy()
    const others = [...members].filter(([each]) => each !== name)
    expect(await change(value === undefined ? others : [...others, [name, value]])).toBe(undefined)
  })

  it('may have client data behind a byte order mark, and none that is not UTF-8', async () => {
    const created = await createAuthenticator().create(creation(), { clientData: { more: 'x' } })
    const text = new TextDecoder().decode(base64url.decode(created.response.clientDataJSON))
    const verify = (bytes: Uint8Array) => {
      const response = { ...created.response, clientDataJSON: base64url.encode(bytes) }
      return verifyRegistration(expected, { ...created, response })
    }
    const encoded = new TextEncoder().encode(text)
    expect(await verify(new Uint8Array([0xef, 0xbb, 0xbf, ...encoded]))).toBeTruthy()
    const at = text.indexOf('"x"') + 1
    expect(await verify(encoded.map((byte, place) => (place === at ? 0xff : byte)))).toBe(undefined)
  })

  it.each([-35, -36, -37, -39, -65535, 3])('is refused when its key claims the algorithm %i', async (claimed) => {
    for (const [algorithm] of algorithms) {
      const created = await createAuthenticator({ algorithm }).create(creation(), { claimedAlgorithm: claimed })
      expect(await verifyRegistration(expected, created)).toBe(undefined)
    }
  })

  it('is refused when its key is of the kind of another algorithm', async () => {
    for (const [algorithm] of algorithms) {
      for (const [, claimed] of algorithms.filter(([name]) => name !== algorithm)) {
        const created = await createAuthenticator({ algorithm }).create(creation(), { claimedAlgorithm: claimed })
        expect(await verifyRegistration(expected, created)).toBe(undefined)
      }
    }
  })

  it('is refused without attested credential data', async () => {
    const created = await createAuthenticator().create(creation(), { flags: bit.UP | bit.UV })
    expect(await verifyRegistration(expected, created)).toBe(undefined)
  })
})

it('refuses an assertion with attested credential data', async () => {
  const { authenticator, credential, created } = await enrol()
  const object = base64url.decode(created.response.attestationObject)
  // Behind a map of three, "fmt", "attStmt" and the head of "authData" come 37 bytes that each authenticator data has.
  const attested = object.slice(object.length - 77 - 18 - 32)
  const forgery = { flags: bit.UP | bit.UV | bit.AT, extra: attested }
  expect(await verifyAssertion(expected, credential.publicKey, await authenticator.get(request, forgery))).toBe(
    undefined,
  )
})

it.each(['', '!', 'A', '{}', '\u0000'])('refuses %j in place of each part, and does not throw', async (text) => {
  const { authenticator, credential, created } = await enrol()
  const asserted = await authenticator.get(request)
  for (const part of ['clientDataJSON', 'authenticatorData', 'signature'] as const) {
    const response: AssertionResponse['response'] = { ...asserted.response, [part]: text }
    expect(await verifyAssertion(expected, credential.publicKey, { ...asserted, response })).toBe(undefined)
  }
  for (const part of ['clientDataJSON', 'attestationObject'] as const) {
    const response = { ...created.response, [part]: text }
    expect(await verifyRegistration(expected, { ...created, response })).toBe(undefined)
  }
})

it('refuses client data that is no JSON object, whatever it is', async () => {
  const { authenticator, credential } = await enrol()
  const asserted = await authenticator.get(request)
  for (const text of ['null', '[]', '"text"', '7', 'true', '{', '\ufeff{}']) {
    const clientDataJSON = base64url.encode(text)
    const response = { ...asserted.response, clientDataJSON }
    expect(await verifyAssertion(expected, credential.publicKey, { ...asserted, response })).toBe(undefined)
  }
})
