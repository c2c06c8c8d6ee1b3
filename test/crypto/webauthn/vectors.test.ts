/** The verifier against what others wrote: the vectors of the W3C, those of Wycheproof, and another implementation. */
import { base64url } from 'jose'
import { describe, expect, it } from 'vitest'
import { rawSignatureOf } from '../../../src/crypto/webauthn/der-signature.ts'
import { verifyAssertion } from '../../../src/crypto/webauthn/assertion.ts'
import { verifyRegistration } from '../../../src/crypto/webauthn/registration.ts'
import { encodeCbor, fromHex } from '../../support/authenticator.ts'
import webauthn from './vectors/w3c-webauthn-3.json'
import wycheproof from './vectors/wycheproof-ecdsa-p256-sha256.json'

const text = (hex: string) => base64url.encode(fromHex(hex))

/** What we do not take: see the checks of client data, and the algorithms that we offer. */
const refused = new Map([
  ['none-es256-crossOrigin', 'a frame of another origin'],
  ['none-es256-topOrigin', 'a frame of another origin'],
  ['packed-es384', 'an algorithm that is not offered'],
  ['packed-es512', 'an algorithm that is not offered'],
  ['packed-ed448', 'an algorithm that is not offered'],
])

const expected = { rpId: webauthn.rpId, origins: [webauthn.origin], userVerification: 'preferred' } as const

describe('the vectors of WebAuthn Level 3, section 16', () => {
  it.each(webauthn.vectors)('$name', async ({ name, registration, authentication }) => {
    const created = await verifyRegistration(
      { ...expected, challenge: text(registration.challenge) },
      {
        id: text(registration.credentialId),
        response: {
          clientDataJSON: text(registration.clientDataJSON),
          attestationObject: text(registration.attestationObject),
        },
      },
    )
    if (refused.has(name)) return expect(created).toBeUndefined()
    expect(created?.credentialId).toEqual(fromHex(registration.credentialId))

    const { challenge, ...response } = authentication
    const assert = (userVerification: 'required' | 'preferred') =>
      verifyAssertion({ ...expected, userVerification, challenge: text(challenge) }, created!.publicKey, {
        id: text(registration.credentialId),
        response: {
          clientDataJSON: text(response.clientDataJSON),
          authenticatorData: text(response.authenticatorData),
          signature: text(response.signature),
        },
      })
    const asserted = await assert('preferred')
    expect(asserted).toMatchObject({ isBackupEligible: created!.isBackupEligible, signCount: 0 })
    // Some of the vectors come from an authenticator that did not verify its user.
    expect(await assert('required')).toEqual(asserted!.isUserVerified ? asserted : undefined)
  })

  it('name everything that is refused', () => {
    const names = webauthn.vectors.map(({ name }) => name)
    expect(names).toHaveLength(15)
    expect(names).toEqual(expect.arrayContaining([...refused.keys()]))
  })
})

describe('ECDSA signatures of Wycheproof', () => {
  const key = (point: string) =>
    crypto.subtle.importKey('raw', fromHex(point), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])

  it('are accepted where they are valid, and refused or found wrong where they are not', async () => {
    for (const { publicKey, tests } of wycheproof.groups) {
      const imported = await key(publicKey)
      for (const [number, result, message, signature, comment] of tests) {
        const verified = await verify(imported, fromHex(String(signature)), fromHex(String(message)))
        expect(verified, `${number}: ${comment}`).toBe(result === 'valid')
      }
    }
  })

  async function verify(imported: CryptoKey, der: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>) {
    try {
      const raw = rawSignatureOf(der)
      return await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, imported, raw, message)
    } catch {
      return false
    }
  }
})

it('writes CBOR in the test authenticator as RFC 8949, appendix A, says', () => {
  const hex = (value: Parameters<typeof encodeCbor>[0]) =>
    [...encodeCbor(value)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  expect(hex(23)).toBe('17')
  expect(hex(24)).toBe('1818')
  expect(hex(1000)).toBe('1903e8')
  expect(hex(1_000_000)).toBe('1a000f4240')
  expect(hex(-1)).toBe('20')
  expect(hex(-1000)).toBe('3903e7')
  expect(hex('IETF')).toBe('6449455446')
  expect(hex(fromHex('01020304'))).toBe('4401020304')
  expect(hex([1, [2, 3]])).toBe('8201820203')
  expect(
    hex(
      new Map<string, number>([
        ['a', 1],
        ['b', 2],
      ]),
    ),
  ).toBe('a2616101616202')
})
