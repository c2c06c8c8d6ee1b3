import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'

/** How often to look again: the page may still be fetching. A view that is never fetched again never becomes true. */
const tries = 20
const pauseMs = 150

/** Fails unless the page shows, without being loaded again, what a page shows that is loaded now. */
export async function assertTrue(page: Page, what: string): Promise<void> {
  const fresh = await page.context().newPage()
  try {
    await fresh.goto(page.url())
    await fresh.locator('main h2, [aria-busy="false"]').first().waitFor()
    let seen: [shown: string[], loaded: string[]] = [[], ['nothing yet']]
    for (let n = 0; n < tries && seen[0].join() !== seen[1].join(); n++) {
      await page.waitForTimeout(pauseMs)
      seen = [await shownOn(page), await shownOn(fresh)]
    }
    assert.deepEqual(seen[0], seen[1], what)
  } finally {
    await fresh.close()
  }
}

/**
 * The texts and the values of the fields. Left out: times and the state of deliveries, which change by themselves,
 * messages of the moment, and open dialogs.
 */
function shownOn(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const copy = document.querySelector('main')!.cloneNode(true) as HTMLElement
    const original = [...document.querySelectorAll('main input, main textarea, main select')] as HTMLInputElement[]
    const copies = [...copy.querySelectorAll('input, textarea, select')]
    for (const [n, field] of original.entries()) {
      const value = field.type === 'password' || field.closest('dialog') ? '' : field.value
      copies.at(n)?.replaceWith(`[${field.name}: ${value}]\n`)
    }
    // Of the tables only that of emails changes by itself.
    const deliveries = 'table:has([data-title="Delivery"]) td:nth-child(n + 3)'
    const fleeting = copy.querySelectorAll(`time, dialog, .toasts, .error, .hint, .notice, ${deliveries}`)
    for (const element of fleeting) element.remove()
    return [...copy.querySelectorAll('h1, h2, p, li, td, dt, dd, button, form')].map((element) =>
      (element.textContent ?? '').replace(/\s+/g, ' ').trim(),
    )
  })
}
