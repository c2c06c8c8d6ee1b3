import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8')

interface Finding {
  id: string
  nodes: { target: string[] }[]
}

/**
 * What breaks WCAG 2.2 AA and best practices, as far as axe can tell.
 *
 * @param withoutRules the rules of axe that cannot judge the page as it is shown
 */
export async function accessibilityFaults(page: Page, withoutRules: readonly string[] = []): Promise<string[]> {
  // Injected over the debugging protocol, which the content security policy does not concern.
  const client = await page.context().newCDPSession(page)
  await client.send('Runtime.evaluate', { expression: axe })
  const findings = await page.evaluate(async (rules) => {
    const { axe } = globalThis as unknown as {
      axe: { run: (options: object) => Promise<{ violations: Finding[] }> }
    }
    const off = Object.fromEntries(rules.map((rule) => [rule, { enabled: false }]))
    return (await axe.run({ rules: off })).violations
  }, withoutRules)
  await client.detach()
  return findings.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
}
