/** After every act each view shows what it shows when it is loaded again, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Credentials } from '../e2e/support/dev-server.ts'
import { otherPassword } from '../support/passwords.ts'
import { admin, runService } from './support/running-service.ts'
import { assertTrue } from './support/truth.ts'
import type { Visitor } from './support/visitor.ts'

interface Act {
  what: string
  /** Where on the account page it is done. */
  view?: string
  act: (visitor: Visitor, who: Credentials) => Promise<void>
  /** What the page says about it. */
  says: string
}

const accountActs: Act[] = [
  {
    what: 'saving the profile',
    async act(visitor) {
      await visitor.fill('First name (optional)', '  Ada ')
      await visitor.fill('About you', 'One\n\nTwo')
      await visitor.press('Save')
    },
    says: 'Your profile has been saved.',
  },
  {
    what: 'a password change that is refused',
    view: 'security',
    async act(visitor) {
      await visitor.fill('Current password', 'wrong wrong wrong')
      await visitor.fill('New password', otherPassword)
      await visitor.press('Change password')
    },
    says: 'The password is wrong.',
  },
  {
    what: 'signing another device out',
    view: 'security',
    act: (visitor) =>
      visitor.page
        .getByRole('button', { name: /^Sign out node/ })
        .first()
        .click(),
    says: 'The device has been signed out.',
  },
  {
    what: 'signing all other devices out',
    view: 'security',
    act: (visitor) => visitor.press('Sign out everywhere else'),
    says: 'You have been signed out everywhere else.',
  },
  {
    what: 'a deletion that is refused',
    view: 'security',
    async act(visitor) {
      await visitor.press('Delete account…')
      await visitor.dialog.getByLabel('Password', { exact: true }).fill('wrong wrong wrong')
      await visitor.confirm('Delete my account')
      await visitor.dialog.getByText('The password is wrong.').waitFor()
      await visitor.confirm('Cancel')
    },
    says: 'Where you are signed in',
  },
  {
    what: 'a password change, which ends the other sessions',
    view: 'security',
    async act(visitor, who) {
      await visitor.fill('Current password', who.password)
      await visitor.fill('New password', otherPassword)
      await visitor.press('Change password')
    },
    says: 'Your password has been changed.',
  },
]

/** Presses a button and confirms the dialog with its own words. */
const perform = (name: string, fill?: (visitor: Visitor) => Promise<unknown>) => async (visitor: Visitor) => {
  await visitor.press(name)
  await fill?.(visitor)
  await visitor.confirm(name.replace('…', ''))
}

const consoleActs: Act[] = [
  {
    what: 'editing a profile',
    act: perform('Edit profile…', (visitor) => visitor.dialog.getByLabel('About').fill('Spam\nremoved')),
    says: 'The profile has been saved.',
  },
  { what: 'sending a reset link', act: perform('Send a password reset link'), says: 'The email will be sent shortly.' },
  {
    what: 'ending the sessions',
    act: perform('Sign out everywhere'),
    says: 'The user has been signed out everywhere.',
  },
  { what: 'changing the role', act: perform('Change role…'), says: 'The role has been changed.' },
  {
    what: 'suspending',
    act: perform('Suspend…', (visitor) => visitor.dialog.getByLabel('Reason').fill('spam')),
    says: 'The account has been suspended.',
  },
  { what: 'reinstating', act: perform('Reinstate'), says: 'The account has been reinstated.' },
  { what: 'deleting', act: perform('Delete account…'), says: 'The account has been deleted.' },
]

