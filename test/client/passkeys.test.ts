/** The passkeys of a user, from the first one to the last, with an authenticator in software and the real service. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createAuthenticator } from '../support/authenticator.ts'
import { type Browser, answering, codeOf, email, signedIn, url } from './browser.ts'
import { giveCredentials } from './credentials.ts'

afterEach(() => vi.unstubAllGlobals())

/** What password managers are told. */
function listen() {
  const told: { unknown: object[]; accepted: { allAcceptedCredentialIds: string[] }[] } = { unknown: [], accepted: [] }
  const signals = {
    signalUnknownCredential: async (what: object) => void told.unknown.push(what),
    signalAllAcceptedCredentials: async (what: (typeof told.accepted)[number]) => void told.accepted.push(what),
  }
  return { told, signals }
}

/** A browser that passes JSON through to an authenticator. */
function giveAuthenticator(signals: object = {}) {
  let authenticator = createAuthenticator({ origin: url })
  const asIs = (options: object) => options
  const { answers, asked } = giveCredentials({
    ...signals,
    parseCreationOptionsFromJSON: asIs,
    parseRequestOptionsFromJSON: asIs,
    isConditionalMediationAvailable: async () => true,
  })
  const shown = (made: { id: string }) => ({ ...made, toJSON: () => made })
  const given = () => asked.at(-1)!.options.publicKey as never
  /** On another device each time: one device has no two passkeys of one account. */
  const create = () => {
    authenticator = createAuthenticator({ origin: url })
    answers.push(async () => shown(await authenticator.create(given())))
  }
  const get = () => answers.push(async () => shown(await authenticator.get(given())))
  return { create, get }
}

const sentTo = (browser: Browser, path: string) => browser.asked(path).map(({ body }) => body)

describe('the passkeys of a user', () => {
  it('are added, renamed, used and removed', async () => {
    const { browser, client } = await signedIn()
    const { create, get } = giveAuthenticator()
    create()
    const added = await client.registerPasskey({ name: 'Phone' })
    expect(added).toMatchObject({ name: 'Phone', recovery_codes: { length: 8 } })
    expect(await client.renamePasskey(added.id, 'Old phone')).toMatchObject({ id: added.id, name: 'Old phone' })
    expect((await client.factors()).passkeys).toMatchObject([{ id: added.id, name: 'Old phone' }])
    await client.signOut()

    get()
    expect(await client.signInWithPasskey()).toMatchObject({ email })
    await client.signOut()
    get()
    expect(await client.signInWithPasskey({ mediation: 'conditional' })).toMatchObject({ email })
    expect(await client.removePasskey(added.id)).toBeUndefined()
    expect(await client.factors()).toEqual({ passkeys: [], totp: null, recovery_codes: 0 })
    expect(sentTo(browser, '/users/me/passkeys')).toHaveLength(1)
  })

  it('are those that password managers go on offering', async () => {
    const { client } = await signedIn()
    const { told, signals } = listen()
    const { create } = giveAuthenticator(signals)
    create()
    const first = await client.registerPasskey()
    create()
    await client.registerPasskey()
    await client.removePasskey(first.id)
    await vi.waitFor(() => expect(told.accepted).toHaveLength(1))
    expect(told.accepted[0]).toMatchObject({ rpId: 'accounts.example.com', allAcceptedCredentialIds: { length: 1 } })
    expect(told.unknown).toEqual([])
  })

  it.each([
    ['refused', 409, [{ rpId: 'accounts.example.com', credentialId: expect.any(String) }]],
    ['in doubt', 502, []],
  ])('are disowned when the service refuses them, not when that is in doubt: %s', async (_, status, unknown) => {
    const { browser, client } = await signedIn()
    const { told, signals } = listen()
    giveAuthenticator(signals).create()
    browser.incidents.set('/users/me/passkeys', [answering(status, { code: 'too_many', detail: 'x' })])
    expect(await codeOf(client.registerPasskey())).toBe('too_many')
    expect(told.unknown).toEqual(unknown)
  })

  it('are not made when the person declines, and nothing is sent', async () => {
    const { browser, client } = await signedIn()
    giveCredentials().answers.push(() => null)
    expect(await codeOf(client.registerPasskey())).toBe('passkey_cancelled')
    expect(browser.asked('/users/me/passkeys')).toEqual([])
  })
})
