/** Nothing that fails on the device of the user loses a session, and no call rejects with what a browser has thrown. */
import * as fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ClientStorage } from '../../client/src/platform.ts'
import { minute, second } from '../support/clock.ts'
import { goodPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { Browser, type Incident, answering, codeOf, email, lostAnswer, offline, signedIn } from './browser.ts'
import { Channel, type Fault, Locks, faulty, giveTabs, holdTimeouts } from './broken-platform.ts'

const transports = ['bearer', 'cookie'] as const
const credentials = { email, password: goodPassword }

/** The service took no refresh for theft. */
function expectNoTheft({ refusals }: Browser): void {
  expect(refusals).not.toContain('refresh_token_reused')
}

afterEach(() => {
  Channel.open.clear()
  vi.unstubAllGlobals()
})

const anyTime = { from: fc.nat(12), count: fc.oneof(fc.constantFrom(1, 2, 3), fc.constant(Infinity)) }
/** What reads nothing without a word is not among them: that is how a storage says that somebody else has signed out. */
const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ operation: fc.constant('getItem'), ...anyTime, failure: fc.constantFrom('throws', 'rejects') }),
  fc.record({
    operation: fc.constantFrom('setItem', 'removeItem'),
    ...anyTime,
    failure: fc.constantFrom('throws', 'rejects', 'does nothing'),
  }),
)

