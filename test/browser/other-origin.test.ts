/** A page of another origin that sends its visitors to the sign-in page and gets them back without a session. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { ada, runService } from './support/running-service.ts'

describe('an app on another origin', { timeout: 300_000 }, () => {
  const service = runService()
  const visits: string[] = []
  let app: string
  const server = createServer((request, response) => {
    visits.push(request.url ?? '')
    const back = `${service.server.origin}/sign-in?return_to=${encodeURIComponent(`${app}/`)}`
    response.writeHead(200, { 'Content-Type': 'text/html' })
    response.end(`<link rel="icon" href="data:,"><script>location.replace(${JSON.stringify(back)})</script>`)
  })
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    app = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  it('is led back to once, and then the page says why that does not help', async () => {
    const { origin } = service.server
    // A foreign page is part of this visit, which `visit` would complain about.
    await service.visit(async ({ page }, context) => {
      const other = await context.browser()!.newContext({ baseURL: origin })
      try {
        // The list of origins is built into the pages.
        await other.route('**/pages/*.js', async (route) => {
          const answer = await route.fetch()
          const body = (await answer.text()).replaceAll(/returnOrigins:\[\]/g, `returnOrigins:["${app}"]`)
          await route.fulfill({ response: answer, body })
        })
        const tab = await other.newPage()
        await tab.goto(app)
        await tab.getByLabel('Email address').fill(ada.email)
        await tab.getByLabel('Password', { exact: true }).fill(ada.password)
        await tab.keyboard.press('Enter')
        await tab.getByRole('heading', { name: 'You are signed in here' }).waitFor()
        await tab.getByText(`${new URL(app).host} cannot see this and has to sign you in itself.`).waitFor()
        assert.deepEqual(visits, ['/', '/'], 'before and after signing in')
        await tab.getByRole('link', { name: `Back to ${new URL(app).host}` }).click()
        await tab.getByRole('heading', { name: 'You are signed in here' }).waitFor()
        assert.equal(visits.length, 3)
        await tab.getByRole('link', { name: 'Your account' }).last().click()
        await tab.getByRole('heading', { name: 'Profile' }).waitFor()
      } finally {
        await other.close()
      }
      await page.close()
    })
  })
})
