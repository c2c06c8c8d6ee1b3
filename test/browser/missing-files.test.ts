/** An old page after a new deployment, whose files it no longer finds. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { pages } from '../../web/build/pages.ts'
import { goodPassword } from '../support/passwords.ts'
import { accessibilityFaults } from './support/accessibility.ts'
import { openSite } from './support/open-site.ts'

const opened = openSite()
const { site } = opened

async function visit(tour: (page: Page) => Promise<void>, locale = 'en'): Promise<void> {
  const page = await opened.browser.newPage({ baseURL: site.origin, locale })
  page.setDefaultTimeout(10_000)
  try {
    await tour(page)
  } finally {
    await page.close()
  }
}

const loads = (path: string) => site.requestLines.filter((line) => line.startsWith(`GET ${path} `)).length

const cases: { path: string; what: string; missing: RegExp; locale?: string }[] = [
  ...Object.keys(pages).map((path) => ({
    path: `/${path}`,
    what: 'script',
    missing: new RegExp(`/pages/${path}-.*js$`),
  })),
  { path: '/sign-in', what: 'shared script', missing: /\/pages\/(?!sign-in).*js$/ },
  { path: '/sign-in', what: 'style sheet', missing: /\/pages\/.*css$/ },
  { path: '/sign-in', what: 'language', missing: /\/pages\/de-.*js$/, locale: 'de' },
  { path: '/console', what: 'language', missing: /\/pages\/de2?-.*js$/, locale: 'de' },
  { path: '/docs', what: 'script', missing: /\/pages\/docs-.*js$/ },
  { path: '/docs', what: 'frame', missing: /\/pages\/docs-viewer.*js$/ },
  { path: '/docs', what: 'viewer', missing: /\/pages\/swagger.*js$/ },
]

for (const { path, what, missing, locale = 'en' } of cases) {
  describe(path, () => {
    it(`says that its ${what} is missing, and offers to load again, but does not do so by itself`, async () => {
      await visit(async (page) => {
        site.missing = missing
        await page.goto(path)
        const button = page.getByRole('button', { name: locale === 'de' ? 'Neu laden' : 'Load again' }).first()
        await button.waitFor()
        assert.deepEqual(
          await accessibilityFaults(page, ['document-title', 'landmark-one-main', 'page-has-heading-one', 'region']),
          [],
        )
        assert.equal(loads(path), 1)
        site.missing = undefined
        await button.click()
        const whole =
          path === '/docs' ? page.frameLocator('#reference').locator('.swagger-ui') : page.locator('#app > *')
        await whole.first().waitFor()
        assert.equal(await page.locator('#lost').isVisible(), false)
      }, locale)
    })
  })
}

it('a form goes on without the strength check, and says that it is missing', async () => {
  await visit(async (page) => {
    site.missing = /\/pages\/strength-.*js$/
    await page.goto('/sign-up')
    await page.getByLabel('Email address').fill('ada@example.com')
    await page.getByLabel('New password', { exact: true }).fill(goodPassword)
    await page.getByText('The strength cannot be shown right now.').waitFor()
    await page.getByRole('button', { name: 'Load again' }).waitFor()
    site.willAnswer('/auth/register', { status: 202, body: { message: 'x' } })
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByRole('heading', { name: 'Check your inbox' }).waitFor()
  })
})
