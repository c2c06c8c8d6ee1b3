/** An account that must have a second factor and has none, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accessibilityFaults } from './support/accessibility.ts'
import { codeOf } from './support/authenticator-app.ts'
import { assertNoSidewaysScroll } from './support/browser.ts'
import { ada, admin, runService } from './support/running-service.ts'

const why = 'Your account needs a second factor.'

describe('an account that must have a second factor', { timeout: 300_000 }, () => {
  const service = runService({ SECOND_FACTOR: 'staff' })
  const { visit } = service

  it('is led to Security from everywhere, and told why', async () => {
    await visit(async (visitor) => {
      const refused: string[] = []
      visitor.page.on('request', (request) => {
        const { pathname } = new URL(request.url())
        if (pathname === '/users/me/activity') refused.push(pathname)
      })
      await visitor.goto('/sign-in')
      await visitor.enter(admin)
      await visitor.sees(why)
      for (const path of ['/account', '/account?view=activity', '/console']) {
        await visitor.goto(path)
        await visitor.page.waitForURL('**/account?view=security')
        await visitor.sees(why)
      }
      assert.equal(await visitor.link('Activity').count(), 0)
      assert.deepEqual(refused, [])
      assert.deepEqual(await accessibilityFaults(visitor.page), [])
      await visitor.page.setViewportSize({ width: 320, height: 800 })
      await assertNoSidewaysScroll(visitor.page)
    })
  })

  it('adds one with a code from an email, and can do everything again', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.goto('/sign-in')
      await visitor.enter(admin)
      await visitor.sees(why)
      await visitor.press('Set up…')
      const key = (await visitor.dialog.locator('.key code').textContent())!.replaceAll(' ', '')
      await visitor.confirm('Confirm')
      await visitor.dialog.getByText('Enter the code from the email.').waitFor()
      await visitor.confirm('Send me a code')
      await visitor.dialog.getByText('We sent a code to your email address.').waitFor()
      await visitor.dialog.getByLabel('Code from your authenticator app').fill(codeOf(key))
      await visitor.dialog.getByLabel('Code from the email').fill('00000000')
      await visitor.confirm('Confirm')
      await visitor.dialog.getByText('The code from the email is wrong or has expired.').waitFor()
      await visitor.dialog
        .getByLabel('Code from the email')
        .fill((await service.server.mailed(admin.email, /\b(\d{4} ?\d{4})\b/)).replaceAll(' ', ''))
      await visitor.confirm('Confirm')
      await visitor.seesHeading('Save your recovery codes')
      await visitor.confirm('I have saved them')
      await page.getByText(why).waitFor({ state: 'detached' })
      await visitor.link('Activity').click()
      await visitor.sees('A second factor was added')
      await visitor.goto('/console')
      await visitor.link(ada.email).waitFor()
    })
  })
})
