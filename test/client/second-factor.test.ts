/** A sign-in that needs more than a password: the outcome, the second step, and the device that is trusted. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { giveFactors } from '../support/factors.ts'
import { peopleOf } from '../support/population.ts'
import { goodPassword } from '../support/person.ts'
import { Browser, type Incident, answering, codeOf, email, url } from './browser.ts'
import { failing, giveCredentials, newCredential } from './credentials.ts'

afterEach(() => vi.unstubAllGlobals())

const challenge = { challenge_token: 'the challenge', public_key: { challenge: 'AQ' } }
const question = {
  code: 'second_factor_required',
  detail: 'x',
  factor_token: 'the factor token',
  factors: ['passkey', 'totp'],
  passkey: challenge,
  expires_in: 300,
}

/** Answers as the service does after the second step, with the tokens of a real session. */
function tokens(browser: Browser, more: object = {}): Incident {
  return async () => {
    const { headers } = new Request(url, { headers: { 'Content-Type': 'application/json', Origin: url } })
    const body = JSON.stringify({ email, password: goodPassword })
    const answer = await browser.service.fetch(`${url}/auth/login`, { method: 'POST', headers, body })
    return Response.json({ ...(await answer.json<object>()), ...more })
  }
}

async function begun() {
  const browser = new Browser()
  await peopleOf(browser.service).signUp(email)
  const { client, changes } = browser.open()
  browser.incidents.set('/auth/login', [answering(403, question)])
  const outcome = await client.signIn({ email, password: goodPassword })
  if (outcome.kind !== 'second_factor_required') throw new Error('There is a session')
  return { browser, client, changes, step: outcome }
}

const sentTo = (browser: Browser, path: string) => browser.asked(path).at(-1)!.body

describe('a password alone', () => {
  it('is answered with the factors of the account, and signs nobody in', async () => {
    const { browser, client, changes, step } = await begun()
    expect(step).toEqual({
      kind: 'second_factor_required',
      factor_token: 'the factor token',
      factors: ['passkey', 'totp'],
      passkey: challenge,
      expires_in: 300,
    })
    expect(client.user).toBeNull()
    expect(changes).toEqual([])
    expect(browser.stored()).not.toContain('factor')
  })

  it('is answered so after an activation, too', async () => {
    const { browser, client } = await begun()
    browser.incidents.set('/auth/activate', [answering(403, { ...question, passkey: null })])
    expect(await client.activate({ token: 'x', password: goodPassword })).toMatchObject({
      kind: 'second_factor_required',
      passkey: null,
    })
  })

  it.each([{}, { factor_token: 1, factors: [] }, { factor_token: 'x' }])(
    'is no outcome where the answer lacks its token: %j',
    async (members) => {
      const { browser, client } = await begun()
      browser.incidents.set('/auth/login', [answering(403, { code: 'second_factor_required', ...members })])
      const error = await client.signIn({ email, password: goodPassword }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'unexpected_answer' })
    },
  )
})

describe('the second step', () => {
  it.each([{ totp: '123456' }, { recovery_code: 'AAAA-BBBB' }])('signs in with %j', async (proof) => {
    const { browser, client, changes, step } = await begun()
    browser.incidents.set('/auth/second-factor', [tokens(browser)])
    expect(await client.secondFactor(step, proof)).toMatchObject({ email })
    expect(sentTo(browser, '/auth/second-factor')).toEqual({ factor_token: 'the factor token', ...proof })
    expect(changes).toMatchObject([{ reason: 'signed_in', user: { email } }])
    expect(await client.me()).toMatchObject({ email })
  })

  it('signs in with what the browser makes of a passkey', async () => {
    const { browser, client, step } = await begun()
    const { answers, asked } = giveCredentials({ parseRequestOptionsFromJSON: (options: object) => options })
    answers.push(() => newCredential)
    browser.incidents.set('/auth/second-factor', [tokens(browser)])
    await client.secondFactor(step, { passkey: step.passkey! })
    expect(asked[0]!.options.publicKey).toEqual({ challenge: 'AQ' })
    const passkey = { challenge_token: 'the challenge', credential: { id: 'as JSON' } }
    expect(sentTo(browser, '/auth/second-factor')).toEqual({ factor_token: 'the factor token', passkey })
  })

  it('asks the service for nothing when the person declines', async () => {
    const { browser, client, step } = await begun()
    giveCredentials().answers.push(failing('NotAllowedError'))
    expect(await codeOf(client.secondFactor(step, { passkey: step.passkey! }))).toBe('passkey_cancelled')
    expect(browser.asked('/auth/second-factor')).toEqual([])
  })

  it('can be repeated after a wrong code', async () => {
    const { browser, client, step } = await begun()
    const wrong = answering(403, { code: 'wrong_second_factor', detail: 'x' })
    browser.incidents.set('/auth/second-factor', [wrong, tokens(browser)])
    expect(await codeOf(client.secondFactor(step, { totp: '000000' }))).toBe('wrong_second_factor')
    expect(await client.secondFactor(step, { totp: '123456' })).toMatchObject({ email })
  })
})

