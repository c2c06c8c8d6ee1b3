import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { focused } from './support/browser.ts'
import { openSite } from './support/open-site.ts'

const token = 'eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl-_'
const password = 'correct horse "battery" ü\\ staple'
const tokens = {
  access_token: 'at',
  token_type: 'Bearer',
  expires_in: 600,
  refresh_expires_in: 2_592_000,
  user: { id: '01a2048f-08e0-7a41-9c55-2f8d6e01b7aa', email: 'ada@example.com' },
}
const badPassword = { status: 401, body: { status: 401, code: 'invalid_credentials', detail: 'Wrong.' } }
const badLink = { status: 400, body: { status: 400, code: 'invalid_link', detail: 'Used.' } }

describe('/activate', () => {
  const { site, visit } = openSite()

  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true })
  const field = (page: Page) => page.getByLabel('Password', { exact: true })
  const submit = (page: Page) => page.getByRole('button', { name: 'Activate account' }).click()
  async function follow(page: Page) {
    await page.goto(`/activate#token=${token}`)
    await heading(page, 'Activate your account').waitFor()
  }
  const activations = () => site.calls.filter(({ path }) => path === '/auth/activate').map(({ body }) => body)

  it('activates with the link and the password, and signs in with the cookie', async () => {
    site.willAnswer('/auth/activate', { status: 200, body: tokens })
    await visit(async (page) => {
      await follow(page)
      await field(page).fill(password)
      await submit(page)
      await heading(page, 'Your account is active').waitFor()
      assert.equal(await page.title(), 'Your account is active · Postern')
      assert.equal(await focused(page), 'h1 Your account is active')
    })
    const contentType = 'application/json'
    assert.deepEqual(site.calls, [
      { path: '/auth/activate', body: { token, password, transport: 'cookie' }, contentType },
    ])
  })

  it('says beside the field that the password is wrong, and the link stays valid', async () => {
    site.willAnswer('/auth/activate', badPassword, { status: 200, body: tokens })
    await visit(async (page) => {
      await follow(page)
      await field(page).fill('wrong')
      await submit(page)
      await page.getByText('This is not the password that you signed up with.').waitFor()
      assert.equal(await focused(page), 'input Password')
      assert.equal(await field(page).getAttribute('aria-invalid'), 'true')
      await page.getByRole('textbox', { name: 'Password', description: /Your link still works/ }).waitFor()
      await page.getByRole('link', { name: 'Forgot your password? Set a new one' }).waitFor()

      // The field is selected: typing replaces the wrong one.
      await page.keyboard.type(password)
      await page.keyboard.press('Enter')
      await heading(page, 'Your account is active').waitFor()
    })
    assert.deepEqual(activations(), [
      { token, password: 'wrong', transport: 'cookie' },
      { token, password, transport: 'cookie' },
    ])
  })

  it('leads to a password reset, without the token', async () => {
    await visit(async (page) => {
      await follow(page)
      await page.getByRole('link', { name: 'Forgot your password? Set a new one' }).click()
      await page.getByRole('button', { name: 'Send me a link' }).waitFor()
      assert.equal(page.url(), `${site.origin}/forgot-password`)
    })
  })

  it('offers a new email when the link is used or expired', async () => {
    site.willAnswer('/auth/activate', badLink)
    site.willAnswer('/auth/resend-activation', { status: 202, body: { message: 'If so, a mail is on its way.' } })
    await visit(async (page) => {
      await follow(page)
      await field(page).fill(password)
      await submit(page)
      await heading(page, 'This link no longer works').waitFor()
      assert.equal(await focused(page), 'h1 This link no longer works')
      assert.equal(await page.getByRole('link', { name: 'Sign in' }).getAttribute('href'), `${site.origin}/sign-in`)
      await page.getByLabel('Email address').fill('ada@example.com')
      await page.getByRole('button', { name: 'Send me a link' }).click()
      await heading(page, 'Check your inbox').waitFor()
      await page.getByText('If ada@example.com is the right address, you will receive an email').waitFor()
      assert.equal(await focused(page), 'h1 Check your inbox')
    })
    assert.deepEqual(site.calls.at(-1)?.body, { email: 'ada@example.com' })
  })

  it('takes the address along from the sign-in page, and out of the address bar', async () => {
    const pending = { status: 403, body: { status: 403, code: 'account_pending' } }
    site.willAnswer('/auth/login', pending)
    await visit(async (page) => {
      await page.goto('/sign-in')
      await page.getByLabel('Email address').fill('ada+x@example.com')
      await page.getByLabel('Password', { exact: true }).fill(password)
      await page.keyboard.press('Enter')
      await page.getByRole('link', { name: 'Send me a new link' }).click()
      await page.getByText('Open the link in the email').waitFor()
      assert.equal(await page.getByLabel('Email address').inputValue(), 'ada+x@example.com')
      assert.equal(await focused(page), 'input Email address')
      assert.equal(page.url(), `${site.origin}/activate`)
    })
    assert.doesNotMatch(site.requestLines.join(), /ada/)
  })

  it('offers a new email to a visitor without a link', async () => {
    await visit(async (page) => {
      await page.goto('/activate')
      await page.getByText('Open the link in the email').waitFor()
      assert.equal(await focused(page), 'input Email address')
      await page.getByRole('link', { name: 'Sign in' }).waitFor()
      await page.getByRole('button', { name: 'Send me a link' }).click()
      await page.getByRole('textbox', { name: 'Email address', description: /Enter your email address/ }).waitFor()
      assert.equal(await focused(page), 'input Email address')
    })
    assert.deepEqual(site.calls, [])
  })

  it('asks for a password before it calls anything', async () => {
    await visit(async (page) => {
      await follow(page)
      await submit(page)
      await page.getByText('Enter your password.').waitFor()
    })
    assert.deepEqual(site.calls, [])
  })

  it('sends once, however often the button is pressed, and says that it is at work', async () => {
    site.willAnswer('/auth/activate', { ...badPassword, delayMs: 400 })
    await visit(async (page) => {
      await follow(page)
      await field(page).fill('wrong')
      await submit(page)
      assert.equal(await page.getByRole('status').textContent(), 'Activating…')
      await page.keyboard.press('Enter')
      await page.keyboard.press('Enter')
      await page.getByText('This is not the password').waitFor()
      assert.equal(await page.getByRole('status').textContent(), '')
    })
    assert.equal(site.calls.length, 1)
  })
})
