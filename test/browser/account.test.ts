/** The account page and its session, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { otherPassword } from '../support/passwords.ts'
import { accessibilityFaults } from './support/accessibility.ts'
import { focused } from './support/browser.ts'
import { ada, admin, runService } from './support/running-service.ts'

describe('the account', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit, person } = service

  it('saves the profile', async () => {
    const writer = await person('writer')
    await visit(async (visitor) => {
      await visitor.signIn(writer)
      await visitor.fill('About you', 'Notes on engines.')
      await visitor.press('Save')
      await visitor.sees('Your profile has been saved.')
      await visitor.page.reload()
      assert.equal(await visitor.field('About you').inputValue(), 'Notes on engines.')
    })
  })

  it('sends only what the person changed, whatever is stored or changed elsewhere', async () => {
    const poet = await person('poet')
    await visit(async (visitor) => {
      const { page } = visitor
      const sent: unknown[] = []
      page.on('request', (request) => {
        if (request.method() === 'PATCH') sent.push(request.postDataJSON())
      })
      const token = await service.server.accessToken(poet)
      const store = (profile: object) => service.server.changeProfile(token, profile)
      const stored = { bio: 'One\r\n\r\n  Two\n', avatar_url: 'https://example.com/a?b=%20c', first_name: 'Ada' }
      await store(stored)
      await visitor.signIn(poet)
      await visitor.field('About you').waitFor()
      await visitor.press('Save')
      await visitor.sees('There are no changes to save.')
      assert.deepEqual(sent, [])

      await store({ ...stored, bio: 'Changed\nelsewhere' })
      await visitor.fill('Last name (optional)', 'Lovelace')
      await visitor.press('Save')
      await visitor.sees('Your profile has been saved.')
      assert.deepEqual(sent.splice(0), [{ last_name: 'Lovelace' }])
      await page.waitForFunction(() => document.querySelector('textarea')!.value === 'Changed\nelsewhere')

      await visitor.fill('First name (optional)', ' ')
      await visitor.fill('About you', 'Three\n\nlines')
      await visitor.press('Save')
      await page.waitForFunction(() => document.querySelector('input')!.value === '')
      assert.deepEqual(sent.splice(0), [{ first_name: null, bio: 'Three\n\nlines' }])
      assert.partialDeepStrictEqual(await service.server.me(token), { bio: 'Three\n\nlines', first_name: null })
    })
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=poet')
      await visitor.link(poet.email).click()
      await visitor.press('Edit profile…')
      await visitor.dialog.getByLabel('First name').fill('Byron')
      const request = visitor.page.waitForRequest((one) => one.method() === 'PATCH')
      await visitor.confirm('Edit profile')
      assert.deepEqual((await request).postDataJSON(), { first_name: 'Byron' })
      await visitor.sees('The profile has been saved.')
    })
  })

  it('changes the password, but not when the current one is wrong', async () => {
    const changer = await person('changer')
    await visit(async (visitor) => {
      await visitor.signIn(changer, '/account?view=security')
      await visitor.fill('Current password', 'wrong wrong wrong')
      await visitor.fill('New password', otherPassword)
      await visitor.press('Change password')
      await visitor.sees('The password is wrong.')
      await visitor.fill('Current password', changer.password)
      await visitor.press('Change password')
      await visitor.sees('Your password has been changed.')
      await visitor.press('Sign out')
      await visitor.isLedToSignIn()
      await visitor.signIn({ ...changer, password: otherPassword })
    })
  })

  it('has three views, whose addresses, titles and focus follow, in any language', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      const shows = async (view: string, path: string) => {
        await page.waitForURL((url) => url.pathname + url.search === path)
        await page.waitForFunction((title) => document.title.startsWith(title), view)
        const current = page.locator('nav [aria-current=page]')
        assert.equal(await current.textContent(), view)
      }
      await visitor.signIn(ada)
      await shows('Profile', '/account')
      for (const [view, path] of [
        ['Security', '/account?view=security'],
        ['Activity', '/account?view=activity'],
      ] as const) {
        await visitor.link(view).focus()
        await page.keyboard.press('Enter')
        await shows(view, path)
        const focus = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
        assert.equal(focus, view)
      }
      await page.goBack()
      await shows('Security', '/account?view=security')
      await page.goForward()
      await page.reload()
      await shows('Activity', '/account?view=activity')
      await page.getByRole('combobox', { name: 'Language' }).selectOption('de')
      await visitor.seesHeading('Kontoaktivität')
      await shows('Aktivität', '/account?view=activity')
      await visitor.goto('/account?view=nothing')
      await shows('Profil', '/account?view=nothing')
    })
  })

  it('calls a device unknown that the service does not list', async () => {
    const target = await person('target')
    await fetch(`${service.server.origin}/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'User-Agent': 'a program of nobody' },
      body: JSON.stringify({ email: target.email, password: otherPassword }),
    })
    await visit(async (visitor) => {
      await visitor.signIn(target, '/account?view=activity')
      const attempt = visitor.page.locator('li', { hasText: 'A sign-in attempt failed' })
      assert.match((await attempt.textContent()) ?? '', /ago · Unknown device · |now · Unknown device · /)
    })
  })

  it('is deleted with the password', async () => {
    const leaver = await person('leaver')
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(leaver, '/account?view=security')
      await visitor.press('Delete account…')
      await visitor.dialog.getByLabel('Password', { exact: true }).fill(leaver.password)
      await visitor.confirm('Delete my account')
      await visitor.seesHeading('Your account has been deleted')
      assert.equal(await focused(page), 'h1 Your account has been deleted')
      assert.equal(await visitor.button('Sign in').count(), 0)
      assert.deepEqual(await accessibilityFaults(page), [])
      await visitor.link('Sign in').click()
      await visitor.enter(leaver)
      await visitor.sees('The email address or the password is wrong.')
    })
  })

  it('keeps two tabs signed in that refresh at the same moment', async () => {
    await visit(async (visitor, context) => {
      await visitor.signIn(ada)
      const { page } = visitor
      const other = await context.newPage()
      await other.goto('/account')
      await Promise.all([page.reload(), other.reload(), page.waitForTimeout(1)])
      for (const tab of [page, other]) {
        await tab.getByRole('heading', { name: 'Profile', exact: true }).waitFor()
      }
    })
  })

  it('closes in every tab when the session was stolen', async () => {
    const victim = await person('victim')
    await visit(async (visitor, context) => {
      await visitor.signIn(victim)
      const [stolen] = await context.cookies()
      const other = await context.newPage()
      await other.goto('/account')
      await other.getByRole('heading', { name: 'Profile', exact: true }).waitFor()
      await visitor.page.reload()
      await visitor.seesHeading('Profile')
      // The session has been refreshed twice since, so the first token counts as a thief's.
      const theft = await fetch(`${service.server.origin}/auth/refresh`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ refresh_token: stolen?.value }),
      })
      assert.equal(theft.status, 401)
      await visitor.fill('About you', 'Anything.')
      await visitor.press('Save')
      for (const tab of [visitor.page, other]) await tab.waitForURL('**/sign-in**')
      await visitor.sees('You have been signed out.')
    })
  })

  it('shows nothing behind the back button after signing out', async () => {
    await visit(async (visitor) => {
      await visitor.signIn(ada)
      await visitor.seesHeading('Profile')
      await visitor.press('Sign out')
      await visitor.isLedToSignIn()
      await visitor.goto('/robots.txt')
      await visitor.page.goBack()
      await visitor.page.waitForTimeout(500)
      assert.match(visitor.page.url(), /\/sign-in/)
      assert.doesNotMatch(await visitor.page.content(), /ada@example\.com/)
    })
  })
})
