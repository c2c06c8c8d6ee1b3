/** Where a browser really ends up after every spelling of `?return_to=`, and that it survives the emails on the way. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { otherPassword } from '../support/passwords.ts'
import { spellingsAgainst } from '../support/spellings.ts'
import { ada, runService } from './support/running-service.ts'

describe('return_to', { timeout: 600_000 }, () => {
  const service = runService()
  const { visit } = service

  it('leads a visitor who is signed in nowhere but to this origin, in any spelling', async () => {
    await visit(async ({ page }, context) => {
      const { origin } = service.server
      const asked: string[] = []
      await context.route(
        (url) => url.origin !== origin,
        (route) => (asked.push(route.request().url()), route.abort()),
      )
      await page.goto('/sign-in')
      await page.getByLabel('Email address').fill(ada.email)
      await page.getByLabel('Password', { exact: true }).fill(ada.password)
      await page.keyboard.press('Enter')
      await page.waitForURL('**/account')
      for (const spelling of spellingsAgainst(origin)) {
        await page.goto(`/sign-in?return_to=${encodeURIComponent(spelling)}`)
        await page.waitForURL((url) => url.pathname !== '/sign-in', { waitUntil: 'commit' })
        assert.ok(page.url().startsWith(`${origin}/`), `${JSON.stringify(spelling)} led to ${page.url()}`)
      }
      assert.deepEqual(asked, [])
    })
  })

  it('survives the sign-up, another link and the activation', async () => {
    const grace = { email: 'grace@example.com', password: ada.password }
    await visit(async (visitor) => {
      await visitor.page.clock.install()
      await visitor.goto('/sign-in?return_to=/account%3Fwelcome')
      await visitor.link('Create an account').click()
      await visitor.fill('Email address', grace.email)
      await visitor.fill('New password', grace.password)
      await visitor.press('Create account')
      const first = await service.server.mailedToken(grace.email)
      await visitor.page.clock.fastForward(60_000)
      await visitor.press('Send the email again')
      await visitor.sees('Another email is on its way.')
      const second = await service.server.mailedToken(grace.email, first)

      // In another browser, which knows nothing but the link.
      await visit(async (elsewhere) => {
        await elsewhere.goto(`/activate#token=${second}`)
        assert.doesNotMatch(elsewhere.page.url(), /token/)
        await elsewhere.fill('Password', grace.password)
        await elsewhere.press('Activate account')
        await elsewhere.link('Continue').click()
        await elsewhere.page.waitForURL((url) => url.pathname + url.search === '/account?welcome')
      })
    })
  })

  it('survives a forgotten password', async () => {
    const bob = await service.person('bob')
    const activation = await service.server.mailedToken(bob.email)
    await visit(async (visitor) => {
      await visitor.goto('/sign-in?return_to=/account%3Fback')
      await visitor.link('Forgot your password?').click()
      await visitor.fill('Email address', bob.email)
      await visitor.press('Send me a link')
      await visitor.seesHeading('Check your inbox')
    })
    await visit(async (visitor) => {
      await visitor.goto(`/reset-password#token=${await service.server.mailedToken(bob.email, activation)}`)
      await visitor.fill('New password', otherPassword)
      await visitor.press('Save new password')
      await visitor.link('Sign in').click()
      await visitor.enter({ ...bob, password: otherPassword })
      await visitor.page.waitForURL((url) => url.pathname + url.search === '/account?back')
    })
  })

  it('of a link that somebody else made up is checked like any other', async () => {
    const payload = Buffer.from(JSON.stringify({ return_to: 'https://evil.example/' })).toString('base64url')
    await visit(async (visitor) => {
      await visitor.goto(`/reset-password#token=e30.${payload}.x`)
      await visitor.fill('New password', otherPassword)
      await visitor.press('Save new password')
      await visitor.seesHeading('This link no longer works')
      await visitor.goto(`/sign-in${new URL(visitor.page.url()).search}`)
      await visitor.enter(ada)
      await visitor.page.waitForURL('**/account')
    })
  })
})
