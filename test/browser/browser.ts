import assert from 'node:assert/strict'
import { type Browser, type BrowserContextOptions, type LaunchOptions, type Page, chromium } from 'playwright-core'

export function launchBrowser(options: LaunchOptions = {}): Promise<Browser> {
  return chromium.launch({
    ...options,
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/**
 * Runs one visit in a fresh profile and fails it for what no visitor sees: a script error, a breach of the content security
 * policy, a request to elsewhere, a secret left in a store of the browser.
 */
export async function visit(
  browser: Browser,
  origin: string,
  tour: (page: Page) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  const context = await browser.newContext({ baseURL: origin, ...options })
  try {
    context.setDefaultTimeout(5000)
    const page = await context.newPage()
    const complaints = watch(page, origin)
    await tour(page)
    assert.deepEqual(complaints, [])
    const { cookies, origins } = await context.storageState()
    assert.deepEqual(cookies, [])
    // What is stored tells that somebody is signed in, and holds nothing to sign in with.
    assert.doesNotMatch(JSON.stringify(origins), /eyJ|refresh|password/i)
    if (options.javaScriptEnabled !== false) assert.equal(await page.evaluate(() => sessionStorage.length), 0)
  } finally {
    await context.close()
  }
}

function watch(page: Page, origin: string): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`))
  page.on('console', (message) => {
    // A refused call is also logged, and is what many of these tests are about.
    const isRefusedCall = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !isRefusedCall) complaints.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) complaints.push(`request to ${request.url()}`)
  })
  return complaints
}

/** The element that has the focus, as assistive technology would name it. */
export async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement
    const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : element?.textContent
    return `${element?.tagName.toLowerCase()} ${label?.replace(/\s+/g, ' ').trim()}`
  })
}

export async function assertNoSidewaysScroll(page: Page): Promise<void> {
  const width = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, screen: innerWidth }))
  assert.ok(width.content <= width.screen, `${width.content} px of content on ${width.screen} px`)
}