describe('a trusted device', () => {
  it('sends its token with the next sign-in of the same user only, even after signing out', async () => {
    const { browser, client, step } = await begun()
    browser.incidents.set('/auth/second-factor', [tokens(browser, { trust_token: 'a.b.c' })])
    await client.secondFactor(step, { totp: '123456' }, { trustDevice: true })
    expect(sentTo(browser, '/auth/second-factor')).toMatchObject({ trust_device: true })
    await client.signOut()

    const asked = answering(403, question)
    const later = browser.open().client
    browser.incidents.set('/auth/login', [asked, asked])
    await later.signIn({ email: ' ADA@example.com ', password: goodPassword })
    expect(sentTo(browser, '/auth/login')).toMatchObject({ trust_token: 'a.b.c' })
    await later.signIn({ email: 'bob@example.com', password: goodPassword })
    expect(sentTo(browser, '/auth/login')).not.toHaveProperty('trust_token')
    expect(browser.items.get(`postern:${url}:trust`)).not.toMatch(/ada|example/)
  })

  it('has a cookie in the cookie transport, and sends no token', async () => {
    const { browser, client, step } = await begun()
    browser.incidents.set('/auth/second-factor', [tokens(browser, { trust_token: 'a.b.c' })])
    await client.secondFactor(step, { totp: '123456' }, { trustDevice: true })
    browser.incidents.set('/auth/login', [answering(403, question)])
    await browser.open({ transport: 'cookie' }).client.signIn({ email, password: goodPassword })
    expect(sentTo(browser, '/auth/login')).not.toHaveProperty('trust_token')
  })

  it('that was not asked for stays a stranger', async () => {
    const { browser, client, step } = await begun()
    browser.incidents.set('/auth/second-factor', [tokens(browser)])
    await client.secondFactor(step, { totp: '123456' }, { trustDevice: false })
    expect(sentTo(browser, '/auth/second-factor')).not.toHaveProperty('trust_device')
    expect(browser.items.has(`postern:${url}:trust`)).toBe(false)
  })
})

describe.each(['bearer', 'cookie'] as const)('the service itself, with the transport %s', (transport) => {
  it('asks for a code, trusts the device from then on, and asks every other one', async () => {
    const browser = new Browser()
    const { id } = await peopleOf(browser.service).signUp(email)
    const { app, recoveryCodes } = await giveFactors(id, browser.service.clock)
    const { client } = browser.open({ transport })
    const step = await client.signIn({ email, password: goodPassword })
    if (step.kind !== 'second_factor_required') throw new Error('There is a session')
    expect(step).toMatchObject({ factors: ['totp', 'recovery_code'], passkey: null, expires_in: 300 })
    expect(await codeOf(client.secondFactor(step, { totp: app.wrongCode() }))).toBe('wrong_second_factor')
    await client.secondFactor(step, { totp: app.code() }, { trustDevice: true })
    expect((await client.factors()).totp).toMatchObject({ last_used_at: expect.any(String) })
    await client.signOut()

    expect(await browser.open({ transport }).client.signIn({ email, password: goodPassword })).toMatchObject({
      kind: 'signed_in',
      user: { email },
    })
    const stranger = new Browser(browser.service).open({ transport }).client
    const again = await stranger.signIn({ email, password: goodPassword })
    if (again.kind !== 'second_factor_required') throw new Error('A stranger is trusted')
    expect(await stranger.secondFactor(again, { recovery_code: recoveryCodes[0]! })).toMatchObject({ email })
    const used = stranger.secondFactor(again, { recovery_code: recoveryCodes[1]! })
    expect(await codeOf(used)).toBe('invalid_factor_token')
  })
})

describe('a sign-in with a passkey', () => {
  const api = { isConditionalMediationAvailable: async () => true }
  const options = () => answering(200, challenge)

  it('needs no address', async () => {
    const { browser, client } = await begun()
    giveCredentials(api).answers.push(() => newCredential)
    browser.incidents.set('/auth/passkey/options', [options()])
    browser.incidents.set('/auth/passkey', [tokens(browser)])
    expect(await client.signInWithPasskey()).toMatchObject({ email })
    const credential = { id: 'as JSON' }
    expect(sentTo(browser, '/auth/passkey')).toEqual({ challenge_token: 'the challenge', credential })
  })

  it('waits in the suggestions of the browser, with a new challenge before the old one expires', async () => {
    const { browser, client } = await begun()
    const { asked, answers } = giveCredentials(api)
    browser.incidents.set('/auth/passkey/options', [options(), options(), options()])
    browser.incidents.set('/auth/passkey', [tokens(browser)])
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const call = client.signInWithPasskey({ mediation: 'conditional' })
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    answers.push(() => newCredential)
    await vi.advanceTimersByTimeAsync(240_000)
    vi.useRealTimers()
    expect(await call).toMatchObject({ email })
    expect(asked.map(({ options: { mediation } }) => mediation)).toEqual(['conditional', 'conditional'])
    expect(browser.asked('/auth/passkey/options')).toHaveLength(2)
  })

  it('asks the service for nothing where the browser makes no suggestions', async () => {
    const { browser, client } = await begun()
    giveCredentials()
    expect(await codeOf(client.signInWithPasskey({ mediation: 'conditional' }))).toBe('passkey_unavailable')
    expect(browser.asked('/auth/passkey/options')).toEqual([])
  })

  it('keeps the passkey of a person whom the service refuses: it does not say why', async () => {
    const { browser, client } = await begun()
    const signalUnknownCredential = vi.fn()
    giveCredentials({ ...api, signalUnknownCredential }).answers.push(() => newCredential)
    browser.incidents.set('/auth/passkey/options', [options()])
    browser.incidents.set('/auth/passkey', [answering(401, { code: 'invalid_passkey', detail: 'x' })])
    expect(await codeOf(client.signInWithPasskey())).toBe('invalid_passkey')
    expect(signalUnknownCredential).not.toHaveBeenCalled()
  })
})
