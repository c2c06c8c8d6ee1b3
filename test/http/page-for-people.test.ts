/** Who gets a page and who gets a problem: people at addresses of no call, and everybody else. */
import * as fc from 'fast-check'
import { Hono } from 'hono'
import { describe, expect, vi } from 'vitest'
import { prefersPage } from '../../src/http/accept.ts'
import type { HttpEnv } from '../../src/http/env.ts'
import { originOf } from '../../src/http/origin.ts'
import { answerError } from '../../src/http/problem.ts'
import { expectProblem } from '../support/answers.ts'
import { calls } from '../support/calls.ts'
import { it } from '../support/fixtures.ts'
import { type Answer, type Service, startService } from '../support/service.ts'

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

describe('a page is preferred', () => {
  it.each([
    browser,
    'text/html',
    'TEXT/HTML',
    'text/*',
    'application/xhtml+xml',
    'text/html, application/json;q=0.9',
    'application/json;q=0.1 , text/html ; q=0.2',
    'text/html;level=1',
    '*/*;q=0.5, text/html;q=0.6',
    // The default of HttpURLConnection in Java.
    'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2',
  ])('by Accept: %s', (accept) => expect(prefersPage(accept)).toBe(true))

  it.each([
    undefined,
    '',
    '*/*',
    'application/json',
    'application/*',
    'application/problem+json, text/html;q=0.9',
    'application/json, text/html',
    'application/json, text/plain, */*',
    'text/html;q=0.5, */*;q=0.8',
    'text/html;q=0',
    'text/html;q=0, text/*',
    'text/html;q=x',
    'text/html;q=2',
    'text/html;q=0.5, application/problem+json;q=0.5',
    'image/avif,image/webp,*/*;q=0.8',
    'text/plain',
    'text/htmlx',
    ',;,=',
  ])('not by Accept: %s', (accept) => expect(prefersPage(accept)).toBe(false))

  it('by no header that names everything alike, and any header is read', () => {
    const name = fc.constantFrom('text/html', 'text/*', '*/*', 'application/json', 'application/problem+json', 'a/b')
    const range = fc
      .tuple(name, fc.constantFrom('', ';q=0', ';q=1', ';q=0.5', ';q=', ';v=1;q=.3'))
      .map((parts) => parts.join(''))
    fc.assert(fc.property(fc.array(range), (ranges) => typeof prefersPage(ranges.join(', ')) === 'boolean'))
    fc.assert(fc.property(fc.string(), (text) => typeof prefersPage(text) === 'boolean'))
    fc.assert(fc.property(fc.array(range), (ranges) => !prefersPage([...ranges, 'application/problem+json'].join())))
  })
})

const open = (service: Service, path: string, method = 'GET', accept = browser) =>
  service.call(method, path, { headers: { Accept: accept } })

describe('a person in a browser', () => {
  it('gets the page of a 404 at an unknown address, under the headers of pages and in no cache', async ({
    service,
  }) => {
    for (const path of ['/nope', '/users/me/nope', '/sign-in/', '/.well-known/nope', '/%ff', '//users/me']) {
      const answer = await open(service, path)
      expect(answer.status, path).toBe(404)
      expect(answer.text).toBe('<h1>/errors/not_found</h1>')
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; of-page",
        'cache-control': 'no-store',
        vary: 'Accept',
        'x-content-type-options': 'nosniff',
        'x-request-id': expect.any(String),
      })
      const head = await open(service, path, 'HEAD')
      expect([head.status, head.text, head.headers.get('Content-Type')]).toEqual([404, '', 'text/html; charset=utf-8'])
    }
  })

  it('gets the page of a 405 at an address that only programs can use', async ({ service }) => {
    const paths = calls.filter(({ method }) => method !== 'GET').map(({ path }) => path)
    for (const path of paths.filter((each) => !calls.some((call) => call.method === 'GET' && call.path === each))) {
      const answer = await open(service, path)
      expect([answer.status, answer.text]).toEqual([405, '<h1>/errors/method_not_allowed</h1>'])
      expect(answer.headers.get('Allow')).toMatch(/[A-Z]/)
    }
  })

  it('gets the page of a 503 or a 500, also where password managers lead', async () => {
    const unfit = startService({ env: { TOKEN_KEYS: '' } })
    for (const path of ['/nope', '/.well-known/change-password']) {
      const answer = await open(unfit, path)
      expect([answer.status, answer.text]).toEqual([503, '<h1>/errors/service_unavailable</h1>'])
      expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0)
      expectProblem(await open(unfit, path, 'GET', '*/*'), 503, 'service_unavailable')
    }
    const app = new Hono<HttpEnv>().onError(answerError)
    app.use((c) => {
      c.set('origin', originOf(c.req.raw))
      throw new Error('what time is it?')
    })
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const failed = await app.request('/nope', { headers: { Accept: browser } }, unfit.env)
    expect([failed.status, await failed.text()]).toEqual([500, '<h1>/errors/internal_error</h1>'])
  })

  it('gets the problem when the page cannot be read', async () => {
    const answers = [
      async () => Promise.reject(new Error('no assets')),
      async () => new Response('', { status: 404 }),
      async () => Response.json({}),
    ]
    for (const fetch of answers) {
      const service = startService({ env: { ASSETS: { fetch } as unknown as Fetcher } })
      expectProblem(await open(service, '/nope'), 404, 'not_found')
    }
  })
})

describe('a program', () => {
  it('gets the problem at an unknown address, and both say that Accept decides', async ({ service }) => {
    for (const accept of ['*/*', 'application/json', '']) {
      const answer = await open(service, '/nope', 'GET', accept)
      expectProblem(answer, 404, 'not_found')
      expect(answer.headers.get('Vary')).toBe('Accept')
    }
    expectProblem(await service.call('GET', '/nope'), 404, 'not_found')
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
      expectProblem(await open(service, '/nope', method), 404, 'not_found')
  })

  it.for(calls.filter(({ path }) => !path.endsWith('change-password')))(
    'gets from $method $path what it gets without naming a page',
    async ({ method, path, body }, { service }) => {
      // Without a key the calls answer 503, for which people have a page.
      for (const each of [service, startService({ env: { TOKEN_KEYS: '' } })]) {
        const [plain, asked] = [{}, { Accept: browser }].map((headers) =>
          each.call(method, path, { headers: { ...headers, 'X-Request-Id': 'same' }, ...(body && { body }) }),
        )
        const [{ headers, ...rest }, { headers: askedHeaders, ...askedRest }] = [await plain!, await asked!]
        expect(withoutChallenges(askedRest)).toEqual(withoutChallenges(rest))
        expect([...askedHeaders]).toEqual([...headers])
        expect(headers.get('Vary')).toBeNull()
      }
    },
  )
})

/** The challenge for a passkey is never the same twice. */
function withoutChallenges({ status, text }: Pick<Answer, 'status' | 'text'>) {
  return { status, text: text.replaceAll(/(?<="challenge(?:_token)?":")[\w-]+/g, '') }
}
