/** Another implementation judges the same responses: `@simplewebauthn/server`. */
import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server'
import { base64url } from 'jose'
import { expect, it } from 'vitest'
import { verifyAssertion } from '../../../src/crypto/webauthn/assertion.ts'
import type { Expectation } from '../../../src/crypto/webauthn/client-data.ts'
import { verifyRegistration } from '../../../src/crypto/webauthn/registration.ts'
import { type AuthenticatorOptions, type Forgery, createAuthenticator } from '../../support/authenticator.ts'

const rpId = 'accounts.example.com'
const origin = 'https://accounts.example.com'
const challenge = base64url.encode(new Uint8Array(32).fill(7))
const expected: Expectation = { rpId, origins: [origin], challenge, userVerification: 'required' }
const user = { id: 'AQ', name: 'ada@example.com', displayName: 'ada@example.com' }
const pubKeyCredParams = [-7, -8, -257].map((alg) => ({ type: 'public-key', alg }))
const creation = { rp: { id: rpId, name: 'Postern' }, user, challenge, pubKeyCredParams }

const asked = {
  expectedChallenge: challenge,
  expectedOrigin: origin,
  expectedRPID: rpId,
  requireUserVerification: true,
}

const authenticators: AuthenticatorOptions[] = [
  { algorithm: 'ES256' },
  { algorithm: 'EdDSA', isSynced: false },
  { algorithm: 'RS256', idLength: 1023 },
]

const forgeries: Forgery[] = [
  {},
  { flags: 0b1011101 },
  { flags: 0b1011001 },
  { flags: 0b1011100 },
  { rpId: 'example.com' },
  { clientData: { origin: 'https://evil.example.com' } },
  { clientData: { challenge: 'AAAA' } },
  { clientData: { type: 'webauthn.other' } },
  { extra: new Uint8Array([1, 2, 3]) },
]

it.each(authenticators)('agrees about registrations: %j', async (options) => {
  for (const forgery of forgeries) {
    const response = await createAuthenticator(options).create(creation, forgery)
    const ours = await verifyRegistration(expected, response)
    const judged = await verifyRegistrationResponse({ ...asked, response }).catch(() => undefined)
    const theirs = judged?.verified ? judged.registrationInfo : undefined
    expect(ours !== undefined, JSON.stringify(forgery)).toBe(theirs !== undefined)
    if (!ours || !theirs) continue
    expect(base64url.encode(ours.credentialId)).toBe(theirs.credential.id)
    expect(ours.publicKey).toEqual(new Uint8Array(theirs.credential.publicKey))
    expect(ours.signCount).toBe(theirs.credential.counter)
    expect(ours.aaguid).toBe(theirs.aaguid)
    expect(ours.isBackedUp).toBe(theirs.credentialBackedUp)
    expect(ours.isBackupEligible).toBe(theirs.credentialDeviceType === 'multiDevice')
  }
})

it.each(authenticators)('agrees about assertions: %j', async (options) => {
  const authenticator = createAuthenticator(options)
  const created = await verifyRegistration(expected, await authenticator.create(creation))
  for (const { flags, ...forgery } of forgeries) {
    const given: Forgery = { ...forgery, ...(flags !== undefined && { flags: flags & ~64 }) }
    const response = await authenticator.get({ challenge, rpId }, given)
    const ours = await verifyAssertion(expected, created!.publicKey, response)
    const credential = { id: response.id, publicKey: created!.publicKey, counter: 0 }
    const judged = await verifyAuthenticationResponse({ ...asked, response, credential }).catch(() => undefined)
    expect(ours !== undefined, JSON.stringify(given)).toBe(judged?.verified === true)
    if (ours) expect(ours.signCount).toBe(judged!.authenticationInfo.newCounter)
  }
})
