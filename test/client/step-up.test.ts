/** Calls that need a recent or stronger proof (RFC 9470): one question for all of them, and no refresh. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Client } from '../../client/src/client.ts'
import type { StepUpChallenge } from '../../client/src/step-up.ts'
import { type Browser, type Incident, answering, codeOf, signIn, signedIn, url } from './browser.ts'
import { giveCredentials, newCredential } from './credentials.ts'

afterEach(() => vi.unstubAllGlobals())

const challenge =
  'Bearer realm="postern", error="insufficient_user_authentication", max_age="600", acr_values="urn:postern:2 phr"'
const insufficient = (): Incident =>
  answering(401, { code: 'insufficient_user_authentication', detail: 'x' }, { 'WWW-Authenticate': challenge })
const done =
  (body: object = {}): Incident =>
  async () =>
    Response.json(body)
const stepUpAnswer = {
  access_token: 'lifted.access.token',
  token_type: 'Bearer',
  expires_in: 600,
  auth_time: 7,
  acr: 'phr',
}

/** A signed-in client whose hook steps up, and what the hook was asked. */
async function stepping(hook?: (client: Client) => Promise<unknown>) {
  const tab = await signedIn()
  const { browser, client } = tab
  browser.incidents.set('/auth/step-up', [done(stepUpAnswer)])
  const asked: StepUpChallenge[] = []
  client.onStepUpRequired((what) => {
    asked.push(what)
    return hook ? hook(client) : client.stepUp({ totp: '123456' })
  })
  return { ...tab, asked }
}

const refreshesOf = (browser: Browser) => browser.asked('/auth/refresh').length

describe('a call that needs a step-up', () => {
  it('is repeated with the new token after the hook has stepped up', async () => {
    const { browser, client, asked, changes } = await stepping()
    browser.incidents.set('/users/me/recovery-codes', [insufficient(), done({ recovery_codes: ['x'] })])
    expect(await client.renewRecoveryCodes()).toEqual({ recovery_codes: ['x'] })
    expect(asked).toEqual([{ acrValues: ['urn:postern:2', 'phr'], maxAgeSeconds: 600 }])
    const tokens = browser.asked('/users/me/recovery-codes').map(({ token }) => token)
    expect(tokens[1]).toBe('Bearer lifted.access.token')
    expect(tokens[0]).not.toBe(tokens[1])
    expect(refreshesOf(browser)).toBe(0)
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
  })

  it('asks once for all calls that wait', async () => {
    let stepUp = () => {}
    const isAllowed = new Promise<void>((resolve) => (stepUp = resolve))
    const { browser, client, asked } = await stepping((own) => isAllowed.then(() => own.stepUp({ totp: '1' })))
    const paths = ['/users/me/totp', '/users/me/recovery-codes', '/users/me/export']
    for (const path of paths) browser.incidents.set(path, [insufficient(), done()])
    const calls = Promise.all([client.startTotp(), client.renewRecoveryCodes(), client.exportAccount()])
    await vi.waitFor(() => paths.forEach((path) => expect(browser.asked(path)).toHaveLength(1)))
    stepUp()
    await calls
    expect(asked).toHaveLength(1)
    expect(browser.asked('/auth/step-up')).toHaveLength(1)
  })

  it('asks nothing when another call has stepped up while it was on its way', async () => {
    const { browser, client, asked } = await stepping()
    let answer = () => {}
    const isSlow = new Promise<void>((resolve) => (answer = resolve))
    const late: Incident = async (go) => isSlow.then(() => insufficient()(go))
    browser.incidents.set('/users/me/totp', [late, done()])
    const slow = client.startTotp()
    await vi.waitFor(() => expect(browser.asked('/users/me/totp')).toHaveLength(1))
    await client.stepUp({ totp: '123456' })
    answer()
    await slow
    expect(asked).toEqual([])
  })

  it.each([
    ['declines', async () => undefined],
    ['fails', () => Promise.reject(new Error('closed'))],
  ])('fails as it was refused when the hook %s, and asks again the next time', async (_, hook) => {
    const { browser, client, asked } = await stepping(hook)
    browser.incidents.set('/users/me/totp', [insufficient(), insufficient()])
    expect(await codeOf(client.startTotp())).toBe('insufficient_user_authentication')
    expect(await codeOf(client.startTotp())).toBe('insufficient_user_authentication')
    expect(asked).toHaveLength(2)
    expect(refreshesOf(browser)).toBe(0)
    expect(await client.me()).toMatchObject({ id: client.user!.id })
  })

  it('fails where there is no hook, or no longer one', async () => {
    const { browser, client } = await signedIn()
    const remove = client.onStepUpRequired(async () => client.stepUp({ totp: '1' }))
    remove()
    browser.incidents.set('/users/me/totp', [insufficient()])
    expect(await codeOf(client.startTotp())).toBe('insufficient_user_authentication')
    expect(browser.requests.map(({ path }) => path)).toEqual(['/users/me/totp'])
  })

  it('is repeated once: what the proof does not satisfy, the app has to say', async () => {
    const { browser, client, asked } = await stepping()
    browser.incidents.set('/users/me/totp', [insufficient(), insufficient()])
    expect(await codeOf(client.startTotp())).toBe('insufficient_user_authentication')
    expect(asked).toHaveLength(1)
    expect(refreshesOf(browser)).toBe(0)
  })

  it('is repeated for a service that asks for it, and for a change of password', async () => {
    const { browser, client, asked } = await stepping()
    browser.incidents.set('/notes', [insufficient(), done({ is: 'done' })])
    expect(await (await client.fetch(`${url}/notes`, { method: 'POST', body: '"x"' })).json()).toEqual({ is: 'done' })
    browser.incidents.set('/auth/step-up', [done(stepUpAnswer)])
    browser.incidents.set('/auth/change-password', [insufficient(), answering(403, { code: 'wrong_password' })])
    expect(await codeOf(client.changePassword({ old_password: 'x', new_password: 'y' }))).toBe('wrong_password')
    expect(asked).toHaveLength(2)
  })

  it('that sends a stream cannot be repeated', async () => {
    const { browser, client, asked } = await stepping()
    browser.incidents.set('/notes', [insufficient()])
    const init = { method: 'POST', body: new Response('"x"').body, duplex: 'half' } as RequestInit
    expect((await client.fetch(`${url}/notes`, init)).status).toBe(401)
    expect(asked).toEqual([])
  })
})