describe.each(transports)('with the transport %s and a storage that fails', (transport) => {
  it('a page stays signed in whichever calls of the storage fail, and a later page is when they work again', async () => {
    const { browser } = await signedIn({ transport })
    const { service } = browser
    const life = async (faults: Fault[]) => {
      const page = browser.open({ transport, storage: faulty(browser.storage, faults) }).client
      const codes = [await codeOf(page.signIn(credentials))]
      for (const pauseMs of [0, 10 * minute, 32 * second, 11 * minute]) {
        service.clock.advance(pauseMs)
        codes.push(await codeOf(page.me()), await codeOf(page.updateMe({ bio: String(pauseMs) })))
      }
      expect(codes).toEqual(Array(codes.length).fill('done'))
      expect(page.user).toMatchObject({ email })
      return page
    }
    await fc.assert(
      fc.asyncProperty(fc.array(anyFault, { maxLength: 3 }), async (faults) => {
        const page = await life(faults)
        expect(await codeOf(page.signOut())).toBe('done')
        expect(page.user).toBeNull()
        expect(await codeOf(page.me())).toBe('invalid_token')
        browser.items.clear()
        browser.cookie = undefined
      }),
      { numRuns: 60 },
    )
    // Nothing can be written until the storage works again, shortly before the page is closed.
    let isBroken = true
    const storage: ClientStorage = {
      ...browser.storage,
      setItem: (key, value) => (isBroken ? fail() : browser.storage.setItem(key, value)),
    }
    const page = browser.open({ transport, storage }).client
    await page.signIn(credentials)
    service.clock.advance(10 * minute)
    await page.me()
    isBroken = false
    await page.me()
    service.clock.advance(10 * minute)
    expect(await browser.open({ transport }).client.restore()).toMatchObject({ email })
    expectNoTheft(browser)
  })

  it('a full storage during a refresh costs neither this page nor a later one the session', async () => {
    const { browser, service } = await signedIn({ transport })
    // The disk takes nothing that is longer than what is there.
    const setItem = (key: string, value: string) =>
      value.length > (browser.items.get(key)?.length ?? 0) - 200 ? fail() : void browser.items.set(key, value)
    const page = browser.open({ transport, storage: { ...browser.storage, setItem } }).client
    service.clock.advance(10 * minute)
    await page.me()
    service.clock.advance(32 * second)
    expect(await page.me()).toMatchObject({ email })
    const later = browser.open({ transport }).client
    expect(await later.restore()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    expect(await later.me()).toMatchObject({ email })
    expectNoTheft(browser)
  })

  it('what is learned about the user is no reason to remove tokens from a storage that takes no more', async () => {
    const { browser } = await signedIn({ transport })
    const page = browser.open({ transport, storage: { ...browser.storage, setItem: fail } }).client
    expect((await page.updateMe({ bio: 'Notes on engines.' })).bio).toBe('Notes on engines.')
    expect(await browser.open({ transport }).client.restore()).toMatchObject({ email })
  })

  it('signing out without storage and network says that the session goes on', async () => {
    const { browser } = await signedIn({ transport })
    const storage = { ...browser.storage, setItem: fail, removeItem: fail }
    const page = browser.open({ transport, storage }).client
    browser.incidents.set('/auth/logout', [offline])
    expect(await codeOf(page.signOut())).toBe('network_error')
    expect(await codeOf(page.signOut())).toBe('done')
    expect(await codeOf(page.me())).toBe('invalid_token')
  })

  it('a storage that never answers counts as broken', async () => {
    const { setTimeout } = globalThis
    vi.spyOn(globalThis, 'setTimeout').mockImplementation((work) => setTimeout(work, 0))
    const browser = new Browser()
    await peopleOf(browser.service).signUp(email)
    const never = () => new Promise<never>(() => undefined)
    const storage = { getItem: never, setItem: never, removeItem: never }
    const { client } = browser.open({ transport, storage })
    await client.signIn(credentials)
    browser.service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
  })
})

function fail(): never {
  throw new DOMException('The operation is insecure.', 'SecurityError')
}

const refuse = () => Promise.reject(new DOMException('The operation is insecure.', 'SecurityError'))

/** What Firefox does with all cookies blocked, what an opaque origin does, and what another tab can do to a lock. */
const tabs: Record<string, Parameters<typeof giveTabs>[0]> = {
  'channels that cannot be made': { channel: fail },
  'channels that cannot be heard': {
    channel: class extends Channel {
      override addEventListener = fail
    },
  },
  'channels that take no message': {
    channel: class extends Channel {
      override postMessage = fail
    },
  },
  'channels that cannot be closed': {
    channel: class extends Channel {
      override close = fail
    },
  },
  'neither channels nor locks': { channel: undefined, locks: undefined },
  'locks that throw': { locks: { request: fail } },
  'locks that are refused': { locks: { request: refuse } },
  'locks that are refused after waiting': {
    locks: {
      request: (_: string, options: object, work: (lock: null) => Promise<unknown>) =>
        'ifAvailable' in options ? work(null) : refuse(),
    },
  },
  'locks that are stolen': {
    locks: {
      request: (_: string, options: object, work: (lock: object) => Promise<unknown>) => {
        void work({})
        return refuse()
      },
    },
  },
}

describe.each(Object.entries(tabs))('with %s', (_, platform) => {
  it.each(transports)('everything works with the transport %s', async (transport) => {
    giveTabs(platform)
    const { browser, client, service } = await signedIn({ transport, shared: true })
    const other = browser.open({ transport, shared: true }).client
    for (let round = 0; round < 2; round++) {
      service.clock.advance(10 * minute + 31 * second)
      const users = await Promise.all([client.me(), other.me(), client.me()])
      expect(users.map((user) => user.email)).toEqual([email, email, email])
    }
    other.close()
    await client.signOut()
    expect(await codeOf(other.me())).toBe('invalid_token')
    client.close()
    expectNoTheft(browser)
  })
})

describe('a lock that another tab never returns', () => {
  it('is waited for no longer than a refresh may take', async () => {
    const locks = new Locks()
    giveTabs({ locks })
    const { browser, client, service } = await signedIn({ shared: true })
    void locks.request([...Channel.open][0]!.name, {}, () => new Promise(() => undefined))
    const { setTimeout } = globalThis
    const waits: number[] = []
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((work: () => void, ms: number) => {
      waits.push(ms)
      return setTimeout(work, ms > 20_000 ? 0 : ms)
    }) as never)
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
    expect(waits).toContain(30_000)
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
  })
})

