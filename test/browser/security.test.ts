/** The part of the account that decides who gets in, against the real development server. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { encode } from 'uqr'
import type { Credentials } from '../e2e/support/dev-server.ts'
import { accessibilityFaults } from './support/accessibility.ts'
import { codeOf } from './support/authenticator-app.ts'
import { focused } from './support/browser.ts'
import { runService } from './support/running-service.ts'
import { refuseAsStale } from './support/stubs.ts'
import { assertTrue } from './support/truth.ts'
import { VirtualAuthenticator } from './support/virtual-authenticator.ts'
import type { Visitor } from './support/visitor.ts'

const recoveryCode = /^(?:[0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/
const security = '/account?view=security'

/** The recovery codes in the dialog, which is closed afterwards. */
async function takeCodes(visitor: Visitor): Promise<string[]> {
  await visitor.seesHeading('Save your recovery codes')
  const codes = await visitor.dialog
    .getByRole('list', { name: 'Recovery codes' })
    .getByRole('listitem')
    .allTextContents()
  await visitor.confirm('I have saved them')
  await visitor.dialog.waitFor({ state: 'detached' })
  return codes
}

async function readKey(visitor: Visitor): Promise<string> {
  const key = await visitor.dialog.locator('.key code').textContent()
  return key!.replaceAll(' ', '')
}

/** Adds an authenticator app. Returns its key. */
async function addApp(visitor: Visitor): Promise<string> {
  await visitor.press('Set up…')
  const key = await readKey(visitor)
  await visitor.dialog.getByLabel('Code from your authenticator app').fill(codeOf(key))
  await visitor.confirm('Confirm')
  return key
}

