/** What holds for every page that a mail links to. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { assertNoSidewaysScroll, focused } from './support/browser.ts'
import { openSite } from './support/open-site.ts'
import type { Answer } from './support/site.ts'

const token = 'eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIzIn0.c2lnbmF0dXJl-_'

const tokens = {
  access_token: 'at',
  token_type: 'Bearer',
  expires_in: 600,
  user: { id: 'x', email: 'ada@example.com' },
}

const pages = [
  {
    path: '/activate',
    call: '/auth/activate',
    label: 'Password',
    autocomplete: 'current-password',
    button: 'Activate account',
    done: 'Your account is active',
  },
  {
    path: '/reset-password',
    call: '/auth/password-reset/complete',
    label: 'New password',
    autocomplete: 'new-password',
    button: 'Save new password',
    done: 'Your new password is set',
  },
] as const

const { site, visit } = openSite()

for (const { path, call, label, autocomplete, button, done } of pages) {
  const field = (page: Page) => page.getByLabel(label, { exact: true })
  const submit = (page: Page) => page.getByRole('button', { name: button }).click()
  const follow = (page: Page) => page.goto(`${path}#token=${token}`)

  describe(path, () => {
    it('takes the token out of the address bar and the history, and sends it in the body alone', async () => {
      site.willAnswer(call, { status: 503, body: {} })
      await visit(async (page) => {
        await follow(page)
        await field(page).fill('a password')
        assert.equal(page.url(), `${site.origin}${path}`)
        await submit(page)
        await page.getByRole('alert').filter({ hasText: 'nothing was changed' }).waitFor()
        await page.goto('/robots.txt')
        await page.goBack()
        await page.getByRole('heading', { level: 1 }).waitFor()
        assert.equal(page.url(), `${site.origin}${path}`)
        assert.ok(!(await page.content()).includes(token))
      })
      assert.deepEqual(
        site.calls.map(({ body }) => (body as { token: string }).token),
        [token],
      )
      for (const line of site.requestLines) assert.ok(!line.includes(token), line)
    })

    const failures: [what: string, answer: Answer, words: string | RegExp][] = [
      ['a limit', { status: 429, body: {}, headers: { 'Retry-After': '40' } }, 'Please wait 40 seconds'],
      ['a long limit', { status: 429, body: {}, headers: { 'Retry-After': '600' } }, 'Please wait 10 minutes'],
      ['a limit without a time', { status: 429 }, 'Please wait a moment'],
      ['an unavailable service', { status: 503, body: {} }, 'nothing was changed'],
      [
        'an error',
        { status: 500, body: { code: 'internal_error' }, headers: { 'X-Request-Id': 'req-7' } },
        /on our side.*reference: req-7/,
      ],
      ['an answer that is not ours', { status: 502 }, 'Something went wrong on our side'],
      [
        'another refusal',
        { status: 403, body: { code: 'account_suspended', detail: 'Of the service.' } },
        'This account is suspended.',
      ],
      ['no answer', null, 'We could not reach the server.'],
    ]
    it('explains every failure, keeps what was typed, and works at the next try', async () => {
      await visit(async (page) => {
        await follow(page)
        await field(page).fill('a password')
        for (const [what, answer, words] of failures) {
          site.willAnswer(call, answer)
          await submit(page)
          await page.getByRole('alert').filter({ hasText: words }).waitFor()
          assert.equal(await field(page).inputValue(), 'a password', what)
          assert.equal(await focused(page), `button ${button}`, what)
        }
        site.willAnswer(call, path === '/activate' ? { status: 200, body: tokens } : { status: 204 })
        await submit(page)
        await page.getByRole('heading', { level: 1, name: done }).waitFor()
      })
    })

    it('works with the keyboard alone', async () => {
      site.willAnswer(call, { status: 503, body: {} })
      await visit(async (page) => {
        await follow(page)
        await page.getByRole('heading', { level: 1 }).waitFor()
        // The page that asks for the password of an account begins in its field, like that for a sign-in.
        if (path === '/activate') await page.locator('input:focus').waitFor()
        else {
          await page.keyboard.press('Tab')
          assert.equal(await focused(page), 'a Skip to content')
          await page.keyboard.press('Tab')
          await page.keyboard.press('Tab')
        }
        assert.equal(await focused(page), `input ${label}`)
        await page.keyboard.type('a password')
        await page.keyboard.press('Tab')
        assert.equal(await focused(page), 'button Show password')
        await page.keyboard.press('Space')
        assert.equal(await focused(page), 'button Hide password')
        assert.equal(await field(page).getAttribute('type'), 'text')
        await page.keyboard.press('Tab')
        if (path === '/activate') {
          assert.equal(await focused(page), 'a Forgot your password? Set a new one')
          await page.keyboard.press('Tab')
        }
        assert.equal(await focused(page), `button ${button}`)
        await page.keyboard.press('Enter')
        await page.getByRole('alert').filter({ hasText: 'nothing was changed' }).waitFor()
        // Hidden again before it was sent, so that the browser offers to remember it.
        assert.equal(await field(page).getAttribute('type'), 'password')
      })
    })

    it('suits password managers', async () => {
      await visit(async (page) => {
        await follow(page)
        assert.equal(await field(page).getAttribute('autocomplete'), autocomplete)
        assert.equal(await field(page).getAttribute('maxlength'), null)
        await page.goto(path)
        await page.reload()
        assert.equal(await page.getByLabel('Email address').getAttribute('autocomplete'), 'email')
      })
    })

    it('hides the password until it is asked to show it, and lets it be pasted', async () => {
      await visit(async (page) => {
        await follow(page)
        assert.equal(await field(page).getAttribute('type'), 'password')
        // False when somebody prevented it.
        const isLeftAlone = await field(page).evaluate((input) =>
          input.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true })),
        )
        assert.ok(isLeftAlone)
        assert.equal(await field(page).getAttribute('onpaste'), null)
        await page.getByRole('button', { name: 'Show password' }).click()
        assert.equal(await field(page).getAttribute('type'), 'text')
      })
    })

    it('starts over when another link is opened in the same tab', async () => {
      site.willAnswer(call, { status: 503, body: {} })
      await visit(async (page) => {
        await page.goto(path)
        await page.getByLabel('Email address').waitFor()
        await follow(page)
        await field(page).fill('a password')
        assert.equal(page.url(), `${site.origin}${path}`)
        await submit(page)
        await page.getByRole('alert').filter({ hasText: 'nothing was changed' }).waitFor()
      })
      assert.partialDeepStrictEqual(site.calls[0]?.body, { token })
    })

    it('fits a screen of 320 px, and moves nothing while it loads', async () => {
      const viewport = { width: 320, height: 568 }
      await visit(
        async (page) => {
          for (const address of [`${path}#token=${token}`, path]) {
            await page.goto('/robots.txt')
            await page.goto(address)
            await page.getByRole('heading', { level: 1 }).waitFor()
            await assertNoSidewaysScroll(page)
            assert.equal(await page.evaluate(layoutShift), 0)
          }
        },
        { viewport },
      )
    })

    it('says so when there is no JavaScript', async () => {
      const options = { javaScriptEnabled: false }
      await visit(async (page) => {
        await follow(page)
        // Locators pass over noscript, which is a rendered element here.
        assert.match(await page.locator('body').innerText(), /^\s*This page needs JavaScript/)
        assert.equal(await page.getByRole('button').count(), 0)
      }, options)
    })
  })
}

/** In the page: how far things moved by themselves since it was opened. */
function layoutShift(): Promise<number> {
  return new Promise((resolve) => {
    let sum = 0
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) sum += (entry as PerformanceEntry & { value: number }).value
    }).observe({ type: 'layout-shift', buffered: true })
    setTimeout(() => resolve(sum), 200)
  })
}
