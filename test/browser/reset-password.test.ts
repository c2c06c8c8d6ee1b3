import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { focused } from './support/browser.ts'
import { openSite } from './support/open-site.ts'
import type { Answer } from './support/site.ts'

const token = 'eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIyIn0.c2lnbmF0dXJl-_'
const password = 'four unrelated words here'

function refusedField(problem: string, pointer: string, code: string, message: string): Answer {
  return { status: 422, body: { status: 422, code: problem, detail: 'No.', errors: [{ pointer, code, message }] } }
}

describe('/reset-password', () => {
  const { site, visit } = openSite()

  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true })
  const field = (page: Page) => page.getByLabel('New password', { exact: true })
  async function save(page: Page, content: string) {
    await field(page).fill(content)
    await page.getByRole('button', { name: 'Save new password' }).click()
  }
  async function follow(page: Page) {
    await page.goto(`/reset-password#token=${token}`)
    await heading(page, 'Set a new password').waitFor()
  }

  it('sets the new password with the link', async () => {
    site.willAnswer('/auth/password-reset/complete', { status: 204 })
    await visit(async (page) => {
      await follow(page)
      await save(page, password)
      await heading(page, 'Your new password is set').waitFor()
      assert.equal(await focused(page), 'h1 Your new password is set')
    })
    const body = { token, new_password: password }
    assert.deepEqual(site.calls, [{ path: '/auth/password-reset/complete', body, contentType: 'application/json' }])
  })

  it('says what is wrong with a password in words of its own, and the link goes on working', async () => {
    const advice = 'Add another word or two. <img src=x onerror=alert(1)>'
    site.willAnswer(
      '/auth/password-reset/complete',
      refusedField('weak_password', '/new_password', 'too_guessable', advice),
      refusedField('validation_failed', '/new_password', 'too_big', 'must have at most 128 characters'),
      { status: 204 },
    )
    await visit(async (page) => {
      await follow(page)
      await save(page, 'password1')
      await page.getByText('This password is too easy to guess. Make it longer or add more words.').waitFor()
      assert.equal(await page.getByText('Add another word').count(), 0)
      assert.equal(await focused(page), 'input New password')
      await page.getByRole('textbox', { name: 'New password', description: /too easy to guess/ }).waitFor()
      await save(page, 'x'.repeat(129))
      await page.getByText('This is too long.').waitFor()
      await save(page, password)
      await heading(page, 'Your new password is set').waitFor()
    })
    // Nothing cut off on the way.
    assert.deepEqual(site.calls[1]?.body, { token, new_password: 'x'.repeat(129) })
  })

  for (const [what, answer] of [
    ['used or expired', { status: 400, body: { status: 400, code: 'invalid_link' } }],
    ['cut short', refusedField('validation_failed', '/token', 'invalid_type', 'is not a token')],
  ] as const) {
    it(`offers a new mail when the link is ${what}`, async () => {
      site.willAnswer('/auth/password-reset/complete', answer)
      site.willAnswer('/auth/password-reset/request', {
        status: 202,
        body: { message: 'If so, a mail is on its way.' },
      })
      await visit(async (page) => {
        await follow(page)
        await save(page, password)
        await heading(page, 'This link no longer works').waitFor()
        await page.getByLabel('Email address').fill('ada@example.com')
        await page.keyboard.press('Enter')
        await page.getByText('If ada@example.com is the right address, you will receive an email').waitFor()
        await page.getByRole('button', { name: 'Wrong address?' }).click()
        assert.equal(await focused(page), 'input Email address')
        assert.equal(await page.getByLabel('Email address').inputValue(), 'ada@example.com')
        await page.getByRole('link', { name: 'Sign in' }).waitFor()
      })
      assert.deepEqual(site.calls.at(-1)?.body, { email: 'ada@example.com' })
    })
  }

  it('asks for the address when there is no link, and says what is wrong with it', async () => {
    site.willAnswer(
      '/auth/password-reset/request',
      refusedField('validation_failed', '/email', 'invalid_email', 'is no e-mail address'),
      { status: 202, body: { message: 'If there is an account, a mail is on its way.' } },
    )
    await visit(async (page) => {
      await page.goto('/reset-password')
      await heading(page, 'Forgot your password?').waitFor()
      assert.equal(await focused(page), 'input Email address')
      await page.keyboard.type('ada@example')
      await page.getByRole('button', { name: 'Send me a link' }).click()
      await page.getByRole('textbox', { name: 'Email address', description: /This is not an email address/ }).waitFor()
      await page.keyboard.type('ada@example.com')
      await page.keyboard.press('Enter')
      await page.getByText('you will receive an email').waitFor()
    })
  })

  it('does not ask the server about an empty password', async () => {
    await visit(async (page) => {
      await follow(page)
      await save(page, '')
      await page.getByText('Enter a new password.').waitFor()
    })
    assert.deepEqual(site.calls, [])
  })
})
