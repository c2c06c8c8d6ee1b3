/** Sessions of the client against the real service: one refresh for all waiting calls, and no race signs a user out. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PosternError } from '../../client/src/problem.ts'
import { sessionOf } from '../support/answers.ts'
import { day, minute, second } from '../support/clock.ts'
import { Caller } from '../support/caller.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import type { Service } from '../support/service.ts'
import { giveTabs } from './broken-platform.ts'
import { Browser, type Incident, answering, email, lostAnswer, offline, signIn, signedIn, url } from './browser.ts'

const transports = ['bearer', 'cookie'] as const

afterEach(() => {
  vi.unstubAllGlobals()
})

const codeOf = (error: unknown) => (error instanceof PosternError ? error.code : error)
const failure = (call: Promise<unknown>) => call.then(() => 'no failure', codeOf)

/** The refresh token that the browser holds. */
const tokenIn = (browser: Browser): string =>
  browser.cookie ?? JSON.parse(browser.items.get(`postern:${url}:bearer`)!).refreshToken

/** The device tokens in the storage, newest first. */
const deviceTokens = (browser: Browser) => browser.items.get(`postern:${url}:device`)!.split(' ')

describe.each(transports)('with the transport %s', (transport) => {
  it('signs in and out, exposes the user and notifies the app each time', async () => {
    const browser = new Browser()
    await peopleOf(browser.service).signUp(email)
    const { client, changes } = browser.open({ transport })
    expect(client.user).toBeNull()
    const user = await signIn(client)
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

  it('is signed in after activation', async () => {
    const browser = new Browser()
    const token = await peopleOf(browser.service).register(email)
    const { client, changes } = browser.open({ transport })
    await client.activate({ token, password: goodPassword })
    expect(changes).toMatchObject([{ reason: 'signed_in', user: { email } }])
    expect(await client.sessions()).toMatchObject([{ current: true }])
  })

  it('refreshes once for twenty calls that need a newer access token', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    const users = await Promise.all(Array.from({ length: 20 }, () => client.me()))
    expect(users.map((user) => user.email)).toEqual(Array<string>(20).fill(email))
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(new Set(browser.asked('/users/me').map(({ token }) => token)).size).toBe(1)
  })

  it('refreshes once for twenty calls whose access token is refused, and repeats each call', async () => {
    // The clock of this device is slow, so the client believes that the token is still good.
    const { browser, client, service } = await signedIn({ transport, now: () => 0 })
    service.clock.advance(11 * minute)
    const users = await Promise.all(Array.from({ length: 20 }, () => client.me()))
    expect(users).toHaveLength(20)
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(browser.asked('/users/me')).toHaveLength(40)
  })

  it('refreshes when the access token has ten seconds left', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute - 11 * second)
    await client.me()
    expect(browser.asked('/auth/refresh')).toHaveLength(0)
    service.clock.advance(second)
    await client.me()
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(browser.asked('/users/me')).toHaveLength(2)
  })

  it.for([
    { event: 'there is no network', incident: offline, code: 'network_error' },
    {
      event: 'the service is down',
      incident: answering(503, { code: 'service_unavailable', detail: 'x' }),
      code: 'service_unavailable',
    },
    { event: 'a proxy is down', incident: answering(522), code: 'unexpected_answer' },
    {
      event: 'there were too many calls',
      incident: answering(429, { code: 'rate_limited', detail: 'x' }),
      code: 'rate_limited',
    },
    {
      event: 'the service has a bug',
      incident: answering(500, { code: 'internal_error', detail: 'x' }),
      code: 'internal_error',
    },
    { event: 'somebody else answers 401', incident: answering(401), code: 'unexpected_answer' },
    { event: 'the answer is nonsense', incident: answering(200), code: 'unexpected_answer' },
  ])('keeps the session if, during a refresh, $event', async ({ incident, code }) => {
    const { browser, client, changes, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [incident, incident])
    expect(await Promise.all([failure(client.me()), failure(client.sessions())])).toEqual([code, code])
    browser.incidents.clear()
    expect(await client.me()).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
  })

  it('repeats a refresh whose answer was lost, and gets the same successor', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [lostAnswer])
    expect(await client.me()).toMatchObject({ email })
    expect(browser.asked('/auth/refresh')).toHaveLength(2)
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
  })

  it('recovers from two lost answers if the next call comes within 30 seconds', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [lostAnswer, lostAnswer])
    expect(await failure(client.me())).toBe('network_error')
    service.clock.advance(29 * second)
    expect(await client.me()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
  })

  it('notifies the app once if the session was ended elsewhere', async () => {
    const { browser, client, changes, people } = await signedIn({ transport })
    const elsewhere = await people.signIn(email)
    await elsewhere.endOtherSessions()
    const codes = await Promise.all([failure(client.me()), failure(client.me()), failure(client.sessions())])
    expect(codes).toEqual(Array<string>(3).fill('invalid_refresh_token'))
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'session_ended'])
    expect(client.user).toBeNull()
    browser.requests.length = 0
    expect(await failure(client.me())).toBe('invalid_token')
    expect(await client.restore()).toBeNull()
    expect(browser.requests).toEqual([])
  })

  it('notifies the app of a replay if a thief refreshed the token first', async () => {
    const { browser, client, changes, service } = await signedIn({ transport })
    await new Caller(service).refresh(tokenIn(browser))
    service.clock.advance(10 * minute)
    expect(await failure(client.me())).toBe('refresh_token_reused')
    expect(changes.map(({ reason, user }) => [reason, user?.email])).toEqual([
      ['signed_in', email],
      ['session_ended', undefined],
    ])
  })

  it('keeps two clients with one storage signed in when they refresh at the same time', async () => {
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
    // Bearer clients share tokens through the storage. With cookies, each has its access token in memory.
    expect(browser.asked('/auth/refresh')).toHaveLength(transport === 'cookie' ? 10 : 5)
  })

  it('keeps the session of a newer sign-in when an older refresh fails late', async () => {
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
    // Another tab in a browser without Web Locks, so it does not wait for the first.
    const other = browser.open({ transport, storage: { ...browser.storage } })
    await other.client.signIn({ email, password: goodPassword })
    release()
    expect(await call).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).not.toContain('session_ended')
    expect(await other.client.me()).toMatchObject({ email })
  })

  it('discards a refresh that succeeds after another user signed in', async () => {
    const { browser, client, people, service } = await signedIn({ transport })
    await people.signUp('bob@example.com')
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

  it('restores the signed-in user after a reload', async () => {
    const { browser } = await signedIn({ transport })
    const { client, changes } = browser.open({ transport })
    expect(client.user).toBeNull()
    expect(await client.restore()).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).toEqual(['restored'])
    expect(browser.requests.map(({ path }) => path)).toEqual(transport === 'cookie' ? ['/auth/refresh'] : [])
    expect(await client.me()).toMatchObject({ email })
  })

  it('sends no request for nobody after a reload', async () => {
    const { browser, client } = await signedIn({ transport })
    await client.signOut()
    browser.requests.length = 0
    for (let page = 0; page < 2; page++) {
      const { client: later, changes } = browser.open({ transport })
      expect(await later.restore()).toBeNull()
      expect(await failure(later.me())).toBe('invalid_token')
      expect(changes).toEqual([])
    }
    expect(browser.requests).toEqual([])
  })

  it('restores nobody after a reload if the session has ended', async () => {
    const { browser, service } = await signedIn({ transport })
    service.clock.advance(31 * day)
    const { client, changes } = browser.open({ transport })
    expect(await client.restore()).toBeNull()
    expect(changes.map(({ reason }) => reason)).toEqual(['session_ended'])
  })

  it('keeps the session across a reload without a network', async () => {
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

  it('notifies the app of changed user data, whichever call returned it', async () => {
    const { client, changes, people, service } = await signedIn({ transport })
    await client.updateMe({ first_name: 'Ada' })
    await client.me()
    const elsewhere = await people.signIn(email)
    await elsewhere.updateMe({ first_name: 'Augusta' })
    service.clock.advance(10 * minute)
    await client.sessions()
    expect(changes.map(({ reason, user }) => [reason, user?.first_name])).toEqual([
      ['signed_in', null],
      ['user_changed', 'Ada'],
      ['user_changed', 'Augusta'],
    ])
    expect(client.user?.first_name).toBe('Augusta')
  })

  it('sends the device token with sign-ins and reset requests, even after signing out', async () => {
    const { browser, client } = await signedIn({ transport })
    await client.signOut()
    await client.requestPasswordReset({ email })
    await browser.open({ transport }).client.signIn({ email, password: goodPassword })
    const sent = ['/auth/password-reset/request', '/auth/login'].map(
      (path) => browser.asked(path)[0]!.body?.device_token,
    )
    expect(sent[0]).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(sent[1]).toBe(sent[0])
  })

  it('keeps a device token for each user of the device, so that strangers lock out neither', async () => {
    const { browser, client, people, service } = await signedIn({ transport })
    await people.signUp('bob@example.com')
    const [ofAda] = deviceTokens(browser)
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    const ofBob = deviceTokens(browser).find((token) => token !== ofAda)
    expect(browser.asked('/auth/login')[0]!.body?.device_token, 'Bob has none yet').toBeUndefined()
    for (let tries = 0; tries < 6; tries++) {
      await new Caller(service).login({ email, password: otherPassword }).answer
    }
    await client.requestPasswordReset({ email })
    expect(await signIn(client)).toMatchObject({ email })
    await client.requestPasswordReset({ email: 'bob@example.com' })
    expect(browser.asked('/auth/login')[1]!.body?.device_token).toBe(ofAda)
    expect(browser.asked('/auth/password-reset/request').map(({ body }) => body?.device_token)).toEqual([ofAda, ofBob])
  })

  // What `useSyncExternalStore` of React asks for.
  it('has the same user until it calls the listeners, and the next one by then', async () => {
    const { client } = await signedIn({ transport })
    const before = client.user
    await client.sessions()
    expect(client.user).toBe(before)
    const seen: (typeof before)[] = []
    client.onChange(() => seen.push(client.user))
    const after = await client.updateMe({ first_name: 'Grace' })
    expect(seen).toEqual([after])
    expect(client.user).toBe(seen[0])
  })

  it('does not call a removed listener', async () => {
    const { client, changes } = await signedIn({ transport })
    const heard: string[] = []
    const leave = client.onChange(({ reason }) => heard.push(reason))
    leave()
    await client.signOut()
    expect(heard).toEqual([])
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
  })
})

describe('the stored device tokens', () => {
  const key = `postern:${url}:device`

  async function newDeviceToken(service: Service): Promise<string> {
    const { device_token: token } = await new Caller(service).login({ email, password: goodPassword })
    expect(token).toBeDefined()
    return token
  }

  it('are found by every spelling of the address that the service considers equal', async () => {
    const browser = new Browser()
    await peopleOf(browser.service).signUp('ada@xn--bcher-kva.example')
    const { client } = browser.open()
    await client.signIn({ email: 'ada@bücher.example', password: goodPassword })
    const [token] = deviceTokens(browser)
    for (const spelling of ['ada@bücher.example', ' Ada@xn--bcher-kva.Example ', 'ADA@BÜCHER.EXAMPLE']) {
      await client.requestPasswordReset({ email: spelling })
      expect(browser.asked('/auth/password-reset/request').pop()!.body?.device_token, spelling).toBe(token)
    }
  })

  it('are one for each of the last eight users, and contain no address', async () => {
    const browser = new Browser()
    const { client } = browser.open({ transport: 'cookie' })
    const people = Array.from({ length: 9 }, (_, index) => `person-${index}@example.com`)
    for (const person of people) {
      await peopleOf(browser.service).signUp(person)
      // A second sign-in replaces the token of the same user only.
      for (let time = 0; time < 2; time++) await client.signIn({ email: person, password: goodPassword })
    }
    expect(new Set(deviceTokens(browser)).size).toBe(8)
    for (const person of people) await client.requestPasswordReset({ email: person })
    const sent = browser.asked('/auth/password-reset/request').map(({ body }) => body?.device_token)
    expect(sent).toEqual([undefined, ...deviceTokens(browser).toReversed()])
    expect(browser.stored()).not.toMatch(/person|example\.com/)
    expect(atob(browser.items.get(key)!.split('.')[1]!)).not.toMatch(/person/)
  })

  it('include the single token of earlier versions, even if another user signs in first', async () => {
    const { browser, client, people, service } = await signedIn()
    await people.signUp('bob@example.com')
    const token = await newDeviceToken(service)
    browser.items.set(key, token)
    await client.requestPasswordReset({ email })
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    await client.signIn({ email, password: goodPassword })
    expect(browser.asked('/auth/password-reset/request')[0]!.body?.device_token).toBe(token)
    expect(browser.asked('/auth/login').map(({ body }) => body?.device_token)).toEqual([undefined, token])
  })

  it.each(['', '{', '[]', 'a.b.c', `x.${btoa('null')}.x`, `x.${btoa('{"email_sha256":1}')}.x`, `x.${btoa('{}')}.x`])(
    'are ignored where they are malformed: %s',
    async (broken) => {
      const { browser, client, service } = await signedIn()
      const token = await newDeviceToken(service)
      browser.items.set(key, `${broken} ${token}`)
      await client.requestPasswordReset({ email })
      expect(browser.asked('/auth/password-reset/request')[0]!.body?.device_token).toBe(token)
      browser.items.set(key, broken)
      await client.signIn({ email, password: goodPassword })
      expect(browser.asked('/auth/login')[0]!.body?.device_token).toBeUndefined()
      expect(deviceTokens(browser)).toEqual([expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/)])
    },
  )

  it('do not break a call without an address, which the service refuses', async () => {
    const { client } = await signedIn()
    for (const nothing of ['', 'ada', '@', undefined as unknown as string]) {
      expect(await failure(client.signIn({ email: nothing, password: goodPassword }))).toBe('validation_failed')
    }
  })

  it('yield the newest token if the page has no WebCrypto, as without TLS', async () => {
    const { browser, client, people } = await signedIn()
    await people.signUp('bob@example.com')
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    const [newest, other] = deviceTokens(browser)
    vi.stubGlobal('crypto', {})
    // The service runs in the same process and needs WebCrypto.
    const restore: Incident = (go) => {
      vi.unstubAllGlobals()
      return go()
    }
    browser.incidents.set('/auth/login', [restore])
    await client.signIn({ email: 'bob@example.com', password: goodPassword })
    expect(browser.asked('/auth/login').pop()!.body?.device_token).toBe(newest)
    expect(deviceTokens(browser)).toEqual([expect.any(String), other])
  })
})

