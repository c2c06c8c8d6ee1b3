/** Staying signed in, against the real service: one refresh for all who wait, and no lost race ever signs anybody out. */
import { describe, expect, it, vi } from 'vitest'
import { PosternError } from '../../client/src/problem.ts'
import { sessionOf } from '../support/answers.ts'
import { day, minute, second } from '../support/clock.ts'
import { goodPassword, otherPassword, register, signIn as signInElsewhere, signUp } from '../support/people.ts'
import type { Service } from '../support/service.ts'
import { Browser, type Incident, answering, email, lostAnswer, offline, signedIn, url } from './browser.ts'

const transports = ['bearer', 'cookie'] as const

const codeOf = (error: unknown) => (error instanceof PosternError ? error.code : error)
const failure = (call: Promise<unknown>) => call.then(() => 'no failure', codeOf)

/** What is kept for the device, newest first. */
const deviceTokens = (browser: Browser) => browser.items.get(`postern:${url}:device`)!.split(' ')

describe.each(transports)('with the transport %s', (transport) => {
  it('signs in, says who is signed in, and signs out, telling the app each time', async () => {
    const browser = new Browser()
    await signUp(browser.service, email)
    const { client, changes } = browser.open({ transport })
    expect(client.user).toBeNull()
    const user = await client.signIn({ email, password: goodPassword })
    expect(client.user).toEqual(user)
    expect(await client.me()).toMatchObject({ email })
    await client.signOut()
    expect(client.user).toBeNull()
    expect(changes.map(({ reason, user }) => [reason, user?.email])).toEqual([
      ['signed_in', email],
      ['signed_out', undefined],
    ])
    expect(await failure(client.me())).toBe('invalid_token')
    expect(browser.cookie).toBeUndefined()
    expect(browser.asked('/users/me'), 'nothing is asked for nobody').toHaveLength(1)
  })

  it('activates an account and is signed in', async () => {
    const browser = new Browser()
    const token = await register(browser.service, email)
    const { client, changes } = browser.open({ transport })
    await client.activate({ token, password: goodPassword })
    expect(changes).toMatchObject([{ reason: 'signed_in', user: { email } }])
    expect(await client.sessions()).toMatchObject([{ current: true }])
  })

  it('refreshes once for twenty calls that find the access token too old', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    const users = await Promise.all(Array.from({ length: 20 }, () => client.me()))
    expect(users.map((user) => user.email)).toEqual(Array<string>(20).fill(email))
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(new Set(browser.asked('/users/me').map(({ token }) => token)).size).toBe(1)
  })

  it('refreshes once for twenty calls whose access token is refused, and makes each of them again', async () => {
    // The clock of this machine is slow: it takes the token for good.
    const { browser, client, service } = await signedIn({ transport, now: () => 0 })
    service.clock.advance(11 * minute)
    const users = await Promise.all(Array.from({ length: 20 }, () => client.me()))
    expect(users).toHaveLength(20)
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(browser.asked('/users/me')).toHaveLength(40)
  })

  it('refreshes ahead of the end: a token that is good for ten more seconds is not used', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute - 11 * second)
    await client.me()
    expect(browser.asked('/auth/refresh')).toHaveLength(0)
    service.clock.advance(second)
    await client.me()
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(browser.asked('/users/me')).toHaveLength(2)
  })

  it.each([
    ['there is no network', offline, 'network_error'],
    ['the service is down', answering(503, { code: 'service_unavailable', detail: 'x' }), 'service_unavailable'],
    ['a proxy is down', answering(522), 'unexpected_answer'],
    ['there were too many calls', answering(429, { code: 'rate_limited', detail: 'x' }), 'rate_limited'],
    ['the service has a bug', answering(500, { code: 'internal_error', detail: 'x' }), 'internal_error'],
    ['somebody else answers 401', answering(401), 'unexpected_answer'],
    ['the answer is nonsense', answering(200), 'unexpected_answer'],
  ])('keeps the session when %s during a refresh', async (_, incident, code) => {
    const { browser, client, changes, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [incident, incident])
    expect(await Promise.all([failure(client.me()), failure(client.sessions())])).toEqual([code, code])
    browser.incidents.clear()
    expect(await client.me()).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
  })

  it('gets over a lost answer: the refresh is asked for again, and has the same successor', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [lostAnswer])
    expect(await client.me()).toMatchObject({ email })
    expect(browser.asked('/auth/refresh')).toHaveLength(2)
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
  })

  it('gets over two lost answers, when the next call comes within 30 seconds', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [lostAnswer, lostAnswer])
    expect(await failure(client.me())).toBe('network_error')
    service.clock.advance(29 * second)
    expect(await client.me()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
  })

  it('tells the app when the session was ended elsewhere, once', async () => {
    const { browser, client, changes, service } = await signedIn({ transport })
    const elsewhere = await signInElsewhere(service, email)
    await service.call('DELETE', '/users/me/sessions', { token: elsewhere.accessToken })
    const codes = await Promise.all([failure(client.me()), failure(client.me()), failure(client.sessions())])
    expect(codes).toEqual(Array<string>(3).fill('invalid_refresh_token'))
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'session_ended'])
    expect(client.user).toBeNull()
    browser.requests.length = 0
    expect(await failure(client.me())).toBe('invalid_token')
    expect(await client.restore()).toBeNull()
    expect(browser.requests).toEqual([])
  })

  it('tells the app of a theft: somebody else refreshed the token first', async () => {
    const { browser, client, changes, service } = await signedIn({ transport })
    const stolen = browser.cookie ?? JSON.parse(browser.stored().split('\n')[0]!).refreshToken
    await service.call('POST', '/auth/refresh', { body: { refresh_token: stolen } })
    service.clock.advance(10 * minute)
    expect(await failure(client.me())).toBe('refresh_token_reused')
    expect(changes.map(({ reason, user }) => [reason, user?.email])).toEqual([
      ['signed_in', email],
      ['session_ended', undefined],
    ])
  })

  it('never signs out two clients with one storage that refresh at once, again and again', async () => {
    const { browser, client, changes, service } = await signedIn({ transport })
    const other = browser.open({ transport })
    for (let round = 0; round < 5; round++) {
      service.clock.advance(10 * minute)
      const users = await Promise.all([client.me(), other.client.me(), client.me(), other.client.me()])
      expect(users.map((user) => user.email)).toEqual(Array<string>(4).fill(email))
    }
    for (const heard of [changes, other.changes]) {
      expect(heard.map(({ reason }) => reason)).not.toContain('session_ended')
    }
    // With the storage in common so are the tokens; those of a cookie are in the memory of each.
    expect(browser.asked('/auth/refresh')).toHaveLength(transport === 'cookie' ? 10 : 5)
  })

  it('a refresh that fails late ends nothing when somebody signed in meanwhile', async () => {
    const { browser, client, changes, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    browser.incidents.set('/auth/refresh', [
      async () => {
        await released
        return answering(401, { code: 'invalid_refresh_token', detail: 'x' })(async () => new Response())
      },
    ])
    const call = client.me()
    // Another tab of a browser that has no Web Locks: nothing makes it wait.
    const other = browser.open({ transport, storage: { ...browser.storage } })
    await other.client.signIn({ email, password: goodPassword })
    release()
    expect(await call).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).not.toContain('session_ended')
    expect(await other.client.me()).toMatchObject({ email })
  })

  it('a refresh that succeeds late is not kept when somebody else signed in meanwhile', async () => {
    const { browser, client, service } = await signedIn({ transport })
    await signUp(service, 'bob@example.com')
    service.clock.advance(10 * minute)
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    browser.incidents.set('/auth/refresh', [
      async (go) => {
        const response = await go()
        await released
        return response
      },
    ])
    const call = client.me()
    const other = browser.open({ transport, storage: { ...browser.storage } })
    await other.client.signIn({ email: 'bob@example.com', password: goodPassword })
    release()
    expect(await call).toMatchObject({ email: 'bob@example.com' })
    expect(client.user).toMatchObject({ email: 'bob@example.com' })
  })

  it('goes on after a reload with who was signed in', async () => {
    const { browser } = await signedIn({ transport })
    const { client, changes } = browser.open({ transport })
    expect(client.user).toBeNull()
    expect(await client.restore()).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).toEqual(['restored'])
    expect(browser.requests.map(({ path }) => path)).toEqual(transport === 'cookie' ? ['/auth/refresh'] : [])
    expect(await client.me()).toMatchObject({ email })
  })

  it('asks nothing after a reload when nobody was signed in', async () => {
    const browser = new Browser()
    const { client, changes } = browser.open({ transport })
    expect(await client.restore()).toBeNull()
    expect(browser.requests).toEqual([])
    expect(changes).toEqual([])
  })

  it('says after a reload that nobody is signed in when the session has ended meanwhile', async () => {
    const { browser, service } = await signedIn({ transport })
    service.clock.advance(31 * day)
    const { client, changes } = browser.open({ transport })
    expect(await client.restore()).toBeNull()
    expect(changes.map(({ reason }) => reason)).toEqual(['session_ended'])
  })

  it('keeps the session after a reload without network', async () => {
    const { browser, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [offline, offline])
    const { client } = browser.open({ transport })
    if (transport === 'cookie') expect(await failure(client.restore())).toBe('network_error')
    else expect(await client.restore()).toMatchObject({ email })
    expect(await client.restore()).toMatchObject({ email })
  })

  it.each(['signOutEverywhere', 'deleteMe'] as const)('is signed out after %s', async (leave) => {
    const { browser, client, changes } = await signedIn({ transport })
    await client[leave](goodPassword)
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
    expect(browser.cookie).toBeUndefined()
    expect(await failure(client.me())).toBe('invalid_token')
  })

  it('tells of other data of the user, whichever call brought it', async () => {
    const { client, changes, service } = await signedIn({ transport })
    await client.updateMe({ first_name: 'Ada' })
    await client.me()
    const elsewhere = await signInElsewhere(service, email)
    await service.call('PATCH', '/users/me', { token: elsewhere.accessToken, body: { first_name: 'Augusta' } })
    service.clock.advance(10 * minute)
    await client.sessions()
    expect(changes.map(({ reason, user }) => [reason, user?.first_name])).toEqual([
      ['signed_in', null],
      ['user_changed', 'Ada'],
      ['user_changed', 'Augusta'],
    ])
    expect(client.user?.first_name).toBe('Augusta')
  })

  it('knows the device again: its token comes with the next sign-in and reset request, after a sign-out too', async () => {
    const { browser, client } = await signedIn({ transport })
    await client.signOut()
    await client.requestPasswordReset({ email })
    await browser.open({ transport }).client.signIn({ email, password: goodPassword })
    const sent = ['/auth/password-reset/request', '/auth/login'].map(
      (path) => browser.asked(path)[0]!.body.device_token,
    )
    expect(sent[0]).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(sent[1]).toBe(sent[0])
  })

  it('knows a device again for each who signed in there: B takes nothing from A, whom a stranger cannot lock out', async () => {
    const { browser, client, service } = await signedIn({ transport })
    await signUp(service, 'bob@example.com')
    const [ofAda] = deviceTokens(browser)
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    const ofBob = deviceTokens(browser).find((token) => token !== ofAda)
    expect(browser.asked('/auth/login')[0]!.body.device_token, 'B has none yet').toBeUndefined()
    for (let tries = 0; tries < 6; tries++) {
      await service.call('POST', '/auth/login', { body: { email, password: otherPassword } })
    }
    await client.requestPasswordReset({ email })
    expect(await client.signIn({ email, password: goodPassword })).toMatchObject({ email })
    await client.requestPasswordReset({ email: 'bob@example.com' })
    expect(browser.asked('/auth/login')[1]!.body.device_token).toBe(ofAda)
    expect(browser.asked('/auth/password-reset/request').map(({ body }) => body.device_token)).toEqual([ofAda, ofBob])
  })

  it('calls a listener no longer that has left, and goes on after one that fails', async () => {
    const { client, changes } = await signedIn({ transport })
    const heard: string[] = []
    const leave = client.onChange(({ reason }) => heard.push(reason))
    leave()
    await client.signOut()
    expect(heard).toEqual([])
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
  })
})