describe('stepUp', () => {
  it('says how strong the session is now, which goes on with its refresh token', async () => {
    const { browser, client } = await stepping()
    const refreshToken = () => JSON.parse(browser.items.get(`postern:${url}:bearer`)!).refreshToken as string
    const before = refreshToken()
    expect(await client.stepUp({ password: 'x' })).toEqual({ auth_time: 7, acr: 'phr' })
    expect(browser.asked('/auth/step-up')[0]!.body).toEqual({ password: 'x' })
    expect(await client.accessToken()).toBe('lifted.access.token')
    expect(refreshToken()).toBe(before)
  })

  it('sends what the browser makes of a passkey', async () => {
    const { browser, client } = await stepping()
    giveCredentials().answers.push(() => newCredential)
    const options = { challenge_token: 'c', public_key: { challenge: 'AQ' }, methods: ['passkey'] }
    browser.incidents.set('/auth/step-up/options', [done(options)])
    await client.stepUp({ passkey: await client.stepUpOptions() })
    const passkey = { challenge_token: 'c', credential: { id: 'as JSON' } }
    expect(browser.asked('/auth/step-up')[0]!.body).toEqual({ passkey })
  })

  it('changes nothing when the proof is wrong', async () => {
    const { browser, client } = await stepping()
    const token = await client.accessToken()
    browser.incidents.set('/auth/step-up', [answering(403, { code: 'wrong_second_factor', detail: 'x' })])
    expect(await codeOf(client.stepUp({ totp: '000000' }))).toBe('wrong_second_factor')
    expect(await client.accessToken()).toBe(token)
  })

  it('leaves alone the session of somebody who signed in meanwhile', async () => {
    const { browser, client, people } = await stepping()
    await people.signUp('bob@example.com')
    const other = browser.open().client
    browser.incidents.set('/auth/step-up', [
      async (go) => {
        await signIn(other, 'bob@example.com')
        return done(stepUpAnswer)(go)
      },
    ])
    await client.stepUp({ totp: '123456' })
    expect(await client.accessToken()).not.toBe('lifted.access.token')
    expect(await client.me()).toMatchObject({ email: 'bob@example.com' })
  })
})
