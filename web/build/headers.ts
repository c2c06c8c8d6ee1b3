/** Lets only the pages that need Turnstile load its widget, and no page when Turnstile is not configured. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'vite'
import type { Settings } from './settings.ts'

/** Those with a form that the API guards with a challenge. */
const pagesWithChallenge = ['/sign-in', '/sign-up', '/forgot-password', '/reset-password']

export function allowChallenges({ turnstile }: Settings): Plugin {
  return {
    name: 'postern-headers',
    async writeBundle({ dir = '' }) {
      if (turnstile === null) return
      const file = join(dir, '_headers')
      await writeFile(file, withChallenges(await readFile(file, 'utf8'), new URL(turnstile.scriptUrl).origin))
    },
  }
}

/** @param rules the content of `_headers`, whose first policy is that of every page */
function withChallenges(rules: string, origin: string): string {
  const [policy] = /Content-Security-Policy: .*/.exec(rules) ?? []
  if (!policy?.includes("script-src 'self'")) throw new Error('_headers has no policy to extend')
  const extended = policy.replace("script-src 'self'", `script-src 'self' ${origin}; frame-src ${origin}`)
  return pagesWithChallenge.reduce((text, path) => {
    const lines = `${path}\n  ! Content-Security-Policy\n  ${extended}\n`
    // A second rule for the same path would replace the first.
    return text.includes(`\n${path}\n`) ? text.replace(`\n${path}\n`, `\n${lines}`) : `${text}\n${lines}`
  }, rules)
}