describe('what is kept of a device', () => {
  const key = `postern:${url}:device`

  async function deviceTokenOf(service: Service, email: string): Promise<string> {
    return (await service.call('POST', '/auth/login', { body: { email, password: goodPassword } })).json.device_token
  }

  it('is found by an address in any spelling that the service takes for the same', async () => {
    const browser = new Browser()
    await signUp(browser.service, 'ada@xn--bcher-kva.example')
    const { client } = browser.open()
    await client.signIn({ email: 'ada@bücher.example', password: goodPassword })
    const [token] = deviceTokens(browser)
    for (const spelling of ['ada@bücher.example', ' Ada@xn--bcher-kva.Example ', 'ADA@BÜCHER.EXAMPLE']) {
      await client.requestPasswordReset({ email: spelling })
      expect(browser.asked('/auth/password-reset/request').pop()!.body.device_token, spelling).toBe(token)
    }
  })

  it('is one token for each of the eight who signed in last, and no address', async () => {
    const browser = new Browser()
    const { client } = browser.open({ transport: 'cookie' })
    const people = Array.from({ length: 9 }, (_, index) => `person-${index}@example.com`)
    for (const person of people) {
      await signUp(browser.service, person)
      // Whoever signs in twice takes nobody's place.
      for (let time = 0; time < 2; time++) await client.signIn({ email: person, password: goodPassword })
    }
    expect(new Set(deviceTokens(browser)).size).toBe(8)
    for (const person of people) await client.requestPasswordReset({ email: person })
    const sent = browser.asked('/auth/password-reset/request').map(({ body }) => body.device_token)
    expect(sent).toEqual([undefined, ...deviceTokens(browser).toReversed()])
    expect(browser.stored()).not.toMatch(/person|example\.com/)
    expect(atob(browser.items.get(key)!.split('.')[1]!)).not.toMatch(/person/)
  })

  it('goes on from the one token that earlier versions kept, also when somebody else is the first to sign in', async () => {
    const { browser, client, service } = await signedIn()
    await signUp(service, 'bob@example.com')
    const token = await deviceTokenOf(service, email)
    browser.items.set(key, token)
    await client.requestPasswordReset({ email })
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    await client.signIn({ email, password: goodPassword })
    expect(browser.asked('/auth/password-reset/request')[0]!.body.device_token).toBe(token)
    expect(browser.asked('/auth/login').map(({ body }) => body.device_token)).toEqual([undefined, token])
  })

  it.each(['', '{', '[]', 'a.b.c', `x.${btoa('null')}.x`, `x.${btoa('{"email_sha256":1}')}.x`, `x.${btoa('{}')}.x`])(
    'does no harm when it is broken: %s',
    async (broken) => {
      const { browser, client, service } = await signedIn()
      const token = await deviceTokenOf(service, email)
      browser.items.set(key, `${broken} ${token}`)
      await client.requestPasswordReset({ email })
      expect(browser.asked('/auth/password-reset/request')[0]!.body.device_token).toBe(token)
      browser.items.set(key, broken)
      await client.signIn({ email, password: goodPassword })
      expect(browser.asked('/auth/login')[0]!.body.device_token).toBeUndefined()
      expect(deviceTokens(browser)).toEqual([expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/)])
    },
  )

  it('does no harm to a call without an address: it is the service that refuses it', async () => {
    const { client } = await signedIn()
    for (const nothing of ['', 'ada', '@', undefined as unknown as string]) {
      expect(await failure(client.signIn({ email: nothing, password: goodPassword }))).toBe('validation_failed')
    }
  })

  it('is the newest token where the browser does not hash, as it does not for pages without TLS', async () => {
    const { browser, client, service } = await signedIn()
    await signUp(service, 'bob@example.com')
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    const [newest, other] = deviceTokens(browser)
    vi.stubGlobal('crypto', {})
    // The service is in the same process, and does hash.
    const restore: Incident = (go) => {
      vi.unstubAllGlobals()
      return go()
    }
    browser.incidents.set('/auth/login', [restore])
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    expect(browser.asked('/auth/login').pop()!.body.device_token).toBe(newest)
    expect(deviceTokens(browser)).toEqual([expect.any(String), other])
  })
})

