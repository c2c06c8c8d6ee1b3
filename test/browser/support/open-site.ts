/** The stand-in for the deployed Worker, and a browser, for the tests of one `describe` or file. */
import { after, before, beforeEach } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser, visit } from './browser.ts'
import { Site } from './site.ts'

interface OpenSite {
  readonly site: Site
  readonly browser: Browser
  /** A visit in a fresh profile, with the checks of `visit` in `browser.ts`. */
  visit: (tour: (page: Page) => Promise<void>, options?: BrowserContextOptions) => Promise<void>
}

export function openSite(): OpenSite {
  const site = new Site()
  let browser: Browser
  before(async () => {
    await site.open()
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await site.close()
  })
  beforeEach(() => site.forget())
  return {
    site,
    get browser() {
      return browser
    },
    visit: (tour, options) => visit(browser, site.origin, tour, options),
  }
}
