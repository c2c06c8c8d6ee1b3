/** What holds for all pages and static files, against the real development server. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { problems } from '../../src/problems.ts'
import { projectRoot } from '../../tools/wrangler.ts'
import { accessibilityFaults } from './support/accessibility.ts'
import { assertNoSidewaysScroll } from './support/browser.ts'
import { headersFor, parseHeaderRules } from './support/header-rules.ts'
import { runService } from './support/running-service.ts'

const service = runService()
const { visit } = service

describe('the pages', { timeout: 300_000 }, () => {
  it('speak German when the browser prefers it, until the visitor chooses English', async () => {
    await visit(
      async (visitor) => {
        await visitor.goto('/sign-in')
        await visitor.seesHeading('Anmelden')
        assert.equal(await visitor.page.locator('html').getAttribute('lang'), 'de')
        await visitor.page.getByRole('combobox', { name: 'Sprache' }).selectOption('en')
        await visitor.seesHeading('Sign in')
      },
      { locale: 'de-AT' },
    )
  })

  it('take at most 60 kB to sign in', async () => {
    const sizes: Promise<number>[] = []
    await visit(async (visitor) => {
      const { page } = visitor
      page.on('response', (response) => sizes.push(response.body().then((body) => gzipSync(body).length)))
      await visitor.goto('/sign-in')
      await visitor.seesHeading('Sign in')
      await page.waitForLoadState('networkidle')
      const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size)
      assert.ok(bytes > 10_000 && bytes <= 60_000, `${bytes} bytes`)
    })
  })
})

describe('the static files', { timeout: 300_000 }, () => {
  it('answer the bare address under their own headers', async () => {
    const answer = await fetch(service.server.origin, { redirect: 'manual' })
    assert.deepEqual([answer.status, answer.headers.get('Location')], [302, '/account'])
    const rules = parseHeaderRules(readFileSync(join(projectRoot, 'public/_headers'), 'utf8'))
    for (const [name, value] of Object.entries(headersFor('/', rules))) assert.equal(answer.headers.get(name), value)
  })

  const notFiles = [
    { path: '/nope', code: 'not_found' },
    { path: '/auth/login', code: 'method_not_allowed' },
    { path: '/_redirects', code: 'not_found' },
  ]
  for (const { path, code } of notFiles) {
    it(`leave ${path} to the API`, async () => {
      const answer = await fetch(service.server.origin + path)
      assert.equal(answer.redirected, false)
      assert.equal(((await answer.json()) as { code: string }).code, code)
    })
  }

  it('include the description of the API, which says which methods it takes', async () => {
    const { origin } = service.server
    const url = `${origin}/openapi.json`
    const own = ['connection', 'content-length', 'content-type', 'etag', 'transfer-encoding', 'x-request-id']
    const shared = ({ headers }: Response) => [...headers].filter(([name]) => !own.includes(name))
    const file = await fetch(`${origin}/favicon.svg`)
    const got = await fetch(url, { headers: { 'X-Request-Id': 'mine' } })
    const head = await fetch(url, { method: 'HEAD', headers: { 'X-Request-Id': 'mine' } })
    for (const answer of [got, head]) {
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('Content-Type'), 'application/json')
      assert.equal(answer.headers.get('X-Request-Id'), 'mine')
      assert.deepEqual(shared(answer), shared(file))
    }
    assert.equal(((await got.json()) as { openapi: string }).openapi, '3.1.0')
    const known = { 'If-None-Match': got.headers.get('ETag') ?? '' }
    assert.equal((await fetch(url, { headers: known })).status, 304)
    const refused = await fetch(url, { method: 'POST' })
    assert.deepEqual([refused.status, refused.headers.get('Allow')], [405, 'HEAD, GET'])
    assert.equal(((await refused.json()) as { code: string }).code, 'method_not_allowed')
  })

  it('include a page about each problem, and one for people at an address without one', async () => {
    const { origin } = service.server
    await visit(async (visitor) => {
      for (const [code, { status, title }] of Object.entries(problems)) {
        const answer = await visitor.page.goto(`/problems/${code}`)
        assert.equal(answer?.status(), 200, code)
        await visitor.seesHeading(title)
        await visitor.sees(code)
        const json = await fetch(`${origin}/problems/${code}.json`, { headers: { Accept: 'application/json' } })
        assert.equal(((await json.json()) as { status: number }).status, status)
      }
      assert.deepEqual(await accessibilityFaults(visitor.page), [])
      await visitor.page.getByRole('link', { name: 'All problems' }).click()
      const links = visitor.page.getByRole('listitem').getByRole('link')
      await visitor.seesHeading('Problems')
      assert.equal(await links.count(), Object.keys(problems).length)
      assert.equal((await fetch(`${origin}/problems/nothing_of_ours`)).status, 404)

      for (const [path, status, heading] of [
        ['/nope', 404, 'Page not found'],
        ['/auth/login', 405, 'No page at this address'],
      ] as const) {
        const answer = await visitor.page.goto(path)
        assert.equal(answer?.status(), status)
        await visitor.seesHeading(heading)
        await visitor.page.locator('[lang=de]').getByRole('heading').waitFor()
        assert.deepEqual(await accessibilityFaults(visitor.page), [])
        await assertNoSidewaysScroll(visitor.page)
      }
      const fetched = await visitor.page.evaluate(async () => (await fetch('/nope')).headers.get('Content-Type'))
      assert.equal(fetched, 'application/problem+json')
    })
  })

  it('include an API reference with every operation, which sends real calls', async () => {
    await visit(async (visitor) => {
      await visitor.goto('/docs')
      const viewer = visitor.page.frameLocator('#reference')
      await viewer.getByText('/auth/register', { exact: true }).first().waitFor()
      const description = await fetch(`${service.server.origin}/openapi.json`)
      const { paths } = (await description.json()) as { paths: Record<string, object> }
      const operations = Object.values(paths).flatMap((item) =>
        Object.keys(item).filter((method) => method !== 'parameters'),
      )
      assert.equal(await viewer.locator('.opblock').count(), operations.length)
      const health = viewer.locator('#operations-Service-getHealth')
      await health.click()
      await health.getByRole('button', { name: 'Execute' }).click()
      await health.locator('.live-responses-table').getByText('"ok"').first().waitFor()
    })
  })
})
