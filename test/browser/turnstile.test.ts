/** The pages of a deployment that asks for challenges, against the real development server and a stand-in for Turnstile. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { build } from '../e2e/support/build-pages.ts'
import type { DevServer } from '../e2e/support/dev-server.ts'
import { goodPassword, otherPassword } from '../support/passwords.ts'
import { accessibilityFaults } from './support/accessibility.ts'
import { assertNoSidewaysScroll, launchBrowser, watch } from './support/browser.ts'
import type { Challenges } from './support/challenges.ts'
import { GuardedService } from './support/guarded-service.ts'
import { headersFor, parseHeaderRules } from './support/header-rules.ts'
import { tabTo } from './support/layout.ts'
import { Visitor } from './support/visitor.ts'

const guarded = ['/sign-in', '/sign-up', '/forgot-password', '/reset-password']
const ada = { email: 'ada@example.com', password: goodPassword }

describe('with Turnstile', { timeout: 300_000 }, () => {
  let service: GuardedService
  let challenges: Challenges
  let server: DevServer
  let browser: Browser

  before(async () => {
    service = await GuardedService.start()
    ;({ challenges, server } = service)
    browser = await launchBrowser()
    await visit(async (visitor) => {
      await visitor.goto('/sign-up')
      await visitor.fill('Email address', ada.email)
      await visitor.fill('New password', ada.password)
      await visitor.press('Create account')
      await visitor.seesHeading('Check your inbox')
      await visitor.goto(`/activate#token=${await server.mailedToken(ada.email)}`)
      await visitor.fill('Password', ada.password)
      await visitor.press('Activate account')
      await visitor.seesHeading('Your account is active')
    })
  })
  after(async () => {
    await browser?.close()
    await service?.stop()
  })
  beforeEach(() => {
    challenges.accepted.length = 0
    Object.assign(challenges, { refused: 0, isBlocked: false, isInteractive: false, badTokens: 0 })
  })

  async function visit(tour: (visitor: Visitor) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
    const context = await browser.newContext({ baseURL: server.origin, ...options })
    context.setDefaultTimeout(10_000)
    const complaints = watch(context, server.origin)
    try {
      await tour(new Visitor(await context.newPage()))
      const others = complaints.filter((complaint) => !complaint.startsWith(`request to ${challenges.origin}/`))
      assert.deepEqual(others, [])
    } finally {
      await context.close()
    }
  }

  it('a person signs up and resets the password on the pages', async () => {
    const grace = { email: 'grace@example.com', password: goodPassword }
    await visit(async (visitor) => {
      await visitor.goto('/sign-up')
      await visitor.fill('Email address', grace.email)
      await visitor.fill('New password', 'password1')
      // Every try spends its token, so the second needs another.
      await visitor.press('Create account')
      await visitor.seesErrorAt('New password', /too easy to guess/)
      await visitor.fill('New password', grace.password)
      await visitor.press('Create account')
      await visitor.seesHeading('Check your inbox')
      const activation = await server.mailedToken(grace.email)
      await visitor.goto('/forgot-password')
      await visitor.fill('Email address', grace.email)
      await visitor.press('Send me a link')
      await visitor.seesHeading('Check your inbox')
      await visitor.goto(`/reset-password#token=${await server.mailedToken(grace.email, activation)}`)
      await visitor.fill('New password', otherPassword)
      await visitor.press('Save new password')
      await visitor.seesHeading('Your new password is set')
    })
    assert.deepEqual(challenges.accepted, ['register', 'register', 'password_reset'])
    assert.equal(challenges.refused, 0)
  })

  it('the owner signs in after a stranger tried three wrong passwords, and is asked only then', async () => {
    await visit(async (visitor) => {
      await visitor.signIn(ada)
    })
    assert.deepEqual(challenges.accepted, [])
    await service.guess(ada.email)
    await visit(async (visitor) => {
      await visitor.goto('/sign-in')
      await visitor.enter({ ...ada, password: 'the wrong password' })
      await visitor.seesErrorAt('Password', /is wrong/)
      await visitor.enter(ada)
      await visitor.page.waitForURL('**/account')
    })
    assert.deepEqual(challenges.accepted, ['login', 'login'])
  })

  it('a refused token is replaced once by itself', async () => {
    challenges.badTokens = 1
    await visit(async (visitor) => {
      await visitor.goto('/forgot-password')
      await visitor.fill('Email address', ada.email)
      await visitor.press('Send me a link')
      await visitor.seesHeading('Check your inbox')
    })
    challenges.badTokens = 2
    await visit(async (visitor) => {
      await visitor.goto('/forgot-password')
      await visitor.fill('Email address', ada.email)
      await visitor.press('Send me a link')
      await visitor.sees('The check that you are human did not work. Please try again.')
      await visitor.press('Send me a link')
      await visitor.seesHeading('Check your inbox')
    })
    assert.deepEqual(challenges.accepted, ['password_reset', 'password_reset'])
    assert.equal(challenges.refused, 3)
  })

  it('says so when the challenge cannot be loaded, and works once it can', async () => {
    challenges.isBlocked = true
    await visit(async (visitor) => {
      await visitor.goto('/forgot-password')
      await visitor.fill('Email address', ada.email)
      await visitor.press('Send me a link')
      await visitor.sees('We could not check that you are human.')
      challenges.isBlocked = false
      await visitor.press('Send me a link')
      await visitor.seesHeading('Check your inbox')
    })
  })

  for (const [width, locale, label, heading] of [
    [320, 'en', 'Email address', 'Check your inbox'],
    [1280, 'de', 'E-Mail-Adresse', 'Prüfen Sie Ihren Posteingang'],
  ] as const) {
    it(`is accessible, fits a screen of ${width} px and works with the keyboard in ${locale}`, async () => {
      challenges.isInteractive = true
      await visit(
        async (visitor) => {
          const { page } = visitor
          await visitor.goto('/forgot-password')
          const button = page.frameLocator('iframe').getByRole('button', { name: 'I am human' })
          await button.waitFor()
          await assertNoSidewaysScroll(page)
          assert.deepEqual(await accessibilityFaults(page), [])
          // The frame tells the page in a message, which may arrive after the next key.
          const told = page.evaluate(`new Promise((resolve) => addEventListener('message', () => resolve()))`)
          await page.getByLabel(label).fill(ada.email)
          await tabTo(page, button)
          await page.keyboard.press('Enter')
          await told
          await tabTo(page, page.locator('form [type=submit]'))
          await page.keyboard.press('Enter')
          await page.getByRole('heading', { name: heading }).waitFor()
        },
        { viewport: { width, height: 800 }, locale },
      )
    })
  }

  it('its origin is in the policy of the pages with such a form, and of no other', async () => {
    const policyOf = async (path: string) =>
      (await fetch(server.origin + path)).headers.get('Content-Security-Policy') ?? ''
    const allowed = `script-src 'self' ${challenges.origin}; frame-src ${challenges.origin};`
    const rules = parseHeaderRules(await readFile(new URL('../../public/_headers', import.meta.url), 'utf8'))
    for (const path of guarded) {
      assert.equal(
        (await policyOf(path)).replace(allowed, "script-src 'self';"),
        headersFor(path, rules)['Content-Security-Policy'],
      )
      assert.ok((await policyOf(path)).includes(allowed), path)
    }
    for (const path of ['/activate', '/account', '/console', '/docs', '/favicon.svg', '/healthz', '/nope']) {
      assert.ok(!(await policyOf(path)).includes(challenges.origin), path)
    }
    for (const path of ['/activate', '/reset-password']) {
      assert.equal((await fetch(server.origin + path)).headers.get('Cache-Control'), 'no-store')
    }
  })
})

describe('without Turnstile', () => {
  it('no page and no policy names another origin', async () => {
    const dist = await mkdtemp(join(tmpdir(), 'postern-pages-'))
    try {
      await build(dist, {})
      const headers = await readFile(join(dist, '_headers'), 'utf8')
      assert.equal(headers, await readFile(new URL('../../public/_headers', import.meta.url), 'utf8'))
      await build(dist, { TURNSTILE_SITE_KEY: '0x4AAA-site' })
      assert.equal(
        (await readFile(join(dist, '_headers'), 'utf8')).match(/https:\/\/challenges\.cloudflare\.com/g)?.length,
        8,
      )
      await assert.rejects(
        build(dist, { TURNSTILE_SITE_KEY: '0x4AAA-site', TURNSTILE_SCRIPT_URL: 'https://evil.example/x.js' }),
      )
    } finally {
      await rm(dist, { recursive: true, force: true })
    }
  })
})
