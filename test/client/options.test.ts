/** `createClient`: mistakes are named where they are made, and no visitor of a server sees the session of another. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createClient } from '../../client/src/client.ts'
import type { ClientOptions } from '../../client/src/options.ts'
import { PosternError } from '../../client/src/problem.ts'
import { goodPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { startService } from '../support/service.ts'
import { Browser, email, signIn, url } from './browser.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

const wrongUrls = [
  '',
  ' ',
  'accounts.example.com',
  'localhost:8787',
  '//accounts.example.com',
  '/auth',
  'ftp://accounts.example.com',
  'https://',
  'https://accounts.example.com/sign-in',
  'https://accounts.example.com/?x',
  'https://accounts.example.com/#x',
  'https://ada:secret@accounts.example.com',
  'null',
  undefined,
  null,
]

describe('createClient', () => {
  it.each(wrongUrls)('names a URL that cannot be right: %j', (wrong) => {
    expect(() => createClient({ url: wrong as string })).toThrow(/^createClient: url needs an origin such as https:/)
    expect(() => createClient({ url, origins: [wrong as string] })).toThrow(/^createClient: origins needs/)
  })

  it.each([
    'https://accounts.example.com',
    'https://accounts.example.com/',
    'HTTPS://Accounts.Example.com:443',
    'http://127.0.0.1:8787',
  ])('takes every spelling of an origin: %s', async (right) => {
    const fetch = vi.fn<typeof globalThis.fetch>(async () => Response.json({ message: 'x' }))
    await createClient({ url: right, fetch }).resendActivation(email)
    expect(fetch.mock.calls[0]![0]).toBe(`${new URL(right).origin}/auth/resend-activation`)
  })

  it('names a transport that does not exist', () => {
    expect(() => createClient({ url, transport: 'header' as 'bearer' })).toThrow('createClient: transport is "header"')
  })
})

/** A client as a page of `origin` gets it. */
async function onPage(origin: string, options: Partial<ClientOptions>) {
  vi.stubGlobal('document', {})
  vi.stubGlobal('location', { origin })
  vi.resetModules()
  const module = await import('../../client/src/client.ts')
  return module.createClient({ url, ...options })
}

describe('on a page of another origin', () => {
  const page = 'https://app.example.com'

  it('the cookie transport is refused at once', async () => {
    await expect(onPage(page, { transport: 'cookie' })).rejects.toThrow(
      'createClient: the cookie is only for pages of https://accounts.example.com, and this one is of https://app.example.com',
    )
  })

  /** What browsers do, depending on whether the service is up and permits the page. */
  function network({ isUp, isPermitted }: { isUp: boolean; isPermitted: boolean }) {
    return vi.fn<typeof globalThis.fetch>(async (_, init) => {
      if (isUp && (isPermitted || (init as { mode?: string } | undefined)?.mode === 'no-cors'))
        return Response.json({ message: 'x' })
      throw new TypeError('Failed to fetch')
    })
  }

  it.each([
    { isUp: true, isPermitted: false, detail: /does not permit pages of https:\/\/app\.example\.com.*CORS_ORIGINS/ },
    { isUp: false, isPermitted: false, detail: /cannot be reached/ },
  ])('the error tells a missing permission from a missing network: $detail', async ({ detail, ...state }) => {
    const client = await onPage(page, { fetch: network(state) })
    const error = await client.resendActivation(email).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'PosternError', code: 'network_error', status: 0, detail })
  })

  it('a failure between two answers is not taken for a missing permission', async () => {
    const state = { isUp: true, isPermitted: true }
    const client = await onPage(page, { fetch: (...request) => network(state)(...request) })
    await client.resendActivation(email)
    state.isPermitted = false
    const error = await client.resendActivation(email).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ detail: 'The service cannot be reached.' })
  })

  it('a single lost request is not taken for a missing permission', async () => {
    const fetch = network({ isUp: true, isPermitted: true })
    fetch.mockRejectedValueOnce(new TypeError('Failed to fetch'))
    const client = await onPage(page, { fetch })
    const error = await client.resendActivation(email).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ detail: 'The service cannot be reached.' })
  })
})

describe('a client that a server shares', () => {
  const bob = 'bob@example.com'

  it('refuses the sign-in of a second visitor, and ends the session that it made', async () => {
    const service = startService()
    const people = peopleOf(service)
    for (const who of [email, bob]) await people.signUp(who)
    const { fetch } = new Browser(service)
    const client = createClient({ url, fetch })
    await client.signIn({ email, password: goodPassword })
    await client.signIn({ email, password: goodPassword })
    const { sessions } = await (await people.signIn(bob)).sessions()
    const error = await client.signIn({ email: bob, password: goodPassword }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(PosternError)
    expect(error).toMatchObject({ code: 'client_in_use' })
    expect(client.user).toMatchObject({ email })
    expect(await client.me()).toMatchObject({ email })
    expect((await (await people.signIn(bob)).sessions()).sessions).toHaveLength(sessions.length + 1)
    await client.signOut()
    expect(await client.signIn({ email: bob, password: goodPassword })).toMatchObject({ user: { email: bob } })
  })

  it('refuses it also when both sign in at the same moment', async () => {
    const service = startService()
    for (const who of [email, bob]) await peopleOf(service).signUp(who)
    const client = createClient({ url, fetch: new Browser(service).fetch })
    const answers = await Promise.all([email, bob].map((who) => signIn(client, who).catch(() => undefined)))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect((await client.me()).id).toBe(answers.find(Boolean)!.id)
  })

  it('is refused at the top level of a Worker, where nothing random is made', () => {
    vi.spyOn(crypto, 'randomUUID').mockImplementation(() => {
      throw new Error('Disallowed operation called within global scope.')
    })
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
    expect(() => createClient({ url })).toThrow(/^createClient: all requests to this Worker would share one session/)
    createClient({ url, storage: new Browser().storage })
  })
})
