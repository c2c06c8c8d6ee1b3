/** What comes after the form of the sign-up. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { mailBudget } from '../../src/config/policy.ts'
import { accessibilityFaults } from './support/accessibility.ts'
import { assertNoSidewaysScroll, focused } from './support/browser.ts'
import { openSite } from './support/open-site.ts'

const email = 'adaa@example.com'
const password = 'four unrelated words here'
const accepted = { status: 202, body: { message: 'x' } }

describe('after the sign-up the page', () => {
  const { site, visit } = openSite()

  const field = (page: Page, label: string) => page.getByLabel(label, { exact: true })
  const again = (page: Page) => page.getByRole('button', { name: 'Send the email again' })
  const resent = () => site.calls.filter(({ path }) => path === '/auth/resend-activation').map(({ body }) => body)

  async function signUp(page: Page, address = email): Promise<void> {
    site.willAnswer('/auth/register', accepted, accepted)
    await page.goto('/sign-up')
    await field(page, 'Email address').fill(address)
    await field(page, 'First name (optional)').fill('Ada')
    await field(page, 'Last name (optional)').fill('King')
    await field(page, 'New password').fill(password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Check your inbox' }).waitFor()
  }

  it('names the address, and leads back to everything that was typed but the password', async () => {
    await visit(async (page) => {
      await signUp(page)
      await page.getByText(`If ${email} is the right address, you will receive an email`).waitFor()
      await page.getByRole('button', { name: 'Wrong address?' }).click()
      assert.equal(await focused(page), 'input Email address')
      assert.equal(await field(page, 'Email address').inputValue(), email)
      assert.equal(await field(page, 'First name (optional)').inputValue(), 'Ada')
      assert.equal(await field(page, 'Last name (optional)').inputValue(), 'King')
      assert.equal(await field(page, 'New password').inputValue(), '')
      await field(page, 'Email address').fill('ada@example.com')
      await field(page, 'New password').fill(password)
      await page.keyboard.press('Enter')
      await page.getByText('If ada@example.com is the right address').waitFor()
    })
    const account = { email: 'ada@example.com', password, first_name: 'Ada', last_name: 'King', locale: 'en' }
    assert.deepEqual(site.calls.at(-1)?.body, account)
  })

  it('sends the email again after a minute, and says aloud only when that is', async () => {
    site.willAnswer('/auth/resend-activation', accepted)
    await visit(async (page) => {
      await page.clock.install()
      await signUp(page)
      await page.clock.pauseAt(new Date(Date.now() + 30_000))
      const status = page.getByRole('status')
      await again(page).click({ force: true })
      assert.equal(await again(page).getAttribute('aria-disabled'), 'true')
      await page
        .getByRole('button', { name: 'Send the email again', description: /^You can .* in \d+ seconds?\.$/ })
        .waitFor()
      assert.equal(await status.textContent(), '')
      assert.deepEqual(resent(), [])
      await page.clock.runFor(60_000)
      await status.filter({ hasText: 'You can ask for another email now.' }).waitFor()
      await again(page).click()
      await status.filter({ hasText: 'Another email is on its way.' }).waitFor()
      await page.getByText('in 60 seconds').waitFor()
      assert.equal(await focused(page), 'button Send the email again')
    })
    assert.deepEqual(resent(), [{ email }])
  })

  it('waits for an hour after as many emails as the service sends in one', async () => {
    site.willAnswer('/auth/resend-activation', accepted, accepted, accepted, accepted)
    await visit(async (page) => {
      await page.clock.install()
      await signUp(page)
      for (let sent = 1; sent < mailBudget.perHour; sent++) {
        await page.clock.runFor(61_000)
        await again(page).click()
        await page.getByText('Another email is on its way.').waitFor()
      }
      await page.getByText('in 56 minutes').waitFor()
    })
    assert.equal(resent().length, 4)
  })

  it('waits as long as the service says, and then works', async () => {
    const refused = { status: 429, body: { status: 429, code: 'rate_limited' }, headers: { 'Retry-After': '300' } }
    site.willAnswer('/auth/resend-activation', refused, accepted)
    await visit(async (page) => {
      await page.clock.install()
      await signUp(page)
      await page.clock.runFor(61_000)
      await again(page).click()
      await page.getByRole('alert').filter({ hasText: 'Please wait 5 minutes' }).waitFor()
      await page.getByText('You can ask for another email in 5 minutes.').waitFor()
      await page.clock.runFor(301_000)
      await again(page).click()
      await page.getByText('Another email is on its way.').waitFor()
      assert.equal(await page.getByRole('alert').textContent(), '')
    })
  })

  it('is accessible, and fits a screen of 320 px', async () => {
    const viewport = { width: 320, height: 568 }
    await visit(
      async (page) => {
        await signUp(page, `${'maximiliane'.repeat(5)}@verwaltung.example.com`)
        assert.deepEqual(await accessibilityFaults(page), [])
        await assertNoSidewaysScroll(page)
      },
      { viewport },
    )
  })
})
