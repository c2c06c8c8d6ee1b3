/** The development server and a browser, for the tests of one `describe`. */
import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core'
import { type Credentials, DevServer } from '../../e2e/support/dev-server.ts'
import { goodPassword as password } from '../../support/passwords.ts'
import { launchBrowser, watch } from './browser.ts'
import { Visitor } from './visitor.ts'

export const admin = { email: 'admin@example.com', password }
export const ada = { email: 'ada@example.com', password }

type Tour = (visitor: Visitor, context: BrowserContext) => Promise<void>

export interface RunningService {
  readonly server: DevServer
  /** A person of their own with an active account. */
  person: (name: string) => Promise<Credentials>
  /** A visit in a fresh profile. Fails for script errors, breaches of the content security policy and foreign requests. */
  visit: (tour: Tour, options?: BrowserContextOptions) => Promise<void>
}

/**
 * Starts the service with the accounts of `admin`, who is the first ADMIN, and `ada`.
 *
 * @param variables override those of wrangler.toml
 */
export function runService(variables: Record<string, string> = {}): RunningService {
  let server: DevServer
  let browser: Browser
  before(async () => {
    server = await DevServer.start(variables)
    for (const who of [admin, ada]) await server.signUp(who)
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await server?.stop()
  })
  return {
    get server() {
      return server
    },
    async person(name) {
      const credentials = { email: `${name}@example.com`, password }
      await server.signUp(credentials)
      return credentials
    },
    async visit(tour, options = {}) {
      const context = await browser.newContext({ baseURL: server.origin, ...options })
      context.setDefaultTimeout(20_000)
      const complaints = watch(context, server.origin)
      try {
        await tour(new Visitor(await context.newPage()), context)
        assert.deepEqual(complaints, [])
      } finally {
        await context.close()
      }
    },
  }
}
