/** `client.fetch`: who gets the access token, what a 401 costs, and that it is a `fetch` like any other. */
import { Hono } from 'hono'
import { hc } from 'hono/client'
import { describe, expect, it, vi } from 'vitest'
import { PosternError } from '../../client/src/problem.ts'
import { minute } from '../support/clock.ts'
import { type Browser, type Incident, answering, offline, signedIn, url } from './browser.ts'

const notes = 'https://notes.example.com'
const origins = [url, notes]
const refreshesOf = (browser: Browser) => browser.asked('/auth/refresh').length

function refusing(challenge?: string): Incident {
  return answering(401, {}, challenge === undefined ? {} : { 'WWW-Authenticate': challenge })
}

describe('client.fetch', () => {
  it('sends the access token to another service, and a new one after a 401', async () => {
    const { browser, client } = await signedIn({ origins })
    browser.incidents.set('/notes', [refusing(), async () => new Response('done')])
    const response = await client.fetch(`${notes}/notes`, { method: 'POST', body: '"x"' })
    expect(await response.text()).toBe('done')
    const tokens = browser.asked('/notes').map(({ token }) => token)
    expect(tokens).toEqual([expect.stringMatching(/^Bearer /), `Bearer ${await client.accessToken()}`])
    expect(tokens[0]).not.toBe(tokens[1])
  })

  it('returns every other answer unchanged, and the 401 after a refresh', async () => {
    const { browser, client } = await signedIn({ origins })
    browser.incidents.set('/notes', [answering(418), refusing(), refusing()])
    expect((await client.fetch(`${notes}/notes`)).status).toBe(418)
    expect((await client.fetch(`${notes}/notes`)).status).toBe(401)
    expect(browser.asked('/notes')).toHaveLength(3)
  })

  it('takes a path of the service itself', async () => {
    const { client } = await signedIn()
    for (const path of ['/roles', new URL('/roles', url), `${url}/roles`]) {
      expect((await client.fetch(path)).status, String(path)).toBe(200)
    }
  })

  it('keeps the method, headers and body of a Request, also when it is repeated', async () => {
    const { browser } = await signedIn()
    const seen: string[][] = []
    let status = 401
    const { client } = browser.open({
      origins,
      fetch: async (input, init) => {
        const request = new Request(input, init)
        if (!request.url.startsWith(notes)) return browser.fetch(request)
        seen.push([request.method, request.headers.get('X-Notes') ?? '', await request.text()])
        const response = new Response(null, { status })
        status = 200
        return response
      },
    })
    const request = new Request(`${notes}/notes`, { method: 'PUT', headers: { 'X-Notes': 'yes' }, body: 'the body' })
    expect((await client.fetch(request)).status).toBe(200)
    expect((await client.fetch(request, { headers: { 'X-Notes': 'no' } })).status).toBe(200)
    expect(seen).toEqual([
      ['PUT', 'yes', 'the body'],
      ['PUT', 'yes', 'the body'],
      ['PUT', 'no', 'the body'],
    ])
  })

  it('works as the fetch of a Hono client', async () => {
    const { browser } = await signedIn()
    const app = new Hono().post('/notes/:id', (c) =>
      c.json({ id: c.req.param('id'), authorization: c.req.header('Authorization') }),
    )
    const { client } = browser.open({
      origins: [notes],
      fetch: async (input, init) => {
        const request = new Request(input, init)
        return request.url.startsWith(notes) ? app.fetch(request) : browser.fetch(request)
      },
    })
    const answer = await hc<typeof app>(notes, { fetch: client.fetch }).notes[':id'].$post({ param: { id: '7' } })
    expect(await answer.json()).toEqual({ id: '7', authorization: `Bearer ${await client.accessToken()}` })
  })
})

describe('the access token', () => {
  const strangers = [
    'https://evil.example/notes',
    `${url}.evil.example/`,
    `${url}@evil.example/`,
    'http://accounts.example.com/roles',
    `${url}:8443/roles`,
    '//evil.example/',
    '\\\\evil.example/',
    'data:text/plain,x',
    'blob:https://accounts.example.com/x',
    'https://notes.example.com/',
  ]
  it.each(strangers)('is not given to an origin that is not listed: %s', async (target) => {
    const { browser, client } = await signedIn()
    for (const call of [() => client.fetch(target), () => client.fetch(new Request(new URL(target, url)))]) {
      const error = await call().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(PosternError)
      expect((error as PosternError).code).toBe('origin_not_listed')
    }
    expect(browser.requests).toEqual([])
  })

  it.each([301, 302, 303, 307, 308])('does not follow a redirect of %i, which could lead anywhere', async (status) => {
    const { browser, client } = await signedIn({ origins })
    const modes: (string | undefined)[] = []
    const redirecting: Incident = async () =>
      new Response(null, { status, headers: { Location: 'https://evil.example/' } })
    const open = browser.open({
      origins,
      fetch: (input, init) => {
        modes.push(init?.redirect ?? (input as Request).redirect)
        return browser.fetch(input, init)
      },
    })
    browser.incidents.set('/notes', [redirecting, redirecting, redirecting])
    const calls = [
      () => open.client.fetch(`${notes}/notes`),
      () => open.client.fetch(new Request(`${notes}/notes`), { redirect: 'follow' }),
    ]
    for (const call of calls) {
      expect(await call().catch((thrown: PosternError) => thrown.code)).toBe('unexpected_answer')
    }
    expect((await open.client.fetch(`${notes}/notes`, { redirect: 'manual' })).status).toBe(status)
    browser.incidents.set('/users/me', [redirecting])
    expect(await open.client.me().catch((thrown: PosternError) => thrown.code)).toBe('unexpected_answer')
    expect(new Set(modes)).toEqual(new Set(['manual']))
    expect(client.user).toMatchObject({ email: 'ada@example.com' })
  })
})

