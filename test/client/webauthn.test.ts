/** Passkeys in browsers of every age: what is asked, what is sent, and what a refusal is called. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { passkeySupport, runCeremony } from '../../client/src/webauthn.ts'
import { codeOf } from './browser.ts'
import { failing, giveCredentials, newCredential, oldCredential } from './credentials.ts'

afterEach(() => vi.unstubAllGlobals())

const options = {
  challenge: '-_8',
  user: { id: 'AAE', name: 'ada@example.com', displayName: 'Ada' },
  allowCredentials: [{ type: 'public-key', id: 'AQ', transports: ['usb'] }],
  excludeCredentials: [{ type: 'public-key', id: 'Ag' }],
}

describe('a browser without conversion to JSON', () => {
  it('gets the options with bytes', async () => {
    const { asked, answers } = giveCredentials()
    answers.push(oldCredential)
    await runCeremony('get', options)
    expect(asked[0]!.options.publicKey).toEqual({
      challenge: new Uint8Array([0xfb, 0xff]),
      user: { id: new Uint8Array([0, 1]), name: 'ada@example.com', displayName: 'Ada' },
      allowCredentials: [{ type: 'public-key', id: new Uint8Array([1]), transports: ['usb'] }],
      excludeCredentials: [{ type: 'public-key', id: new Uint8Array([2]) }],
    })
  })

  it('has its credential written as JSON', async () => {
    const { answers } = giveCredentials()
    answers.push(oldCredential, () => oldCredential({ userHandle: null, getTransports: () => ['internal'] }))
    expect(await runCeremony('get', options)).toEqual({
      id: '-_8',
      rawId: '-_8',
      type: 'public-key',
      authenticatorAttachment: 'platform',
      response: { clientDataJSON: 'AQ', authenticatorData: 'Ag', signature: 'Aw' },
      clientExtensionResults: {},
    })
    expect((await runCeremony('create', options))!.response['transports']).toEqual(['internal'])
  })
})

describe('a browser that converts JSON', () => {
  it('does so itself', async () => {
    const parse = { parseRequestOptionsFromJSON: () => ({ is: 'read' }) }
    const { asked, answers } = giveCredentials(parse)
    answers.push(() => newCredential)
    expect(await runCeremony('get', options)).toEqual({ id: 'as JSON' })
    expect(asked[0]!.options.publicKey).toEqual({ is: 'read' })
  })

  it('is not trusted where that fails', async () => {
    const refuse = failing('EncodingError')
    const { asked, answers } = giveCredentials({ parseRequestOptionsFromJSON: refuse })
    answers.push(() => ({ ...newCredential, toJSON: refuse }))
    expect((await runCeremony('get', options))!.rawId).toBe('-_8')
    expect(asked[0]!.options.publicKey['challenge']).toEqual(new Uint8Array([0xfb, 0xff]))
  })
})

describe('a ceremony', () => {
  it.each([
    ['NotAllowedError', 'passkey_cancelled'],
    ['AbortError', 'passkey_cancelled'],
    ['InvalidStateError', 'passkey_exists'],
    ['SecurityError', 'passkey_unavailable'],
    ['NotSupportedError', 'passkey_unavailable'],
  ])('that ends with %s is called %s', async (name, code) => {
    giveCredentials().answers.push(failing(name))
    expect(await codeOf(runCeremony('create', options))).toBe(code)
  })

  it('without a credential was cancelled', async () => {
    giveCredentials().answers.push(() => null)
    expect(await codeOf(runCeremony('get', options))).toBe('passkey_cancelled')
  })

  it('needs a browser that has WebAuthn', async () => {
    expect(await codeOf(runCeremony('get', options))).toBe('passkey_unavailable')
    expect(await passkeySupport()).toEqual({ passkeys: false, autofill: false, builtIn: false })
  })

  it('ends the one before it, which a browser would refuse it for', async () => {
    const { asked, answers } = giveCredentials()
    const waiting = codeOf(runCeremony('get', options, { mediation: 'conditional' }))
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    answers.push(() => newCredential)
    expect(await runCeremony('get', options)).toEqual({ id: 'as JSON' })
    expect(await waiting).toBe('passkey_cancelled')
    expect(asked.map(({ options: { mediation } }) => mediation)).toEqual(['conditional', undefined])
  })

  it('does not wait for ever for one that cannot be ended', async () => {
    const { asked, answers } = giveCredentials()
    answers.push(() => new Promise(() => {}))
    void runCeremony('get', options)
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    vi.useFakeTimers()
    answers.push(() => newCredential)
    const next = runCeremony('get', options)
    await vi.advanceTimersByTimeAsync(1_000)
    vi.useRealTimers()
    expect(await next).toEqual({ id: 'as JSON' })
  })

  it('is closed by the signal of the call, whose reason it rejects with', async () => {
    const { asked } = giveCredentials()
    const abort = new AbortController()
    const call = runCeremony('get', options, { signal: abort.signal }).catch((thrown: unknown) => thrown)
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    abort.abort('left the page')
    expect(await call).toBe('left the page')
    expect(asked[0]!.options.signal.aborted).toBe(true)
  })

  it('ends without a credential when its time is over', async () => {
    const { asked } = giveCredentials()
    vi.useFakeTimers()
    const call = runCeremony('get', options, { mediation: 'conditional', limitMs: 240_000 })
    await vi.advanceTimersByTimeAsync(240_000)
    vi.useRealTimers()
    expect(await call).toBeUndefined()
    expect(asked[0]!.options.signal.aborted).toBe(true)
  })
})

describe('the support of a browser', () => {
  it('is what it says of its capabilities', async () => {
    const can = { conditionalGet: true, userVerifyingPlatformAuthenticator: false }
    giveCredentials({ getClientCapabilities: async () => can })
    expect(await passkeySupport()).toEqual({ passkeys: true, autofill: true, builtIn: false })
  })

  it('is asked for in the older ways where it says nothing', async () => {
    const yes = async () => true
    giveCredentials({ isConditionalMediationAvailable: yes, isUserVerifyingPlatformAuthenticatorAvailable: yes })
    expect(await passkeySupport()).toEqual({ passkeys: true, autofill: true, builtIn: true })
    const no = failing('NotAllowedError')
    giveCredentials({ getClientCapabilities: no, isConditionalMediationAvailable: no })
    expect(await passkeySupport()).toEqual({ passkeys: true, autofill: false, builtIn: false })
  })
})
