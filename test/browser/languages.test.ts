/** A further language takes what docs/pages.md says: a file in each of four folders, and a line. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, it } from 'node:test'
import { projectRoot } from '../../tools/wrangler.ts'
import { launchBrowser } from './support/browser.ts'
import { Site } from './support/site.ts'

const pageTexts = `import { type Texts, en } from './en.ts'
export const fr: Texts = {
  ...en,
  common: { ...en.common, noScript: 'Cette page a besoin de JavaScript.' },
  signIn: { ...en.signIn, title: 'Se connecter' },
}
`
const accountTexts = `import { type Words, en } from './en.ts'
export const fr: Words = { ...en, copied: 'Copié.' }
`
const linkTexts = `import { type Words, en } from './en.ts'
export const fr: Words = { ...en, voidTitle: 'Ce lien ne marche plus' }
`
const consoleTexts = `import { type Words, en } from './en.ts'
export const fr: Words = { ...en, nobody: 'Aucun compte.' }
`

/** A copy of the pages, beside what their build reads. */
function copyPages(folder: string): void {
  cpSync(join(projectRoot, 'web'), join(folder, 'web'), { recursive: true })
  for (const name of [
    'node_modules',
    'src',
    'client',
    'emails',
    'public',
    'wrangler.toml',
    'package.json',
    'tsconfig.json',
  ]) {
    symlinkSync(join(projectRoot, name), join(folder, name))
  }
}

describe('the pages', { timeout: 120_000 }, () => {
  it('speak a third language after a file in each folder and a line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-language-'))
    const site = new Site(pathToFileURL(`${folder}/dist/`))
    const browser = await launchBrowser()
    try {
      copyPages(folder)
      writeFileSync(join(folder, 'web/texts/fr.ts'), pageTexts)
      writeFileSync(join(folder, 'web/console/texts/fr.ts'), consoleTexts)
      writeFileSync(join(folder, 'web/account/texts/fr.ts'), accountTexts)
      writeFileSync(join(folder, 'web/links/texts/fr.ts'), linkTexts)
      const list = join(folder, 'web/texts/language.ts')
      const before = readFileSync(list, 'utf8')
      writeFileSync(list, before.replace("  de: 'Deutsch',\n", "  de: 'Deutsch',\n  fr: 'Français',\n"))
      assert.notEqual(readFileSync(list, 'utf8'), before)
      execFileSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build', 'web', '--logLevel', 'warn'], {
        cwd: folder,
      })

      await site.open()
      const context = await browser.newContext({ baseURL: site.origin, locale: 'fr-CA' })
      const page = await context.newPage()
      await page.goto('/sign-in')
      await page.getByRole('heading', { name: 'Se connecter' }).waitFor()
      assert.equal(await page.locator('html').getAttribute('lang'), 'fr')
      assert.deepEqual(await page.getByRole('combobox').locator('option').allTextContents(), [
        'English',
        'Deutsch',
        'Français',
      ])
      assert.match(await (await fetch(`${site.origin}/sign-in`)).text(), /lang="fr">Cette page a besoin de JavaScript/)
      const chunks = readdirSync(join(folder, 'dist/pages')).filter((name) => name.endsWith('.js'))
      const withWords = chunks.filter((name) =>
        readFileSync(join(folder, 'dist/pages', name), 'utf8').includes('Aucun compte.'),
      )
      // In a chunk of its own, which only the console loads in this language.
      assert.deepEqual(withWords.length, 1)
      assert.match(withWords.join(), /^fr-/)
    } finally {
      await browser.close()
      await site.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
