/** Passkeys from the first one to the sign-in, in a real browser with authenticators of both kinds, and the real service. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TOTP } from 'otpauth'
import type { Credentials } from '../e2e/support/dev-server.ts'
import { type RunningService, runService } from './support/running-service.ts'
import { VirtualAuthenticator } from './support/virtual-authenticator.ts'
import type { Visitor } from './support/visitor.ts'

/** Signs in with the password, takes up the offer, and signs out. The authenticator answers nobody afterwards. */
async function takeUpOffer(visitor: Visitor, authenticator: VirtualAuthenticator, who: Credentials): Promise<string[]> {
  await authenticator.answers(false)
  await visitor.goto('/sign-in')
  await visitor.enter(who)
  await visitor.seesHeading('Sign in faster next time')
  await authenticator.answers(true)
  await visitor.press('Create a passkey')
  await visitor.seesHeading('You have a passkey now')
  await authenticator.answers(false)
  const codes = await visitor.page.locator('.codes code').allTextContents()
  await visitor.press('I have saved them')
  await visitor.page.waitForURL('**/account')
  await visitor.press('Sign out')
  await visitor.isLedToSignIn()
  return codes
}

/** They would be answered like the button, and sign in before it is pressed. */
const withoutSuggestions = `{
  const known = PublicKeyCredential.getClientCapabilities.bind(PublicKeyCredential)
  PublicKeyCredential.getClientCapabilities = async () => ({ ...(await known()), conditionalGet: false })
}`

describe('a passkey', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit } = service

  for (const isSynced of [true, false]) {
    const kind = isSynced ? 'synced' : 'device-bound'
    it(`that is ${kind} signs in by the button, and as a second factor at once`, async () => {
      const who = await service.person(kind)
      await visit(async (visitor) => {
        const { page } = visitor
        await page.addInitScript(withoutSuggestions)
        const authenticator = await VirtualAuthenticator.add(page, { isSynced })
        const codes = await takeUpOffer(visitor, authenticator, who)
        assert.equal(codes.length, 8)
        assert.equal(await authenticator.passkeys(), 1)

        await authenticator.answers(true)
        await visitor.press('Sign in with a passkey')
        await page.waitForURL('**/account')
        await authenticator.answers(false)
        await visitor.press('Sign out')
        await visitor.isLedToSignIn()

        await visitor.field('Email address').waitFor()
        await authenticator.answers(true)
        await visitor.enter(who)
        await page.waitForURL('**/account')
      })
    })
  }

  it('signs in from the suggestions of the address field, without a press', async () => {
    const who = await service.person('suggested')
    await visit(async (visitor) => {
      const { page } = visitor
      const authenticator = await VirtualAuthenticator.add(page)
      await takeUpOffer(visitor, authenticator, who)
      await authenticator.answers(true)
      await page.reload()
      await page.waitForURL('**/account')
      await visitor.sees(who.email)
    })
  })

  it('of a deleted account is sent once by itself, and then once for each act of the person', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      const authenticator = await VirtualAuthenticator.add(page)
      await authenticator.keepStray()
      let calls = 0
      page.on('request', (request) => (calls += Number(new URL(request.url()).pathname === '/auth/passkey')))
      const settle = async () => {
        await page.getByRole('alert').getByText('passkey').waitFor()
        // Ten calls were sent in this time.
        await page.waitForTimeout(1_000)
        return calls
      }
      await visitor.goto('/sign-in')
      assert.equal(await settle(), 1)
      await visitor.field('Password').focus()
      assert.equal(await settle(), 1)
      await visitor.field('Email address').focus()
      assert.equal(await settle(), 2)
      await visitor.press('Sign in with a passkey')
      assert.equal(await settle(), 3)
    })
  })

  it('that is lost leaves the recovery codes, each of which is good once', async () => {
    const who = await service.person('lost')
    await visit(async (visitor) => {
      const authenticator = await VirtualAuthenticator.add(visitor.page)
      const [code = ''] = await takeUpOffer(visitor, authenticator, who)
      const signInWith = async () => {
        await visitor.enter(who)
        await visitor.press('Use a recovery code')
        await visitor.fill('Recovery code', code.toLowerCase().replaceAll('-', ' '))
        await visitor.press('Continue')
      }
      await signInWith()
      await visitor.page.waitForURL('**/account')
      await visitor.press('Sign out')
      await visitor.isLedToSignIn()
      await signInWith()
      await visitor.seesErrorAt('Recovery code', /wrong or has already been used/)
    })
  })
})

describe('an authenticator app', { timeout: 300_000 }, () => {
  const service: RunningService = runService()

  it('is asked for after the password, and not again on a device that is trusted', async () => {
    const who = await service.person('app')
    const app = await enrolApp(service.server.origin, await service.server.accessToken(who))
    await service.visit(async (visitor) => {
      const { page } = visitor
      await visitor.goto('/sign-in')
      await visitor.enter(who)
      await visitor.fill('Code from your authenticator app', app.code())
      await visitor.field('Do not ask again on this device for 30 days').check()
      await visitor.press('Continue')
      await page.waitForURL('**/account')
      await visitor.press('Sign out')
      await visitor.isLedToSignIn()
      await visitor.enter(who)
      await page.waitForURL('**/account')
    })
  })
})

/** Adds an authenticator app by the API. The code that confirms it is not accepted again, so the next one is shown. */
async function enrolApp(origin: string, token: string): Promise<{ code: () => string }> {
  const call = async (path: string, body: object) => {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    const answer = await fetch(origin + path, { method: 'POST', headers, body: JSON.stringify(body) })
    assert.ok(answer.ok, `${path} answered ${answer.status}`)
    return (await answer.json()) as { setup_token: string; secret: string }
  }
  const { setup_token, secret } = await call('/users/me/totp', {})
  const totp = new TOTP({ secret })
  await call('/users/me/totp/confirm', { setup_token, code: totp.generate({ timestamp: Date.now() - 30_000 }) })
  return { code: () => totp.generate() }
}
