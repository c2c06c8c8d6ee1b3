/** The pages while a program translates them, against the real development server. */
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { admin, runService } from './support/running-service.ts'

/** Does what Google Translate does: each text is replaced by elements with another text. */
async function translate(page: Page): Promise<void> {
  await page.evaluate(() => {
    const texts: Text[] = []
    const walker = document.createTreeWalker(document.querySelector('#app')!, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) texts.push(walker.currentNode as Text)
    for (const text of texts) {
      if (text.data.trim() === '' || text.parentElement!.closest('textarea, option')) continue
      const font = document.createElement('font')
      const inner = document.createElement('font')
      font.append(inner)
      inner.append(`«${text.data}»`)
      text.replaceWith(font)
    }
  })
}

describe('a translated page', { timeout: 300_000 }, () => {
  const { visit } = runService()

  it('shows errors, and what a button does now', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.goto('/sign-in')
      await visitor.seesHeading('Sign in')
      await translate(page)
      await page.getByRole('button', { name: '«Show password»' }).click()
      await visitor.button('Hide password').waitFor()
      await page.getByRole('button', { name: '«Sign in»' }).click()
      await visitor.sees('Enter your email address.')
      await translate(page)
      await page.getByRole('textbox').first().fill('nobody@example.com')
      await page.locator('form button[type=submit]').click()
      await visitor.sees('Enter your password.')
      await page.getByText('«Enter your email address.»').waitFor({ state: 'detached' })
    })
  })

  it('shows the state after each act, and nothing of the state before', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(admin)
      await visitor.seesHeading('Profile')
      await translate(page)
      await page.locator('textarea').fill('Something')
      await page.locator('form button[type=submit]').first().click()
      await visitor.sees('Your profile has been saved.')
      await visitor.goto('/account?view=security')
      await visitor.seesHeading('Password')
      await translate(page)
      await page.locator('input[name=new_password]').fill('short')
      await visitor.sees('Use at least')
      await translate(page)
      await page.locator('input[name=new_password]').fill('correct horse battery staple wagon')
      await visitor.sees('This is a strong password.')
      await page.getByText('«Use at least', { exact: false }).waitFor({ state: 'detached' })
    })
    await visit(async (visitor) => {
      const { page } = visitor
      await visitor.signIn(admin, '/console')
      await visitor.link(admin.email).waitFor()
      await translate(page)
      await page.getByRole('link', { name: '«ada@example.com»' }).click()
      await visitor.seesHeading('ada@example.com')
      await visitor.button('Sign out everywhere').waitFor()
      await translate(page)
      await page.getByRole('button', { name: '«Suspend…»' }).click()
      await translate(page)
      await visitor.dialog.locator('input').fill('spam')
      await page.keyboard.press('Enter')
      await visitor.button('Reinstate').waitFor()
      await page.getByText('Suspended', { exact: true }).waitFor()
      await page.getByText('«Active»').waitFor({ state: 'detached' })
      await page.getByText('«Suspend…»').waitFor({ state: 'detached' })
    })
  })
})