describe('two tabs of which one cannot write', () => {
  it('stay signed in: one waits for the tokens that the other has removed and is about to tell', async () => {
    giveTabs()
    const { browser, client } = await signedIn({ shared: true })
    const [key = '', unsaved] = [...browser.items].find(([, text]) => text.includes('refreshToken')) ?? []
    browser.items.delete(key)
    const call = codeOf(client.me())
    const other = new Channel([...Channel.open][0]!.name)
    // oxlint-disable-next-line require-post-message-target-origin -- a BroadcastChannel takes none
    setTimeout(() => other.postMessage({ unsaved }))
    expect(await call).toBe('done')
  })

  it('tell a third one too late, which does not bring back tokens that were replaced in the meantime', async () => {
    const late: (() => void)[] = []
    class Slow extends Channel {
      override postMessage(data: object) {
        // oxlint-disable-next-line require-post-message-target-origin -- a BroadcastChannel takes none
        const send = () => super.postMessage(data)
        if ('unsaved' in data) late.push(send)
        else send()
      }
    }
    giveTabs({ channel: Slow })
    const { browser, client, service } = await signedIn({ shared: true })
    const third = browser.open({ shared: true, storage: { ...browser.storage } }).client
    const full: ClientStorage = { ...browser.storage, setItem: fail }
    await browser.open({ shared: true, storage: full }).client.updateMe({ bio: 'Notes on engines.' })
    service.clock.advance(10 * minute)
    await client.me()
    client.close()
    const before = browser.stored()
    expect(late).toHaveLength(1)
    late[0]!()
    service.clock.advance(32 * second)
    expect(await third.me()).toMatchObject({ email })
    expect(browser.stored()).toBe(before)
    service.clock.advance(10 * minute)
    expect(await third.me()).toMatchObject({ email })
    expectNoTheft(browser)
  })

  it('share what it was given, and neither presents a token that the other has used', async () => {
    giveTabs()
    const { browser, client: healthy, service } = await signedIn({ shared: true })
    const full: ClientStorage = { ...browser.storage, setItem: fail }
    const { client } = browser.open({ shared: true, storage: full })
    service.clock.advance(10 * minute)
    await client.me()
    service.clock.advance(32 * second)
    expect(await healthy.me()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    expect(await healthy.me()).toMatchObject({ email })
    service.clock.advance(32 * second)
    expect(await client.me()).toMatchObject({ email })
    expect(await browser.open().client.restore()).toMatchObject({ email })
    expectNoTheft(browser)
  })

  it('do not bring back what a third one has written late over newer tokens', async () => {
    const { browser, client, service } = await signedIn()
    const old = new Map(browser.items)
    service.clock.advance(10 * minute)
    await client.me()
    service.clock.advance(32 * second)
    for (const [key, value] of old) browser.items.set(key, value)
    expect(await client.me()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
    expect(await browser.open().client.restore()).toMatchObject({ email })
    expectNoTheft(browser)
  })
})

describe('what other tabs say', () => {
  it.each([
    undefined,
    null,
    5,
    'x',
    {},
    { reason: 5 },
    { reason: 'signed_in', user: { id: 5 } },
    { reason: 'signed_out', user: 'x' },
  ])('does no harm when it is nonsense: %j', async (message) => {
    giveTabs()
    const { client, changes } = await signedIn({ shared: true })
    const stranger = new Channel([...Channel.open][0]!.name)
    // oxlint-disable-next-line require-post-message-target-origin -- a BroadcastChannel takes none
    stranger.postMessage(message)
    expect(await client.me()).toMatchObject({ email })
    expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
  })
})

/** Answers with what somebody else would say. */
const foreign =
  (body: unknown, status = 200): Incident =>
  async () =>
    Response.json(body, { status })

const nonsense: unknown[] = [
  null,
  [],
  {},
  'welcome',
  5,
  { access_token: 'x' },
  { access_token: 'a b', refresh_token: 'b', expires_in: 600, user: { id: 'x', email } },
  { access_token: 'a', refresh_token: 'b', expires_in: 'soon', user: { id: 'x', email } },
  { access_token: 'a', refresh_token: 'b', expires_in: 600 },
  { access_token: 'a', refresh_token: 'b', expires_in: 600, user: {} },
  { user: { id: 'x', email }, expires_in: 600, access_token: 1, refresh_token: 2 },
  { refresh_token: 'b', expires_in: 600, user: { id: 'x', email } },
]

/** Nothing is missing but what the bearer transport refreshes with. */
const withoutRefreshToken: unknown[] = [undefined, null, '', 7, 'a b'].map((refresh_token) => ({
  access_token: 'a',
  refresh_token,
  expires_in: 600,
  user: { id: 'x', email },
}))

describe.each(transports)('a foreign answer of 200, with the transport %s', (transport) => {
  it.each([...nonsense, ...(transport === 'bearer' ? withoutRefreshToken : [])])(
    'never replaces the tokens: %j',
    async (body) => {
      const { browser, client, service, changes } = await signedIn({ transport })
      const before = browser.stored()
      service.clock.advance(10 * minute)
      browser.incidents.set('/auth/refresh', [foreign(body), foreign(body)])
      expect(await codeOf(client.me())).toBe('unexpected_answer')
      for (const path of ['/auth/login', '/auth/activate']) browser.incidents.set(path, [foreign(body)])
      expect(await codeOf(client.signIn(credentials))).toBe('unexpected_answer')
      expect(await codeOf(client.activate({ token: 'x', password: goodPassword }))).toBe('unexpected_answer')
      expect(browser.stored()).toBe(before)
      expect(await client.me()).toMatchObject({ email })
      expect(changes.map(({ reason }) => reason)).toEqual(['signed_in'])
    },
  )

  it('never reaches the app in place of a user or a list', async () => {
    const { browser, client } = await signedIn({ transport })
    for (const body of [null, {}, [], 'x', { id: 5 }]) {
      for (const path of ['/users/me', '/users/me/sessions', '/roles']) {
        browser.incidents.set(path, [foreign(body), foreign(body)])
      }
      const calls = [client.me(), client.updateMe({}), client.sessions(), client.admin.roles()]
      expect(await Promise.all(calls.map(codeOf)), JSON.stringify(body)).toEqual(Array(4).fill('unexpected_answer'))
    }
    expect(client.user).toMatchObject({ email })
  })

  it('is no refusal of the service, whatever it says besides', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    const answers = [
      foreign({ code: 1020 }, 403),
      foreign({ code: { x: 1 }, errors: 'x' }, 401),
      foreign('invalid_refresh_token', 401),
      foreign({ code: 'invalid_refresh_token' }, 403),
      foreign(null, 500),
    ]
    for (const answer of answers) {
      browser.incidents.set('/auth/refresh', [answer, answer])
      expect(await codeOf(client.me())).toMatch(/^(unexpected_answer|invalid_refresh_token)$/)
    }
    browser.incidents.clear()
    expect(await client.me()).toMatchObject({ email })
  })
})

describe.each(transports)('a refresh with the transport %s', (transport) => {
  const rows = {
    'that is rejected': offline,
    'whose answer is lost': lostAnswer,
    'whose answer breaks off': async (go) => {
      await go()
      return new Response(new ReadableStream({ start: (c) => c.error(new Error('x')) }))
    },
    'whose answer a gateway has lost': async (go) => {
      await go()
      return answering(504)(go)
    },
    'that returns nothing at all': async (go) => {
      await go()
      return undefined as unknown as Response
    },
    'that throws at once': () => {
      throw new TypeError('Failed to fetch')
    },
  } satisfies Record<string, Incident>
  it.each(Object.entries(rows))('%s is repeated at once, and only once', async (_, incident) => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [incident])
    expect(await client.me()).toMatchObject({ email })
    expect(browser.asked('/auth/refresh')).toHaveLength(2)
    service.clock.advance(10 * minute)
    expect(await client.me()).toMatchObject({ email })
    expectNoTheft(browser)
  })

  it.each([
    answering(401),
    answering(403, { code: 'x' }),
    answering(407),
    answering(429, { code: 'rate_limited', detail: '' }),
    answering(500, { code: 'internal_error', detail: '' }),
    answering(503, { code: 'service_unavailable', detail: '' }),
    async () => Response.redirect('https://elsewhere.example/', 307),
  ] satisfies Incident[])('that was answered is not repeated', async (incident) => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [incident])
    expect(await codeOf(client.me())).not.toBe('done')
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
  })

  it('that hangs is repeated within the time in which the service repeats its answer', async () => {
    const limits = holdTimeouts()
    const { browser, client, service } = await signedIn({ transport })
    limits.asked.length = 0
    service.clock.advance(10 * minute)
    const hanging: Incident = async (go) => {
      await go()
      queueMicrotask(() => limits.runOut())
      return new Promise<never>(() => undefined)
    }
    browser.incidents.set('/auth/refresh', [hanging])
    expect(await client.me()).toMatchObject({ email })
    expect(limits.asked).toEqual([10_000, 15_000])
    service.clock.advance(10 * minute)
    browser.incidents.set('/auth/refresh', [hanging, hanging])
    expect(await codeOf(client.me())).toBe('network_error')
  })

  it('that another page had sent before it was closed is repeated by the next one', async () => {
    const { browser, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    const gone = browser.open({ transport })
    let reached = () => {}
    const sent = new Promise<void>((resolve) => (reached = resolve))
    browser.incidents.set('/auth/refresh', [
      async (go) => {
        await go()
        reached()
        return new Promise<never>(() => undefined)
      },
    ])
    gone.client.me().catch(() => undefined)
    await sent
    service.clock.advance(29 * second)
    const next = browser.open({ transport, storage: { ...browser.storage } }).client
    expect(await next.restore()).toMatchObject({ email })
    service.clock.advance(10 * minute)
    expect(await next.me()).toMatchObject({ email })
    expectNoTheft(browser)
  })
})
