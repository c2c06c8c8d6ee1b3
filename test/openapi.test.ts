import { describe, expect, it } from 'vitest'
import manifest from '../package.json'
import { createApp } from '../src/app.ts'
import { attemptWaitsMs } from '../src/config/policy.ts'
import { production } from '../src/context.ts'
import { problems } from '../src/problems.ts'
import { authenticate, authenticateForReading, requireToken, requires, verifyAtEdge } from '../src/http/authenticate.ts'
import { version } from '../src/version.ts'
import { checkAnswer, mistakesIn } from './support/conformance.ts'
import { type Described, type Operation, type Schema, description, resolve } from './support/description.ts'

const operations = new Map<string, Operation>(
  Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([key]) => key !== 'parameters')
      .map(([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation]),
  ),
)

const middleware = createApp(production)
  .routes.filter(({ method }) => method !== 'ALL')
  .map(({ method, path, handler }) => ({ name: `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`, handler }))

/** Whatever of the document has a certain form, with where it stands. */
function* find<T>(isMeant: (value: object) => value is T & object, value: unknown, at = '#'): Iterable<[string, T]> {
  if (typeof value !== 'object' || value === null) return
  if (isMeant(value)) yield [at, value]
  for (const [key, child] of Object.entries(value)) yield* find(isMeant, child, `${at}/${key}`)
}

const withProperties = (value: object): value is { properties: Record<string, Schema> } =>
  'properties' in value && typeof value.properties === 'object'

const permissions = middleware.flatMap(({ name, handler }): [string, string][] => {
  const { [requires]: permission } = handler as { [requires]?: string }
  return permission === undefined ? [] : [[name, permission]]
})
const permissionRoutes = permissions.map(([name]) => name)
const bearerHandlers = new Set<unknown>([authenticate, authenticateForReading, requireToken, verifyAtEdge])
const bearerRoutes = middleware.filter(({ handler }) => bearerHandlers.has(handler)).map(({ name }) => name)