describe('signing out without the service', () => {
  it('deletes a bearer token that is stored in the browser', async () => {
    const { browser, client, changes } = await signedIn()
    browser.incidents.set('/auth/logout', [offline])
    await client.signOut()
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
    expect(browser.stored()).not.toMatch(/refreshToken/)
  })

  it('fails with a cookie, which only the service can delete, and can be repeated', async () => {
    const { browser, client, changes } = await signedIn({ transport: 'cookie' })
    browser.incidents.set('/auth/logout', [offline])
    expect(await failure(client.signOut())).toBe('network_error')
    expect(client.user).toMatchObject({ email })
    await client.signOut()
    expect(browser.cookie).toBeUndefined()
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
  })
})

it.each(transports)('signing out with the transport %s ends the session at the service', async (transport) => {
  const { browser, client, service } = await signedIn({ transport })
  const token = await client.accessToken()
  await client.signOut()
  await new Caller(service, { token }).me().refused(401, 'invalid_token')
  expect(browser.asked('/auth/logout')).toHaveLength(1)
})

describe('the cookie transport', () => {
  it('stores no secret and no user data where a script could read it later', async () => {
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

  it('does not use the access token of the user who was signed in before in this tab', async () => {
    const { browser, client, people } = await signedIn({ transport: 'cookie' })
    await people.signUp('bob@example.com')
    await browser.open({ transport: 'cookie' }).client.signIn({ email: 'bob@example.com', password: goodPassword })
    expect(await client.me()).toMatchObject({ email: 'bob@example.com' })
  })

  it('asks with the cookie when the storage is gone, which browsers may delete earlier', async () => {
    const { browser, service } = await signedIn({ transport: 'cookie' })
    for (const call of ['restore', 'me'] as const) {
      service.clock.advance(8 * day)
      browser.items.clear()
      const { client, changes } = browser.open({ transport: 'cookie' })
      expect(await client[call]()).toMatchObject({ email })
      expect(changes.map(({ reason }) => reason)).toEqual(['restored'])
    }
  })

  it('goes on when the storage is deleted under an open page', async () => {
    const { browser, client, changes, service } = await signedIn({ transport: 'cookie' })
    const other = browser.open({ transport: 'cookie' }).client
    await other.restore()
    browser.items.clear()
    expect(await client.me()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    expect(await Promise.all([client.me(), other.me()])).toMatchObject([{ email }, { email }])
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
  })

  it('asks once for a visitor of whom nothing is known, and remembers that there was nobody', async () => {
    const browser = new Browser()
    const { client, changes } = browser.open({ transport: 'cookie' })
    expect(await Promise.all([client.restore(), client.restore()])).toEqual([null, null])
    expect(await failure(client.me())).toBe('invalid_token')
    expect(await browser.open({ transport: 'cookie' }).client.restore()).toBeNull()
    expect(browser.requests.map(({ path }) => path)).toEqual(['/auth/refresh'])
    expect(changes).toEqual([])
  })

  it('asks again later when a visitor of whom nothing is known had no network', async () => {
    const { browser } = await signedIn({ transport: 'cookie' })
    browser.items.clear()
    browser.incidents.set('/auth/refresh', [offline, offline])
    const { client } = browser.open({ transport: 'cookie' })
    expect(await failure(client.restore())).toBe('network_error')
    expect(await client.restore()).toMatchObject({ email })
  })
})

describe('the bearer transport', () => {
  it('shares its access token with other tabs, which then need no refresh', async () => {
    const { browser, client } = await signedIn()
    const other = browser.open()
    expect(await other.client.accessToken()).toBe(await client.accessToken())
    expect(browser.requests).toEqual([])
  })

  it('is signed out once another tab has signed out, with or without an event', async () => {
    const { browser, client, changes } = await signedIn()
    await browser.open().client.signOut()
    expect(await failure(client.me())).toBe('invalid_token')
    expect(client.user).toBeNull()
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in', 'signed_out'])
  })

  it('works with an asynchronous storage', async () => {
    const browser = new Browser()
    await peopleOf(browser.service).signUp(email)
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

  it('treats malformed storage as signed out', async () => {
    const browser = new Browser()
    browser.items.set(`postern:${url}:bearer`, '{')
    const { client } = browser.open()
    expect(await client.restore()).toBeNull()
    expect(await failure(client.me())).toBe('invalid_token')
  })
})

describe.each(transports)('a new password, with the transport %s', (transport) => {
  const passwords = { old_password: goodPassword, new_password: otherPassword }

  it('leaves this session signed in, and the tokens of before are of no use', async () => {
    const { browser, client, changes, service } = await signedIn({ transport })
    const before = tokenIn(browser)
    await client.changePassword(passwords)
    expect(browser.asked('/auth/change-password')[0]!.body).toMatchObject(
      transport === 'cookie' ? { transport } : { refresh_token: before },
    )
    expect(tokenIn(browser)).not.toBe(before)
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
    await new Caller(service).refresh(before).catch(() => undefined)
    expect(await client.me()).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
  })

  it('keeps the tokens when the service answers none', async () => {
    const { browser, client, service } = await signedIn({ transport })
    const before = tokenIn(browser)
    browser.incidents.set('/auth/change-password', [async () => new Response(null, { status: 204 })])
    await client.changePassword(passwords)
    expect(tokenIn(browser)).toBe(before)
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
  })

  it('takes turns with refreshes of every client, whose tokens it would make useless', async () => {
    const { browser, client, service } = await signedIn({ transport })
    const other = browser.open({ transport }).client
    let running = 0
    let most = 0
    const alone: Incident = async (go) => {
      most = Math.max(most, ++running)
      const response = await go()
      running--
      return response
    }
    for (const path of ['/auth/refresh', '/auth/change-password']) {
      browser.incidents.set(path, Array<Incident>(9).fill(alone))
    }
    service.clock.advance(10 * minute)
    const answers = await Promise.all([client.me(), client.changePassword(passwords), other.me(), other.sessions()])
    expect(answers[0]).toMatchObject({ email })
    expect(most).toBe(1)
    service.clock.advance(10 * minute)
    expect(await Promise.all([client.me(), other.me()])).toMatchObject([{ email }, { email }])
    expect(browser.refusals).toEqual([])
  })

  it('is tried again with a new access token, when the old one is refused', async () => {
    const { browser, client } = await signedIn({ transport })
    browser.incidents.set('/auth/change-password', [answering(401, { code: 'invalid_token', detail: 'x' })])
    await client.changePassword(passwords)
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(await client.me()).toMatchObject({ email })
  })

  it.for([
    { event: 'is refused', incident: answering(403, { code: 'wrong_password', detail: 'x' }), code: 'wrong_password' },
    { event: 'does not arrive', incident: offline, code: 'network_error' },
    { event: 'meets a proxy', incident: answering(200, { hello: 'world' }), code: 'unexpected_answer' },
    { event: 'meets a proxy that is down', incident: answering(502), code: 'unexpected_answer' },
  ])('keeps the session when it $event', async ({ incident, code }) => {
    const { browser, client, service } = await signedIn({ transport })
    browser.incidents.set('/auth/change-password', [incident])
    expect(await failure(client.changePassword(passwords))).toBe(code)
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
    expect(await failure(client.changePassword(passwords))).toBe('no failure')
  })

  it('whose answer is lost leaves the access token usable, and can be used to sign in again', async () => {
    const { browser, client, changes, service } = await signedIn({ transport })
    browser.incidents.set('/auth/change-password', [lostAnswer])
    expect(await failure(client.changePassword(passwords))).toBe('network_error')
    expect(await client.me()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    await client.me().catch(() => undefined)
    expect(await signIn(client, email, otherPassword)).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).not.toContain('signed_out')
    expect(browser.refusals).not.toContain('refresh_token_reused')
  })
})

describe.each(transports)('a closed client with the transport %s', (transport) => {
  it('goes on working, and can be closed again', async () => {
    giveTabs()
    const { browser, client, changes, service } = await signedIn({ transport, shared: true })
    const other = browser.open({ transport, shared: true })
    await other.client.restore()
    client.close()
    client.close()
    await client.signOut()
    await client.signIn({ email, password: goodPassword })
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
    await client.updateMe({ first_name: 'Ada' })
    await client.signOut()
    expect(client.user).toBeNull()
    expect(changes.map(({ reason }) => reason)).toEqual([
      'signed_in',
      'signed_out',
      'signed_in',
      'user_changed',
      'signed_out',
    ])
    expect(await failure(other.client.me()), 'the other tab finds out by itself').toBe('invalid_token')
    expect(other.changes.map(({ reason }) => reason)).toEqual(['restored', 'signed_out'])
  })

  it('hears nothing of other tabs', async () => {
    giveTabs()
    const { browser, client, changes } = await signedIn({ transport, shared: true })
    client.close()
    await browser.open({ transport, shared: true }).client.signOut()
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
  })
})
