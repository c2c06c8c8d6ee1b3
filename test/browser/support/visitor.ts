import type { Locator, Page } from 'playwright-core'
import type { Credentials } from '../../e2e/support/dev-server.ts'

/** A person at the pages, who finds everything by its visible or accessible name. */
export class Visitor {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  goto(path: string): Promise<unknown> {
    return this.page.goto(path)
  }

  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true })
  }

  link(name: string): Locator {
    return this.page.getByRole('link', { name, exact: true })
  }

  field(label: string): Locator {
    return this.page.getByLabel(label, { exact: true })
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog')
  }

  /** Presses a button of the open dialog. */
  async confirm(name: string): Promise<void> {
    await this.dialog.getByRole('button', { name, exact: true }).click()
  }

  async press(name: string): Promise<void> {
    await this.button(name).click()
  }

  async fill(label: string, text: string): Promise<void> {
    await this.field(label).fill(text)
  }

  async sees(text: string): Promise<void> {
    await this.page.getByText(text).first().waitFor()
  }

  async seesHeading(name: string): Promise<void> {
    await this.page.getByRole('heading', { name, exact: true }).waitFor()
  }

  /** Waits for an error that is tied to a field, so that a screen reader reads it with the field. */
  async seesErrorAt(label: string, description: RegExp): Promise<void> {
    await this.page.getByRole('textbox', { name: label, exact: true, description }).waitFor()
  }

  /** Fills in the sign-in page that is open. */
  async enter({ email, password }: Credentials): Promise<void> {
    await this.fill('Email address', email)
    await this.fill('Password', password)
    await this.press('Sign in')
  }

  async signIn(who: Credentials, path = '/account'): Promise<void> {
    await this.goto(`/sign-in?return_to=${encodeURIComponent(path)}`)
    await this.enter(who)
    await this.page.waitForURL((url) => url.pathname + url.search === path)
  }

  async isLedToSignIn(): Promise<void> {
    await this.page.waitForURL('**/sign-in**')
  }
}