describe('the OpenAPI document', () => {
  it('is about every route, and about nothing else', () => {
    const routes = new Set(middleware.map(({ name }) => name))
    expect([...operations.keys()].toSorted()).toEqual([...routes].toSorted())
  })

  it('names every operation once', () => {
    const ids = Array.from(operations.values(), ({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each(Object.keys(problems))('shows the problem %s', (code) => {
    const shown = find((value): value is { code: string } => 'code' in value && value.code === code, description)
    expect([...shown]).not.toHaveLength(0)
  })

  it.each([...bearerRoutes, ...permissionRoutes])('%s needs an access token, and answers 401 without one', (name) => {
    const { security, responses } = operations.get(name)!
    expect(security).toEqual([{ bearer: expect.any(Array) }])
    expect(responses).toHaveProperty('401')
  })

  it('asks for an access token nowhere else', () => {
    const asking = [...operations].filter(([, { security }]) => security.length > 0).map(([name]) => name)
    expect(asking.toSorted()).toEqual([...bearerRoutes, ...permissionRoutes].toSorted())
  })

  it.each(permissions)('%s needs %s, and answers 403 without it', (name, permission) => {
    const { security, responses } = operations.get(name)!
    expect(security).toEqual([{ bearer: [permission] }])
    expect(responses).toHaveProperty('403')
  })

  it('says how long sign-ins at the same moment wait for each other', () => {
    const waitSeconds = attemptWaitsMs.reduce((sum, waitMs) => sum + waitMs, 0) / 1000
    expect(operations.get('POST /auth/login')?.description).toContain(`at most ${waitSeconds} seconds`)
  })

  it('lets a later version add fields to every answer', () => {
    const isClosed = (value: object): value is Schema =>
      Object.entries(value).some(
        ([keyword, is]) => /^(additional|unevaluated)Properties$/.test(keyword) && is === false,
      )
    expect(Array.from(find(isClosed, description), ([at]) => at)).toEqual([])
  })

  it('says of every property what it is', () => {
    for (const [at, { properties }] of find(withProperties, description)) {
      for (const [name, property] of Object.entries(properties)) {
        const says = ['type', '$ref', 'anyOf', 'enum', 'const'].some((keyword) => keyword in property)
        expect(says, `${at}/properties/${name}`).toBe(true)
      }
    }
  })

  it('asks for no hint of a password and no answer to a question', () => {
    const names = [...find(withProperties, description)].flatMap(([, { properties }]) => Object.keys(properties))
    expect(names).toContain('new_password')
    expect(names.filter((name) => /hint|question|answer|reminder|memorable|maiden|birth|pet/i.test(name))).toEqual([])
  })

  it('gives examples that its own schemas allow', () => {
    const examples = [...find(isDescribed, description)].flatMap(([at, { schema, example, examples = {} }]) =>
      [example, ...Object.values(examples).map(({ value }) => value)]
        .filter((value) => value !== undefined)
        .map((value) => ({ at, schema, value })),
    )
    expect(examples.length).toBeGreaterThan(operations.size)
    for (const { at, schema, value } of examples) expect(mistakesIn(schema, value), at).toEqual([])
  })

  it('gives examples within schemas that they allow', () => {
    const withExamples = (value: object): value is Schema & { examples: unknown[] } =>
      'examples' in value && Array.isArray(value.examples)
    const found = [...find(withExamples, description)]
    expect(found).not.toHaveLength(0)
    for (const [at, schema] of found) {
      for (const value of schema.examples) expect(mistakesIn(schema, value), at).toEqual([])
    }
  })

  it('shows an example of every body that is sent or answered', () => {
    for (const [name, { requestBody, responses }] of operations) {
      const contents = [requestBody, ...Object.values(responses).map((response) => resolve(response))]
      const bodies = contents.flatMap((content) => Object.values(content?.content ?? {}))
      for (const body of bodies) expect(body.example ?? body.examples, name).toBeDefined()
    }
  })

  it('has the version of the service, which is that of the package', () => {
    expect(description.info.version).toBe(version)
    expect(version).toBe(manifest.version)
  })
})

describe('the check that every answer of every test goes through', () => {
  interface Given {
    status: number
    headers: Record<string, string>
    json: unknown
  }

  const headers = { 'Content-Type': 'application/json', 'X-Request-Id': 'test', 'Cache-Control': 'no-store' }
  const health: Given = { status: 200, headers, json: { status: 'ok', version } }

  function check(method: string, path: string, { json, ...given }: Given): void {
    const text = json === undefined ? '' : JSON.stringify(json)
    checkAnswer(method, path, { status: given.status, headers: new Headers(given.headers), text, json })
  }

  it('lets through what is documented', () => {
    expect(() => check('GET', '/healthz', health)).not.toThrow()
    expect(() => check('HEAD', '/healthz?deep', { ...health, json: undefined })).not.toThrow()
  })

  it.each<[string, Partial<Given>, RegExp]>([
    ['a status', { status: 201 }, /status is not documented/],
    ['a media type', { headers: { ...headers, 'Content-Type': 'text/html' } }, /media type/],
    ['a field', { json: { status: 'ok', version, region: 'weur' } }, /region/],
    ['a value', { json: { status: 'fine', version } }, /status/],
    ['the lack of a field', { json: { status: 'ok' } }, /version/],
    ['the lack of a body', { json: undefined }, /body is missing/],
  ])('stops %s that is not documented', (_what, change, mistake) => {
    expect(() => check('GET', '/healthz', { ...health, ...change })).toThrow(mistake)
  })

  it('stops the lack of a documented header, and another value of it', () => {
    const { 'Cache-Control': _cacheControl, ...fewer } = headers
    expect(() => check('GET', '/healthz', { ...health, headers: fewer })).toThrow(/Cache-Control is missing/)
    const cacheable = { ...headers, 'Cache-Control': 'public' }
    expect(() => check('GET', '/healthz', { ...health, headers: cacheable })).toThrow(/in the header Cache-Control/)
  })

  it('stops a problem that the operation is not documented to give', () => {
    const refusal = (code: string): Given => ({
      status: 409,
      headers: { ...headers, 'Content-Type': 'application/problem+json' },
      json: { type: `/problems/${code}`, title: 'x', status: 409, detail: 'x', code, request_id: 'test' },
    })
    expect(() => check('DELETE', '/users/me', refusal('last_admin'))).not.toThrow()
    expect(() => check('DELETE', '/users/me', refusal('own_account'))).toThrow(/code/)
  })

  it('stops an answer where there is no operation', () => {
    expect(() => check('GET', '/secrets', health)).toThrow(/status is not documented/)
    expect(() => check('PUT', '/healthz', health)).toThrow(/status is not documented/)
  })
})

function isDescribed(value: object): value is Described {
  return 'schema' in value && ('example' in value || 'examples' in value)
}