describe('signing out without the service', () => {
  it('is done for a token that is kept here: nobody has it any more', async () => {
    const { browser, client, changes } = await signedIn()
    browser.incidents.set('/auth/logout', [offline])
    await client.signOut()
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
    expect(browser.stored()).not.toMatch(/refreshToken/)
  })

  it('fails for a cookie, which only the service can take back: the user stays signed in and can try again', async () => {
    const { browser, client, changes } = await signedIn({ transport: 'cookie' })
    browser.incidents.set('/auth/logout', [offline])
    expect(await failure(client.signOut())).toBe('network_error')
    expect(client.user).toMatchObject({ email })
    await client.signOut()
    expect(browser.cookie).toBeUndefined()
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
  })
})

it.each(transports)('signing out ends the session at the service (%s)', async (transport) => {
  const { browser, client, service } = await signedIn({ transport })
  const token = await client.accessToken()
  await client.signOut()
  expect((await service.call('GET', '/users/me', { token })).status).toBe(401)
  expect(browser.asked('/auth/logout')).toHaveLength(1)
})

describe('the cookie transport', () => {
  it('leaves nothing secret and nothing about the user where a script could read it later', async () => {
    const { browser, client, service } = await signedIn({ transport: 'cookie' })
    service.clock.advance(10 * minute)
    await client.updateMe({ first_name: 'Ada' })
    const [hint, device] = [...browser.items].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
    expect(JSON.parse(hint!)).toEqual({ id: expect.any(String) })
    expect(device).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect([...browser.items.keys()].toSorted()).toEqual([`postern:${url}:cookie`, `postern:${url}:device`])
    expect(browser.requests.map(({ body }) => body?.refresh_token)).toEqual(
      Array<undefined>(browser.requests.length).fill(undefined),
    )
  })

  it('does not use the access token of who was signed in before in this tab', async () => {
    const { browser, client, service } = await signedIn({ transport: 'cookie' })
    await signUp(service, 'bob@example.com')
    await browser.open({ transport: 'cookie' }).client.signIn({ email: 'bob@example.com', password: goodPassword })
    expect(await client.me()).toMatchObject({ email: 'bob@example.com' })
  })
})

