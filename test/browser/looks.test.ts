/**
 * What each page looks like, against the real development server: accessible as far as axe can tell, within the width
 * of the screen, without broken words, readable with wider spacing, and usable with the keyboard. `npm run check:pages`
 * looks at every page in every language, size and look, with and without Turnstile; without it each pair of two of these
 * occurs once.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { accessibilityFaults } from './support/accessibility.ts'
import { launchBrowser } from './support/browser.ts'
import { type Case, allCases, languages, pairwiseCases } from './support/cases.ts'
import { faultsWithTextSpacing, keyboardFaults, layoutFaults } from './support/layout.ts'
import { GuardedService } from './support/guarded-service.ts'
import { refuseAsStale, stubFactors, stubStepUp } from './support/stubs.ts'
import { ada, admin, runService } from './support/running-service.ts'

interface Look {
  path: string
  isSignedIn?: true
  /** Whether it shows the widget when the service asks for challenges. */
  isGuarded?: true
  /** What is done before the page is opened. */
  prepare?: (page: Page) => Promise<void>
  /** What is done before the page is looked at. */
  open?: (page: Page) => Promise<void>
}

/** The page of a user: the first row is the account that was made last. */
async function openUser(page: Page): Promise<void> {
  await page.locator('td a').first().click()
  await page.locator('.acts').first().waitFor()
}

const pressed = (name: RegExp) => (page: Page) => page.getByRole('button', { name }).click()

async function openStepUp(page: Page): Promise<void> {
  await stubStepUp(page)
  await refuseAsStale(page, '**/users/me/totp')
  await page.getByRole('button', { name: /^(Replace|Ersetzen)/ }).click()
  await page.locator('dialog .ways button').first().waitFor()
}

async function openNewCodes(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^(Make new codes|Neue Codes)/ }).click()
  await page.locator('dialog [type=submit]').click()
  await page.locator('.codes').waitFor()
}

async function openSetup(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^(Replace|Ersetzen)/ }).click()
  await page.locator('.qr path[d^=M]').waitFor()
}

async function stubSignUp(page: Page): Promise<void> {
  await page.route('**/auth/register', (route) => route.fulfill({ status: 202, json: {} }))
}

async function signUp(page: Page): Promise<void> {
  await page.locator('[name=email]').fill('maximiliane.mustermann-von-und-zu-hohenstein@verwaltung.example.com')
  await page.locator('[name=password]').fill('four unrelated words here')
  await page.locator('form [type=submit]').click()
  await page.locator('.ways').waitFor()
}

async function useLink(page: Page): Promise<void> {
  await page.locator('[name=password]').fill('x')
  await page.locator('form [type=submit]').click()
  await page.locator('[name=email]').waitFor()
}

const stranger = { email: 'stranger@example.com', password: 'four wrong guesses' }

/** Where the service asks for challenges it does so here, because of the guesses before. */
async function failToSignIn(page: Page): Promise<void> {
  await page.locator('[name=email]').fill(stranger.email)
  await page.locator('[name=password]').fill(stranger.password)
  await page.locator('form [type=submit]').click()
  await page.locator('.notice:not(:empty), [aria-invalid], .challenge iframe').first().waitFor()
}

