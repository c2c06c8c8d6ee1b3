/** The main paths in a stock Firefox, against the real development server and its mailbox. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../e2e/support/command-process.ts'
import { type Credentials, DevServer } from '../e2e/support/dev-server.ts'
import { goodPassword, otherPassword } from '../support/passwords.ts'
import { spellingsAgainst } from '../support/spellings.ts'
import { codeOf } from './support/authenticator-app.ts'
import { Firefox } from './support/firefox.ts'
import type { Tab } from './support/firefox-tab.ts'

const admin = { email: 'admin@example.com', password: goodPassword }
const ada = { email: 'ada@example.com', password: goodPassword }
const bob = { email: 'bob@example.com', password: goodPassword }
const grace = { email: 'grace@example.com', password: otherPassword }
const hedy = { email: 'hedy@example.com', password: goodPassword }

describe('in Firefox', { timeout: 300_000 }, () => {
  let server: DevServer
  let firefox: Firefox

  before(async () => {
    server = await DevServer.start()
    for (const who of [admin, ada, hedy]) await server.signUp(who)
    firefox = await Firefox.launch()
  })
  after(async () => {
    await firefox?.close()
    await server?.stop()
  })

  async function enter(tab: Tab, { email, password }: Credentials): Promise<void> {
    await tab.fill('Email address', email)
    await tab.fill('Password', password)
    await tab.press('button', 'Sign in')
  }

  async function visit(tour: (tab: Tab) => Promise<void>): Promise<void> {
    await tour(await firefox.openTab(server.origin))
    assert.deepEqual(firefox.complaints.splice(0), [])
  }

  it('signing up leads by the mailed link to the account', async () => {
    await visit(async (tab) => {
      await tab.goto('/sign-up')
      await tab.fill('Email address', grace.email)
      await tab.fill('New password', grace.password)
      await tab.seesText('This is a strong password.')
      await tab.press('button', 'Create account')
      await tab.seesHeading('Check your inbox')

      await tab.goto(`/activate#token=${await server.mailedToken(grace.email)}`)
      await tab.fill('Password', grace.password)
      await tab.press('button', 'Activate account')
      await tab.seesHeading('Your account is active')
      await tab.press('link', 'Continue')
      await tab.seesHeading('Profile')
      await tab.goto('/account?view=security')
      await tab.seesText('Firefox on Linux')
    })
  })

  it('the account saves the profile, survives a reload and is closed by signing out', async () => {
    await visit(async (tab) => {
      await tab.goto('/sign-in')
      await enter(tab, ada)
      await tab.seesHeading('Your account')
      await tab.fill('About you', 'Notes on engines.')
      await tab.press('button', 'Save')
      await tab.seesText('Your profile has been saved.')
      await tab.goto('/account')
      await tab.seesHeading('Profile')
      assert.equal(await tab.valueOf('About you'), 'Notes on engines.')

      await tab.press('button', 'Sign out')
      await tab.seesHeading('Sign in')
      await tab.goto('/account')
      await tab.seesHeading('Sign in')
    })
  })

  it('a forgotten password is replaced by the mailed link', async () => {
    const newPassword = 'eleven patient foxes row'
    const activation = await server.signUp(bob)
    await visit(async (tab) => {
      await tab.goto('/sign-in')
      await tab.press('link', 'Forgot your password?')
      await tab.seesHeading('Forgot your password?')
      await tab.fill('Email address', bob.email)
      await tab.press('button', 'Send me a link')
      await tab.seesHeading('Check your inbox')
      await tab.goto(`/reset-password#token=${await server.mailedToken(bob.email, activation)}`)
      await tab.fill('New password', newPassword)
      await tab.press('button', 'Save new password')
      await tab.seesHeading('Your new password is set')

      await tab.press('link', 'Sign in')
      await enter(tab, bob)
      await tab.seesText('The email address or the password is wrong.')
      await enter(tab, { ...bob, password: newPassword })
      await tab.seesHeading('Your account')
    })
  })

  it('an authenticator app is added, and its code is asked for at the next sign-in', async () => {
    await visit(async (tab) => {
      await tab.goto('/sign-in')
      await enter(tab, hedy)
      await tab.seesHeading('Your account')
      await tab.goto('/account?view=security')
      await tab.press('button', 'Set up…')
      await tab.seesHeading('Set up an authenticator app')
      const key = String(await tab.evaluate('document.querySelector(".key code").textContent')).replaceAll(' ', '')
      await tab.fill('Code from your authenticator app', codeOf(key))
      await tab.press('button', 'Confirm')
      await tab.seesHeading('Save your recovery codes')
      await tab.press('button', 'I have saved them')
      await tab.press('button', 'Sign out')
      await tab.seesHeading('Sign in')

      await enter(tab, hedy)
      await tab.seesHeading('One more step')
      await tab.fill('Code from your authenticator app', '000000')
      await tab.press('button', 'Continue')
      await tab.seesText('This code is wrong or has already been used.')
      await tab.fill('Code from your authenticator app', codeOf(key, 1))
      await tab.press('button', 'Continue')
      await tab.seesHeading('Your account')
      await tab.goto('/account?view=security')
      await tab.seesHeading('Authenticator app')
      await tab.seesText('You have 8 codes left.')
    })
  })

  it('leads a visitor who is signed in nowhere but to this origin, in any spelling', async () => {
    await visit(async (tab) => {
      await tab.goto('/sign-in')
      await enter(tab, admin)
      await tab.seesHeading('Your account')
      for (const spelling of spellingsAgainst(server.origin)) {
        await tab.goto(`/sign-in?return_to=${encodeURIComponent(spelling)}`)
        let address = ''
        const hasLeft = async () => {
          address = await tab.address()
          // Between two pages it is blank.
          return address !== 'about:blank' && !address.startsWith(`${server.origin}/sign-in`)
        }
        await until(hasLeft, `leaving for ${JSON.stringify(spelling)}`)
        assert.ok(address.startsWith(`${server.origin}/`), `${JSON.stringify(spelling)} led to ${address}`)
      }
      // Firefox's own viewer of JSON, which shows what is no page, asks for an icon in vain.
      firefox.complaints.splice(0).forEach((complaint) => assert.match(complaint, /favicon\.ico/))
    })
  })

  it('the console shows an ADMIN the users', async () => {
    await visit(async (tab) => {
      await tab.goto('/sign-in?return_to=/console')
      await enter(tab, admin)
      await tab.press('link', ada.email)
      await tab.seesHeading(ada.email)
      await tab.press('button', 'Suspend…')
      await tab.seesText('The user will be signed out everywhere at once')
    })
  })
})
