/** The address of the console says what is shown, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { admin, runService } from './support/running-service.ts'
import type { Visitor } from './support/visitor.ts'

/** Makes pages of one row, so that a few accounts fill several. */
async function showOneRowAPage(page: Page): Promise<void> {
  await page.route(/[?&]limit=25/, (route) =>
    route.continue({ url: route.request().url().replace('limit=25', 'limit=1') }),
  )
}

const rowOf = ({ page }: Visitor) => page.locator('tbody tr').first().innerText()

describe('the address of the console', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit } = service

  for (const view of ['/console', '/console?view=audit', '/console?view=emails']) {
    it(`says which page of ${view} is shown, after reloading, going back and following a link`, async () => {
      await visit(async (visitor, context) => {
        const { page } = visitor
        await showOneRowAPage(page)
        await visitor.signIn(admin, view)
        await visitor.sees('Page 1')
        const first = await rowOf(visitor)
        assert.equal(await visitor.button('Previous').getAttribute('aria-disabled'), 'true')
        await visitor.press('Next')
        await visitor.sees('Page 2')
        await page.reload()
        await visitor.sees('Page 2')
        await page.waitForFunction((row) => document.querySelector('tbody tr')!.textContent !== row, first)
        assert.notEqual(await rowOf(visitor), first)
        const second = page.url()
        if (view !== '/console') {
          await visitor.press('Next')
          await visitor.sees('Page 3')
          await page.reload()
          await visitor.press('Previous')
          await visitor.sees('Page 2')
          assert.equal(page.url(), second)
        }
        await visitor.press('Previous')
        await visitor.sees('Page 1')
        await page.goBack()
        await visitor.sees('Page 2')
        await page.goForward()
        await visitor.sees('Page 1')

        const other = await context.newPage()
        await showOneRowAPage(other)
        await other.goto(second)
        await other.getByText('Page 2').waitFor()
        await other.getByRole('button', { name: 'First page' }).click()
        await other.getByText('Page 1').waitFor()
      })
    })
  }

  it('brings back the page of the list behind the page of a user', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await showOneRowAPage(page)
      await visitor.signIn(admin, '/console')
      await visitor.press('Next')
      await visitor.sees('Page 2')
      for (const back of [() => page.goBack(), () => visitor.link('All users').click()]) {
        await page.locator('tbody a').first().click()
        await visitor.seesHeading('Sessions')
        await back()
        await visitor.sees('Page 2')
      }
    })
  })

  const filters = [
    { view: '/console?', name: 'role', label: 'Role', value: 'ADMIN' },
    { view: '/console?', name: 'status', label: 'Status', value: 'pending' },
    { view: '/console?view=audit&', name: 'type', label: 'Event', value: 'user.activated' },
    { view: '/console?view=emails&', name: 'status', label: 'Status', value: 'failed' },
  ]
  for (const { view, name, label, value } of filters) {
    it(`holds the filter ${name} of ${view}, and no value that it cannot have`, async () => {
      await visit(async (visitor) => {
        const { page } = visitor
        await visitor.signIn(admin, `${view}${name}=toString`)
        const field = page.getByLabel(label, { exact: true })
        await field.waitFor()
        await page.waitForFunction(() => !location.search.includes('toString'))
        await field.selectOption(value)
        await page.waitForURL((url) => url.searchParams.get(name) === value)
        await page.reload()
        await field.waitFor()
        assert.equal(await field.inputValue(), value)
        await page.goBack()
        await page.waitForURL((url) => !url.searchParams.has(name))
        assert.equal(await field.inputValue(), '')
      })
    })
  }

  for (const view of ['audit', 'emails']) {
    it(`shows no rows in ${view} for a user ID that is none`, async () => {
      await visit(async (visitor) => {
        const { page } = visitor
        await visitor.signIn(admin, `/console?view=${view}`)
        await page.getByRole('table').waitFor()
        for (const wrong of [admin.email, '../..', '01a22cbc']) {
          await visitor.fill('User ID', wrong)
          await page.keyboard.press('Enter')
          await visitor.seesErrorAt('User ID', /This is not a user ID/)
          assert.equal(await page.getByRole('table').count(), 0)
        }
        await visitor.fill('User ID', '01A22CBC-1837-72F3-8CC8-941772FE788E')
        await page.keyboard.press('Enter')
        await visitor.sees('No entries.')
      })
    })
  }

  it('leads to the first page when the place in it is of another list', async () => {
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?list_cursor=AAAA&list_page=7')
      await visitor.link(admin.email).waitFor()
      assert.equal(new URL(visitor.page.url()).search, '')
    })
  })

  it('names no view that there is not', async () => {
    await visit(async (visitor) => {
      for (const view of ['/console?view=toString', '/console?view=nope']) {
        await visitor.goto('/robots.txt')
        if (view.endsWith('nope')) await visitor.goto(view)
        else await visitor.signIn(admin, view)
        await visitor.link(admin.email).waitFor()
      }
    })
  })
})