describe('the security of an account', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit, person } = service

  /** A page that was signed in before somebody added a factor elsewhere, so that it has to show it. */
  async function visitAfterNewFactor(
    who: Credentials,
    tour: (visitor: Visitor, key: string, codes: string[]) => Promise<void>,
  ): Promise<void> {
    await visit(async (visitor) => {
      await visitor.signIn(who, security)
      let key = ''
      let codes: string[] = []
      await visit(async (other) => {
        await other.signIn(who, security)
        key = await addApp(other)
        codes = await takeCodes(other)
      })
      await visitor.page.reload()
      await visitor.button('Replace…').waitFor()
      await tour(visitor, key, codes)
    })
  }

  it('takes a passkey, shows the recovery codes once, and lists, renames and removes it', async () => {
    const who = await person('passkey-owner')
    await visit(async (visitor, context) => {
      await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      const { page } = visitor
      await visitor.signIn(who, security)
      const device = await VirtualAuthenticator.add(page)
      await visitor.sees('You have no passkey yet.')
      await visitor.press('Add a passkey…')
      await visitor.dialog.getByLabel('Name (optional)').fill('Phone')
      await visitor.confirm('Continue')

      await visitor.seesHeading('Save your recovery codes')
      assert.equal(await device.passkeys(), 1)
      assert.deepEqual(await accessibilityFaults(page), [])
      await page.keyboard.press('Escape')
      await visitor.confirm('Copy')
      await visitor.dialog.getByText('Copied.').waitFor()
      const copied = await page.evaluate(() => navigator.clipboard.readText())
      const download = page.waitForEvent('download')
      await visitor.confirm('Download')
      const file = readFileSync(await (await download).path(), 'utf8')
      await page.emulateMedia({ media: 'print' })
      assert.equal(await visitor.button('Print').isVisible(), false)
      assert.equal(await visitor.link('Activity').isVisible(), false)
      await visitor.sees('Save your recovery codes')
      await page.emulateMedia({ media: 'screen' })
      const codes = await takeCodes(visitor)
      assert.equal(codes.length, 8)
      for (const code of codes) assert.match(code, recoveryCode)
      assert.deepEqual(copied.trim().split('\n'), codes)
      for (const code of codes) assert.ok(file.includes(code))
      assert.doesNotMatch(await page.content(), new RegExp(codes[0] ?? 'no code'))
      await visitor.sees('You have 8 codes left.')
      await visitor.sees('synced')
      await assertTrue(page, 'adding a passkey')

      await visitor.press('Rename Phone…')
      await visitor.dialog.getByLabel('Name').fill('New phone')
      await visitor.confirm('Save')
      await visitor.sees('The passkey has been renamed.')
      await assertTrue(page, 'renaming a passkey')

      await visitor.press('Remove New phone…')
      await visitor.confirm('Remove passkey')
      await visitor.sees('The passkey has been removed.')
      await visitor.sees('You have no passkey yet.')
      assert.equal(await visitor.button('Make new codes…').count(), 0)
      await assertTrue(page, 'removing a passkey')
    })
  })

  it('prints the recovery codes, and nothing else of the page', async () => {
    const who = await person('printer')
    await visit(async (visitor) => {
      const { page } = visitor
      await page.addInitScript(() => {
        globalThis.print = () => void (document.documentElement.dataset['printed'] = 'yes')
      })
      await visitor.signIn(who, security)
      await addApp(visitor)
      await visitor.seesHeading('Save your recovery codes')
      await visitor.confirm('Print')
      await page.locator('html[data-printed]').waitFor()
      await page.emulateMedia({ media: 'print' })
      const [heading, , ...codes] = (await page.locator('body').innerText()).split(/\n+/)
      assert.equal(heading, 'Save your recovery codes')
      assert.equal(codes.length, 8, codes.join())
      for (const code of codes) assert.match(code, recoveryCode)
    })
  })

  it('takes no second passkey of one device, and none when its owner declines', async () => {
    const who = await person('passkey-twice')
    await visit(async (visitor) => {
      await visitor.signIn(who, security)
      const device = await VirtualAuthenticator.add(visitor.page)
      await visitor.press('Add a passkey…')
      await visitor.confirm('Continue')
      await takeCodes(visitor)
      await visitor.press('Add a passkey…')
      await visitor.confirm('Continue')
      await visitor.dialog.getByText('This passkey has already been added.').waitFor()
      await visitor.confirm('Cancel')
      assert.equal(await device.passkeys(), 1)
      assert.equal(await focused(visitor.page), 'button Add a passkey…')
    })
  })

  it('takes an authenticator app by a picture that holds its key, and replaces and removes it', async () => {
    const who = await person('app-owner')
    await visit(async (visitor) => {
      const { page } = visitor
      const answer = page.waitForResponse('**/users/me/totp')
      await visitor.signIn(who, security)
      await visitor.press('Set up…')
      const { uri, secret } = (await (await answer).json()) as { uri: string; secret: string }
      const key = await readKey(visitor)
      assert.equal(key, secret)
      await page.locator('.qr path[d^=M]').waitFor()
      assert.equal(await page.locator('.qr path').getAttribute('d'), drawn(uri))
      assert.deepEqual(await accessibilityFaults(page), [])

      await visitor.confirm('Confirm')
      await visitor.seesErrorAt('Code from your authenticator app', /Enter the code that the app shows/)
      await visitor.dialog.getByLabel('Code from your authenticator app').fill('000000')
      await visitor.confirm('Confirm')
      await visitor.dialog.getByText('This code is wrong or has already been used.').waitFor()
      await visitor.dialog.getByLabel('Code from your authenticator app').fill(codeOf(key))
      await visitor.confirm('Confirm')
      assert.equal((await takeCodes(visitor)).length, 8)
      await assertTrue(page, 'adding an app')

      await visitor.press('Replace…')
      const next = await readKey(visitor)
      assert.notEqual(next, key)
      await visitor.dialog.getByLabel('Code from your authenticator app').fill(codeOf(next, 1))
      await visitor.confirm('Confirm')
      await visitor.sees('The authenticator app has been set up.')
      await assertTrue(page, 'replacing an app')

      await visitor.press('Remove authenticator app…')
      await visitor.confirm('Remove app')
      await visitor.sees('The authenticator app has been removed.')
      await visitor.button('Set up…').waitFor()
      await assertTrue(page, 'removing an app')
    })
  })

  it('locks out nobody who stops in the middle of setting up an app', async () => {
    const who = await person('app-stopped')
    await visit(async (visitor) => {
      await visitor.signIn(who, security)
      await visitor.press('Set up…')
      await visitor.confirm('Cancel')
      await visitor.page.reload()
      await visitor.button('Set up…').waitFor()
    })
  })

  it('asks once who is there, and goes on by itself with what was asked for', async () => {
    const who = await person('step-up')
    await visitAfterNewFactor(who, async (visitor, key) => {
      const { page } = visitor
      await visitor.press('Make new codes…')
      await visitor.confirm('Make new codes')
      await visitor.seesHeading('Confirm that it is you')
      assert.equal(await page.getByRole('dialog', { name: 'Confirm that it is you' }).count(), 1)
      assert.deepEqual(await accessibilityFaults(page), [])
      await visitor.field('Code from your authenticator app').waitFor()
      assert.equal(await focused(page), 'input Code from your authenticator app')
      await page.keyboard.type('000000')
      await page.keyboard.press('Enter')
      await visitor.dialog.getByText('This code is wrong or has already been used.').waitFor()
      await visitor.fill('Code from your authenticator app', codeOf(key, 1))
      await page.keyboard.press('Enter')
      await visitor.seesHeading('Save your recovery codes')
      await takeCodes(visitor)
      // The session is as good as any now.
      await visitor.press('Add a passkey…')
      await visitor.confirm('Cancel')
      await visitor.press('Replace…')
      await visitor.seesHeading('Set up an authenticator app')
    })
  })

  it('takes a recovery code instead, and does nothing for somebody who does not confirm', async () => {
    const who = await person('step-up-declined')
    await visitAfterNewFactor(who, async (visitor, _, [code]) => {
      const { page } = visitor
      await visitor.press('Replace…')
      await visitor.seesHeading('Confirm that it is you')
      await page.keyboard.press('Escape')
      await visitor.sees('Confirm that it is you, then try again.')
      assert.equal(await focused(page), 'button Replace…')

      await visitor.press('Replace…')
      await visitor.press('Use a recovery code')
      assert.equal(await focused(page), 'input Recovery code')
      await page.keyboard.type((code ?? '').toLowerCase().replaceAll('-', ' '))
      await page.keyboard.press('Enter')
      await visitor.seesHeading('Set up an authenticator app')
      await visitor.confirm('Cancel')
      await visitor.sees('You have 7 codes left.')
      await assertTrue(page, 'a used recovery code')
    })
  })

  it('asks for a passkey where the account has one, and again when it was not used', async () => {
    const who = await person('step-up-passkey')
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(who, security)
      await VirtualAuthenticator.add(page)
      await visitor.press('Add a passkey…')
      await visitor.confirm('Continue')
      await takeCodes(visitor)
      await refuseAsStale(page, '**/users/me/recovery-codes', { times: 1 })
      await visitor.press('Make new codes…')
      await visitor.confirm('Make new codes')
      await visitor.seesHeading('Confirm that it is you')
      await visitor.button('Use a passkey').waitFor()
      assert.equal(await focused(page), 'button Use a passkey')
      await declineOnce(page)
      await page.keyboard.press('Enter')
      await visitor.dialog.getByText('Try again, or choose another way.').waitFor()
      await page.keyboard.press('Enter')
      await visitor.seesHeading('Save your recovery codes')
    })
  })

  it('asks for the password of an account without a factor', async () => {
    const who = await person('step-up-password')
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(who, security)
      await refuseAsStale(page, '**/users/me/totp', { times: 1 })
      await visitor.press('Set up…')
      await visitor.seesHeading('Confirm that it is you')
      await visitor.dialog.getByLabel('Password', { exact: true }).fill('wrong wrong wrong')
      await page.keyboard.press('Enter')
      await visitor.dialog.getByText('The password is wrong.').waitFor()
      await visitor.dialog.getByLabel('Password', { exact: true }).fill(who.password)
      await page.keyboard.press('Enter')
      await visitor.seesHeading('Set up an authenticator app')
    })
  })

  it('asks at once for the password that a deletion needs, and says when there may be none', async () => {
    const who = await person('leaver-with-factor')
    await visit(async (visitor) => {
      await visitor.signIn(who, security)
      await addApp(visitor)
      await takeCodes(visitor)
      await visitor.press('Delete account…')
      await visitor.dialog.getByText('If your account has no password, leave the field empty.').waitFor()
      await visitor.confirm('Delete my account')
      await visitor.dialog.getByText('Enter your password.').waitFor()
      await visitor.dialog.getByLabel('Password', { exact: true }).fill(who.password)
      await visitor.confirm('Delete my account')
      await visitor.seesHeading('Your account has been deleted')
    })
  })

  it('signs out everywhere', async () => {
    const who = await person('everywhere')
    await visit(async (visitor) => {
      await visitor.signIn(who, security)
      await visitor.press('Sign out everywhere…')
      await visitor.confirm('Sign out everywhere')
      await visitor.isLedToSignIn()
    })
  })
})

/** The person closes the next dialog of the browser. */
async function declineOnce(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { credentials } = navigator
    const ask = credentials.get.bind(credentials)
    credentials.get = () => {
      credentials.get = ask
      return Promise.reject(new DOMException('', 'NotAllowedError'))
    }
  })
}

/** The path of a QR code in the page. */
function drawn(text: string): string {
  const { data } = encode(text, { border: 4 })
  return data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ''))).join('')
}
