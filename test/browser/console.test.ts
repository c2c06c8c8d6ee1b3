/** What administrators and moderators do in the console, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ada, admin, runService } from './support/running-service.ts'
import { assertTrue } from './support/truth.ts'
import { VirtualAuthenticator } from './support/virtual-authenticator.ts'
import type { Visitor } from './support/visitor.ts'

describe('the console', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit, person } = service

  it('finds a user by the start of the email address, and keeps the search in the history', async () => {
    const target = await person('target')
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console')
      await visitor.link(target.email).waitFor()
      await visitor.page.getByLabel('Search by email address').fill('targ')
      await visitor.link(admin.email).waitFor({ state: 'detached' })
      await visitor.link(target.email).click()
      await visitor.seesHeading(target.email)
      await visitor.seesHeading('Sessions')
      await visitor.page.goBack()
      assert.equal(await visitor.page.getByLabel('Search by email address').inputValue(), 'targ')
    })
  })

  it('suspends a user for a reason that the audit log keeps, and reinstates the account', async () => {
    const spammer = await person('spammer')
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=spammer')
      await visitor.link(spammer.email).click()
      await visitor.press('Suspend…')
      await visitor.dialog.getByText('signed out everywhere at once').waitFor()
      await visitor.confirm('Suspend')
      await visitor.dialog.getByText('Enter a reason.').waitFor()
      await visitor.dialog.getByLabel('Reason').fill('spam')
      await visitor.confirm('Suspend')
      await visitor.sees('The account has been suspended.')
      await visitor.sees('reason: spam')
      const signIn = await fetch(`${service.server.origin}/auth/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(spammer),
      })
      assert.equal(signIn.status, 403)

      await visitor.press('Reinstate')
      await visitor.confirm('Reinstate')
      await visitor.sees('The account has been reinstated.')
    })
  })

  it('offers nothing on the own account that the service refuses, in any state of an account', async () => {
    const pending = { email: 'state-pending@example.com', password: admin.password }
    await service.server.register(pending)
    const active = await person('state-active')
    const always = ['Edit profile…', 'Send a password reset link']
    const offered = {
      [admin.email]: always,
      [pending.email]: [...always, 'Activate', 'Suspend…', 'Delete account…'],
      [active.email]: [...always, 'Change role…', 'Sign out everywhere', 'Suspend…', 'Delete account…'],
    }
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console')
      for (const [email, acts] of Object.entries(offered)) {
        await visitor.link(email).click()
        await visitor.seesHeading(email)
        await visitor.page.locator('section [aria-busy="false"]').nth(2).waitFor()
        const buttons = await visitor.page.locator('.acts button').allTextContents()
        assert.deepEqual(buttons.toSorted(), acts.toSorted(), email)
        await visitor.link('All users').click()
      }
      await visitor.link(active.email).click()
      await visitor.press('Suspend…')
      await visitor.dialog.getByLabel('Reason').fill('spam')
      await visitor.confirm('Suspend')
      await visitor.button('Reinstate').waitFor()
      await visitor.button('Sign out everywhere').waitFor({ state: 'detached' })
      const buttons = await visitor.page.locator('.acts button').allTextContents()
      assert.deepEqual(buttons, ['Edit profile…', 'Reinstate', 'Change role…', 'Delete account…'])
    })
  })

  it('offers a MODERATOR only what the role permits, and only on USERs', async () => {
    const moderator = await person('moderator')
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=moderator')
      await visitor.link(moderator.email).click()
      await visitor.press('Change role…')
      await visitor.dialog.getByLabel('Role').selectOption('MODERATOR')
      await visitor.confirm('Change role')
      await visitor.sees('The role has been changed.')
    })
    await visit(async (visitor) => {
      await visitor.signIn(moderator, '/console')
      await visitor.link(ada.email).click()
      await visitor.button('Suspend…').waitFor()
      assert.equal(await visitor.button('Delete account…').count(), 0)
      assert.equal(await visitor.link('Audit log').count(), 0)
      await visitor.page.goBack()
      await visitor.link(admin.email).click()
      await visitor.seesHeading(admin.email)
      await visitor.sees('Last sign-in')
      assert.equal(await visitor.button('Suspend…').count(), 0)
    })
  })

  it('tells a MODERATOR that only an administrator reinstates whom an administrator suspended', async () => {
    const moderator = await person('second-moderator')
    const spammer = await person('second-spammer')
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=second-moderator')
      await visitor.link(moderator.email).click()
      await visitor.press('Change role…')
      await visitor.confirm('Change role')
      await visitor.sees('The role has been changed.')
      await visitor.goto('/console?email=second-spammer')
      await visitor.link(spammer.email).click()
      await visitor.press('Suspend…')
      await visitor.dialog.getByLabel('Reason').fill('spam')
      await visitor.confirm('Suspend')
      await visitor.sees('The account has been suspended.')
    })
    await visit(async (visitor) => {
      await visitor.signIn(moderator, '/console?email=second-spammer')
      await visitor.link(spammer.email).click()
      await visitor.sees('Only an administrator can reinstate it.')
      assert.equal(await visitor.button('Reinstate').count(), 0)
    })
  })

  it('shows which kinds of factor a user has, and takes them away for a reason', async () => {
    const loser = await person('loser')
    await visit(async (visitor) => {
      await visitor.signIn(loser, '/account?view=security')
      await VirtualAuthenticator.add(visitor.page)
      await visitor.press('Add a passkey…')
      await visitor.confirm('Continue')
      await visitor.confirm('I have saved them')
    })
    await visit(async (visitor) => {
      const factors = visitor.page.locator('.facts div', { hasText: 'Second factors' })
      await visitor.signIn(admin, '/console?email=loser')
      await visitor.link(loser.email).click()
      await factors.getByText('Passkey', { exact: true }).waitFor()
      await visitor.press('Reset factors…')
      await visitor.dialog.getByRole('heading', { name: 'Reset factors', exact: true }).waitFor()
      await visitor.dialog.getByText('will receive the reason by email').waitFor()
      await visitor.confirm('Reset factors')
      await visitor.dialog.getByText('Enter a reason.').waitFor()
      await visitor.dialog.getByLabel('Reason').fill('lost the phone')
      await visitor.confirm('Reset factors')
      await visitor.sees('The factors have been removed.')
      await factors.getByText('None', { exact: true }).waitFor()
      assert.equal(await visitor.button('Reset factors…').count(), 0)
      await visitor.sees('reason: lost the phone')
      await assertTrue(visitor.page, 'resetting factors')
    })
    await visit((visitor) => visitor.signIn(loser))
  })

  it('is closed to a USER', async () => {
    await visit(async (visitor) => {
      await visitor.signIn(ada, '/console')
      await visitor.sees('Only moderators and administrators')
    })
  })

  it('says when nothing is found', async () => {
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=zzz')
      await visitor.sees('No users found.')
      await visitor.link('Emails').click()
      await visitor.page.getByLabel('Status').selectOption('unknown')
      await visitor.sees('No entries.')
    })
  })

  it('never shows an older answer to a search after a newer one', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(admin, '/console')
      await visitor.link(ada.email).waitFor()
      await page.route('**/users?*email=a&*', async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 1500))
        await route.continue().catch(() => undefined)
      })
      await page.getByLabel('Search by email address').fill('a')
      await page.waitForTimeout(300)
      await page.getByLabel('Search by email address').fill('ada')
      await visitor.link(admin.email).waitFor({ state: 'detached' })
      await page.waitForTimeout(1800)
      assert.equal(await visitor.link(admin.email).count(), 0)
      await visitor.link(ada.email).waitFor()
    })
  })

  it('shows a way to sign out', async () => {
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console')
      await visitor.link(admin.email).waitFor()
      await visitor.press('Sign out')
      await visitor.isLedToSignIn()
      await visitor.goto('/account')
      await visitor.isLedToSignIn()
    })
  })

  it('tells an ADMIN on every page that the database is filling, and nobody else', async () => {
    const moderator = await person('third-moderator')
    /** A database of gigabytes, as far as the page can tell. */
    const readiness = (d1: string) => ({
      status: d1 === 'full' ? 503 : 200,
      json: { status: d1 === 'full' ? 'unavailable' : 'ok', checks: { config: 'ok', d1, kv: 'ok' } },
    })
    const notice = (visitor: Visitor) => visitor.page.getByRole('status').filter({ hasText: 'The database is' })
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(admin, '/console?email=third-moderator')
      await visitor.link(moderator.email).click()
      await visitor.press('Change role…')
      await visitor.dialog.getByLabel('Role').selectOption('MODERATOR')
      await visitor.confirm('Change role')
      await visitor.sees('The role has been changed.')
      assert.equal(await notice(visitor).count(), 0)
      for (const [d1, text] of [
        ['filling', 'The database is more than 80% full.'],
        ['nearly_full', 'Nobody new can register until the operator makes room.'],
        ['full', 'The database is full.'],
      ] as const) {
        await page.route('**/readyz', (route) => route.fulfill(readiness(d1)))
        for (const path of ['/console', '/console?view=audit', '/console?view=emails']) {
          await visitor.goto(path)
          await notice(visitor).filter({ hasText: text }).waitFor()
        }
      }
      // The console goes on without it.
      for (const json of [{ status: 'ok', checks: { config: 'ok', d1: 'ok', kv: 'ok' } }, {}]) {
        await page.route('**/readyz', (route) => route.fulfill({ json }))
        const asked = page.waitForResponse('**/readyz')
        await visitor.goto('/console')
        await asked
        await visitor.link(admin.email).waitFor()
        assert.equal(await notice(visitor).count(), 0)
      }
      await page.route('**/readyz', (route) => route.abort())
      await visitor.goto('/console')
      await visitor.link(admin.email).waitFor()
      assert.equal(await notice(visitor).count(), 0)
    })
    await visit(async (visitor) => {
      const asked: string[] = []
      visitor.page.on('request', (request) => asked.push(request.url()))
      await visitor.page.route('**/readyz', (route) => route.fulfill(readiness('full')))
      await visitor.signIn(moderator, '/console')
      await visitor.link(ada.email).waitFor()
      assert.equal(await notice(visitor).count(), 0)
      assert.deepEqual(
        asked.filter((url) => url.endsWith('/readyz')),
        [],
      )
    })
  })

  it('asks an ADMIN with a factor who is there before a dangerous act, and goes on by itself', async () => {
    const target = await person('stepped')
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=stepped')
      let code = ''
      await visit(async (other) => {
        await other.signIn(admin, '/account?view=security')
        await VirtualAuthenticator.add(other.page)
        await other.press('Add a passkey…')
        await other.confirm('Continue')
        code = (await other.dialog.getByRole('listitem').first().textContent())!
        await other.confirm('I have saved them')
        await visitor.link(target.email).click()
        await visitor.press('Delete account…')
        await visitor.confirm('Delete account')
        await visitor.seesHeading('Confirm that it is you')
        await visitor.press('Use a recovery code')
        await visitor.fill('Recovery code', code)
        await visitor.page.keyboard.press('Enter')
        await visitor.sees('The account has been deleted.')
        await other.page.getByRole('button', { name: /^Remove / }).click()
        await other.confirm('Remove passkey')
        await other.sees('The passkey has been removed.')
      })
    })
  })
})
