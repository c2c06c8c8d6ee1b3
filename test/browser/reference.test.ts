/** The viewer of the API reference is not ours: its script must not get at what belongs to this origin. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { launchBrowser } from './support/browser.ts'
import { ada, runService } from './support/running-service.ts'
import { Visitor } from './support/visitor.ts'

const service = runService()

/** What a hostile viewer would try. Each gives what it got, or the name of the error. */
const attempts = `(async () => {
  const attempt = async (act) => { try { return String(await act()) } catch (error) { return error.name } }
  const refreshed = (send) => attempt(async () => (await send('/auth/refresh', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"transport":"cookie"}', credentials: 'include',
  })).status)
  const native = () => new Promise((resolve) => {
    const request = new XMLHttpRequest()
    request.open('POST', '/auth/refresh')
    request.withCredentials = true
    request.setRequestHeader('Content-Type', 'application/json')
    request.onload = () => resolve(request.status)
    request.onerror = () => resolve('unreadable')
    request.send('{"transport":"cookie"}')
  })
  return {
    origin,
    fetch: await refreshed(fetch),
    request: await attempt(native),
    cookie: await attempt(() => document.cookie === ''),
    storage: await attempt(() => localStorage.length >= 0),
    page: await attempt(() => top.document.title !== ''),
    frame: await attempt(async () => {
      const frame = document.createElement('iframe')
      document.body.append(Object.assign(frame, { src: '/account' }))
      await new Promise((resolve) => { frame.onload = resolve; setTimeout(resolve, 1000) })
      return frame.contentDocument !== null && frame.contentDocument.title !== ''
    }),
    popup: await attempt(() => open('/account') !== null),
  }
})()`

describe('a script in the viewer of the API reference', { timeout: 300_000 }, () => {
  let browser: Browser
  before(async () => {
    browser = await launchBrowser()
  })
  after(() => browser.close())

  it('has neither the cookie nor the storage of its visitor, in its frame and opened alone', async () => {
    const context = await browser.newContext({ baseURL: service.server.origin })
    const page = await context.newPage()
    const visitor = new Visitor(page)
    await visitor.signIn(ada)
    const { origin } = service.server
    const ours = await page.evaluate<object>(attempts)
    const all = { origin, fetch: '200', request: '200', cookie: 'true', storage: 'true', page: 'true', popup: 'true' }
    assert.deepEqual(ours, { ...all, frame: 'false' }, 'a page of ours has the cookie')

    await visitor.goto('/docs')
    await page.frameLocator('#reference').getByText('/auth/refresh', { exact: true }).first().waitFor()
    const frame = page.frame({ url: `${origin}/docs-viewer` })
    const nothing = { origin: 'null', request: 'unreadable', cookie: 'SecurityError', storage: 'SecurityError' }
    const closed = { frame: 'false', popup: 'false' }
    // The `fetch` of the viewer goes through the page around it, which adds no cookie.
    const inFrame = { ...nothing, ...closed, fetch: '401', page: 'SecurityError' }
    assert.deepEqual(await frame!.evaluate(attempts), inFrame)

    await visitor.goto('/docs-viewer')
    assert.deepEqual(await page.evaluate(attempts), { ...nothing, ...closed, fetch: 'TypeError', page: 'true' })

    await visitor.goto('/account')
    const { fetch: status } = await page.evaluate<{ fetch: string }>(attempts)
    assert.equal(status, '200', 'the session is as it was')
    await context.close()
  })
})