describe('the bearer transport', () => {
  it('shares its access token with other tabs, so that they need not refresh', async () => {
    const { browser, client } = await signedIn()
    const other = browser.open()
    expect(await other.client.accessToken()).toBe(await client.accessToken())
    expect(browser.requests).toEqual([])
  })

  it('says that nobody is signed in once another tab has signed out, told or not', async () => {
    const { browser, client, changes } = await signedIn()
    await browser.open().client.signOut()
    expect(await failure(client.me())).toBe('invalid_token')
    expect(client.user).toBeNull()
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
  })

  it('takes a storage that answers later', async () => {
    const browser = new Browser()
    await signUp(browser.service, email)
    const { getItem, setItem, removeItem } = browser.storage
    const storage = {
      getItem: async (key: string) => getItem(key),
      setItem: async (key: string, value: string) => setItem(key, value),
      removeItem: async (key: string) => removeItem(key),
    }
    const { client } = browser.open({ storage })
    await client.signIn({ email, password: goodPassword })
    browser.service.clock.advance(10 * minute)
    await Promise.all(Array.from({ length: 5 }, () => client.me()))
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(sessionOf(await client.accessToken())).toBeTruthy()
  })

  it('takes what is broken in the storage for nothing', async () => {
    const browser = new Browser()
    browser.items.set(`postern:${url}:bearer`, '{')
    const { client } = browser.open()
    expect(await client.restore()).toBeNull()
    expect(await failure(client.me())).toBe('invalid_token')
  })
})
