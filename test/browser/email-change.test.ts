/** A change of address and its reversal, by the links in the emails, against the real development server. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { accessibilityFaults } from './support/accessibility.ts'
import { ada, runService } from './support/running-service.ts'

describe('the address of an account', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit, person } = service

  it('changes when its link is opened, by a click in the session of its owner', async () => {
    const who = await person('mover')
    const next = 'moved@example.com'
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(who)
      await visitor.press('Change address')
      await visitor.sees('Enter your email address.')
      await visitor.fill('New email address', next)
      await visitor.press('Change address')
      await visitor.sees(`We sent a link to ${next}.`)
      assert.equal(await visitor.field('New email address').inputValue(), '')
      const token = await service.server.mailedToken(next)

      await visit(async (stranger) => {
        await stranger.goto(`/confirm-email#token=${token}`)
        await stranger.seesHeading('Sign in first')
        assert.doesNotMatch(stranger.page.url(), /token/)
      })
      await visit(async (other) => {
        await other.signIn(ada)
        await other.goto(`/confirm-email#token=${token}`)
        await other.sees(`You are signed in as ${ada.email}.`)
        await other.press('Use the new address')
        await other.seesHeading('This link no longer works')
        await other.sees('belongs to another account')
      })

      const calls: string[] = []
      page.on('request', (request) => calls.push(`${request.method()} ${request.url()}`))
      await visitor.goto(`/confirm-email#token=${token}`)
      await visitor.sees(`You are signed in as ${who.email}.`)
      await page.waitForLoadState('networkidle')
      assert.deepEqual(
        calls.filter((call) => call.includes('/users/me/email')),
        [],
        'nothing happens without a click',
      )
      assert.doesNotMatch(page.url(), /token/)
      assert.deepEqual(await accessibilityFaults(page), [])
      await visitor.press('Use the new address')
      await visitor.seesHeading('Your address has been changed')
      await visitor.sees(next)
      await visitor.link('Your account').click()
      await visitor.sees(next)

      await visitor.goto('/robots.txt')
      await visitor.goto(`/confirm-email#token=${token}`)
      await visitor.press('Use the new address')
      await visitor.seesHeading('This link no longer works')
    })
  })

  it('comes back by the link in the email to the old one, which signs everybody out', async () => {
    const who = await person('robbed')
    const next = 'robber@example.com'
    await visit(async (visitor) => {
      await visitor.signIn(who)
      await visitor.fill('New email address', next)
      await visitor.press('Change address')
      await visitor.goto(`/confirm-email#token=${await service.server.mailedToken(next)}`)
      await visitor.press('Use the new address')
      await visitor.seesHeading('Your address has been changed')
      const token = await service.server.mailed(who.email, /\/revert-email#token=([\w.-]+)/)
      await visit(async (owner) => {
        await owner.goto(`/revert-email#token=${token}`)
        await owner.seesHeading('Keep your old address')
        assert.deepEqual(await accessibilityFaults(owner.page), [])
        await owner.press('Restore my old address')
        await owner.seesHeading('Your old address is restored')
        await owner.goto('/robots.txt')
        await owner.goto(`/revert-email#token=${token}`)
        await owner.press('Restore my old address')
        await owner.seesHeading('This link no longer works')
        await owner.link('Sign in').click()
        await owner.enter(who)
        await owner.sees('The email address or the password is wrong.')
      })
      await visitor.goto('/account')
      await visitor.isLedToSignIn()
    })
  })

  it('is asked for by pages that were opened without a link', async () => {
    await visit(async (visitor) => {
      await visitor.goto('/revert-email')
      await visitor.sees('Open the link in the email that we sent to your old address.')
      await visitor.goto('/confirm-email')
      await visitor.seesHeading('Sign in first')
    })
  })
})

describe('the data of an account', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit, person } = service

  it('are downloaded as a file, and the second time in a day is refused', async () => {
    const who = await person('reader')
    await visit(async (visitor) => {
      await visitor.signIn(who)
      const download = visitor.page.waitForEvent('download')
      await visitor.press('Download my data')
      const data = JSON.parse(readFileSync(await (await download).path(), 'utf8')) as object
      assert.match(JSON.stringify(data), new RegExp(who.email))
      await visitor.press('Download my data')
      await visitor.sees('You can download your data only once a day.')
    })
  })
})
