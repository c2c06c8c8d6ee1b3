/** Where things stand on the pages, against the real development server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Locator } from 'playwright-core'
import { ada, runService } from './support/running-service.ts'

async function boxOf(locator: Locator) {
  const box = await locator.boundingBox()
  assert.ok(box)
  return { ...box, right: box.x + box.width, bottom: box.y + box.height }
}

describe('on the pages', { timeout: 120_000 }, () => {
  const { visit } = runService()

  for (const path of ['/problems/not_found', '/nowhere']) {
    it(`the card of ${path} is as high as its content`, async () => {
      await visit(async ({ page }) => {
        await page.goto(path)
        const [card, last] = [await boxOf(page.locator('main')), await boxOf(page.locator('main p').last())]
        assert.ok(card.bottom - last.bottom < 60, `${card.bottom} and ${last.bottom}`)
      })
    })
  }

  it('the button that shows a password stands beside the field, also on a narrow screen', async () => {
    await visit(
      async ({ page }) => {
        await page.goto('/sign-in')
        const button = page.getByRole('button', { name: 'Passwort anzeigen' })
        await button.waitFor()
        const [field, beside] = [await boxOf(page.locator('[name=password]')), await boxOf(button)]
        assert.ok(beside.x >= field.right && Math.abs(beside.y - field.y) <= 1)
        assert.ok(beside.width >= 24 && beside.height >= 24, 'WCAG 2.2, 2.5.8')
      },
      { locale: 'de', viewport: { width: 320, height: 800 } },
    )
  })

  it('an empty form reserves no room for errors', async () => {
    await visit(async ({ page }) => {
      await page.goto('/sign-in')
      const [field, link] = [page.locator('[name=password]'), page.getByRole('link', { name: 'Forgot your password?' })]
      assert.ok((await boxOf(link)).y - (await boxOf(field)).bottom < 16)
    })
  })

  it('the cards of the account follow each other without holes', async () => {
    await visit(
      async (visitor) => {
        await visitor.signIn(ada, '/account?view=security')
        await visitor.seesHeading('Where you are signed in')
        await visitor.seesHeading('Passkeys')
        const cards = await visitor.page.locator('.columns .card').all()
        const boxes = await Promise.all(cards.map(boxOf))
        const columns = Map.groupBy(boxes, ({ x }) => x)
        assert.equal(columns.size, 2)
        for (const column of columns.values()) {
          for (const [n, { y }] of column.slice(1).entries()) assert.ok(y - (column[n]?.bottom ?? 0) < 25)
        }
      },
      { viewport: { width: 1280, height: 900 } },
    )
  })

  it('the logo above the API reference stands off the edge', async () => {
    await visit(async ({ page }) => {
      await page.goto('/docs')
      assert.ok((await boxOf(page.locator('.brand'))).x >= 16)
    })
  })
})
