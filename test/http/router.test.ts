/** Our router finds what a router of Hono finds. */
import * as fc from 'fast-check'
import { TrieRouter } from 'hono/router/trie-router'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { production } from '../../src/context.ts'
import { PathRouter } from '../../src/http/router.ts'

const { routes } = createApp(production)
const [ours, theirs] = [new PathRouter<number>(), new TrieRouter<number>()]
for (const router of [ours, theirs]) routes.forEach(({ method, path }, index) => router.add(method, path, index))

/** The numbers of the handlers, in order, with their parameters. */
function found(router: PathRouter<number> | TrieRouter<number>, method: string, path: string) {
  const [handlers] = router.match(method, path)
  return handlers.map(([handler, params]) => [handler, { ...params }])
}

function expectSame(method: string, path: string): void {
  // Hono's finds handlers twice for a request whose path is itself a pattern.
  if (/\/[*:]/.test(path)) return
  // Twice, as the second answer may come from memory.
  for (let time = 0; time < 2; time++) {
    expect(found(ours, method, path), `${method} ${path}`).toEqual(found(theirs, method, path))
  }
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'ALL']
const words = [...new Set(routes.flatMap(({ path }) => path.split('/')))]
const segment = fc.oneof(
  fc.constantFrom(...words, '..', '%2f', '__proto__', 'constructor'),
  fc.string({ maxLength: 5 }),
)

describe('the router', () => {
  it('finds the same handlers as that of Hono for each route and method', () => {
    expect(routes.length).toBeGreaterThan(60)
    for (const method of methods) {
      for (const { path } of routes) {
        expectSame(method, path)
        expectSame(method, path.replaceAll(/:\w+/g, '01936f6e-0000-7000-8000-000000000000'))
        expectSame(method, `${path}/`)
      }
    }
  })

  it('finds the same handlers and parameters as that of Hono for any path', () => {
    const path = fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`)
    fc.assert(fc.property(fc.constantFrom(...methods), path, expectSame), { numRuns: 5000 })
  })

  it.each(['/auth/*', '*', '/users/:id?', '/users/:id{[0-9]+}'])(
    'refuses a pattern that it cannot find: %s',
    (path) => {
      expect(() => new PathRouter().add('GET', path, '')).toThrow(TypeError)
    },
  )

  it('finds a route that was added after its path was asked for', () => {
    const router = new PathRouter<string>()
    router.add('GET', '/a', 'first')
    expect(router.match('GET', '/a')[0]).toHaveLength(1)
    router.add('ALL', '/*', 'second')
    expect(router.match('GET', '/a')[0].map(([handler]) => handler)).toEqual(['first', 'second'])
  })
})
