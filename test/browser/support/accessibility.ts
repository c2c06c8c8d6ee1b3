import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8')

interface Finding {
  id: string
  nodes: { target: string[]; failureSummary: string }[]
}

/** WCAG 2.2 AA and best practices, as far as axe can tell, in the light and in the dark. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  // Injected over the debugging protocol, which the content security policy does not concern.
  const client = await page.context().newCDPSession(page)
  await client.send('Runtime.evaluate', { expression: axe })
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.waitForTimeout(200)
    const findings = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run: () => Promise<{ violations: Finding[] }> } }
      return (await axe.run()).violations
    })
    const told = findings.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
    assert.deepEqual(told, [], `${what}, ${colorScheme}`)
  }
  await client.detach()
}
