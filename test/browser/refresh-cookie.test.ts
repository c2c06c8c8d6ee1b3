/** The refresh cookie in a real browser, against the real development server: what the cookie is worth is up to both. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { until } from '../e2e/support/command-process.ts'
import { DevServer } from '../e2e/support/dev-server.ts'
import { goodPassword as password } from '../support/passwords.ts'
import { launchBrowser } from './support/browser.ts'

const email = 'ada@example.com'
const byCookie = { transport: 'cookie' }
const name = '__Host-postern-refresh'

interface Heard {
  status: number
  /** What is read of the tokens or of the problem. */
  json: { user?: { email: string }; refresh_token?: string; code?: string }
}

/** Calls the API as a script in the page does. */
function call(page: Page, path: string, body: object): Promise<Heard> {
  return page.evaluate(
    async ({ path, body }) => {
      const headers = { 'Content-Type': 'application/json' }
      const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })
      const text = await answer.text()
      return { status: answer.status, json: text ? JSON.parse(text) : {} }
    },
    { path, body },
  )
}

describe('the refresh cookie', { timeout: 300_000 }, () => {
  let server: DevServer
  let browser: Browser
  let origin: string

  before(async () => {
    server = await DevServer.start()
    origin = server.origin
    await server.signUp({ email, password })
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await server.stop()
  })

  /** A visitor on a page of ours, with the strict headers of our pages, who signed in. */
  async function signedIn(tour: (page: Page, context: BrowserContext) => Promise<void>): Promise<void> {
    const context = await browser.newContext()
    try {
      const page = await context.newPage()
      await page.goto(`${origin}/reset-password`)
      const login = await call(page, '/auth/login', { email, password, ...byCookie })
      assert.equal(login.status, 200, JSON.stringify(login.json))
      assert.equal(login.json.refresh_token, undefined)
      await tour(page, context)
    } finally {
      await context.close()
    }
  }

  const cookieIn = async (context: BrowserContext) =>
    (await context.cookies()).find((cookie) => cookie.name === name)?.value

  it('is kept without TLS on this machine, and no script sees it', async () => {
    await signedIn(async (page, context) => {
      const [cookie, ...others] = await context.cookies()
      assert.deepEqual(others, [])
      assert.ok(cookie)
      const { value: _value, expires, ...attributes } = cookie
      assert.deepEqual(attributes, {
        name,
        domain: 'localhost',
        path: '/',
        httpOnly: true,
        secure: true,
        sameSite: 'Strict',
      })
      const days = (expires - Date.now() / 1000) / 86_400
      assert.ok(days > 29.9 && days <= 30, `${days} days`)
      assert.equal(await page.evaluate(() => document.cookie), '')
    })
  })

  it('brings a new access token after a reload, to two tabs at once as well', async () => {
    await signedIn(async (page, context) => {
      const before = await cookieIn(context)
      await page.reload()
      const tab = await context.newPage()
      await tab.goto(`${origin}/activate`)
      const answers = await Promise.all([call(page, '/auth/refresh', byCookie), call(tab, '/auth/refresh', byCookie)])
      for (const { status, json } of answers) {
        assert.equal(status, 200)
        assert.equal(json.user?.email, email)
        assert.equal(json.refresh_token, undefined)
      }
      assert.notEqual(await cookieIn(context), before)
      assert.equal((await call(page, '/auth/refresh', byCookie)).status, 200)
    })
  })

  it('is taken away by signing out, and only by that', async () => {
    await signedIn(async (page, context) => {
      const cookie = await cookieIn(context)
      const refused = await call(page, '/auth/refresh', { transport: 'nothing' })
      assert.equal(refused.status, 422)
      assert.equal(await cookieIn(context), cookie)
      assert.equal((await call(page, '/auth/logout', byCookie)).status, 204)
      assert.deepEqual(await context.cookies(), [])
      assert.equal((await call(page, '/auth/refresh', byCookie)).json.code, 'invalid_refresh_token')
    })
  })

  it('is for the same page under the other name of this machine, too', async () => {
    await signedIn(async (page, context) => {
      await page.goto(`http://127.0.0.1:${server.port}/reset-password`)
      assert.equal((await call(page, '/auth/login', { email, password, ...byCookie })).status, 200)
      assert.equal((await call(page, '/auth/refresh', byCookie)).status, 200)
      assert.deepEqual((await context.cookies()).map(({ domain }) => domain).toSorted(), ['127.0.0.1', 'localhost'])
    })
  })

  it('cannot be used by a neighbour on the same site, neither by a form nor by a script', async () => {
    const neighbour = createServer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>neighbour</title>')
    })
    await new Promise<void>((resolve) => neighbour.listen(0, '127.0.0.1', resolve))
    try {
      await signedIn(async (page, context) => {
        const before = await cookieIn(context)
        const tab = await context.newPage()
        // Ports make no site: the browser does send the cookie from here.
        await tab.goto(`http://localhost:${(neighbour.address() as AddressInfo).port}/`)
        const scripted = await tab.evaluate(async (url) => {
          const ask = (headers: Record<string, string>, mode: RequestMode) =>
            fetch(url, { method: 'POST', credentials: 'include', mode, headers, body: '{"transport":"cookie"}' }).then(
              ({ type }) => type,
              () => 'failed',
            )
          return [await ask({ 'Content-Type': 'application/json' }, 'cors'), await ask({}, 'no-cors')]
        }, `${origin}/auth/logout`)
        assert.deepEqual(scripted, ['failed', 'failed'])

        const answered = tab.waitForResponse(`${origin}/auth/logout`)
        await tab.evaluate((url) => {
          const form = document.createElement('form')
          Object.assign(form, { action: url, method: 'post', enctype: 'text/plain' })
          const input = document.createElement('input')
          Object.assign(input, { type: 'hidden', name: '{"transport":"cookie","x":"', value: '"}' })
          form.append(input)
          document.body.append(form)
          form.submit()
        }, `${origin}/auth/logout`)
        const answer = await answered
        assert.equal(answer.status(), 415)
        assert.match((await answer.request().allHeaders())['cookie'] ?? '', /__Host-postern-refresh=/)

        assert.equal(await cookieIn(context), before)
        assert.equal((await call(page, '/auth/refresh', byCookie)).status, 200)
      })
    } finally {
      neighbour.closeAllConnections()
      await new Promise((resolve) => neighbour.close(resolve))
    }
  })

  it('leaves no page for the back button when it is taken away by signing out', async () => {
    // Playwright turns off what keeps pages for the back button; here it is what matters.
    const own = await launchBrowser({ ignoreDefaultArgs: ['--disable-back-forward-cache'] })
    try {
      const page = await own.newPage()
      await page.addInitScript(() => {
        addEventListener('pageshow', ({ persisted }) => (document.title = persisted ? 'kept' : 'fresh'))
      })
      const goBack = async (path: string) => {
        await page.goto(`${origin}/robots.txt`)
        await page.evaluate(() => (document.title = ''))
        await page.goto(`${origin}/openapi.json`)
        await call(page, path, { refresh_token: 'x', ...byCookie })
        await page.evaluate(() => history.back())
        let title = ''
        await until(async () => {
          title = page.url().endsWith('/robots.txt') ? await page.title() : ''
          return title !== ''
        }, 'the page before')
        return title
      }
      assert.equal(await goBack('/auth/refresh'), 'kept', 'or this test shows nothing')
      assert.equal(await goBack('/auth/logout'), 'fresh')
    } finally {
      await own.close()
    }
  })
})
