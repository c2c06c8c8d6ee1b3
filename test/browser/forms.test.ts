/** What holds for every form: a submission is one request, and a refusal is a text of the page that goes with its cause. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { fieldErrorCodes } from '../../src/errors.ts'
import { problems } from '../../src/problems.ts'
import { goodPassword } from '../support/passwords.ts'
import { focused } from './support/browser.ts'
import { openSite } from './support/open-site.ts'

const { site, visit } = openSite()

const serverText = 'TEXT OF THE SERVER'
const token = 'e30.e30.x'

const forms = [
  { path: '/sign-in', call: '/auth/login', fill: ['Email address', 'Password'], done: undefined },
  { path: '/sign-up', call: '/auth/register', fill: ['Email address', 'New password'], done: 'Check your inbox' },
  { path: '/forgot-password', call: '/auth/password-reset/request', fill: ['Email address'], done: 'Check your inbox' },
  { path: '/activate', call: '/auth/resend-activation', fill: ['Email address'], done: 'Check your inbox' },
  { path: `/activate#token=${token}`, call: '/auth/activate', fill: ['Password'], done: 'Your account is active' },
  {
    path: `/reset-password#token=${token}`,
    call: '/auth/password-reset/complete',
    fill: ['New password'],
    done: 'Your new password is set',
  },
]

async function fill(page: Page, labels: string[]): Promise<void> {
  for (const label of labels) {
    await page.getByLabel(label, { exact: true }).fill(label === 'Email address' ? 'ada@example.com' : goodPassword)
  }
}

/** Ways to submit twice before anything is drawn again. */
const twice: Record<string, (page: Page) => Promise<void>> = {
  'two submits in one task': (page) =>
    page.evaluate(() => {
      const form = document.querySelector('form')!
      form.requestSubmit()
      form.requestSubmit()
    }),
  'Enter and a click in one task': (page) =>
    page.evaluate(() => {
      const form = document.querySelector('form')!
      form.requestSubmit()
      form.querySelector<HTMLButtonElement>('button[type=submit]')!.click()
    }),
  'a double click': (page) => page.locator('button[type=submit]').dblclick(),
}

for (const { path, call, fill: labels, done } of forms) {
  describe(path, () => {
    for (const [way, submit] of Object.entries(twice)) {
      it(`makes one request of ${way}`, async () => {
        await visit(async (page) => {
          const body = { user: { id: 'x', email: 'ada@example.com' }, access_token: 'x.y.z', expires_in: 600 }
          site.willAnswer(call, { status: 200, body, delayMs: 200 }, { status: 200, body, delayMs: 200 })
          await page.goto(path)
          await fill(page, labels)
          await submit(page)
          if (done !== undefined) await page.getByRole('heading', { name: done }).waitFor()
          else await page.waitForURL((url) => url.pathname !== path)
        })
        assert.equal(site.calls.filter((made) => made.path === call).length, 1)
      })
    }
  })
}

for (const [locale, label, button] of [
  ['en', 'Email address', 'Send me a link'],
  ['de', 'E-Mail-Adresse', 'Link anfordern'],
] as const) {
  it(`no text of the service reaches a page in ${locale}`, async () => {
    await visit(
      async (page) => {
        await page.goto('/forgot-password')
        const alert = page.getByRole('alert')
        const refusedWith = async (status: number, body: object) => {
          site.willAnswer('/auth/password-reset/request', { status, body })
          await page.getByLabel(label).fill('ada@example.com')
          await page.getByRole('button', { name: button }).click()
        }
        const seen = new Set<string>()
        for (const [code, { status }] of [...Object.entries(problems), ['not_yet_known', { status: 409 }] as const]) {
          await refusedWith(status, { code, title: serverText, detail: serverText })
          await alert.filter({ hasText: /\S/ }).waitFor()
          const text = await page.locator('body').innerText()
          assert.doesNotMatch(text, new RegExp(`${serverText}|undefined|${code}`), code)
          seen.add(await alert.innerText())
        }
        assert.ok(seen.size > 10, [...seen].join('\n'))
        for (const code of [...fieldErrorCodes, 'not_yet_known', 'constructor']) {
          const errors = [1, 2].map(() => ({ pointer: '/email', code, message: serverText }))
          await refusedWith(422, { code: 'validation_failed', detail: serverText, errors })
          const field = page.locator('[aria-invalid=true]')
          await field.waitFor()
          const [, id = ''] = (await field.getAttribute('aria-describedby'))?.match(/(\S+-error)/) ?? []
          const said = await page.locator(`[id="${id}"]`).innerText()
          assert.match(said, /^\p{Lu}.+\.$/u, code)
          const text = await page.locator('body').innerText()
          assert.equal(text.split(said).length - 1, 1, `${code} is said once`)
          assert.doesNotMatch(text, new RegExp(`${serverText}|undefined|not_yet_known`), code)
        }
      },
      { locale },
    )
  })
}

it('a refusal goes when its field changes, and the others stay', async () => {
  await visit(async (page) => {
    await page.goto('/sign-up')
    await fill(page, ['Email address', 'New password'])
    await page.getByText('This is a strong password.').waitFor()
    site.willAnswer('/auth/register', {
      status: 422,
      body: {
        code: 'weak_password',
        errors: [
          { pointer: '/email', code: 'invalid_email', message: serverText },
          { pointer: '/password', code: 'too_guessable', message: serverText },
        ],
      },
    })
    await page.getByRole('button', { name: 'Create account' }).click()
    const guessable = page.getByText('This password is too easy to guess.')
    await guessable.waitFor()
    // Beside the refusal no other verdict about the same value.
    assert.equal(await page.getByText('This is a strong password.').count(), 0)
    await page.getByLabel('New password', { exact: true }).press('End')
    await page.getByLabel('New password', { exact: true }).pressSequentially('!')
    await guessable.waitFor({ state: 'hidden' })
    await page.getByText('This is a strong password.').waitFor()
    assert.equal(await focused(page), 'input New password')
    const address = page.getByText('This is not an email address.')
    assert.equal(await address.count(), 1)
    await page.getByLabel('Email address').fill('ada@example.org')
    await address.waitFor({ state: 'hidden' })
    assert.equal(await page.locator('[aria-invalid=true]').count(), 0)
  })
})
