/** The client in a real browser: tabs that take turns by Web Locks and tell each other, and what a script could steal. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { build } from 'esbuild'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Change } from '../../client/src/changes.ts'
import type { Client, createClient } from '../../client/src/client.ts'
import { projectRoot } from '../../tools/wrangler.ts'
import { until } from '../e2e/support/command-process.ts'
import { DevServer } from '../e2e/support/dev-server.ts'
import { examplesIn } from '../e2e/support/readme.ts'
import { goodPassword, otherPassword } from '../support/passwords.ts'
import { launchBrowser } from './support/browser.ts'

const ada = { email: 'ada@example.com', password: goodPassword }
const bob = { email: 'bob@example.com', password: otherPassword }
const transports = ['bearer', 'cookie'] as const
type Transport = (typeof transports)[number]

/** What a tab has in its global scope. */
declare const client: Client
declare const changes: Change['reason'][]
/** How far ahead the clock of the client is: it takes old tokens for too old. */
declare const aheadMs: number

describe('the client in a browser', { timeout: 300_000 }, () => {
  let server: DevServer
  let browser: Browser
  let script: string

  before(async () => {
    server = await DevServer.start()
    for (const who of [ada, bob]) await server.signUp(who)
    browser = await launchBrowser()
    script = await bundle(`export { createClient } from '@postern/client'`)
  })
  after(async () => {
    await browser?.close()
    await server.stop()
  })

  async function bundle(contents: string): Promise<string> {
    const result = await build({
      stdin: { contents, resolveDir: projectRoot, loader: 'ts' },
      alias: { '@postern/client': join(projectRoot, 'client/src/index.ts') },
      bundle: true,
      format: 'esm',
      write: false,
    })
    return result.outputFiles[0]?.text ?? ''
  }

  /** A tab on a page of ours, under its policy for scripts. */
  async function openPage(context: BrowserContext, body = script): Promise<Page> {
    const page = await context.newPage()
    await page.route('**/client.js', (route) => route.fulfill({ contentType: 'text/javascript', body }))
    await page.goto(`${server.origin}/reset-password`)
    return page
  }

  async function openTab(context: BrowserContext, transport: Transport): Promise<Page> {
    const page = await openPage(context)
    await page.evaluate(async (transport) => {
      const path = '/client.js'
      const module = (await import(path)) as { createClient: typeof createClient }
      const now = () => Date.now() + aheadMs
      Object.assign(globalThis, { aheadMs: 0, changes: [] })
      Object.assign(globalThis, { client: module.createClient({ url: location.origin, transport, now }) })
      client.onChange(({ reason }) => changes.push(reason))
    }, transport)
    return page
  }

  async function inTabs(transport: Transport, tour: (tabs: [Page, Page], context: BrowserContext) => Promise<void>) {
    const context = await browser.newContext()
    try {
      const tabs: [Page, Page] = [await openTab(context, transport), await openTab(context, transport)]
      await tabs[0].evaluate((credentials) => client.signIn(credentials), ada)
      await untilHeard(tabs[1], ['signed_in'])
      await tour(tabs, context)
    } finally {
      await context.close()
    }
  }

  const untilHeard = (tab: Page, reasons: Change['reason'][]) =>
    until(
      async () => JSON.stringify(await tab.evaluate(() => changes)) === JSON.stringify(reasons),
      reasons.join(),
      5000,
    )

  const emailIn = (tab: Page) => tab.evaluate(() => client.user?.email)

  for (const transport of transports) {
    it(`refreshes one tab at a time, and once for all calls that wait (${transport})`, async () => {
      await inTabs(transport, async (tabs, context) => {
        let running = 0
        let most = 0
        let refreshes = 0
        context.on('request', (request) => {
          if (!request.url().endsWith('/auth/refresh')) return
          refreshes++
          most = Math.max(most, ++running)
        })
        context.on('requestfinished', (request) => {
          if (request.url().endsWith('/auth/refresh')) running--
        })
        for (let round = 1; round <= 3; round++) {
          refreshes = 0
          const emails = await Promise.all(
            tabs.map((tab) =>
              tab.evaluate(async (round) => {
                Object.assign(globalThis, { aheadMs: round * 601_000 })
                const users = await Promise.all(Array.from({ length: 10 }, () => client.me()))
                return users.map((user) => user.email)
              }, round),
            ),
          )
          assert.deepEqual(emails.flat(), Array<string>(20).fill(ada.email))
          // A cookie is shared, but the access token that it gives is in the memory of each tab.
          assert.equal(refreshes, transport === 'cookie' ? 2 : 1)
        }
        assert.equal(most, 1)
        for (const tab of tabs) assert.equal(await emailIn(tab), ada.email)
      })
    })

    it(`tells the other tab of a sign-out and of a sign-in (${transport})`, async () => {
      await inTabs(transport, async ([one, other]) => {
        assert.equal(await emailIn(other), ada.email)
        await other.evaluate(() => client.signOut())
        await untilHeard(one, ['signed_in', 'signed_out'])
        assert.equal(await emailIn(one), undefined)
        await other.evaluate((credentials) => client.signIn(credentials), ada)
        await untilHeard(one, ['signed_in', 'signed_out', 'signed_in'])
        assert.equal((await one.evaluate(() => client.me())).email, ada.email)
      })
    })

    it(`tells the other tab that the session was ended elsewhere (${transport})`, async () => {
      await inTabs(transport, async ([one, other]) => {
        const token = await one.evaluate(() => client.accessToken())
        const headers = { Authorization: `Bearer ${token}` }
        await fetch(`${server.origin}/auth/logout-all`, { method: 'POST', headers })
        const code = await one.evaluate(() => client.me().catch(({ code }: { code: string }) => code))
        assert.equal(code, 'invalid_refresh_token')
        for (const tab of [one, other]) await untilHeard(tab, ['signed_in', 'session_ended'])
      })
    })

    it(`stays signed in after a reload, and sends nothing when nobody is signed in (${transport})`, async () => {
      await inTabs(transport, async (_, context) => {
        const later = await openTab(context, transport)
        assert.equal((await later.evaluate(() => client.restore()))?.email, ada.email)
        await later.evaluate(() => client.signOut())
        const last = await openTab(context, transport)
        const asked: string[] = []
        last.on('request', (request) => asked.push(request.url()))
        assert.equal(await last.evaluate(() => client.restore()), null)
        assert.deepEqual(asked, [])
      })
    })
  }

  it('leaves no token where a script could find it, with the cookie', async () => {
    await inTabs('cookie', async ([tab], context) => {
      const { cookies, origins } = await context.storageState()
      assert.deepEqual(
        cookies.map(({ name, httpOnly }) => ({ name, httpOnly })),
        [{ name: '__Host-postern-refresh', httpOnly: true }],
      )
      const kept = origins.flatMap(({ localStorage }) => localStorage)
      const types = kept.map(({ value }) =>
        value.startsWith('ey') ? typeOf(value) : Object.keys(JSON.parse(value)).join(),
      )
      assert.deepEqual(types.toSorted(), ['device+jwt', 'id'])
      assert.equal(await tab.evaluate(() => document.cookie + sessionStorage.length), '0')
    })
  })

  it('sends every user who signed in here only their own device token', async () => {
    await inTabs('cookie', async ([tab], context) => {
      const sent: (string | undefined)[] = []
      context.on('request', (request) => {
        const { email, device_token: token } = (request.postDataJSON() ?? {}) as {
          email?: string
          device_token?: string
        }
        if (email !== undefined) sent.push(token && ownerOf(token) === hashOf(email) ? email : token)
      })
      for (const who of [bob, ada, bob]) await tab.evaluate((credentials) => client.signIn(credentials), who)
      await tab.evaluate((email) => client.requestPasswordReset({ email }), ada.email)
      assert.deepEqual(sent, [undefined, ada.email, bob.email, ada.email])
    })
  })

  it('works as the README shows it for pages', async () => {
    // The first example signs in, and the one of a step-up needs its session.
    const context = await browser.newContext()
    const said: string[][] = []
    for (const { code, isForBrowsers } of examplesIn(join(projectRoot, 'client/README.md'))) {
      if (!isForBrowsers) continue
      const page = await openPage(context, await bundle(code.replaceAll('https://accounts.example.com', server.origin)))
      const lines: string[] = []
      page.on('console', (message) => message.type() === 'log' && lines.push(message.text()))
      await page.evaluate((path) => import(path), '/client.js')
      said.push(lines)
      await page.close()
    }
    await context.close()
    assert.deepEqual(said, [[], [], [], [`signed in as ${ada.email}`]])
  })
})

function typeOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).typ
}

function ownerOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).email_sha256
}

function hashOf(email: string): string {
  return createHash('sha256').update(email).digest('base64url')
}
