import assert from 'node:assert/strict'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type LaunchOptions,
  type Page,
  chromium,
} from 'playwright-core'

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

/** Runs one visit in a fresh profile. Fails for what `watch` finds, and for a secret left in a store of the browser. */
export async function visit(
  browser: Browser,
  origin: string,
  tour: (page: Page) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  const context = await browser.newContext({ baseURL: origin, ...options })
  try {
    context.setDefaultTimeout(5000)
    const complaints = watch(context, origin)
    const page = await context.newPage()
    await tour(page)
    assert.deepEqual(complaints, [])
    const { cookies, origins } = await context.storageState()
    assert.deepEqual(cookies, [])
    // The storage may say that someone is signed in, but hold nothing to sign in with.
    assert.doesNotMatch(JSON.stringify(origins), /eyJ|refresh|password/i)
    if (options.javaScriptEnabled !== false) assert.equal(await page.evaluate(() => sessionStorage.length), 0)
  } finally {
    await context.close()
  }
}

/** Collects what no visitor sees and no page may do: script errors, breaches of the policy, requests to elsewhere. */
export function watch(context: BrowserContext, origin: string): string[] {
  const complaints: string[] = []
  context.on('weberror', (error) => complaints.push(`script: ${error.error().message}`))
  context.on('console', (message) => {
    // The browser also logs each refused call, and many tests are about refused calls.
    const isRefusedCall = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !isRefusedCall) complaints.push(message.text())
  })
  context.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) complaints.push(`request to ${request.url()}`)
  })
  return complaints
}

/** Names the focused element as assistive technology would, such as `input Password`. */
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
