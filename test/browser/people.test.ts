/** What people do on the pages, against the real development server and its mailbox. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { projectRoot } from '../../tools/wrangler.ts'
import { DevServer } from '../e2e/support/dev-server.ts'
import { assertAccessible } from './accessibility.ts'
import { assertNoSidewaysScroll, focused, launchBrowser } from './browser.ts'
import { headersFor, parseHeaderRules } from './header-rules.ts'

const password = 'nine quiet lanterns drift'
const admin = { email: 'admin@example.com', password }
const ada = { email: 'ada@example.com', password }

describe('the pages', { timeout: 300_000 }, () => {
  let server: DevServer
  let browser: Browser

  before(async () => {
    server = await DevServer.start()
    await server.signUp(admin)
    await server.signUp(ada)
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await server.stop()
  })

  /** One visitor. Fails for script errors, breaches of the content security policy and requests to elsewhere. */
  async function visit(
    tour: (page: Page, context: BrowserContext) => Promise<void>,
    options: BrowserContextOptions = {},
  ): Promise<void> {
    const context = await browser.newContext({ baseURL: server.origin, ...options })
    context.setDefaultTimeout(10_000)
    const complaints: string[] = []
    context.on('weberror', (error) => complaints.push(error.error().message))
    context.on('console', (message) => {
      const isRefusedCall = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !isRefusedCall) complaints.push(message.text())
    })
    context.on('request', (request) => {
      if (!request.url().startsWith(server.origin)) complaints.push(`request to ${request.url()}`)
    })
    try {
      await tour(await context.newPage(), context)
      assert.deepEqual(complaints, [])
    } finally {
      await context.close()
    }
  }

  const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true })
  async function fillIn(page: Page, who: { email: string; password: string }) {
    await page.getByLabel('E-mail address').fill(who.email)
    await page.getByLabel('Password', { exact: true }).fill(who.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  async function signIn(page: Page, who: { email: string; password: string }, path = '/account') {
    await page.goto(`/sign-in?return_to=${encodeURIComponent(path)}`)
    await fillIn(page, who)
    await page.waitForURL((url) => url.pathname + url.search === path)
  }

  it('take somebody from the registration to the account', async () => {
    const person = { email: 'grace@example.com', password }
    await visit(async (page) => {
      await page.goto('/sign-up')
      await page.getByLabel('E-mail address').fill(person.email)
      await page.getByLabel('First name').fill('Grace')
      const field = page.getByLabel('New password', { exact: true })
      await field.fill('password1')
      await page.getByText('This is a commonly used password.').waitFor()
      await page.getByRole('button', { name: 'Create account' }).click()
      await page.getByRole('textbox', { name: 'New password', description: /commonly used/ }).waitFor()
      await field.fill('grace lanterns')
      await field.fill(password)
      await page.getByText('This is a strong password.').waitFor()
      await page.getByRole('button', { name: 'Create account' }).click()
      await heading(page, 'Look into your mailbox').waitFor()

      await page.goto(`/activate#token=${await server.mailedToken(person.email)}`)
      await page.getByLabel('Password', { exact: true }).fill(password)
      await page.getByRole('button', { name: 'Activate account' }).click()
      await heading(page, 'Your account is active').waitFor()
      await page.getByRole('link', { name: 'Go on' }).click()
      await heading(page, 'Where you are signed in').waitFor()
      await page.getByText('Chrome on Linux').first().waitFor()
      await page.getByText('Your account became active').waitFor()
      await page.reload()
      await heading(page, 'Where you are signed in').waitFor()
    })
  })

  it('say what is wrong at the sign-in beside the field, and lead back only where it is allowed', async () => {
    await visit(async (page) => {
      await page.goto('/sign-in?return_to=https://evil.example/')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('Enter your e-mail address.').waitFor()
      await fillIn(page, { ...ada, password: 'wrong wrong wrong' })
      await page.getByRole('textbox', { name: 'Password', description: /do not belong together/ }).waitFor()
      assert.equal(await focused(page), 'input Password')
      await fillIn(page, ada)
      await page.waitForURL('**/account')
    })
    const strange = [
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
      'https:evil.example',
      '%09//evil.example',
    ]
    for (const address of [
      ...strange,
      'https://a@evil.example',
      'http://evil.example',
      '/sign-in',
      'data:text/html,x',
    ]) {
      await visit(async (page) => {
        await page.goto(`/sign-in?return_to=${encodeURIComponent(address)}`)
        await fillIn(page, ada)
        await page.waitForURL((url) => url.pathname !== '/sign-in')
        assert.equal(new URL(page.url()).origin, server.origin, address)
      })
    }
  })

  it('begin at the bare address, under the headers of static files; what is no page stays the API’s', async () => {
    await visit(async (page) => {
      await page.goto('/')
      await page.waitForURL('**/sign-in?return_to=%2Faccount')
      await fillIn(page, ada)
      await heading(page, 'Where you are signed in').waitFor()
      await page.goto('/')
      await heading(page, 'Where you are signed in').waitFor()
    })
    const answer = await fetch(server.origin, { redirect: 'manual' })
    assert.deepEqual([answer.status, answer.headers.get('Location')], [302, '/account'])
    const rules = parseHeaderRules(readFileSync(join(projectRoot, 'public/_headers'), 'utf8'))
    for (const [name, value] of Object.entries(headersFor('/', rules))) assert.equal(answer.headers.get(name), value)
    const others = await Promise.all(['/nope', '/auth/login', '/_redirects'].map((path) => fetch(server.origin + path)))
    assert.deepEqual(await Promise.all(others.map(async (other) => [other.redirected, (await other.json()).code])), [
      [false, 'not_found'],
      [false, 'method_not_allowed'],
      [false, 'not_found'],
    ])
  })

  it('suit password managers and the keyboard', async () => {
    await visit(async (page) => {
      await page.goto('/sign-in')
      const attributes = (label: string) => page.getByLabel(label, { exact: true }).getAttribute('autocomplete')
      assert.equal(await attributes('E-mail address'), 'username')
      assert.equal(await attributes('Password'), 'current-password')
      assert.equal(await focused(page), 'input E-mail address')
      await page.keyboard.type(ada.email)
      await page.keyboard.press('Tab')
      await page.keyboard.type(ada.password)
      await page.keyboard.press('Enter')
      await heading(page, 'Your account').waitFor()
      await page.goto('/sign-up').catch(() => undefined)
      assert.equal(await attributes('New password'), 'new-password')
    })
  })

  it('save the profile, change the password, and refuse a wrong one', async () => {
    const person = { email: 'edit@example.com', password }
    await server.signUp(person)
    await visit(async (page) => {
      await signIn(page, person)
      await page.getByLabel('About you').fill('Notes on engines.')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Your profile was saved.').waitFor()
      await page.getByLabel('Current password').fill('wrong wrong wrong')
      await page.getByLabel('New password', { exact: true }).fill('seven copper kettles hum')
      await page.getByRole('button', { name: 'Change password' }).click()
      await page.getByText('This is not your password.').waitFor()
      await page.getByLabel('Current password').fill(password)
      await page.getByRole('button', { name: 'Change password' }).click()
      await page.getByText('Your password was changed.').waitFor()
      await page.reload()
      assert.equal(await page.getByLabel('About you').inputValue(), 'Notes on engines.')
      await page.getByRole('button', { name: 'Delete account' }).click()
      await page.getByRole('dialog').getByLabel('Password', { exact: true }).fill('seven copper kettles hum')
      await page.getByRole('button', { name: 'Delete my account' }).click()
      await page.waitForURL('**/sign-in**')
    })
  })

  it('keep two tabs signed in that refresh at the same moment', async () => {
    await visit(async (page, context) => {
      await signIn(page, ada)
      const other = await context.newPage()
      await other.goto('/account')
      await Promise.all([page.reload(), other.reload(), page.waitForTimeout(1)])
      for (const tab of [page, other]) await heading(tab, 'Where you are signed in').waitFor()
    })
  })

  it('leave every tab when the session was stolen, or ended on another device', async () => {
    const person = { email: 'theft@example.com', password }
    await server.signUp(person)
    await visit(async (page, context) => {
      await signIn(page, person)
      const [stolen] = await context.cookies()
      const other = await context.newPage()
      await other.goto('/account')
      await heading(other, 'Where you are signed in').waitFor()
      await page.reload()
      await heading(page, 'Where you are signed in').waitFor()
      // Two refreshes later the first token is a thief's.
      const theft = await fetch(`${server.origin}/auth/refresh`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ refresh_token: stolen?.value }),
      })
      assert.equal(theft.status, 401)
      await page.getByRole('button', { name: 'Save' }).click()
      for (const tab of [page, other]) await tab.waitForURL('**/sign-in**')
      await page.getByText('You were signed out.').waitFor()
    })
  })

  it('show nothing of the account behind the back button after signing out', async () => {
    await visit(async (page) => {
      await signIn(page, ada)
      await heading(page, 'Where you are signed in').waitFor()
      await page.getByRole('button', { name: 'Sign out', exact: true }).click()
      await page.waitForURL('**/sign-in**')
      await page.goto('/robots.txt')
      await page.goBack()
      await page.waitForTimeout(500)
      assert.match(page.url(), /\/sign-in/)
      assert.doesNotMatch(await page.content(), /ada@example\.com/)
    })
  })

  it('let whoever sits at the console sign out there', async () => {
    await visit(async (page) => {
      await signIn(page, admin, '/console')
      await page.getByRole('link', { name: admin.email }).waitFor()
      await page.getByRole('button', { name: 'Sign out', exact: true }).click()
      await page.waitForURL('**/sign-in**')
      await page.goto('/account')
      await page.waitForURL('**/sign-in**')
    })
  })

  it('speak German to who prefers it', async () => {
    await visit(
      async (page) => {
        await page.goto('/sign-in')
        await heading(page, 'Anmelden').waitFor()
        assert.equal(await page.locator('html').getAttribute('lang'), 'de')
        await page.getByLabel('Sprache').selectOption('en')
        await heading(page, 'Sign in').waitFor()
      },
      { locale: 'de-AT' },
    )
  })

  it('take at most 60 kB to sign in', async () => {
    const sizes: Promise<number>[] = []
    await visit(async (page) => {
      page.on('response', (response) => sizes.push(response.body().then((body) => gzipSync(body).length)))
      await page.goto('/sign-in')
      await heading(page, 'Sign in').waitFor()
      await page.waitForLoadState('networkidle')
      const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size)
      assert.ok(bytes > 10_000 && bytes <= 60_000, `${bytes} bytes`)
    })
  })

  const places = [
    '/sign-in',
    '/sign-up',
    '/activate',
    '/activate#token=a.b.c',
    '/forgot-password',
    '/reset-password#token=a.b.c',
  ]
  for (const width of [320, 1280]) {
    it(`are accessible and fit a screen of ${width} px`, async () => {
      const viewport = { width, height: 800 }
      await visit(
        async (page) => {
          for (const path of places) {
            await page.goto('/robots.txt')
            await page.goto(path)
            await page.getByRole('heading', { level: 1 }).waitFor()
            await assertNoSidewaysScroll(page)
            await assertAccessible(page, path)
          }
          await signIn(page, admin)
          await page.getByText('Your account became active').waitFor()
          await assertNoSidewaysScroll(page)
          await assertAccessible(page, '/account')
          await page.getByRole('button', { name: 'Delete account' }).click()
          await assertAccessible(page, 'a dialog')
          for (const path of ['/console', '/console?view=audit', '/console?view=emails']) {
            await page.goto(path)
            await page
              .getByRole(width === 320 ? 'row' : 'table')
              .first()
              .waitFor()
            await assertNoSidewaysScroll(page)
            await assertAccessible(page, path)
          }
        },
        { viewport },
      )
    })
  }

  it('let an ADMIN find a user, suspend it with a reason, reinstate it and read what happened', async () => {
    const person = { email: 'target@example.com', password }
    await server.signUp(person)
    await visit(async (page) => {
      await signIn(page, admin, '/console')
      await page.getByRole('link', { name: person.email }).waitFor()
      await page.getByLabel('Search').fill('targ')
      await page.getByRole('link', { name: admin.email }).waitFor({ state: 'detached' })
      await page.getByRole('link', { name: person.email }).click()
      await heading(page, person.email).waitFor()
      await heading(page, 'Sessions').waitFor()

      await page.getByRole('button', { name: 'Suspend' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByText('signed out everywhere at once').waitFor()
      await dialog.getByRole('button', { name: 'Suspend' }).click()
      await dialog.getByText('Say why.').waitFor()
      await dialog.getByLabel('Reason').fill('spam')
      await dialog.getByRole('button', { name: 'Suspend' }).click()
      await page.getByText('The account is suspended.').waitFor()
      await page.getByText('reason: spam').waitFor()
      const login = await fetch(`${server.origin}/auth/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(person),
      })
      assert.equal(login.status, 403)

      await page.getByRole('button', { name: 'Reinstate' }).click()
      await dialog.getByRole('button', { name: 'Reinstate' }).click()
      await page.getByText('The account is reinstated.').waitFor()
      await page.goBack()
      assert.equal(await page.getByLabel('Search').inputValue(), 'targ')
    })
  })

  it('refuse an ADMIN what would lock it out, and show a MODERATOR and a USER only what is theirs', async () => {
    const person = { email: 'moderator@example.com', password }
    await server.signUp(person)
    await visit(async (page) => {
      await signIn(page, admin, '/console?email=admin')
      await page.getByRole('link', { name: admin.email }).click()
      await page.getByRole('button', { name: 'Delete account' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete account' }).click()
      await page.getByText('You cannot do this to your own account.').waitFor()
      await page.getByRole('button', { name: 'Cancel' }).click()
      await page.goto('/console?email=moderator')
      await page.getByRole('link', { name: person.email }).click()
      await page.getByRole('button', { name: 'Change role' }).click()
      await page.getByRole('dialog').getByLabel('Role').selectOption('MODERATOR')
      await page.getByRole('dialog').getByRole('button', { name: 'Change role' }).click()
      await page.getByText('The role was changed.').waitFor()
    })
    await visit(async (page) => {
      await signIn(page, person, '/console')
      await page.getByRole('link', { name: ada.email }).click()
      await page.getByRole('button', { name: 'Suspend' }).waitFor()
      assert.equal(await page.getByRole('button', { name: 'Delete account' }).count(), 0)
      assert.equal(await page.getByRole('link', { name: 'Audit log' }).count(), 0)
    })
    await visit(async (page) => {
      await signIn(page, ada, '/console')
      await page.getByText('for moderators and administrators').waitFor()
    })
  })

  it('say beside the field when an address is none, and in the console when a filter is none or nothing is found', async () => {
    await visit(async (page) => {
      await page.goto('/forgot-password')
      await page.getByRole('button', { name: 'Send me a link' }).click()
      await page.getByText('Enter your e-mail address.').waitFor()
      await page.getByLabel('E-mail address').fill('nobody')
      await page.keyboard.press('Enter')
      await page.locator('[aria-invalid=true]').waitFor()
      await page.getByLabel('E-mail address').fill(ada.email)
      await page.keyboard.press('Enter')
      await heading(page, 'Look into your mailbox').waitFor()

      await signIn(page, admin, '/console?email=zzz')
      await page.getByText('Nobody is like that.').waitFor()
      await page.getByRole('link', { name: 'Audit log' }).click()
      await page.getByLabel('Id of a user').fill('none')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').waitFor()
      await page.getByRole('link', { name: 'Mails' }).click()
      await page.getByLabel('Status').selectOption('unknown')
      await page.getByText('There is nothing here.').waitFor()
    })
  })

  it('never show an older answer to a search after a newer one', async () => {
    await visit(async (page) => {
      await signIn(page, admin, '/console')
      await page.getByRole('link', { name: ada.email }).waitFor()
      await page.route('**/users?*email=a&*', async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 1500))
        await route.continue().catch(() => undefined)
      })
      await page.getByLabel('Search').fill('a')
      await page.waitForTimeout(300)
      await page.getByLabel('Search').fill('ada')
      await page.getByRole('link', { name: admin.email }).waitFor({ state: 'detached' })
      await page.waitForTimeout(1800)
      assert.equal(await page.getByRole('link', { name: admin.email }).count(), 0)
      await page.getByRole('link', { name: ada.email }).waitFor()
    })
  })

  it('have a description of the API that is a file like any other, and says which methods it takes', async () => {
    const url = `${server.origin}/openapi.json`
    const own = ['connection', 'content-length', 'content-type', 'etag', 'transfer-encoding', 'x-request-id']
    const shared = ({ headers }: Response) => [...headers].filter(([name]) => !own.includes(name))
    const [file, got, head] = [
      await fetch(`${server.origin}/favicon.svg`),
      await fetch(url, { headers: { 'X-Request-Id': 'mine' } }),
      await fetch(url, { method: 'HEAD', headers: { 'X-Request-Id': 'mine' } }),
    ]
    for (const answer of [got, head]) {
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('Content-Type'), 'application/json')
      assert.equal(answer.headers.get('X-Request-Id'), 'mine')
      assert.deepEqual(shared(answer), shared(file))
    }
    assert.equal((await got.json()).openapi, '3.1.0')
    const known = { 'If-None-Match': got.headers.get('ETag') ?? '' }
    assert.equal((await fetch(url, { headers: known })).status, 304)
    const refused = await fetch(url, { method: 'POST' })
    assert.deepEqual([refused.status, refused.headers.get('Allow')], [405, 'HEAD, GET'])
    assert.equal((await refused.json()).code, 'method_not_allowed')
  })

  it('show the reference of the API, with every operation, and try calls', async () => {
    await visit(async (page) => {
      await page.goto('/docs')
      await page.getByText('/auth/register', { exact: true }).first().waitFor()
      const { paths } = JSON.parse(await (await fetch(`${server.origin}/openapi.json`)).text())
      const operations = Object.values<object>(paths).flatMap((item) =>
        Object.keys(item).filter((method) => method !== 'parameters'),
      )
      assert.equal(await page.locator('.opblock').count(), operations.length)
      await page.locator('#operations-Service-getHealth').click()
      await page.locator('#operations-Service-getHealth').getByRole('button', { name: 'Execute' }).click()
      await page.locator('#operations-Service-getHealth .live-responses-table').getByText('"ok"').first().waitFor()
    })
  })
})