const pages: Readonly<Record<string, Look>> = {
  'sign-in': { path: '/sign-in' },
  'sign-in with errors': { path: '/sign-in', open: (page) => page.locator('form [type=submit]').click() },
  'sign-in after wrong passwords': { path: '/sign-in', isGuarded: true, open: failToSignIn },
  'sign-up': { path: '/sign-up', isGuarded: true },
  activation: { path: '/activate#token=a.b.c' },
  'request for a link': { path: '/activate' },
  'signed up': { path: '/sign-up', prepare: stubSignUp, open: signUp },
  'used link': { path: '/activate#token=a.b.c', open: useLink },
  'deleted account': { path: '/sign-in?deleted' },
  'forgotten password': { path: '/forgot-password', isGuarded: true },
  'new password': { path: '/reset-password#token=a.b.c' },
  'request for another link': { path: '/reset-password', isGuarded: true },
  profile: { path: '/account', isSignedIn: true },
  security: { path: '/account?view=security', isSignedIn: true },
  activity: { path: '/account?view=activity', isSignedIn: true },
  'every factor': { path: '/account?view=security', isSignedIn: true, prepare: stubFactors },
  'a new passkey': {
    path: '/account?view=security',
    isSignedIn: true,
    open: pressed(/^(Add a passkey|Passkey hinzufügen)/),
  },
  'an authenticator app': {
    path: '/account?view=security',
    isSignedIn: true,
    prepare: stubFactors,
    open: openSetup,
  },
  'new recovery codes': {
    path: '/account?view=security',
    isSignedIn: true,
    prepare: stubFactors,
    open: openNewCodes,
  },
  'step-up': { path: '/account?view=security', isSignedIn: true, prepare: stubFactors, open: openStepUp },
  deletion: { path: '/account?view=security', isSignedIn: true, open: (page) => page.locator('.danger').click() },
  'new address': { path: '/confirm-email#token=a.b.c', isSignedIn: true },
  'new address without a session': { path: '/confirm-email#token=a.b.c' },
  'old address': { path: '/revert-email#token=a.b.c' },
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

const visitors = ['signed in', 'challenges', 'no challenges'] as const

const names = Object.keys(pages)
const guarded = names.filter((name) => pages[name]?.isGuarded)
const cases = process.env['CHECK_PAGES'] === 'all' ? allCases(names, guarded) : pairwiseCases(names, guarded)

describe('accessible, whole and usable with the keyboard is the page', { timeout: 1_800_000 }, () => {
  const service = runService()
  const contexts = new Map<string, BrowserContext>()
  let guardedService: GuardedService
  let browser: Browser
  before(async () => {
    browser = await launchBrowser()
    guardedService = await GuardedService.start()
    // The widget is there to be looked at until somebody presses its button.
    guardedService.challenges.isInteractive = true
    await guardedService.guess(stranger.email)
    const long = `maximiliane.mustermann-von-und-zu-hohenstein@verwaltung.example.com`
    const token = await service.server.accessToken(ada)
    const bio = 'Schreibt über Maschinen.\n\nWohnt in London.'
    await service.server.changeProfile(token, { first_name: 'Augusta Ada', last_name: 'King-Noel', bio })
    await service.server.signUp({ ...admin, email: long })
    for (const language of languages) {
      for (const who of visitors) {
        const { origin } = who === 'challenges' ? guardedService.server : service.server
        const context = await browser.newContext({ baseURL: origin, locale: language })
        context.setDefaultTimeout(10_000)
        contexts.set(`${language} ${who}`, context)
        const page = await context.newPage()
        if (who !== 'signed in') continue
        await page.goto('/sign-in')
        await page.locator('[name=email]').fill(admin.email)
        await page.locator('[name=password]').fill(admin.password)
        await page.locator('[type=submit]').click()
        await page.waitForURL('**/account')
      }
    }
  })
  after(async () => {
    await browser?.close()
    await guardedService?.stop()
  })

  for (const [name, { path, isSignedIn = false, prepare, open }] of Object.entries(pages)) {
    it(name, async () => {
      const faults: string[] = []
      const mine = Map.groupBy(
        cases.filter(({ page }) => page === name),
        ({ language, challenge }) => `${language} ${isSignedIn ? 'signed in' : challenge}`,
      )
      for (const [visitor, looks] of mine) {
        const [page] = contexts.get(visitor)?.pages() ?? []
        assert.ok(page)
        for (const [n, one] of looks.entries()) {
          await show(page, one)
          if (n === 0) {
            // Without a page in between, another fragment would not load the page again.
            await page.goto('/robots.txt')
            await page.unrouteAll()
            await prepare?.(page)
            await page.goto(path)
            await loaded(page)
            await open?.(page)
            await loaded(page)
            const widget = page.frameLocator('.challenge iframe').getByRole('button')
            if (one.challenge === 'challenges') await widget.waitFor()
          }
          const found = [
            ...(await layoutFaults(page)),
            ...(await faultsWithTextSpacing(page)),
            ...(await accessibilityFaults(page, one.look === 'forced' ? ['color-contrast'] : [])),
            ...(await keyboardFaults(page)),
          ]
          faults.push(...found.map((fault) => `${visitor} ${one.width} ${one.look}: ${fault}`))
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
    return !document.querySelector('[aria-busy="true"]') && !document.querySelector('main > p.soft')
  })
}