describe('every view is true after', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit, person } = service

  async function signInElsewhere(who: Credentials): Promise<{ access_token: string }> {
    const answer = await call('POST', '/auth/login', who)
    return (await answer.json()) as { access_token: string }
  }

  function call(method: string, path: string, body?: object, token?: string): Promise<Response> {
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) }
    return fetch(service.server.origin + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  }

  it('acts on the own account, in each of its views', async () => {
    const who = await person('true-account')
    await visit(async (visitor, context) => {
      await visitor.signIn(who)
      const [activity, security] = [await context.newPage(), await context.newPage()]
      await activity.goto('/account?view=activity')
      await security.goto('/account?view=security')
      for (const { what, view, act, says } of accountActs) {
        await signInElsewhere(who)
        await visitor.goto(view ? `/account?view=${view}` : '/account')
        await (view ? visitor.button('Sign out everywhere else') : visitor.button('Save')).waitFor()
        await activity.reload()
        await activity.getByText('You signed in').first().waitFor()
        await act(visitor, who)
        await visitor.sees(says)
        for (const page of [visitor.page, activity, security]) await assertTrue(page, what)
      }
    })
  })

  it('acts on a user in the console', async () => {
    const who = await person('true-console')
    await signInElsewhere(who)
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=true-console')
      await visitor.link(who.email).click()
      await visitor.button('Sign out everywhere').waitFor()
      for (const { what, act, says } of consoleActs) {
        await act(visitor, who)
        await visitor.sees(says)
        await assertTrue(visitor.page, what)
      }
    })
  })

  it('activating a user in the console', async () => {
    const who = { email: 'true-pending@example.com', password: admin.password }
    await service.server.register(who)
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=true-pending')
      await visitor.link(who.email).click()
      await perform('Activate')(visitor)
      await visitor.sees('The account has been activated.')
      await assertTrue(visitor.page, 'activating')
    })
  })

  it('an act in another tab', async () => {
    const who = await person('true-tabs')
    await visit(async (visitor, context) => {
      await visitor.signIn(who, '/account?view=activity')
      await visitor.sees('You signed in')
      const other = await context.newPage()
      await other.goto('/account')
      await other.getByLabel('About you').fill('From the other tab')
      await other.getByRole('button', { name: 'Save' }).click()
      await other.getByText('Your profile has been saved.').waitFor()
      await assertTrue(visitor.page, 'another tab')
    })
  })

  it('an act on something that is gone, and the page says so', async () => {
    const who = await person('true-gone')
    const { access_token: token } = await signInElsewhere(who)
    await visit(async (visitor) => {
      await visitor.signIn(who, '/account?view=security')
      const end = visitor.page.getByRole('button', { name: /^Sign out node/ })
      await end.first().waitFor()
      await call('POST', '/auth/logout-all', undefined, token)
      await end.first().click()
      await visitor.isLedToSignIn()
    })
    const spare = await person('true-gone-user')
    const { access_token: own } = await signInElsewhere(spare)
    await visit(async (visitor) => {
      await visitor.signIn(admin, '/console?email=true-gone-user')
      await visitor.link(spare.email).click()
      await visitor.press('Suspend…')
      await visitor.dialog.getByLabel('Reason').fill('spam')
      assert.equal((await call('DELETE', '/users/me', { password: spare.password }, own)).status, 204)
      await visitor.confirm('Suspend')
      await visitor.sees('The account was deleted in the meantime.')
      await visitor.seesHeading('This account does not exist')
      await assertTrue(visitor.page, 'a deleted user')
    })
  })

  it('ending a session that ended before, and the page says so', async () => {
    const who = await person('true-ended')
    const { access_token: token } = await signInElsewhere(who)
    await visit(async (visitor) => {
      await visitor.signIn(who, '/account?view=security')
      await visitor.page
        .getByRole('button', { name: /^Sign out node/ })
        .nth(1)
        .waitFor()
      const { sessions } = (await (await call('GET', '/users/me/sessions', undefined, token)).json()) as {
        sessions: { id: string; current: boolean; user_agent: string }[]
      }
      for (const { id, user_agent: agent } of sessions.filter(({ current }) => !current)) {
        if (agent === 'node') await call('DELETE', `/users/me/sessions/${id}`, undefined, token)
      }
      await visitor.page
        .getByRole('button', { name: /^Sign out node/ })
        .nth(1)
        .click()
      await visitor.sees('The device was already signed out.')
      await assertTrue(visitor.page, 'an ended session')
    })
  })
})
