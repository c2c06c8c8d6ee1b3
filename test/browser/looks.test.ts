/**
 * What each page looks like, against the real development server: accessible as far as axe can tell, within the width
 * of the screen, without broken words, readable with wider spacing, and usable with the keyboard. `npm run check:pages`
 * looks at every page in every language, size and look; without it each pair of two of these occurs once.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { accessibilityFaults } from './support/accessibility.ts'
import { launchBrowser } from './support/browser.ts'
import { type Case, allCases, languages, pairwiseCases } from './support/cases.ts'
import { faultsWithTextSpacing, keyboardFaults, layoutFaults } from './support/layout.ts'
import { ada, admin, runService } from './support/running-service.ts'

interface Look {
  path: string
  isSignedIn?: true
  /** What is done before the page is looked at. */
  open?: (page: Page) => Promise<void>
}

/** The page of a user: the first row is the account that was made last. */
async function openUser(page: Page): Promise<void> {
  await page.locator('td a').first().click()
  await page.locator('.acts').first().waitFor()
}

const pages: Readonly<Record<string, Look>> = {
  'sign-in': { path: '/sign-in' },
  'sign-in with errors': { path: '/sign-in', open: (page) => page.locator('form [type=submit]').click() },
  'sign-up': { path: '/sign-up' },
  activation: { path: '/activate#token=a.b.c' },
  'request for a link': { path: '/activate' },
  'forgotten password': { path: '/forgot-password' },
  'new password': { path: '/reset-password#token=a.b.c' },
  account: { path: '/account', isSignedIn: true },
  deletion: { path: '/account', isSignedIn: true, open: (page) => page.locator('.danger').click() },
  users: { path: '/console', isSignedIn: true },
  user: { path: '/console', isSignedIn: true, open: openUser },
  'profile of a user': {
    path: '/console',
    isSignedIn: true,
    async open(page) {
      await openUser(page)
      await page.locator('.acts button').first().click()
    },
  },
  audit: { path: '/console?view=audit&user_id=none', isSignedIn: true },
  'audit log': { path: '/console?view=audit', isSignedIn: true },
  emails: { path: '/console?view=emails', isSignedIn: true },
}

const names = Object.keys(pages)
const cases = process.env['CHECK_PAGES'] === 'all' ? allCases(names) : pairwiseCases(names)

describe('accessible, whole and usable with the keyboard is the page', { timeout: 1_800_000 }, () => {
  const service = runService()
  const contexts = new Map<string, BrowserContext>()
  let browser: Browser
  before(async () => {
    browser = await launchBrowser()
    const long = `maximiliane.mustermann-von-und-zu-hohenstein@verwaltung.example.com`
    const token = await service.server.accessToken(ada)
    const bio = 'Schreibt über Maschinen.\n\nWohnt in London.'
    await service.server.changeProfile(token, { first_name: 'Augusta Ada', last_name: 'King-Noel', bio })
    await service.server.signUp({ ...admin, email: long })
    for (const language of languages) {
      for (const isSignedIn of [true, false]) {
        const context = await browser.newContext({ baseURL: service.server.origin, locale: language })
        context.setDefaultTimeout(10_000)
        contexts.set(`${language} ${isSignedIn}`, context)
        const page = await context.newPage()
        if (!isSignedIn) continue
        await page.goto('/sign-in')
        await page.locator('[name=email]').fill(admin.email)
        await page.locator('[name=password]').fill(admin.password)
        await page.locator('[type=submit]').click()
        await page.waitForURL('**/account')
      }
    }
  })
  after(() => browser?.close())

  for (const [name, { path, isSignedIn = false, open }] of Object.entries(pages)) {
    it(name, async () => {
      const faults: string[] = []
      for (const language of languages) {
        const mine = cases.filter((one) => one.page === name && one.language === language)
        const [page] = contexts.get(`${language} ${isSignedIn}`)?.pages() ?? []
        assert.ok(page)
        for (const [n, one] of mine.entries()) {
          await show(page, one)
          if (n === 0) {
            // Without a page in between, another fragment would not load the page again.
            await page.goto('/robots.txt')
            await page.goto(path)
            await loaded(page)
            await open?.(page)
            await loaded(page)
          }
          const found = [
            ...(await layoutFaults(page)),
            ...(await faultsWithTextSpacing(page)),
            ...(await accessibilityFaults(page, one.look === 'forced' ? ['color-contrast'] : [])),
            ...(await keyboardFaults(page)),
          ]
          faults.push(...found.map((fault) => `${one.language} ${one.width} ${one.look}: ${fault}`))
        }
      }
      assert.deepEqual(faults, [])
    })
  }
})

async function show(page: Page, { width, look }: Case): Promise<void> {
  await page.setViewportSize({ width, height: 900 })
  await page.emulateMedia({
    colorScheme: look === 'dark' ? 'dark' : 'light',
    forcedColors: look === 'forced' ? 'active' : 'none',
    reducedMotion: 'reduce',
  })
}

async function loaded(page: Page): Promise<void> {
  await page.getByRole('heading').first().waitFor()
  await page.waitForFunction(() => {
    const isShown = !location.pathname.startsWith('/account') || document.querySelectorAll('.list').length === 2
    return isShown && !document.querySelector('[aria-busy="true"]') && !document.querySelector('main > p.soft')
  })
}
