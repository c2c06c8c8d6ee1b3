/** From the sign-up to the account, against the real development server and its mailbox. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { goodPassword } from '../support/passwords.ts'
import { focused } from './support/browser.ts'
import { ada, runService } from './support/running-service.ts'

describe('signing up and in', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit } = service

  it('leads from the sign-up by the mailed link to the account', async () => {
    const grace = { email: 'grace@example.com', password: goodPassword }
    await visit(async (visitor) => {
      await visitor.goto('/sign-up')
      await visitor.fill('Email address', grace.email)
      await visitor.fill('First name (optional)', 'Grace')
      await visitor.fill('New password', grace.password)
      await visitor.press('Create account')
      await visitor.seesHeading('Check your inbox')

      await visitor.goto(`/activate#token=${await service.server.mailedToken(grace.email)}`)
      await visitor.fill('Password', grace.password)
      await visitor.press('Activate account')
      await visitor.seesHeading('Your account is active')
      await visitor.link('Continue').click()
      await visitor.seesHeading('Profile')
      await visitor.link('Activity').click()
      await visitor.sees('Chrome on Linux')
      await visitor.sees('Your account was activated')
      await visitor.page.reload()
      await visitor.seesHeading('Account activity')
    })
  })

  it('judges a new password while it is typed, and says beside the field why it is refused', async () => {
    await visit(async (visitor) => {
      await visitor.goto('/sign-up')
      await visitor.fill('Email address', 'judged@example.com')
      await visitor.fill('New password', 'password1')
      await visitor.sees('This is a commonly used password.')
      await visitor.press('Create account')
      await visitor.seesErrorAt('New password', /too easy to guess/)
      await visitor.fill('New password', goodPassword)
      await visitor.sees('This is a strong password.')
    })
  })

  it('says beside the field what is missing or wrong', async () => {
    await visit(async (visitor) => {
      await visitor.goto('/sign-in')
      await visitor.press('Sign in')
      await visitor.sees('Enter your email address.')
      await visitor.enter({ ...ada, password: 'wrong wrong wrong' })
      await visitor.seesErrorAt('Password', /address or the password is wrong/)
      assert.equal(await focused(visitor.page), 'input Password')
      await visitor.enter(ada)
      await visitor.page.waitForURL('**/account')
    })
  })

  it('says beside the field that an address for the reset is malformed', async () => {
    await visit(async (visitor) => {
      await visitor.goto('/forgot-password')
      await visitor.press('Send me a link')
      await visitor.sees('Enter your email address.')
      await visitor.fill('Email address', 'nobody')
      await visitor.page.keyboard.press('Enter')
      await visitor.page.locator('[aria-invalid=true]').waitFor()
      await visitor.fill('Email address', ada.email)
      await visitor.page.keyboard.press('Enter')
      await visitor.seesHeading('Check your inbox')
    })
  })

  const foreign = [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    'https:evil.example',
    '%09//evil.example',
    'https://a@evil.example',
    'http://evil.example',
    '/sign-in',
    'data:text/html,x',
  ]
  for (const target of foreign) {
    it(`does not lead to ${target}`, async () => {
      await visit(async (visitor) => {
        await visitor.goto(`/sign-in?return_to=${encodeURIComponent(target)}`)
        await visitor.enter(ada)
        await visitor.page.waitForURL((url) => url.pathname !== '/sign-in')
        assert.equal(new URL(visitor.page.url()).origin, service.server.origin)
      })
    })
  }

  it('starts at the bare address', async () => {
    await visit(async (visitor) => {
      await visitor.goto('/')
      await visitor.page.waitForURL('**/sign-in?return_to=%2Faccount')
      await visitor.enter(ada)
      await visitor.seesHeading('Profile')
      await visitor.goto('/')
      await visitor.seesHeading('Profile')
    })
  })

  it('suits password managers and the keyboard', async () => {
    await visit(async (visitor) => {
      await visitor.goto('/sign-in')
      const { keyboard } = visitor.page
      assert.equal(await visitor.field('Email address').getAttribute('autocomplete'), 'username webauthn')
      assert.equal(await visitor.field('Password').getAttribute('autocomplete'), 'current-password')
      assert.equal(await focused(visitor.page), 'input Email address')
      await keyboard.type(ada.email)
      await keyboard.press('Tab')
      await keyboard.type(ada.password)
      await keyboard.press('Enter')
      await visitor.seesHeading('Your account')
      await visitor.goto('/sign-up')
      assert.equal(await visitor.field('New password').getAttribute('autocomplete'), 'new-password')
    })
  })
})