describe('a service that answers 401', () => {
  it('causes one refresh a minute, however often it is called', async () => {
    let uptimeMs = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => uptimeMs)
    const { browser, client } = await signedIn({ origins })
    browser.incidents.set('/notes', Array<Incident>(100).fill(refusing('Bearer realm="notes"')))
    for (let call = 0; call < 5; call++) expect((await client.fetch(`${notes}/notes`)).status).toBe(401)
    await Promise.all(Array.from({ length: 5 }, () => client.fetch(`${notes}/notes`)))
    expect(refreshesOf(browser)).toBe(1)
    uptimeMs += minute
    await client.fetch(`${notes}/notes`)
    expect(refreshesOf(browser)).toBe(2)
  })

  it('is no reason to distrust the token at another one', async () => {
    const { browser, client } = await signedIn({ origins: [...origins, 'https://files.example.com'] })
    browser.incidents.set('/notes', Array<Incident>(4).fill(refusing()))
    browser.incidents.set('/files', [refusing(), async () => new Response('done')])
    await client.fetch(`${notes}/notes`)
    expect(await (await client.fetch('https://files.example.com/files')).text()).toBe('done')
    expect(refreshesOf(browser)).toBe(2)
  })

  it('causes none when it asks for something else than a new token', async () => {
    const { browser, client } = await signedIn({ origins })
    const challenges = [
      'Basic realm="notes"',
      'Negotiate',
      'Bearer error="insufficient_user_authentication", max_age="600"',
      'Bearer realm="x", error="insufficient_scope"',
    ]
    browser.incidents.set(
      '/notes',
      challenges.map((challenge) => refusing(challenge)),
    )
    for (const challenge of challenges) {
      expect((await client.fetch(`${notes}/notes`)).status, challenge).toBe(401)
    }
    expect(browser.asked('/notes')).toHaveLength(challenges.length)
    expect(refreshesOf(browser)).toBe(0)
  })

  it.each(['Bearer', 'Bearer realm="postern", error="invalid_token"', 'Basic realm="x", Bearer realm="x"', undefined])(
    'causes one when the token may be to blame: %s',
    async (challenge) => {
      const { browser, client } = await signedIn({ origins })
      browser.incidents.set('/notes', [refusing(challenge), async () => new Response('done')])
      expect(await (await client.fetch(`${notes}/notes`)).text()).toBe('done')
      expect(refreshesOf(browser)).toBe(1)
    },
  )

  it('costs the service itself no storm either, if it refuses even new tokens', async () => {
    const { browser, client } = await signedIn()
    browser.incidents.set('/users/me', Array<Incident>(20).fill(answering(401, { code: 'invalid_token', detail: 'x' })))
    for (let call = 0; call < 5; call++) await client.me().catch(() => undefined)
    expect(refreshesOf(browser)).toBe(1)
  })
})

it('no failure of fetch reaches the app as what the platform has thrown', async () => {
  const { browser, client } = await signedIn()
  browser.incidents.set('/roles', [offline])
  const calls = {
    network_error: () => client.fetch('/roles'),
    invalid_request: () => client.fetch('/roles', { headers: { 'not a header': 'x' } }),
    origin_not_listed: () => client.fetch('javascript:alert(1)'),
  }
  for (const [code, call] of Object.entries(calls)) {
    expect(await call().catch((error: unknown) => error instanceof PosternError && error.code)).toBe(code)
  }
  const circle: { circle?: unknown } = {}
  circle.circle = circle
  for (const call of [
    () => client.updateMe(circle as never),
    () => client.admin.user('\ud800'),
    () => client.fetch('http://['),
  ]) {
    expect(await call().catch((error: unknown) => error instanceof PosternError && error.code)).toBe('invalid_request')
  }
})
