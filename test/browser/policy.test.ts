/** What the browser is told to refuse, tried out: a page that ever let markup in would still not run it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openSite } from './support/open-site.ts'

describe('the pages that mail links land on', () => {
  const opened = openSite()
  const { site } = opened

  for (const path of ['/activate', '/reset-password', '/confirm-email', '/revert-email']) {
    it(`${path} runs no script, takes no style and calls no server but its own`, async () => {
      const page = await opened.browser.newPage()
      const violations = new Set<string>()
      await page.exposeFunction('report', (directive: string) => violations.add(directive))
      await page.addInitScript(() => {
        addEventListener('securitypolicyviolation', (event) => {
          void (globalThis as unknown as { report(text: string): Promise<void> }).report(event.effectiveDirective)
        })
      })
      await page.goto(site.origin + path)
      await page.evaluate(() => {
        document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="document.title=1"><p style="color:red">')
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = 1' }))
        const form = Object.assign(document.createElement('form'), { action: '/elsewhere' })
        document.body.append(form)
        form.submit()
        void fetch('https://elsewhere.example/').catch(() => undefined)
      })
      await page.waitForTimeout(200)
      assert.deepEqual(
        violations,
        new Set(['script-src-attr', 'style-src-attr', 'script-src-elem', 'form-action', 'connect-src']),
      )
      assert.notEqual(await page.title(), '1')
      assert.equal(page.url(), site.origin + path)
      await page.close()
    })

    it(`${path} cannot be framed, cached or sniffed, and tells no other site where the visitor came from`, async () => {
      const { headers } = await fetch(site.origin + path)
      assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none';.* frame-ancestors 'none'$/)
      assert.match(headers.get('strict-transport-security') ?? '', /^max-age=63072000\b/)
      assert.equal(headers.get('cache-control'), 'no-store')
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('referrer-policy'), 'no-referrer')
      assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin')
    })
  }
})
