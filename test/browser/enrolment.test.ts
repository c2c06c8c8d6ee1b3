/** An account that must have a second factor and has none, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accessibilityFaults } from './support/accessibility.ts'
import { codeOf } from './support/authenticator-app.ts'
import { assertNoSidewaysScroll, focused } from './support/browser.ts'
import { type RunningService, ada, admin, runService } from './support/running-service.ts'
import { VirtualAuthenticator } from './support/virtual-authenticator.ts'

const why = 'Your account needs a second factor.'

async function mailedCode({ server }: RunningService, address: string): Promise<string> {
  return (await server.mailed(address, /\b(\d{4} ?\d{4})\b/)).replaceAll(' ', '')
}

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
      // The activation is long ago, so the service will need a code.
      await page.clock.install({ time: Date.now() + 660_000 })
      await visitor.goto('/sign-in')
      await visitor.enter(admin)
      await visitor.sees(why)
      await visitor.sees('You also need a code that we send to your email address.')
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
      await visitor.dialog.getByLabel('Code from the email').fill(await mailedCode(service, admin.email))
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

describe('where every account must have a second factor', { timeout: 300_000 }, () => {
  const service = runService({ SECOND_FACTOR: 'all' })
  const { visit } = service

  it('a new user adds one without a code: the link of the activation has shown the mailbox', async () => {
    const grace = { ...ada, email: 'grace@example.com' }
    const token = await service.server.register(grace)
    await visit(async (visitor) => {
      const { page } = visitor
      const asked: string[] = []
      page.on('request', (request) => asked.push(new URL(request.url()).pathname))
      await visitor.goto(`/activate#token=${token}`)
      await visitor.fill('Password', grace.password)
      await visitor.press('Activate account')
      await visitor.link('Continue').click()
      await visitor.sees(why)
      assert.equal(await page.getByText('You also need a code').count(), 0)
      const device = await VirtualAuthenticator.add(page)
      await visitor.press('Add a passkey…')
      assert.equal(await visitor.dialog.getByLabel('Code from the email').count(), 0)
      await visitor.confirm('Continue')
      await visitor.seesHeading('Save your recovery codes')
      assert.equal(await device.passkeys(), 1)
      assert.ok(!asked.includes('/users/me/factors/code'))
      assert.equal(asked.filter((path) => path === '/users/me/passkeys').length, 1)
    })
  })

  it('a new user in another session is asked for the code when the service wants it', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.goto('/sign-in')
      await visitor.enter(ada)
      await visitor.sees(why)
      await visitor.press('Set up…')
      const key = (await visitor.dialog.locator('.key code').textContent())!.replaceAll(' ', '')
      const code = codeOf(key)
      await visitor.dialog.getByLabel('Code from your authenticator app').fill(code)
      await visitor.confirm('Confirm')
      await visitor.seesErrorAt('Code from the email', /Enter the code from the email/)
      assert.equal(await focused(page), 'input Code from the email')
      assert.equal(await visitor.dialog.getByLabel('Code from your authenticator app').inputValue(), code)
      await page.setViewportSize({ width: 320, height: 800 })
      await assertNoSidewaysScroll(page)
      assert.deepEqual(await accessibilityFaults(page), [])
      await visitor.confirm('Send me a code')
      await visitor.dialog.getByLabel('Code from the email').fill(await mailedCode(service, ada.email))
      await visitor.confirm('Confirm')
      await visitor.seesHeading('Save your recovery codes')
    })
  })
})
