/** The pages in a browser that has nothing newer than the oldest supported ones, and in browsers that block cookies. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { chromium } from 'playwright-core'
import { goodPassword } from '../support/passwords.ts'
import { Firefox } from './support/firefox.ts'
import { iteratorHelpers, newerFeatures, takeAway } from './support/newer-features.ts'
import { ada, admin, runService } from './support/running-service.ts'

const pages = [
  '/sign-in',
  '/sign-up',
  '/activate',
  '/forgot-password',
  '/reset-password',
  '/confirm-email',
  '/revert-email',
]
const cookiesNeeded = 'This page needs cookies. Please allow them for this site and reload the page.'

describe('an old browser', { timeout: 300_000 }, () => {
  const { visit } = runService()

  it('signs up, signs in, and shows the account and the console', async () => {
    await visit(async (visitor, context) => {
      await context.addInitScript(takeAway, { features: newerFeatures, helpers: iteratorHelpers })
      await visitor.goto('/sign-up')
      const kept = await visitor.page.evaluate(
        '[typeof URL.parse, typeof [].values().map, typeof Promise.withResolvers]',
      )
      assert.deepEqual(kept, Array<string>(3).fill('undefined'), 'or this test shows nothing')
      await visitor.fill('New password', goodPassword)
      await visitor.sees('This is a strong password.')
      await visitor.signIn(ada)
      await visitor.seesHeading('Profile')
      await visitor.page.reload()
      await visitor.seesHeading('Profile')
      await visitor.press('Sign out')
      await visitor.isLedToSignIn()
      await visitor.signIn(admin, '/console')
      await visitor.link(ada.email).click()
      await visitor.seesHeading(ada.email)
    })
  })
})

describe('a browser that blocks all cookies', { timeout: 300_000 }, () => {
  const service = runService()

  it('Chromium says on every page that they are needed', async () => {
    const profile = mkdtempSync(join(tmpdir(), 'postern-chromium-'))
    mkdirSync(join(profile, 'Default'))
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } }
    writeFileSync(join(profile, 'Default/Preferences'), JSON.stringify(preferences))
    const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      args: ['--no-sandbox', '--disable-gpu'],
      baseURL: service.server.origin,
    })
    try {
      const page = await context.newPage()
      await page.goto('/sign-in')
      const storage = await page.evaluate(() => {
        try {
          return String(localStorage.length)
        } catch (error) {
          return (error as Error).name
        }
      })
      assert.equal(storage, 'SecurityError', 'or this test shows nothing')
      for (const path of pages) {
        await page.goto(path)
        await page.getByRole('heading', { level: 1 }).waitFor()
        await page.getByText(cookiesNeeded).waitFor()
      }
    } finally {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    }
  })

  it('Firefox says on every page that they are needed', async () => {
    const firefox = await Firefox.launch({ 'network.cookie.cookieBehavior': 2 })
    try {
      const tab = await firefox.openTab(service.server.origin)
      for (const path of pages) {
        await tab.goto(path)
        await tab.seesText(cookiesNeeded)
      }
      assert.deepEqual(firefox.complaints, [])
    } finally {
      await firefox.close()
    }
  })
})
