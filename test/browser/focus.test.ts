/** Where the keyboard is after something that had the focus has gone, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Locator } from 'playwright-core'
import { focused } from './support/browser.ts'
import { admin, runService } from './support/running-service.ts'
import type { Visitor } from './support/visitor.ts'

/** The ways out of a dialog that change nothing. */
const waysOut: Record<string, (visitor: Visitor) => Promise<void>> = {
  Escape: ({ page }) => page.keyboard.press('Escape'),
  Cancel: (visitor) => visitor.confirm('Cancel'),
}

describe('the focus', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit, person } = service

  for (const [way, leave] of Object.entries(waysOut)) {
    it(`is back on the button that opened a dialog after ${way}`, async () => {
      const user = await person(`focus-${way.toLowerCase()}`)
      await visit(async (visitor) => {
        await visitor.signIn(admin, '/account?view=security')
        await visitor.button('Delete account…').waitFor()
        await leaves(visitor, ['Delete account…'], leave)
        await visitor.goto(`/console?email=${user.email}`)
        await visitor.link(user.email).click()
        await visitor.button('Suspend…').waitFor()
        const buttons = await visitor.page.locator('.acts button').allTextContents()
        assert.ok(buttons.length > 3)
        await leaves(visitor, buttons, leave)
      })
    })
  }

  it('stays in a dialog when the close event of the one before it comes late', async () => {
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/account?view=security')
      const button = visitor.button('Delete account…')
      const opens = async () => {
        await button.focus()
        await visitor.page.keyboard.press('Enter')
        await visitor.dialog.waitFor()
      }
      await button.waitFor()
      await opens()
      const first = await visitor.dialog.elementHandle()
      await visitor.confirm('Cancel')
      await visitor.dialog.waitFor({ state: 'detached' })
      await opens()
      await first?.evaluate((dialog) => dialog.dispatchEvent(new Event('close')))
      await visitor.page.evaluate(() => new Promise(requestAnimationFrame))
      assert.equal(await visitor.dialog.count(), 1)
    })
  })

  it('is never lost to a row, a button or a page that disappears', async () => {
    const who = await person('focus-rows')
    for (let n = 0; n < 3; n++) await service.server.signIn(who)
    await visit(async (visitor) => {
      const { page } = visitor
      const press = async (button: Locator) => {
        await button.focus()
        await page.keyboard.press('Enter')
        await button.waitFor({ state: 'detached' })
        return focused(page)
      }
      await visitor.signIn(who, '/account?view=security')
      const rows = page.locator('li', { has: page.getByRole('button', { name: /^Sign out node/ }) })
      await rows.nth(3).waitFor()
      // Marked, so that it is this row whose end is waited for.
      for (const [place, next] of [
        [1, /^button Sign out$/],
        [2, /^button Sign out/],
      ] as const) {
        await rows.nth(place).evaluate((row) => row.setAttribute('data-chosen', ''))
        assert.match(await press(page.locator('[data-chosen] button')), next)
      }
      assert.equal(await press(visitor.button('Sign out everywhere else')), 'button Sign out everywhere…')
    })
  })

  it('is near the button of an act that is done, or on the heading of the list when its page is gone', async () => {
    const who = await person('focus-acts')
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(admin, `/console?email=${who.email}`)
      await visitor.link(who.email).click()
      await visitor.press('Suspend…')
      await visitor.dialog.getByLabel('Reason').fill('spam')
      await page.keyboard.press('Enter')
      await visitor.button('Reinstate').waitFor()
      await visitor.button('Suspend…').waitFor({ state: 'detached' })
      assert.match(await focused(page), /^button (Reinstate|Change role…|Delete account…)$/)
      await visitor.press('Delete account…')
      await page.keyboard.press('Enter')
      await visitor.sees('The account has been deleted.')
      await visitor.sees('No users found.')
      assert.equal(await focused(page), 'h1 Users')
    })
  })

  it('stays on the button that turns the page, also on the last one', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await page.route(/[?&]limit=25/, (route) =>
        route.continue({ url: route.request().url().replace('limit=25', 'limit=2') }),
      )
      await visitor.signIn(admin, '/console?role=USER')
      for (let n = 2; (await visitor.button('Next').getAttribute('aria-disabled')) === 'false'; n++) {
        await visitor.button('Next').focus()
        await page.keyboard.press('Enter')
        await visitor.sees(`Page ${n}`)
        await page.locator('[aria-busy="false"]').waitFor()
        assert.equal(await focused(page), 'button Next')
      }
    })
  })
})

async function leaves(visitor: Visitor, buttons: string[], leave: (visitor: Visitor) => Promise<void>): Promise<void> {
  for (const name of buttons) {
    await visitor.button(name).focus()
    await visitor.page.keyboard.press('Enter')
    await visitor.dialog.waitFor()
    await leave(visitor)
    await visitor.dialog.waitFor({ state: 'detached' })
    assert.equal(await focused(visitor.page), `button ${name}`)
  }
}
